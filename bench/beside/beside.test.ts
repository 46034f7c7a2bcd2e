// `bench beside`: the arithmetic, and a run against our own server with the bundled model.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { startOwnServer } from '../soak/own-server.ts';
import { compare, type BesideReport } from './beside.ts';

const script = fileURLToPath(new URL('../run.js', import.meta.url));

void t.test('gaps count where they end', async (t) => {
  const stream = [0, 10, 20, 30, 90, 150, 160];
  t.same(compare([stream], 35, 155), {
    before: { p50: 10, p99: 10 },
    while_reading: { p50: 60, p99: 60 },
    p99_over_p50: 6,
  });
  t.same(compare([stream, [5, 15, 25, 155]], 35, 155).while_reading, { p50: 60, p99: 130 });
});

void t.test('streams, a long prompt and a short one', async (t) => {
  const server = await startOwnServer(['--threads', '1', '--max-batched-tokens', '32']);
  t.teardown(() => server.stop());
  const args = ['--base-url', server.url, '--model', 'default', '--streams', '2', '--settle', '3', '--json'];
  const sizes = ['--prompt', '150', '--short', '20'];
  const { stdout } = await promisify(execFile)(process.execPath, [script, 'beside', ...args, ...sizes]);
  const report = JSON.parse(stdout) as BesideReport;
  t.match(report, { before: { p50: Number }, while_reading: { p99: Number }, short_ttft_alone_ms: Number });
  t.ok(report.long_prompt_tokens > 100 && report.short_prompt_tokens < 60);
  t.ok(report.long_ttft_ms > 0 && report.short_ttft_beside_ms > 0 && report.before.p50 > 0);
});
