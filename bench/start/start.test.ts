import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const run = fileURLToPath(new URL('../run.js', import.meta.url));

function start(args: string): ReturnType<typeof spawnSync> {
  return spawnSync(process.execPath, [run, 'start', ...args.split(' ')], {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  });
}

void t.test('a start is measured to its end, and the server is gone afterwards', async (t) => {
  const { stdout, stderr } = start(`--rounds 1 --node ${process.execPath} --json -- --threads 1`);
  t.equal(stderr, '');
  const { rows } = JSON.parse(String(stdout)) as { readonly rows: readonly Readonly<Record<string, unknown>>[] };
  t.equal(rows.length, 1);
  const [{ node, listeningMs, readyMs, ownMs, serverCpuMs }] = rows;
  t.equal(node, process.version);
  t.ok(Number(ownMs) > 0 && Number(ownMs) < Number(readyMs));
  t.ok(Number(listeningMs) > 0 && Number(listeningMs) < Number(readyMs));
  t.ok(process.platform !== 'linux' || Number(serverCpuMs) > 10);
});

void t.test('a server that does not start is no measurement', async (t) => {
  const { status, stderr } = start('--rounds 1 --json -- --no-such-option');
  t.equal(status, 1);
  t.match(stderr, /the server did not start on .*: .*no-such-option/);
});
