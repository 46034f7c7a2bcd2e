// `npm run dev`: builds again what changed (spec, kernels, TypeScript), then restarts the server with the flags given.

import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { watch } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Folder -> npm scripts to run when something in it changes; the first match wins. */
const builds: readonly { readonly folder: string; readonly scripts: readonly string[] }[] = [
  { folder: 'spec', scripts: ['build:spec', 'build:ts'] },
  { folder: 'assembly', scripts: ['build:kernels', 'build:probe'] },
  { folder: 'src', scripts: ['build:ts'] },
];

/** An editor writes several files at once. */
const settleMs = 150;

const flags = process.argv.slice(2);
const pending = new Set<string>();
let server: ChildProcess | undefined;
let timer: NodeJS.Timeout | undefined;

function startServer(): void {
  server = spawn(process.execPath, ['src/serve.js', ...flags], { cwd: root, stdio: 'inherit' });
}

async function stopServer(): Promise<void> {
  const running = server;
  server = undefined;
  if (running === undefined || running.exitCode !== null) return;
  const ended = new Promise((resolve) => running.once('exit', resolve));
  running.kill('SIGTERM');
  await ended;
}

async function rebuild(): Promise<void> {
  const scripts = [...pending];
  pending.clear();
  for (const script of scripts) {
    const { status } = spawnSync('npm', ['run', '--silent', script], { cwd: root, stdio: 'inherit' });
    if (status !== 0) return;
  }
  await stopServer();
  startServer();
}

for (const { folder, scripts } of builds) {
  watch(`${root}${folder}`, { recursive: true }, (_event, file) => {
    if (file === null || file.includes('generated') || !/\.(ts|yaml|json)$/.test(file)) return;
    for (const script of scripts) pending.add(script);
    clearTimeout(timer);
    timer = setTimeout(() => void rebuild(), settleMs);
  });
}

process.once('SIGINT', () => void stopServer().then(() => process.exit(0)));
process.once('SIGTERM', () => void stopServer().then(() => process.exit(0)));
startServer();
