// Engines side by side: turns, medians, ratios, and the command with stand-ins for what others have installed.

import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { projectRoot } from '../../src/testing/fixtures.ts';
import { reportOf, takeTurns } from './compare.ts';
import { readLlamaBench } from './llama-bench.ts';
import type { Peer } from './peer.ts';

const work = { model: 'm.gguf', threads: 2, prompt: 64, gen: 8, depth: 0 };

function peer(name: string, log: string[], speeds: readonly (readonly [number, number] | string)[]): Peer {
  let round = 0;
  return {
    name,
    async measure() {
      log.push(name);
      const speed = speeds[round++];
      if (typeof speed === 'string') throw new Error(speed);
      return { prefill_tok_s: speed[0], decode_tok_s: speed[1], version: `${name} 1` };
    },
  };
}

void t.test('engines take turns, and the medians are compared', async (t) => {
  const log: string[] = [];
  const runs = await takeTurns(
    [
      peer('ours', log, [
        [100, 20],
        [900, 30],
        [200, 10],
      ]),
      peer('theirs', log, [[50, 40], 'out of memory\n at somewhere', [150, 40]]),
      peer('broken', log, ['no', 'no', 'not at all']),
    ],
    work,
    3,
  );
  t.equal(log.join(' '), 'ours theirs broken ours theirs broken ours theirs broken');
  t.match(reportOf(runs, [{ name: 'absent', missing: 'set ABSENT' }]), [
    { name: 'ours', version: 'ours 1', prefill_tok_s: 200, decode_tok_s: 20, prefill_ratio: 1, decode_ratio: 1 },
    { name: 'theirs', prefill_tok_s: 100, decode_tok_s: 40, prefill_ratio: 2, decode_ratio: 0.5, missing: undefined },
    { name: 'broken', prefill_tok_s: undefined, prefill_ratio: undefined, missing: 'not at all' },
    { name: 'absent', missing: 'set ABSENT' },
  ]);
  t.equal(runs[1].failure, 'out of memory');
});

/** What llama-bench prints of one test, shortened. */
function test(n_prompt: number, n_gen: number, avg_ts: number): object {
  return { build_commit: '1a2b3c4', build_number: 9000, n_threads: 2, flash_attn: true, n_prompt, n_gen, avg_ts };
}

void t.test('what llama-bench prints', async (t) => {
  const output = JSON.stringify([test(64, 0, 416.5), test(0, 8, 73.25)]);
  t.same(readLlamaBench(output, work), {
    prefill_tok_s: 416.5,
    decode_tok_s: 73.25,
    version: 'b9000 1a2b3c4, flash attention',
  });
  t.throws(() => readLlamaBench(JSON.stringify([test(64, 0, 1)]), work), /left out a test/);
});

void t.test('the command', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'compare-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const llama = join(folder, 'llama-bench');
  const output = JSON.stringify([test(64, 0, 416.5), test(0, 8, 73.25)]);
  writeFileSync(llama, `#!/bin/sh\necho "$@" > ${join(folder, 'asked')}\necho '${output}'\n`, { mode: 0o755 });
  const packageFolder = join(folder, 'node-llama-cpp');
  mkdirSync(join(packageFolder, 'dist'), { recursive: true });
  writeFileSync(join(packageFolder, 'package.json'), '{ "version": "3.99.0", "type": "module" }');
  writeFileSync(join(packageFolder, 'dist', 'index.js'), fakePackage);

  const script = join(projectRoot, 'build', 'bench', 'run.js');
  const model = join(projectRoot, 'models', 'demo-3m-Q8_0.gguf');
  const args = ['compare', '--model', model, '--threads', '1', '--prompt', '64', '--gen', '8', '--rounds', '1'];
  const env = { ...process.env, NODE_OPTIONS: '', WLLAMA: undefined };
  const all = { ...env, LLAMA_BENCH: llama, NODE_LLAMA_CPP: packageFolder };
  const run = promisify(execFile);
  const json = await run(process.execPath, [script, ...args, '--json'], { env: all });
  const report = JSON.parse(json.stdout) as { peers: { name: string; decode_tok_s: number }[] };
  t.match(report, {
    threads: 1,
    peers: [
      { name: 'tramontane', version: /^0\.1\.0, wasm-\w+, Node \d+/, prefill_ratio: 1 },
      { name: 'llama.cpp', prefill_tok_s: 416.5, decode_tok_s: 73.25 },
      { name: 'node-llama-cpp', version: /^3\.99\.0, / },
      { name: 'wllama', missing: /WLLAMA/ },
    ],
  });
  t.ok(report.peers[0].decode_tok_s > 0 && report.peers[2].decode_tok_s > 0);
  const asked = (await run('cat', [join(folder, 'asked')])).stdout;
  t.equal(asked.trim(), `-m ${model} -t 1 -p 64 -n 8 -d 0 -ngl 0 -fa 1 -r 1 -o json`);

  const table = await run(process.execPath, [script, ...args, '--only', 'llama.cpp'], { env: all });
  t.match(table.stdout, /^demo-3m-Q8_0\.gguf, 1 threads/);
  t.match(table.stdout, /\nllama\.cpp +417 +73\.3 /);
  t.notMatch(table.stdout, /node-llama-cpp/);
});

const fakePackage = `
export async function getLlama() {
  return {
    dispose: async () => {},
    loadModel: async () => ({
      createContext: async () => ({
        getSequence: () => ({
          evaluateWithoutGeneratingNewTokens: async () => {},
          clearHistory: async () => {},
          // Ends by itself after a few tokens, as answers do.
          evaluate: async function* () {
            for (let i = 0; i < 3; i++) {
              await new Promise((resolve) => setTimeout(resolve, 1));
              yield i;
            }
          },
        }),
      }),
    }),
  };
}
`;
