import t from 'tap';
import { readCommand, type Config } from './config.ts';
import { physicalCores } from './cores.ts';

interface Given {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly columns?: number;
}

function command({ args = [], env = {}, columns = 80 }: Given): ReturnType<typeof readCommand> {
  return readCommand({ args, env, version: '1.2.3', columns });
}

function config(given: Given): Config {
  const result = command(given);
  if (result.type !== 'serve') throw new Error('not a configuration');
  return result.config;
}

void t.test('without flags: loopback, port 1234, the bundled model, nothing open', async (t) => {
  const c = config({});
  t.match(c, { host: '127.0.0.1', port: 1234, device: 'wasm', kernels: 'auto', kvCache: 'i16', strictFields: false });
  t.equal(c.model, undefined);
  t.same(c.aliases, []);
  t.equal(c.bodyLimitBytes, 50 * 1024 * 1024);
  t.equal(c.keepAliveMs, 10_000);
  t.ok(c.threads >= 1);
  t.throws(() => Object.assign(c, { port: 1 }), TypeError, 'frozen');
  t.same(config({ args: ['serve'] }), c, 'the word serve changes nothing');
});

void t.test('flag before own variable before plain variable before default', async (t) => {
  const env = { TRAMONTANE_PORT: '2', PORT: '3' };
  t.equal(config({ args: ['-p', '1'], env }).port, 1);
  t.equal(config({ env }).port, 2);
  t.equal(config({ env: { PORT: '3' } }).port, 3);
  t.equal(config({ env: { PORT: '' } }).port, 1234, 'an empty variable is an unset one');
  t.equal(config({ args: ['--port', '1', '--port=2'] }).port, 2, 'the last one counts');
});

void t.test('values of each kind', async (t) => {
  const args = ['--alias', 'a', '--alias=b', '--ctx', '4096', '--body-limit', '1.5MiB', '--shutdown-timeout', '5'];
  const c = config({
    args: [
      ...args,
      '--strict-fields',
      '--cors-origins',
      'https://app.example/,http://localhost:3000',
      '--transport',
      'uws',
    ],
  });
  t.match(c, { aliases: ['a', 'b'], contextLength: 4096, bodyLimitBytes: 1_572_864, shutdownTimeoutMs: 5000 });
  t.match(c, { strictFields: true, corsOrigins: ['https://app.example', 'http://localhost:3000'], transport: 'uws' });
  t.same(config({ env: { TRAMONTANE_ALIAS: 'a, b' } }).aliases, ['a', 'b']);
  t.equal(config({}).engineRuntime, 'auto');
  t.equal(config({ args: ['--engine-runtime', 'system'] }).engineRuntime, 'system');
  t.equal(config({ env: { TRAMONTANE_ENGINE_RUNTIME: '/opt/node' } }).engineRuntime, '/opt/node');
  t.equal(config({ env: { TRAMONTANE_STRICT_FIELDS: 'yes' } }).strictFields, true);
  t.equal(config({ env: { KEEP_ALIVE_INTERVAL: '100' } }).keepAliveMs, 100);
});

void t.test('colour: a flag beats NO_COLOR', async (t) => {
  t.equal(config({ args: ['--no-color'] }).color, false);
  t.equal(config({ env: { NO_COLOR: '1' } }).color, false);
  t.equal(config({ env: { NO_COLOR: '' } }).color, true);
  t.equal(config({ args: ['--color'], env: { NO_COLOR: '1' } }).color, true);
});

void t.test('what is wrong is said, with what would be right', async (t) => {
  const cases: readonly (readonly [Given, string])[] = [
    [{ args: ['--modle', 'x'] }, 'unknown flag --modle. Did you mean --model (-m)?'],
    [{ args: ['--alais=x'] }, 'unknown flag --alais. Did you mean --alias?'],
    [{ args: ['--frobnicate'] }, 'unknown flag --frobnicate.'],
    [{ args: ['--constructor'] }, 'unknown flag --constructor.'],
    [{ args: ['-m'] }, '-m needs a value: -m PATH'],
    [{ args: ['--model', '--port', '1'] }, '--model needs a value: --model PATH'],
    [{ args: ['--strict-fields=1'] }, '--strict-fields takes no value'],
    [{ args: ['--port', '70000'] }, '--port is "70000": a whole number from 0 to 65535 is wanted'],
    [{ args: ['--port', '1e3'] }, '--port is "1e3": a whole number from 0 to 65535 is wanted'],
    [
      { env: { KEEP_ALIVE_INTERVAL: 'often' } },
      'KEEP_ALIVE_INTERVAL is "often": a whole number from 10 to 3600000 is wanted',
    ],
    [{ args: ['--transport', 'quic'] }, '--transport is "quic": one of auto, uws, http is wanted'],
    [{ args: ['--device', 'tpu'] }, '--device is "tpu": one of wasm, reference is wanted'],
    [
      { args: ['--body-limit', '5 parsec'] },
      '--body-limit is "5 parsec": a size from 1KiB to 2GiB is wanted, as 50MiB',
    ],
    [{ args: ['tell'] }, 'unknown command "tell": there are serve and doctor. Is it a model? Then: --model tell'],
  ];
  for (const [given, message] of cases) t.throws(() => command(given), { name: 'UsageError', message });
});

