import t from 'tap';
import { random } from '../testing/engine-bench.ts';
import { BlockPool } from './block-pool.ts';
import { PrefixCache, PrefixKeys, rootKey, type PrefixScope } from './prefix-cache.ts';
import type { MediaSpan } from './messages.ts';
import { Siblings } from './siblings.ts';

function memory(blocks: number): { pool: BlockPool; cache: PrefixCache } {
  const pool = new BlockPool(blocks, (block) => cache.forget(block));
  const cache = new PrefixCache(pool);
  return { pool, cache };
}

function allocate(pool: BlockPool, count: number): number[] {
  return Array.from({ length: count }, () => pool.allocate() ?? -1);
}

void t.test('a block that was kept is free, found, and can be held again', async (t) => {
  const { pool, cache } = memory(3);
  const [block] = allocate(pool, 1);
  t.equal(cache.keep('a', block), block);
  t.equal(cache.find('a'), block, 'already while it is held');
  pool.release(block);
  t.equal(pool.free, 3, 'what is kept is free');
  t.equal(pool.used, 0);
  t.equal(cache.find('a'), block);
  pool.share(block);
  t.equal(pool.free, 2);
  t.equal(pool.references(block), 1);
  t.notSame(allocate(pool, 2), [block, block]);
  t.equal(pool.allocate(), undefined, 'a held block is given to nobody');
  t.equal(cache.find('a'), block);
});

void t.test('blank blocks are taken before kept ones, of those the one that was released first', async (t) => {
  const { pool, cache } = memory(5);
  const [a, b, c] = allocate(pool, 3);
  cache.keep('a', a);
  cache.keep('b', b);
  cache.keep('c', c);
  for (const block of [b, a, c]) pool.release(block);
  pool.share(b);
  pool.release(b);
  const taken = allocate(pool, 5);
  t.same(new Set(taken), new Set([0, 1, 2, 3, 4]));
  t.same(taken.slice(2), [a, c, b], 'b was used again, so it is the youngest');
  t.equal(cache.size, 0, 'and all are forgotten');
  t.equal(pool.allocate(), undefined);
});

void t.test('one name is one block', async (t) => {
  const { pool, cache } = memory(2);
  const [first, second] = allocate(pool, 2);
  t.equal(cache.keep('a', first), first);
  t.equal(cache.keep('a', second), first, 'the second is told of the first');
  t.throws(() => cache.keep('b', first), /one name/);
  pool.release(second);
  t.equal(cache.find('a'), first);
  t.equal(pool.free, 1);
});

void t.test('freeing everything leaves the pool as it began, whatever is kept', async (t) => {
  const next = random(3);
  const { pool, cache } = memory(7);
  const held: number[] = [];
  for (let i = 0; i < 5000; i++) {
    const action = next(4);
    if (action === 0) {
      const isFull = new Set(held).size === 7;
      const block = pool.allocate();
      if ((block === undefined) !== isFull) t.fail('blocks run out exactly when all are held');
      if (block !== undefined) held.push(block);
    } else if (action === 1 && held.length > 0) {
      const block = held[next(held.length)];
      const name = `n${next(20)}`;
      const known = [...Array(20).keys()].some((n) => cache.find(`n${n}`) === block);
      if (!known) cache.keep(name, block);
    } else if (action === 2) {
      const block = cache.find(`n${next(20)}`);
      if (block !== undefined) {
        pool.share(block);
        held.push(block);
      }
    } else if (held.length > 0) pool.release(held.splice(next(held.length), 1)[0]);
    if (pool.used !== new Set(held).size) t.fail('used blocks are those held');
    if (held.some((block) => pool.references(block) !== held.filter((other) => other === block).length))
      t.fail('references are holders');
  }
  for (const block of held) pool.release(block);
  t.equal(pool.free, 7);
  t.same(new Set(allocate(pool, 7)), new Set([0, 1, 2, 3, 4, 5, 6]), 'every block once');
  t.equal(cache.size, 0);
});

