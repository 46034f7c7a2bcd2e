// Blocks in a folder: what is read is what was kept, or nothing, whatever happened to the files.

import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { random } from '../../testing/engine-bench.ts';
import { fileName, headerBytes, parseName, type BlockKind } from './block-file.ts';
import { DiskCache, type DiskCacheOptions } from './disk-cache.ts';
import { checkFolder, fileBytes, oldest, type StoredFile } from './folder.ts';

const kind: BlockKind = { fingerprint: 'fp_0123456789abcdef', layout: 'fake', bytes: 5000 };

function newFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'disk-cache-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

interface Opened {
  readonly cache: DiskCache;
  readonly warnings: string[];
}

async function openIn(folder: string, changes: Partial<DiskCacheOptions> = {}): Promise<Opened> {
  const warnings: string[] = [];
  const options = { folder, maxBytes: 1e9, kind, warn: (text: string) => void warnings.push(text), ...changes };
  return { cache: await DiskCache.open(options), warnings };
}

/** As long as a block, another for each key. */
function contentOf(key: string, { bytes } = kind): Buffer {
  const next = random(Buffer.from(key).reduce((sum, byte) => (sum * 31 + byte) | 0, 7));
  return Buffer.from(Uint8Array.from({ length: bytes }, () => next(256)));
}

async function keep(cache: DiskCache, ...keys: readonly string[]): Promise<void> {
  for (const key of keys) {
    cache.keep(key, (content) => {
      content.set(contentOf(key));
      return true;
    });
  }
  await cache.flush();
}

async function isOurs(cache: DiskCache, key: string): Promise<boolean> {
  const content = await cache.read(key);
  return content !== undefined && contentOf(key).equals(content);
}

void t.test('what was kept is there after a restart', async (t) => {
  const folder = newFolder(t);
  const first = await openIn(folder);
  t.equal(await first.cache.read('0-a'), undefined);
  await keep(first.cache, '0-a', '1-b');
  t.ok(first.cache.has('0-a'));
  await first.cache.close();
  const { cache, warnings } = await openIn(folder);
  t.ok(cache.has('1-b'));
  t.notOk(cache.has('1-c'));
  t.ok(await isOurs(cache, '0-a'));
  t.ok(await isOurs(cache, '1-b'));
  t.equal(cache.bytes, 2 * fileBytes(kind));
  t.same(warnings, []);
  t.ok(
    readdirSync(folder).every((name) => parseName(name)?.isTemporary === false),
    'nothing else is left',
  );
});

void t.test(
  'a block that is gone before its turn is not written; one that is asked for twice is written once',
  async (t) => {
    const folder = newFolder(t);
    const { cache } = await openIn(folder);
    let asked = 0;
    for (const key of ['0-a', '0-a', '1-b']) {
      cache.keep(key, (content) => {
        asked++;
        content.set(contentOf(key));
        return key !== '1-b';
      });
    }
    t.equal(asked, 0, 'not while somebody waits for it');
    await cache.close();
    t.equal(asked, 2);
    t.equal(readdirSync(folder).length, 1);
    cache.keep('2-c', () => t.fail('closed'));
    await cache.flush();
  },
);

void t.test('other models, versions and keys never meet', async (t) => {
  const folder = newFolder(t);
  await keep((await openIn(folder)).cache, '0-a');
  for (const other of [{ fingerprint: 'fp_other' }, { layout: 'tiles' }, { bytes: 4999 }]) {
    const { cache } = await openIn(folder, { kind: { ...kind, ...other } });
    t.notOk(cache.has('0-a'), JSON.stringify(other));
    t.equal(cache.bytes, fileBytes(kind), 'but what they take counts');
  }
});