void t.test('many users at once: places, tokens of a pass, the prefix cache, the watchdog', async (t) => {
  const { maxSequences, maxBatchTokens, prefixCache, watchdogMs } = config({});
  t.same([maxSequences, maxBatchTokens, prefixCache, watchdogMs], [32, 512, true, 120_000]);
  t.match(
    config({ args: ['--max-seqs', '8', '--max-batched-tokens', '8', '--prefix-cache', 'off', '--watchdog', '0'] }),
    {
      maxSequences: 8,
      maxBatchTokens: 8,
      prefixCache: false,
      watchdogMs: 0,
    },
  );
  t.throws(() => config({ args: ['--max-batched-tokens', '31'] }), { message: /31 and --max-seqs 32/ });
  t.throws(() => config({ args: ['--prefix-cache', 'yes'] }), { message: /one of on, off/ });
  t.match(config({}), { prefixCacheDir: undefined, prefixCacheDirBytes: 2 ** 32 });
  const folder = ['--prefix-cache-dir', 'kept'];
  t.match(config({ args: [...folder, '--prefix-cache-dir-limit', '1.5TiB'] }), {
    prefixCacheDir: 'kept',
    prefixCacheDirBytes: 1.5 * 2 ** 40,
  });
  t.throws(() => config({ args: ['--prefix-cache-dir-limit', '17TiB'] }), { message: /from 1KiB to 16TiB/ });
  t.throws(() => config({ args: ['--prefix-cache', 'off', ...folder] }), { message: /leave one of them out/ });
});

void t.test('the cache has one of three types', async (t) => {
  for (const type of ['f32', 'f16', 'i16', 'q8_0'] as const)
    t.equal(config({ args: ['--kv-cache', type] }).kvCache, type);
  t.throws(() => command({ args: ['--kv-cache', 'f8'] }), { message: /one of f32, f16, i16, q8_0 is wanted$/ });
});

void t.test('what comes later is refused with what to use meanwhile', async (t) => {
  t.throws(() => command({ args: ['--device', 'gpu'] }), { message: /optional peer gpu\.js; use wasm$/ });
});

function help(args: readonly string[], columns = 80): string {
  const result = command({ args, columns });
  if (result.type !== 'print') throw new Error('no text');
  return result.text;
}

void t.test('--help: every flag by name, with short defaults, in the width of the terminal', async (t) => {
  const all = help(['--help', 'all']).matchAll(/^ +(?:-\w, )?--([a-z-]+)/gm);
  const flagNames = [...all].map(([, name]) => name).filter((name) => name !== 'help');
  t.equal(flagNames.length, Object.keys(config({})).length + 2, 'one per setting, --json and --version');
  for (const columns of [60, 80, 120]) {
    const text = help(['--help'], columns);
    const names = [...text.matchAll(/--(?:no-)?([a-z]+(?:-[a-z]+)*)/g)].map(([, name]) => name);
    for (const name of flagNames) t.equal(names.filter((each) => each === name).length, 1, name);
    t.ok(text.split('\n').every((line) => line.length <= columns));
    t.match(text, '--port N (1234)');
    t.match(text, '--no-color');
  }
  t.equal(help(['help']), help(['--help', '--port', 'nonsense']), 'whatever else is given');
  t.equal(help(['serve', '-h']), help(['--help']));
  t.match(help(['doctor', '--help']), /^Check what serve would need/);
  t.same(command({ args: ['--version'] }), { type: 'print', text: '1.2.3' });
});

void t.test('--help all: every flag with its words, its default and its variables', async (t) => {
  for (const columns of [60, 120]) {
    const text = help(['--help', 'all'], columns);
    const rows = text.split('\n').filter((line) => /^ +(-\w, )?--[a-z-]+( [A-Z]+)?$/.test(line));
    t.equal(rows.length, Object.keys(config({})).length + 2, 'one row per setting, --json and --version');
    t.match(text, 'KEEP_ALIVE_INTERVAL]');
    t.match(text, /Default:\s+1234\./);
    t.match(text, '-v, --version');
    t.ok(text.split('\n').every((line) => line.length <= Math.max(columns, 66)));
  }
});

void t.test('--help WORD: flags whose name, words or variables have it', async (t) => {
  t.match(help(['--help', 'cache']), /^Model\n {6}--kv-cache TYPE\n {10}Numbers of the key/);
  t.notMatch(help(['--help', 'cache']), '--port');
  t.match(help(['serve', '--help', 'PORT']), /-p, --port N/);
  t.match(help(['-h', 'keep_alive']), '--keep-alive-interval MS');
  t.throws(() => help(['--help', 'contxt']), { name: 'UsageError', message: 'no flag has to do with "contxt".' });
  t.throws(() => help(['--help', 'threds']), { message: /Did you mean threads\?$/ });
});

void t.test('doctor takes the same settings, and --json alone', async (t) => {
  t.match(command({ args: ['doctor', '-m', 'x.gguf'] }), { type: 'doctor', json: false, config: { model: 'x.gguf' } });
  t.match(command({ args: ['--json', 'doctor'] }), { type: 'doctor', json: true });
  t.throws(() => command({ args: ['--json'] }), { message: /belongs to doctor; .* --log-format json$/ });
  t.throws(() => command({ args: ['docter'] }), { message: 'unknown command "docter". Did you mean doctor?' });
  t.throws(() => command({ args: ['doctor', 'serve'] }), { message: /unknown command "serve"/ });
});

void t.test('hardware threads of one core are one core', async (t) => {
  const asked: string[] = [];
  const cores = physicalCores((path) => {
    asked.push(path);
    return '0-99\n';
  });
  t.equal(cores, 1);
  t.match(asked[0], /cpu0\/topology/);
  const unknown = physicalCores(() => {
    throw new Error('no such file');
  });
  t.ok(unknown >= 1);
});
