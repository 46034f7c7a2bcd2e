import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';

void t.test('windows with and without scrapes are measured over a server of its own', async (t) => {
  const run = fileURLToPath(new URL('../run.js', import.meta.url));
  const args = 'scrape --streams 2 --gen 16 --seconds 0.3 --rounds 1 --rate 20 --json -- --threads 1'.split(' ');
  const { stdout, stderr } = spawnSync(process.execPath, [run, ...args], {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  t.equal(stderr, '');
  const found = JSON.parse(stdout) as Found;
  t.same(
    found.rows.map(({ name }) => name),
    ['quiet', 'scraped'],
  );
  t.ok(found.rows.every(({ perSecond, cpuMs }) => perSecond > 0 && (cpuMs > 0 || process.platform !== 'linux')));
  t.equal(found.answers, 6, '20 a second for 0.3 s');
  t.ok(found.answerMs.p50 > 0);
});

interface Found {
  readonly rows: readonly { readonly name: string; readonly perSecond: number; readonly cpuMs: number }[];
  readonly answers: number;
  readonly answerMs: { readonly p50: number };
}