void t.test('a file that is not exactly what its name says is not used, and removed', async (t) => {
  const folder = newFolder(t);
  const name = fileName(kind, '0-a');
  const path = join(folder, name);
  await keep((await openIn(folder)).cache, '0-a');
  const good = readFileSync(path);
  const other = Buffer.from(good);
  await keep((await openIn(folder, { kind: { ...kind, fingerprint: 'fp_other' } })).cache, '0-a');
  const foreign = readFileSync(join(folder, fileName({ ...kind, fingerprint: 'fp_other' }, '0-a')));
  await keep((await openIn(folder)).cache, '1-b');

  const next = random(1);
  const flipped = (at: number): Buffer => {
    const bytes = Buffer.from(good);
    bytes[at] ^= 1 << next(8);
    return bytes;
  };
  const wrong: Buffer[] = [
    Buffer.alloc(0),
    Buffer.from('a note of mine'),
    Buffer.alloc(good.length),
    foreign,
    readFileSync(join(folder, fileName(kind, '1-b'))),
    Buffer.concat([good, Buffer.from([0])]),
    ...[1, headerBytes - 1, headerBytes, good.length - 1].map((length) => good.subarray(0, length)),
    ...Array.from({ length: headerBytes }, (_, at) => flipped(at)),
    ...Array.from({ length: 200 }, () => flipped(headerBytes + next(kind.bytes))),
  ];
  let used = 0;
  let left = 0;
  for (const bytes of wrong) {
    writeFileSync(path, bytes);
    const { cache, warnings } = await openIn(folder);
    if (!cache.has('0-a')) t.fail('nobody has looked into it yet');
    if ((await cache.read('0-a')) !== undefined) used++;
    if (existsSync(path)) left++;
    if (cache.has('0-a') || warnings.length !== 1 || !warnings[0].includes(name))
      t.fail('it is told of once', { warnings });
  }
  t.equal(used, 0, `of ${wrong.length}`);
  t.equal(left, 0);
  writeFileSync(path, other);
  t.ok(await isOurs((await openIn(folder)).cache, '0-a'), 'the good one is still good');
});

void t.test('files of others, links and folders are left alone', async (t) => {
  const folder = newFolder(t);
  const names = ['notes.txt', 'tramontane-0-abc.kv', `${fileName(kind, '0-a')}.bak`, 'tramontane.kv'];
  for (const name of names) writeFileSync(join(folder, name), 'x'.repeat(20_000));
  const { cache } = await openIn(folder, { maxBytes: 3 * fileBytes(kind) });
  t.equal(cache.bytes, 0);
  for (let i = 0; i < 10; i++) await keep(cache, `${i}-a`);
  t.same(
    names.filter((name) => !existsSync(join(folder, name))),
    [],
  );
});

void t.test('what processes left behind when they were killed is removed, but not what is being written', async (t) => {
  const folder = newFolder(t);
  const name = fileName(kind, '0-a');
  const [old, young] = ['0123456789abcdef', 'fedcba9876543210'].map((part) => join(folder, `${name}.${part}.tmp`));
  for (const path of [old, young]) writeFileSync(path, 'half');
  utimesSync(old, 1e9, 1e9);
  const { cache } = await openIn(folder);
  t.notOk(cache.has('0-a'));
  t.notOk(existsSync(old));
  t.ok(existsSync(young));
});

void t.test('the bound holds; what was not used for longest goes first', async (t) => {
  const folder = newFolder(t);
  const maxBytes = 10 * fileBytes(kind);
  const { cache } = await openIn(folder, { maxBytes });
  const keys = Array.from({ length: 10 }, (_, i) => `0-${i}`);
  await keep(cache, ...keys);
  t.equal(cache.bytes, maxBytes);
  await cache.close();
  // Used a day ago, but for two.
  const day = 86_400;
  for (const [i, key] of keys.entries()) {
    const at = Date.now() / 1000 - (i === 3 || i === 7 ? 0 : (i + 1) * day);
    utimesSync(join(folder, fileName(kind, key)), at, at);
  }
  const again = (await openIn(folder, { maxBytes })).cache;
  t.ok(await isOurs(again, '0-9'), 'the oldest of all is used now');
  for (let i = 0; i < 7; i++) {
    await keep(again, `0-new${i}`);
    t.ok(again.bytes <= maxBytes && readdirSync(folder).length <= 10);
  }
  t.same(
    keys.filter((key) => again.has(key)),
    ['0-3', '0-7', '0-9'],
  );
  t.ok((await openIn(folder)).cache.has('0-new6'));
});

