import { PassThrough } from 'node:stream';
import t from 'tap';
import { mebibytes } from './core/units.ts';
import { createBar } from './progress-bar.ts';
import { createProgress, type ProgressStep } from './progress.ts';
import { errorText, isLoopback, startScreen, type ScreenFacts } from './terminal.ts';

const facts: ScreenFacts = {
  version: '0.1.0',
  transport: 'node:http',
  transportReason: 'it loads here (--transport auto)',
  name: 'qwen3-0.6b-Q8_0',
  aliases: ['small', 'fast'],
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
    kernels: 'rel16 (relaxed 16-bit dot products)',
    threads: 2,
    node: process.version,
    fingerprint: 'fp_1',
    loadMs: 600,
    diskCache: { path: '/var/cache/kv', bytes: 1.25 * 2 ** 30, maxBytes: 4 * 2 ** 30 },
  },
  runtime: { node: '24.21.0', why: 'bundled, for its vnni kernels' },
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

/** Without what colours it and moves the cursor. */
function bare(text: string): string {
  return text.replaceAll(new RegExp(`${String.fromCharCode(27)}(\\[[?\\d;]*[a-zA-Z]|[78])`, 'g'), '');
}

const screens: Readonly<Record<number, string>> = {
  120: `  tramontane 0.1.0                            NODE · node:http · wasm
  model    qwen3-0.6b-Q8_0 · Q8_0 · 0.6 B     context 8,192 (model 40,960)
           also small, fast
  memory   610 MiB weights + 896 MiB cache + 32 MiB scratch   of 18.1 GiB free
  disk     1.3 GiB of 4.0 GiB prefix cache    /var/cache/kv
  kernels  rel16 (relaxed 16-bit dot products)
  engine   Node 24.21.0                       bundled, for its vnni kernels
  threads  2 of 2 cores                       keys: none (loopback only)
  http     node:http                          it loads here (--transport auto)

  api      http://127.0.0.1:1234/v1
  docs     http://127.0.0.1:1234/docs
  try      CURL
  ready in 0.6 s · Ctrl-C stops
`,
  80: `  tramontane 0.1.0                            NODE · node:http · wasm
  model    qwen3-0.6b-Q8_0 · Q8_0 · 0.6 B     context 8,192 (model 40,960)
           also small, fast
  memory   610 MiB weights + 896 MiB cache + 32 MiB scratch   of 18.1 GiB free
  disk     1.3 GiB of 4.0 GiB prefix cache    /var/cache/kv
  kernels  rel16 (relaxed 16-bit dot products)
  engine   Node 24.21.0                       bundled, for its vnni kernels
  threads  2 of 2 cores                       keys: none (loopback only)
  http     node:http                          it loads here (--transport auto)

  api      http://127.0.0.1:1234/v1
  docs     http://127.0.0.1:1234/docs
  try      CURL
  ready in 0.6 s · Ctrl-C stops
`,
  60: `  tramontane 0.1.0
  NODE · node:http · wasm
  model    qwen3-0.6b-Q8_0 · Q8_0 · 0.6 B
           context 8,192 (model 40,960)
           also small, fast
  memory   610 MiB weights + 896 MiB cache + 32 MiB scratch
           of 18.1 GiB free
  disk     1.3 GiB of 4.0 GiB prefix cache    /var/cache/kv
  kernels  rel16 (relaxed 16-bit dot products)
  engine   Node 24.21.0
           bundled, for its vnni kernels
  threads  2 of 2 cores
           keys: none (loopback only)
  http     node:http
           it loads here (--transport auto)

  api      http://127.0.0.1:1234/v1
  docs     http://127.0.0.1:1234/docs
  try      CURL
  ready in 0.6 s · Ctrl-C stops
`,
};

void t.test('the start-up screen at 60, 80 and 120 columns', async (t) => {
  for (const [columns, golden] of Object.entries(screens)) {
    const screen = startScreen(facts, { columns: Number(columns), color: false });
    const node = `Node ${process.versions.node}`;
    t.equal(screen.replace(node, 'NODE').replace(curl, 'CURL'), golden);
  }
});

void t.test('whatever is long is broken at spaces, but for the line to copy', async (t) => {
  const long: ScreenFacts = {
    ...facts,
    aliases: Array.from({ length: 12 }, (_, i) => `alias-number-${i}`),
    model: { ...facts.model, weightBytes: 12.3 * 2 ** 30, kvCacheBytes: 2 ** 30, scratchBytes: 345 * 2 ** 20 },
  };
  for (const columns of [60, 80]) {
    const lines = startScreen(long, { columns, color: false }).split('\n');
    for (const line of lines) if (!line.includes('curl')) t.ok(line.length <= columns, line);
    t.ok(lines.some((line) => line.endsWith(curl)));
    t.ok(lines.some((line) => line.endsWith('alias-number-11')));
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
  t.equal(bare(colored), startScreen(facts, { columns: 100, color: false }));
});

void t.test('without a terminal: a step at most every 5 s or 10 %, and none for a quick load', async (t) => {
  let clock = 0;
  const steps: ProgressStep[] = [];
  const progress = createProgress({ step: (step) => steps.push(step), now: () => clock });
  progress.update('reading', 50, 100);
  t.same(steps, [], 'half a second is not worth a line');
  clock = 600;
  for (let done = 50; done <= 100; done++) progress.update('reading', done, 100);
  t.same(
    steps.map(({ percent }) => percent),
    [50, 60, 70, 80, 90, 100],
  );
  clock += 4999;
  progress.update('preparing', 1, 100);
  progress.update('preparing', 2, 100);
  t.equal(steps.length, 7, 'another 99 % back');
  clock += 5000;
  progress.update('preparing', 3, 100);
  t.match(steps.at(-1), { phase: 'preparing', words: 'preparing kernels', percent: 3 });
  progress.hide();
});

void t.test('on a terminal: a bar that steps aside and fits', async (t) => {
  for (const columns of [60, 80, 120]) {
    const stream = Object.assign(new PassThrough(), {
      isTTY: true,
      columns,
      cursorTo: () => true,
      clearLine: () => true,
    });
    let clock = 0;
    const step = (): never => t.fail('no lines beside the bar') as never;
    const progress = createProgress({ bar: createBar({ stream, columns }), step, now: () => clock });
    clock = 600;
    progress.update('reading', 2 ** 29, 2 ** 30);
    progress.hide();
    progress.hide();
    const drawn = bare(String(stream.read())).trimEnd();
    t.match(drawn, /^ {2}reading weights {2}50 % ━+─+ {2}512 MiB of 1\.0 GiB/);
    t.ok(drawn.length < columns, `${drawn.length} columns of ${columns}`);
    progress.update('reading', 2 ** 30, 2 ** 30);
    t.match(bare(String(stream.read())), '100 %', 'it comes back');
    progress.hide();
  }
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
