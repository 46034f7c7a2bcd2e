import { PassThrough } from 'node:stream';
import t from 'tap';
import { mebibytes } from './core/units.ts';
import { createProgress, errorText, isLoopback, startScreen, type ScreenFacts } from './terminal.ts';

const facts: ScreenFacts = {
  version: '0.1.0',
  transport: 'node:http',
  transportReason: '--transport http',
  name: 'qwen3-0.6b-Q8_0',
  aliases: [],
  model: {
    architecture: 'qwen3',
    parameters: 596_049_920,
    quantization: 'Q8_0',
    vocabularySize: 151_936,
    contextLength: 8192,
    trainedContextLength: 40_960,
    weightBytes: 639_446_688,
    kvCacheBytes: 939_524_096,
    scratchBytes: 33_554_432,
    device: 'wasm',
    kernels: 'strict (the only build of this release)',
    threads: 2,
    node: process.version,
    fingerprint: 'fp_1',
    loadMs: 600,
  },
  enginePid: 1,
  freeBytes: 18.1 * 2 ** 30,
  cores: 2,
  host: '127.0.0.1',
  keys: 0,
  url: 'http://127.0.0.1:1234',
  metricsUrl: undefined,
  readyMs: 612,
};

const curl =
  'curl http://127.0.0.1:1234/v1/chat/completions -H \'content-type: application/json\' -d \'{"messages":[{"role":"user","content":"Hello"}]}\'';

void t.test('the start-up screen, wide', async (t) => {
  t.equal(
    startScreen(facts, { columns: 120, color: false }),
    `  tramontane 0.1.0                            Node ${process.versions.node} · node:http · wasm
  model    qwen3-0.6b-Q8_0 · Q8_0 · 0.6 B     context 8,192 (model 40,960)
  memory   610 MiB weights + 896 MiB cache + 32 MiB scratch   of 18.1 GiB free
  kernels  strict (the only build of this release)
  threads  2 of 2 cores                       keys: none (loopback only)
  http     node:http                          --transport http

  api      http://127.0.0.1:1234/v1
  spec     http://127.0.0.1:1234/openapi.json
  try      ${curl}
  ready in 0.6 s · Ctrl-C stops
`,
  );
});

void t.test('narrow: nothing is wider than the terminal but the line to copy', async (t) => {
  for (const columns of [60, 80]) {
    const lines = startScreen({ ...facts, aliases: ['a', 'b'] }, { columns, color: false }).split('\n');
    for (const line of lines) if (!line.includes('curl')) t.ok(line.length <= columns, line);
    t.ok(lines.some((line) => line.endsWith(curl)));
    t.ok(lines.some((line) => line.endsWith('also a, b')));
  }
});

void t.test('with keys, and metrics on a port of their own', async (t) => {
  const text = startScreen({ ...facts, keys: 2, metricsUrl: 'http://127.0.0.1:9' }, { columns: 120, color: false });
  t.match(text, 'keys: 2\n');
  t.match(text, '  metrics  http://127.0.0.1:9/metrics\n');
  t.match(text, " -H 'authorization: Bearer YOUR_KEY' -d '");
});

void t.test('colour changes the looks and not the text', async (t) => {
  const colored = startScreen(facts, { columns: 100, color: true });
  t.match(colored, '\u001b[');
  const bare = colored.replaceAll(new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g'), '');
  t.equal(bare, startScreen(facts, { columns: 100, color: false }));
});

void t.test('without a terminal: a line at most every 10 %, and none for a quick load', async (t) => {
  let clock = 0;
  let text = '';
  const progress = createProgress({ write: (piece) => (text += piece), now: () => clock });
  progress.update('reading', 50, 100);
  t.equal(text, '', 'half a second is not worth a line');
  clock = 600;
  for (let done = 50; done <= 100; done++) progress.update('reading', done, 100);
  progress.stop();
  t.same(text.match(/\d+ %/g), ['50 %', '60 %', '70 %', '80 %', '90 %', '100 %']);
});

void t.test('on a terminal: a bar that goes away', async (t) => {
  const stream = Object.assign(new PassThrough(), {
    isTTY: true,
    columns: 80,
    cursorTo: () => true,
    clearLine: () => true,
  });
  let clock = 0;
  const progress = createProgress({ write: () => t.fail('no lines beside the bar'), stream, now: () => clock });
  clock = 600;
  progress.update('reading', 2 ** 29, 2 ** 30);
  progress.stop();
  progress.stop();
  t.match(String(stream.read()), /reading weights {2}50 % ━+─+ {2}512 MiB of 1\.0 GiB/);
});

void t.test('errors: one line each, remedies below', async (t) => {
  t.equal(errorText('a\nb', false), 'error: a\n       b\n');
  t.match(errorText('a', true), /^\S*31merror:/);
});

void t.test('sizes and addresses', async (t) => {
  t.equal(mebibytes(3_500_000), '3.3 MiB');
  t.equal(mebibytes(1.5 * 2 ** 30), '1.5 GiB');
  for (const host of ['127.0.0.1', '127.9.9.9', 'localhost', '::1']) t.ok(isLoopback(host));
  for (const host of ['0.0.0.0', '::', '10.0.0.1', 'example.org', '127.0.0.1.example.org']) t.notOk(isLoopback(host));
});