void t.test('of what was used together, beginnings of texts are kept longest', async (t) => {
  const now = 1_700_000_100_000;
  const file = (minutes: number): StoredFile => ({ bytes: 4096, usedAt: now - minutes * 60_000 });
  const name = (index: number): string => fileName(kind, `${index}-a`);
  const files = new Map([
    [name(0), file(2)],
    [name(12), file(1)],
    [name(2), file(1)],
    [name(1), file(0)],
    [name(3), file(60)],
  ]);
  t.same(oldest(files, 5 * 4096), []);
  t.same(oldest(files, 4 * 4096), [name(3)]);
  t.same(oldest(files, 4097), [name(3), name(12), name(2), name(1)]);
  t.equal(oldest(files, 0).length, 5);
});

void t.test('two servers share a folder', async (t) => {
  const folder = newFolder(t);
  const maxBytes = 12 * fileBytes(kind);
  const servers = [await openIn(folder, { maxBytes }), await openIn(folder, { maxBytes })];
  const next = random(5);
  const count = { right: 0, none: 0 };
  await Promise.all(
    servers.map(async ({ cache }) => {
      for (let i = 0; i < 150; i++) {
        const key = `${next(4)}-${next(8)}`;
        if (next(2) === 0) await keep(cache, key);
        else {
          const content = await cache.read(key);
          if (content === undefined) count.none++;
          else if (contentOf(key).equals(content)) count.right++;
          else t.fail('another block');
        }
      }
    }),
  );
  t.comment(count);
  t.ok(count.right > 10);
  for (const { cache, warnings } of servers) {
    t.same(warnings, []);
    await cache.close();
  }
  t.ok(readdirSync(folder).length <= 12 + 2, 'both keep the bound together, but for what they write at once');
  const third = (await openIn(folder, { maxBytes })).cache;
  await keep(third, '0-new');
  t.ok(readdirSync(folder).length <= 12, 'whoever looks again keeps the bound');
});

void t.test('a folder that cannot be used is told at the start, one that fails later is a warning', async (t) => {
  const folder = newFolder(t);
  const file = join(folder, 'file');
  writeFileSync(file, '');
  await t.rejects(checkFolder(file), { message: /the prefix cache cannot write to .*file: / });
  await t.rejects(checkFolder(join(file, 'below')), /cannot write/);
  const good = join(folder, 'a', 'b');
  await checkFolder(good);
  t.same(readdirSync(good), [], 'it leaves nothing');

  const { cache, warnings } = await openIn(good);
  await keep(cache, '0-a');
  rmSync(good, { recursive: true });
  await keep(cache, '1-b', '2-c');
  t.equal(await cache.read('0-a'), undefined);
  t.notOk(cache.has('0-a'));
  await keep(cache, '3-d');
  t.match(warnings, [/nothing is written to .* any more/]);
  t.equal(warnings.length, 1);
});

void t.test('many bad files are not many warnings', async (t) => {
  const folder = newFolder(t);
  const keys = Array.from({ length: 9 }, (_, i) => `${i}-a`);
  await keep((await openIn(folder)).cache, ...keys);
  for (const key of keys) writeFileSync(join(folder, fileName(kind, key)), 'x');
  renameSync(join(folder, fileName(kind, '0-a')), join(folder, 'elsewhere'));
  const { cache, warnings } = await openIn(folder);
  for (const key of keys) t.equal(await cache.read(key), undefined);
  t.equal(warnings.length, 5);
  t.match(warnings[4], /further ones are not told/);
});
