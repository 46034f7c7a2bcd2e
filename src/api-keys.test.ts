// Keys: how they are written, who holds them, and where they come from.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadKeys, reloadOnHangup } from './api-keys.ts';
import { readCommand, type Config } from './config.ts';
import { silentLog, type Log } from './core/log.ts';
import { KeyError, Keys, readKey } from './http/keys.ts';

const secret = 'sk-Very.Secret_0+/=~!';

function config(args: readonly string[], env: Readonly<Record<string, string>> = {}): Config {
  const command = readCommand({ args, env, version: '1', columns: 80 });
  if (command.type !== 'serve') throw new Error('not a configuration');
  return command.config;
}

function messageOf(run: () => unknown): string {
  try {
    return `no error, but ${String(run())}`;
  } catch (error) {
    return String(error);
  }
}

void t.test('a key is kept as its hash, under a name or the beginning of the hash', async (t) => {
  t.match(readKey(`ann:${secret}`), { id: 'ann' });
  const nameless = readKey(secret);
  t.match(nameless.id, /^key-[0-9a-f]{16}$/);
  t.equal(nameless.hash.length, 32);
  t.same(nameless.hash, readKey(`ann:${secret}`).hash);
  t.notMatch(JSON.stringify([nameless, new Keys([nameless])]), secret);
  for (const wrong of ['', 'two words', 'a,b', 'a:b:c', ':key', 'na me:key', 'schlüssel', 'x'.repeat(513), 'tab\t']) {
    t.throws(() => readKey(wrong), { name: 'KeyError' }, JSON.stringify(wrong));
    if (wrong.length > 2) t.notOk(messageOf(() => readKey(wrong)).includes(wrong));
  }
});

void t.test('who holds a key', async (t) => {
  const keys = new Keys([readKey('ann:a1'), readKey('ann:a2'), readKey('bob:b'), readKey('c')]);
  t.equal(keys.size, 4);
  t.same(keys.holder('a1'), { id: 'ann' });
  t.same(keys.holder('a2'), { id: 'ann' }, 'two keys of one name are one tenant');
  t.same(keys.holder('b'), { id: 'bob' });
  t.same(keys.holder('c'), { id: readKey('c').id });
  for (const wrong of ['', 'a', 'a1 ', 'A1', 'ann:a1', readKey('c').hash.toString('hex'), 'x'.repeat(100_000)]) {
    t.equal(keys.holder(wrong), undefined);
  }
  t.throws(() => new Keys([]), KeyError, 'no keys must not mean that everybody may enter');
  t.throws(() => new Keys([readKey('ann:a'), readKey('bob:a')]), { message: /^ann and bob have the same key/ });
  t.equal(new Keys([readKey('ann:a'), readKey('ann:a')]).size, 1);
  t.throws(() => keys.replace([]), KeyError);
  t.same(keys.holder('b'), { id: 'bob' }, 'a failed replacement changes nothing');
  keys.replace([readKey('dan:d')]);
  t.equal(keys.holder('b'), undefined);
  t.same(keys.holder('d'), { id: 'dan' });
});

void t.test('flags, variables and files', async (t) => {
  const folder = t.testdir({
    keys: '# team\n\nann:from-file  \r\n  nameless\n',
    more: 'bob:more',
    none: '# nothing\n',
    bad: 'ok\nno key\n',
  });
  const file = (name: string): string => join(folder, name);
  const load = (args: readonly string[], env = {}): Keys | undefined => loadKeys(config(args, env));
  t.equal(load([]), undefined);
  t.equal(load([], { TRAMONTANE_API_KEY: '' }), undefined, 'an empty variable is an unset one');
  t.equal(load(['--api-key', 'a', '--api-key=b,c'])?.size, 3);
  t.same(load([], { TRAMONTANE_API_KEY: 'x:a,b' })?.holder('a'), { id: 'x' });
  const all = load(['--api-key', 'one', '--api-key-file', file('keys'), '--api-key-file', file('more')]);
  t.equal(all?.size, 4);
  t.same(all?.holder('from-file'), { id: 'ann' });
  t.equal(load([], { TRAMONTANE_API_KEY_FILE: file('more') })?.size, 1);

  const fails = (args: readonly string[], message: RegExp, exitCode: number): void =>
    void t.throws(() => load(args), { name: 'StartError', message, exitCode });
  fails(['--api-key-file', file('none')], /none holds no keys\n/, 1);
  fails(['--api-key', 'a', '--api-key-file', file('none')], /none holds no keys\n/, 1);
  fails(['--api-key-file', file('bad')], /^line 2 of .*bad is no key: .*\n/, 1);
  fails(['--api-key-file', file('missing')], /missing cannot be read \(ENOENT\)\n/, 3);
  fails(['--api-key-file', folder], /cannot be read \(EISDIR\)\n/, 1);
  fails(['--api-key', 'a:k', '--api-key', 'b:k'], /a and b have the same key/, 1);
  writeFileSync(file('huge'), 'k\n'.repeat(600_000));
  fails(['--api-key-file', file('huge')], /larger than 1 MiB/, 1);
});

void t.test('a wrong key is not repeated, wherever it was given', async (t) => {
  const wrong = 'not,so secret';
  for (const [args, env] of [
    [['--api-key', wrong], {}],
    [[], { TRAMONTANE_API_KEY: wrong }],
  ] as const) {
    t.throws(() => config(args, env), { name: 'UsageError', message: /API_KEY is wrong|--api-key is wrong/ });
    t.notMatch(
      messageOf(() => config(args, env)),
      /secret/,
    );
  }
});

void t.test('SIGHUP reads the files again; what is wrong changes nothing', async (t) => {
  const folder = t.testdir({ keys: 'ann:a' });
  const file = join(folder, 'keys');
  const sources = config(['--api-key', 'fixed', '--api-key-file', file]);
  const keys = loadKeys(sources);
  if (keys === undefined) throw new Error('no keys');
  // Those of the test runner.
  const others = process.listeners('SIGHUP');
  process.removeAllListeners('SIGHUP');
  t.teardown(() => {
    process.removeAllListeners('SIGHUP');
    for (const listener of others) process.on('SIGHUP', listener);
  });
  const said: unknown[] = [];
  const log: Log = {
    ...silentLog,
    info: (message, fields) => said.push(message, fields),
    error: (message, fields) => said.push(message, String(fields?.['error'])),
  };
  reloadOnHangup(keys, sources, { log, isTerminal: true });
  reloadOnHangup(keys, config(['--api-key', 'a']), { log, isTerminal: false });
  t.equal(process.listenerCount('SIGHUP'), 0, 'elsewhere the signal ends the server');
  reloadOnHangup(keys, sources, { log, isTerminal: false });
  const hangUp = (text: string): void => {
    writeFileSync(file, text);
    process.emit('SIGHUP');
  };
  hangUp('bob:b\n');
  t.same([keys.holder('a'), keys.holder('b')?.id, keys.holder('fixed') !== undefined], [undefined, 'bob', true]);
  t.same(said.splice(0), ['the keys were read again', { keys: 2 }]);
  for (const bad of ['', 'no key\n', 'eve:fixed']) {
    hangUp(bad);
    t.equal(keys.holder('b')?.id, 'bob', JSON.stringify(bad));
    t.match(said.splice(0)[0], 'the keys could not be read again');
  }
});
