// The numbers of a tiny model mean nothing; what was found in which cache does.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { projectRoot } from '../src/testing/fixtures.ts';

const script = join(projectRoot, 'build', 'bench', 'run.js');
const demo = join(projectRoot, 'models', 'demo-3m-Q8_0.gguf');
const bench = async (...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> =>
  promisify(execFile)(process.execPath, [script, 'prefix', ...args], {
    env: { ...process.env, NODE_OPTIONS: '' },
  }).then(
    (output) => ({ code: 0, ...output }),
    (error: unknown) => error as { code: number; stdout: string; stderr: string },
  );

void t.test('cold, repeated and after a restart', async (t) => {
  const args = ['--model', demo, '--prompt', '160', '--rounds', '1', '--json', '--', '--threads', '1'];
  const { code, stdout } = await bench(...args);
  t.equal(code, 0);
  const result = JSON.parse(stdout) as Record<
    'cold' | 'repeated' | 'after_restart',
    { readonly cached_tokens: number }
  >;
  const times = { first_token_ms: Number, of_cold: Number };
  t.match(result, {
    prompt_tokens: Number,
    cold: { of_cold: 1 },
    repeated: times,
    after_restart: times,
    same_answers: true,
  });
  t.ok(result.cold.cached_tokens < 64, 'what all prompts begin with');
  t.ok(result.repeated.cached_tokens >= 128);
  t.ok(result.after_restart.cached_tokens >= 128);
});

void t.test('what cannot be measured', async (t) => {
  t.match(await bench('--model', demo, '--prompt', '100'), { code: 2, stderr: /--prompt/ });
  t.match(await bench(), { code: 2, stderr: /--model is required/ });
});
