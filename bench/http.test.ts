import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { loadUws } from '../src/http/uws.ts';
import { workloads } from './http.ts';

const { module: uws } = await loadUws();

void t.test('handlers without a server write what the server writes', async (t) => {
  const all = workloads(uws, 1);
  for (const transport of uws === undefined ? ['http'] : ['uws', 'http']) {
    const answers = [];
    for (const name of [`models ${transport}`, `models bare ${transport}`]) {
      const workload = all.find((each) => each.name === name);
      if (workload === undefined) throw new Error(`there is no workload ${name}`);
      const { port, close } = await workload.start();
      const response = await fetch(`http://127.0.0.1:${port}/v1/models`);
      const headers = Object.fromEntries(
        [...response.headers].map(([name, value]) => [name, name.endsWith('request-id') ? value.length : value]),
      );
      // Of the same length, always.
      delete headers['date'];
      answers.push({ status: response.status, headers, body: await response.text() });
      await close();
    }
    t.equal(answers[0]?.status, 200);
    t.same(answers[1], answers[0], transport);
  }
});

void t.test('every workload is measured, and compared', async (t) => {
  const run = fileURLToPath(new URL('run.js', import.meta.url));
  const args = 'http --connections 2 --seconds 0.05 --rounds 1 --events 3 --json'.split(' ');
  const { stdout, stderr } = spawnSync(process.execPath, [run, ...args], {
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '' },
  });
  if (uws !== undefined) t.equal(stderr, '');
  const { rows, ratios } = JSON.parse(stdout) as {
    readonly rows: readonly { readonly name: string; readonly perSecond: number; readonly cpuUs: number }[];
    readonly ratios: readonly { readonly ratio: number; readonly cpuRatio: number }[];
  };
  t.equal(rows.length, uws === undefined ? 4 : 8);
  for (const { name, perSecond, cpuUs } of rows) {
    t.ok(perSecond > 0, name);
    t.ok(cpuUs > 0 || process.platform !== 'linux', name);
  }
  t.equal(ratios.length, uws === undefined ? 1 : 5);
  t.ok(ratios.every(({ ratio }) => ratio > 0));
});
