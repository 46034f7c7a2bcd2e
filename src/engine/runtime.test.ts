// The choice of the engine's Node, with programs that answer like one, and with the bundled Node where it is installed.

import { chmodSync, existsSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { bestBuild, type KernelBuild } from '../compute/wasm/builds.ts';
import type { KernelProbe } from '../compute/wasm/probe.ts';
import { silentLog, type Log } from '../core/log.ts';
import { bundledNode, pinnedNode } from './bundled-runtime.ts';
import { createEngineClient } from './client.ts';
import { Runtimes, type RuntimeReport } from './runtime.ts';

const all: readonly KernelBuild[] = ['vnni', 'rel16', 'strict'];
const none: KernelProbe = { relaxed: false, i16Dot: false, i32Dot: 'none', fused: false };
const node20: KernelProbe = { relaxed: true, i16Dot: true, i32Dot: 'wrong', fused: true };
const node24: KernelProbe = { relaxed: true, i16Dot: true, i32Dot: 'exact', fused: true };

/** A program that prints this, and says beside it how often it was run. */
function program(folder: string, name: string, output: string, code = 0): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\necho run >> ${path}.runs\ncat <<'END'\n${output}\nEND\nexit ${code}\n`);
  chmodSync(path, 0o755);
  return path;
}

function report(probe: KernelProbe, node = '24.21.0'): string {
  return JSON.stringify({ node, probe } satisfies RuntimeReport);
}

interface Bench {
  readonly runtimes: Runtimes;
  readonly warnings: string[];
}

function bench(bundled: string, own: KernelProbe, built = all): Bench {
  const warnings: string[] = [];
  const warn = (line: string, fields?: object): void => {
    warnings.push(`${line} ${JSON.stringify(fields)}`);
  };
  const log: Log = { ...silentLog, warn };
  const runtimes = new Runtimes({
    log,
    bundled,
    own: () => ({ node: process.versions.node, probe: own }),
    best: (wanted, probe) => bestBuild(wanted, probe, built),
  });
  return { runtimes, warnings };
}

const auto = { runtime: 'auto', kernels: 'auto', device: 'wasm' } as const;
const here = { execPath: process.execPath, node: process.versions.node };

void t.test('auto takes the bundled Node exactly where it runs a better build', async (t) => {
  const folder = t.testdir();
  const gaining = program(folder, 'gaining', report(node24));
  const equal = program(folder, 'equal', report(node20));
  const missing = join(folder, 'missing');
  const cases: readonly (readonly [string, KernelProbe, object, readonly KernelBuild[], object])[] = [
    [gaining, node20, {}, all, { execPath: gaining, node: '24.21.0', why: 'bundled, for its vnni kernels' }],
    [gaining, none, {}, ['rel16', 'strict'], { execPath: gaining, why: 'bundled, for its rel16 kernels' }],
    [gaining, node24, {}, all, { ...here, why: 'has the best kernels' }],
    [gaining, node20, {}, ['strict'], { ...here, why: 'has the best kernels' }],
    [gaining, node20, { kernels: 'strict' }, all, { ...here, why: 'has strict kernels' }],
    [gaining, node20, { kernels: 'vnni' }, all, { execPath: gaining }],
    [gaining, node20, { device: 'reference' }, all, { ...here, why: 'reference needs no kernels' }],
    [gaining, node20, { runtime: 'system' }, all, { ...here, why: 'as --engine-runtime says' }],
    [equal, node20, {}, all, { ...here, why: 'the bundled one gains nothing' }],
    [missing, node20, {}, all, { ...here, why: 'no bundled runtime installed' }],
  ];
  for (const [bundled, own, wish, built, expected] of cases) {
    const { runtimes, warnings } = bench(bundled, own, built);
    const chosen = await runtimes.choose({ ...auto, ...wish });
    t.match(chosen, expected);
    t.ok(chosen.why.length <= 33, 'fits the start-up screen');
    t.same(warnings, []);
  }
});

void t.test('a path is taken whatever it gains', async (t) => {
  const path = program(t.testdir(), 'node', report(none, '22.1.0'));
  const { runtimes } = bench('/nowhere', node24);
  t.same(await runtimes.choose({ ...auto, runtime: path }), {
    execPath: path,
    node: '22.1.0',
    why: 'as --engine-runtime says',
  });
});

void t.test('what does not answer like a usable Node is warned of, and the own one is taken', async (t) => {
  const folder = t.testdir();
  const dumb = join(folder, 'dumb');
  writeFileSync(dumb, '');
  const cases: readonly (readonly [string, RegExp])[] = [
    [program(folder, 'chatty', 'hello'), /did not answer as Node does/],
    [program(folder, 'other', '{"node":24}'), /did not answer as Node does/],
    [program(folder, 'old', report(none, '18.20.0')), /it is Node 18\.20\.0; 20\.19 is needed/],
    [program(folder, 'ending', '', 9), /exited with code 9/],
    [dumb, /EACCES/],
    [join(folder, 'missing'), /ENOENT/],
  ];
  for (const [path, reason] of cases) {
    const { runtimes, warnings } = bench(path, node20);
    t.match(await runtimes.choose({ ...auto, runtime: path }), { ...here, why: 'that of --engine-runtime failed' });
    t.match(warnings, [reason]);
    if (!existsSync(path)) continue;
    t.match(await runtimes.choose(auto), { ...here, why: 'the bundled one failed to start' });
    t.equal(warnings.length, 2);
  }
});

void t.test('a runtime is asked once, and again after it was replaced', async (t) => {
  const path = program(t.testdir(), 'node', report(node24));
  const { runtimes } = bench(path, node20);
  for (let i = 0; i < 3; i++) await runtimes.choose(auto);
  t.equal(statSync(`${path}.runs`).size, 'run\n'.length);
  utimesSync(path, 1, 1);
  await runtimes.choose(auto);
  t.equal(statSync(`${path}.runs`).size, 2 * 'run\n'.length);
});

/** The bundled Node; where it is not installed the test is skipped. */
function installed(t: Test): string | undefined {
  const path = bundledNode();
  if (existsSync(path)) return path;
  void t.skip('no runtime: npm run build:runtime installs it on Linux x64 with glibc', () => undefined);
  return undefined;
}

void t.test('the bundled Node answers, and an engine runs there', async (t) => {
  const path = installed(t);
  if (path === undefined) return;
  const runtimes = new Runtimes({ log: silentLog });
  const { node, probe } = await runtimes.report(path);
  t.equal(node, pinnedNode());
  t.match(probe, { relaxed: true, i16Dot: true });
  const chosen = await runtimes.choose(auto);
  t.ok([path, process.execPath].includes(chosen.execPath), chosen.why);

  const script = join(t.testdir(), 'script.json');
  writeFileSync(script, '{"load":"fine"}');
  const entry = fileURLToPath(new URL('../testing/fake-engine.js', import.meta.url));
  const client = createEngineClient({ entry, log: silentLog });
  t.teardown(() => client.shutdown(0));
  const limits = { maxSequences: 4, maxBatchTokens: 64, maxWaiting: 8, contextLength: undefined };
  const load = { path: script, device: 'reference', kernels: 'auto', threads: 1, kvCache: 'f32', ...limits } as const;
  t.equal((await client.start(load, path)).node, `v${node}`);
});