void t.test('what continues the same beginning is found by its first ids', async (t) => {
  const siblings = new Siblings();
  const ids = (...first: number[]): Int32Array => Int32Array.from({ length: 64 }, (_, i) => first[i] ?? 0);
  siblings.add(1, { parent: 'root', ids: ids(1, 2, 3) });
  siblings.add(2, { parent: 'root', ids: ids(1, 2, 4) });
  siblings.add(3, { parent: 'other', ids: ids(1, 2, 4, 5) });
  t.same(siblings.nearest('root', Int32Array.of(1, 2, 4, 5)), { block: 2, count: 3 });
  t.same(siblings.nearest('other', Int32Array.of(1, 2, 4, 5)), { block: 3, count: 4 });
  t.equal(siblings.nearest('root', Int32Array.of(2)), undefined);
  t.equal(siblings.nearest('root', new Int32Array()), undefined);
  t.equal(siblings.nearest('none', Int32Array.of(1)), undefined);
  siblings.delete(2);
  siblings.delete(2);
  t.same(siblings.nearest('root', Int32Array.of(1, 2, 4)), { block: 1, count: 2 });
  for (let block = 10; block < 100; block++) siblings.add(block, { parent: 'root', ids: ids(block) });
  t.equal(siblings.size, 64 + 1, 'the oldest make place');
  t.equal(siblings.nearest('root', Int32Array.of(1)), undefined);
  for (let block = 0; block < 100; block++) siblings.delete(block);
  t.equal(siblings.size, 0);
});

const scope: PrefixScope = { salt: 'f16', tenant: 'ann', adapter: undefined };
const text = Int32Array.from({ length: 200 }, (_, i) => i);
const keysOf = (changes: Partial<PrefixScope> = {}, spans: readonly MediaSpan[] = []): PrefixKeys =>
  new PrefixKeys([rootKey({ ...scope, ...changes })], spans);

void t.test('a name says all that decides what is in the block', async (t) => {
  const [first, second] = [0, 1].map((index) => keysOf().at(index, text));
  t.equal(keysOf().at(1, text), second, 'the same for the same');
  t.equal(keysOf().at(1, text.slice(0, 128)), second, 'ids after it do not matter');
  const span: MediaSpan = {
    at: 60,
    length: 10,
    mediaHash: 'x',
    embeddings: new Float32Array(),
    bidirectional: true,
  };
  const changed = (index: number, value: number): Int32Array => text.map((id, i) => (i === index ? value : id));
  const others = [
    keysOf({ tenant: 'bob' }),
    keysOf({ salt: 'f32' }),
    keysOf({ adapter: 'mine' }),
    keysOf({ tenant: 'ann","mine' }),
    keysOf({}, [span]),
    keysOf({}, [{ ...span, mediaHash: 'y' }]),
    keysOf({}, [{ ...span, at: 61 }]),
    keysOf({}, [{ ...span, length: 11 }]),
  ].flatMap((keys) => [keys.at(0, text), keys.at(1, text)]);
  const edits = [0, 63, 64, 127].map((index) => keysOf().at(1, changed(index, 999)));
  const all = [first, second, ...others, ...edits];
  t.equal(new Set(all).size, all.length);
  t.equal(keysOf().at(0, changed(64, 999)), first, 'ids after it do not matter');
  t.equal(keysOf({}, [{ ...span, at: 64 }]).at(0, text), first, 'nor media after it');
  t.throws(() => keysOf().at(1, text.slice(0, 127)), /full blocks/);
});

void t.test('a fork has the names of what it shares, and its own from there', async (t) => {
  const keys = keysOf();
  keys.at(2, text);
  const fork = keys.fork(1);
  const other = text.map((id, i) => (i < 100 ? id : id + 1));
  t.equal(fork.at(0, other), keys.at(0, text));
  t.not(fork.at(1, other), keys.at(1, text));
  t.equal(fork.at(1, other), keysOf().at(1, other));
});
