// Our own checker against our own server, with the bundled model, on both transports, without keys and with one: every case, promises
// of ours included.

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { loadUws } from './http/uws.ts';
import { projectRoot } from './testing/fixtures.ts';
import { startServer } from './testing/server-process.ts';

const uws = await loadUws();

/**
 * What uWebSockets.js answers before our code sees the request: HTTP/1.0 and requests sent ahead of an answer are refused, and headers
 * that are too large get its own page. All three are SHOULD; `--transport http` meets them.
 */
const exceptions = {
  uws: ['http/connections/http-1-0-served', 'http/connections/pipelined-all', 'http/errors/headers-too-large'],
  http: [],
} as const;

/** Cases that must have passed for the run to mean anything. */
const enough = 100;

/** One transport without keys, the other with one: keys are looked at above both. */
const variants = [
  { transport: uws.module === undefined ? 'http' : 'uws', key: undefined },
  { transport: 'http', key: 'sk-conformance' },
] as const;

for (const { transport, key } of variants) {
  void t.test(`conformance on ${transport}, ${key === undefined ? 'without keys' : 'with a key'}`, async (t) => {
    const keyArgs = key === undefined ? [] : ['--api-key', key];
    const server = await startServer(t, ['--transport', transport, ...keyArgs]);
    const args = ['--base-url', `${server.url}/v1`, '--model', 'default', '--strict', '--json', ...keyArgs];
    const { output, exit } = await run(args);
    const lines = output.split('\n').filter((line) => line.startsWith('{'));
    const verdicts = lines.map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>);
    const cases = verdicts.filter(({ type }) => type === 'case');
    const failed = cases.filter(({ verdict }) => verdict === 'failed').map(({ path }) => String(path));
    t.strictSame(failed.sort(), exceptions[transport]);
    t.ok(
      cases.filter(({ verdict }) => verdict === 'passed').length >= enough,
      `of ${cases.length} cases enough passed`,
    );
    t.equal(exit, exceptions[transport].length === 0 ? 0 : 1);
  });
}

async function run(args: readonly string[]): Promise<{ readonly output: string; readonly exit: number | null }> {
  const env = { ...process.env, NODE_OPTIONS: '' };
  const child = spawn(process.execPath, [join(projectRoot, 'build', 'conformance', 'run.js'), ...args], { env });
  let output = '';
  child.stdout.on('data', (piece: Buffer) => (output += piece.toString()));
  const exit = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { output, exit };
}
