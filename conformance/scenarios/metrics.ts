// Requirements about what a server counts, held against what its answers say.

import { valueAt } from '../expect.ts';
import { Skip, succeed } from './scene.ts';
import type { Scene } from './scene.ts';

/** Counter of /metrics -> the number of an answer by which it must grow. */
const counters = {
  prompt_tokens_total: 'usage.prompt_tokens',
  generation_tokens_total: 'usage.completion_tokens',
} as const;

/** Both grow by the usage of an answer within two seconds. More is fine: others may use the server. */
export async function tokensCounted(scene: Scene): Promise<string[]> {
  const before = await read(scene);
  const answer = await succeed(scene);
  let problems: string[] = [];
  for (const end = performance.now() + 2000; performance.now() < end;) {
    const after = await read(scene);
    problems = Object.entries(counters).flatMap(([name, path], i) => {
      const wanted = Number(valueAt(answer.json, path));
      const grown = after[i] - before[i];
      return grown >= wanted ? [] : [`${name} must grow by ${path} = ${wanted}, grows by ${grown}`];
    });
    if (problems.length === 0) return [];
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return problems;
}

/** The counters, each summed over its series. */
async function read({ client }: Scene): Promise<number[]> {
  const { status, text } = await client.send({ method: 'GET', path: '/metrics' });
  if (status !== 200) throw new Skip('there is no /metrics');
  return Object.keys(counters).map((name) => {
    const samples = [...text.matchAll(new RegExp(`^\\w+[:_]${name}(?:\\{.*\\})? (\\S+)`, 'gm'))];
    if (samples.length === 0) throw new Skip(`/metrics has no ${name}`);
    return samples.reduce((sum, [, value]) => sum + Number(value), 0);
  });
}
