// What is computed and taken back: positions, blocks, names in the prefix cache; and what callers see of guesses, which is nothing.

import t from 'tap';
import type { LayerState } from '../model/model.ts';
import { EngineBench, promptIds, random, tokensPerPass } from '../testing/engine-bench.ts';
import { expectedTokens, fakeRequest, fakeRunner, poisonId, teacher } from '../testing/fake-model.ts';
import { BlockPool } from './block-pool.ts';
import { canRemember, canSpeculate } from './layer-states.ts';
import { PrefixCache, PrefixKeys } from './prefix-cache.ts';
import { Sequence, type KvStore } from './sequence.ts';
import type { PromptPace } from './pace.ts';
import type { Speculation } from './speculation/speculation.ts';

function storeOf(blocks: number, isRemembering = true): KvStore & { readonly cache: PrefixCache | undefined } {
  const pool = new BlockPool(blocks, (block) => cache?.forget(block));
  const cache = isRemembering ? new PrefixCache(pool) : undefined;
  return { pool, blocks: fakeRunner(blocks).blocks, cache, lower: undefined };
}

/** With all of its prompt computed and its first id appended. */
function decoding(length: number, store: KvStore, limit = 1000): Sequence {
  const request = fakeRequest(promptIds(length));
  const keys = new PrefixKeys(['root'], []);
  const sequence = new Sequence('a', request, { order: 0, at: 0, limit, keys });
  if (!sequence.reserve(store)) throw new Error('the pool is too small');
  sequence.commit(length - sequence.computed, store);
  sequence.append(1);
  return sequence;
}

void t.test('right guesses are committed one by one, wrong ones leave nothing', async (t) => {
  const store = storeOf(10);
  const sequence = decoding(60, store);
  t.ok(sequence.reserve(store));
  sequence.guess(Int32Array.of(2, 3, 4, 5, 6, 7), store.pool);
  t.match(sequence, { length: 61, pending: 1, guesses: 6, blockCount: 2 });
  t.same([...sequence.next(7)], [1, 2, 3, 4, 5, 6, 7]);
  t.equal(store.cache?.size, 0);
  sequence.commit(1, store);
  for (const id of [2, 3, 4]) {
    t.ok(sequence.append(id), `${id} was guessed`);
    sequence.commit(1, store);
  }
  t.equal(store.cache?.size, 1, 'positions 0..63 are final');
  t.notOk(sequence.append(9), 'and 5 was not said');
  sequence.rollback(sequence.computed, store.pool);
  t.match(sequence, { length: 65, computed: 64, pending: 1, guesses: 0, blockCount: 1 });
  t.equal(store.pool.used, 1, 'the block that began with a wrong guess is free');
  t.same([...sequence.known.subarray(60)], [1, 2, 3, 4, 9]);
  sequence.evict(store.pool);
  t.equal(store.pool.used, 0);
});

void t.test('guesses are never named in the prefix cache, committed ids are', async (t) => {
  const store = storeOf(10);
  const sequence = decoding(60, store);
  sequence.reserve(store);
  sequence.guess(Int32Array.from([2, 3, 4, 5, 6, 7]), store.pool);
  sequence.commit(1, store);
  sequence.append(8);
  sequence.rollback(sequence.computed, store.pool);
  t.equal(store.cache?.size, 0);
  t.match(sequence, { computed: 61, blockCount: 1 });
  sequence.evict(store.pool);
  t.equal(store.pool.used, 0);
});

void t.test('as many guesses are taken as there are blocks for', async (t) => {
  const store = storeOf(1, false);
  const sequence = decoding(60, store);
  sequence.reserve(store);
  sequence.guess(Int32Array.from([2, 3, 4, 5, 6, 7]), store.pool);
  t.match(sequence, { guesses: 3, blockCount: 1 });
  t.throws(() => decoding(60, storeOf(9), 64).guess(Int32Array.of(1, 2, 3), store.pool), /leave a place/);
});

void t.test('rollback to any position leaves the pool as a sequence of that length has it', async (t) => {
  for (const isRemembering of [false, true]) {
    for (const kept of [0, 1, 63, 64, 65, 100, 127, 128, 130, 150]) {
      const store = storeOf(10, isRemembering);
      const sequence = decoding(150, store);
      const [first, second] = sequence.blockTable;
      sequence.rollback(kept, store.pool);
      // Full blocks are never written again: what is needed of their beginning is computed anew.
      const computed = kept < 128 ? Math.floor(kept / 64) * 64 : kept;
      t.match(sequence, { computed, length: 151, blockCount: Math.ceil(computed / 64) });
      t.equal(store.pool.used, Math.ceil(computed / 64));
      t.same([...sequence.blockTable].slice(0, 2), [first, second].slice(0, Math.ceil(computed / 64)));
      t.ok(sequence.reserve(store));
      sequence.commit(sequence.pending, store);
      t.equal(store.pool.used, 3);
      t.equal(sequence.computed, 151);
      sequence.evict(store.pool);
      t.equal(store.pool.used, 0);
      t.equal(store.pool.free, 10);
    }
  }
  t.throws(() => decoding(10, storeOf(2)).rollback(11, new BlockPool(1)), /cannot stay/);
});

void t.test('a shared block is not rolled back into', async (t) => {
  const store = storeOf(10);
  const sequence = decoding(130, store);
  const other = new Sequence('b', fakeRequest(promptIds(140)), {
    order: 1,
    at: 0,
    limit: 200,
    keys: new PrefixKeys(['root'], []),
  });
  other.reserve(store);
  const shared = other.blockTable[1];
  t.equal(sequence.blockTable[1], shared);
  sequence.rollback(100, store.pool);
  sequence.reserve(store);
  t.not(sequence.blockTable[1], shared, 'it writes elsewhere');
  t.equal(store.pool.references(shared), 1);
});

void t.test('speculation and prefix cache are off where a layer keeps what they cannot use', async (t) => {
  const paged: LayerState = { kind: 'paged' };
  const window: LayerState = { kind: 'window', tokens: 128 };
  const shared: LayerState = { kind: 'sharedWith', layer: 0 };
  const recurrent: LayerState = { kind: 'recurrent', bytes: 64 };
  t.ok(canSpeculate({ states: [paged, window, shared] }, {}));
  t.notOk(canSpeculate({ states: [paged, recurrent] }, {}));
  t.notOk(canSpeculate({ states: [paged] }, { speculation: 'off' }));
  t.ok(canRemember({ states: [paged, window, shared] }, {}));
  t.notOk(canRemember({ states: [paged, recurrent] }, {}));
  t.notOk(canRemember({ states: [paged] }, { prefixCache: false }));
});

/** Guesses given ids of the first `ids.length` that an answer may have. */
const guesses = (ids: readonly number[], count = 6): Speculation => ({
  propose: (sequences, room) =>
    new Map(
      sequences.map((sequence) => {
        const most = Math.max(0, Math.min(count, room, sequence.room - 1));
        return [sequence, Int32Array.from(ids.slice(sequence.generated, sequence.generated + most))];
      }),
    ),
  learn: () => undefined,
});

void t.test(
  'a stop id among right guesses ends the answer there, and so does the most that was asked for',
  async (t) => {
    const all = expectedTokens(fakeRequest(promptIds(70), { maxTokens: 40 }), 256);
    for (let end = 1; end < 20; end++) {
      const stopping = fakeRequest(promptIds(70), { maxTokens: 40, stopIds: [all[end]] });
      const expected = expectedTokens(stopping, 256);
      for (const [request, reason] of [
        [stopping, 'stop_id'],
        [fakeRequest(promptIds(70), { maxTokens: expected.length }), 'length'],
      ] as const) {
        const bench = new EngineBench({ maxOutputs: 8, speculation: guesses(all), prefixCache: { salt: '' } });
        bench.engine.submit('a', request);
        await bench.run();
        t.same(bench.outcome('a'), { tokens: expected, end: reason });
        t.equal(bench.engine.stats.blocksUsed, 0);
      }
    }
  },
);

void t.test('tokens of one pass are told in order, each once', async (t) => {
  const request = fakeRequest(promptIds(10), { maxTokens: 30 });
  const all = expectedTokens(request, 256);
  const bench = new EngineBench({ maxOutputs: 8, speculation: guesses(all) });
  bench.engine.submit('a', request);
  await bench.run();
  t.same(
    bench.said.flatMap((message) => (message.type === 'tokens' ? message.ids : [])),
    all,
  );
  t.ok(bench.runner.batches.length < 8, `${bench.runner.batches.length} passes for 30 tokens`);
  t.match(bench.engine.stats, { drafts: 4, draftedTokens: 24, acceptedTokens: 24 });
  const timed = bench.said.filter((message) => 'timing' in message);
  t.equal(timed.length, 1, 'with the first one alone come the times of the prompt');
});

void t.test('the pace of prompts is learned from passes without guesses', async (t) => {
  const request = fakeRequest(promptIds(10), { maxTokens: 30 });
  const all = expectedTokens(request, 256);
  const learned: Parameters<PromptPace['learn']>[0][] = [];
  const pace: PromptPace = { ...tokensPerPass(Infinity), learn: (pass) => void learned.push(pass) };
  const bench = new EngineBench({ maxOutputs: 8, speculation: guesses(all), pace });
  bench.engine.submit('a', request);
  await bench.run();
  t.equal(bench.engine.stats.drafts, 4);
  t.match(learned[0], { decoding: [], prompts: [{ depth: 0, count: 10 }] });
  t.ok(learned.slice(1).every(({ decoding, prompts }) => decoding.length === 1 && prompts.length === 0));
  t.equal(learned.length, bench.runner.batches.length - 4);
});

void t.test('blocks of wrong guesses are free after the pass', async (t) => {
  const wrong = Array.from({ length: 40 }, () => 95);
  const bench = new EngineBench({ maxOutputs: 8, maxBatchTokens: 80, speculation: guesses(wrong) });
  bench.engine.submit('a', fakeRequest(promptIds(60), { maxTokens: 30 }));
  await bench.engine.step();
  const step = bench.engine.step();
  t.equal(bench.engine.stats.blocksUsed, 2);
  await step;
  t.equal(bench.engine.stats.blocksUsed, 1);
});

void t.test('logits that are not numbers fail a request only if its own text leads there', async (t) => {
  const request = fakeRequest(promptIds(10), { maxTokens: 30 });
  const all = expectedTokens(request, 256);
  const wrong = all.with(3, poisonId);
  const bench = new EngineBench({ maxOutputs: 8, speculation: guesses(wrong) });
  bench.engine.submit('a', request);
  await bench.run();
  t.same(bench.outcome('a'), { tokens: all, end: 'length' }, 'a wrong guess is not its text');

  // From token 3 on it says what cannot be continued.
  const failing = new EngineBench({
    maxOutputs: 8,
    speculation: guesses(wrong),
    sampler: teacher(wrong),
  });
  failing.engine.submit('a', request);
  await failing.run();
  t.same(failing.outcome('a'), { tokens: wrong.slice(0, 4), end: 'invalid_logits' });
  t.equal(failing.engine.stats.blocksUsed, 0);
});

void t.test('guesses keep out of the way: no tokens, rows or blocks that others need', async (t) => {
  const next = random(3);
  const asked: number[] = [];
  const greedy: Speculation = {
    propose: (sequences, room) => {
      asked.push(room);
      return new Map(sequences.slice(0, 1).map((each) => [each, new Int32Array(Math.min(room, each.room - 1))]));
    },
    learn: () => undefined,
  };
  const bench = new EngineBench({ maxOutputs: 5, maxBatchTokens: 12, kvBlocks: 8, speculation: greedy });
  const requests = Array.from({ length: 12 }, (_, i) => fakeRequest(promptIds(1 + next(150), i), { maxTokens: 60 }));
  const plain = new EngineBench({ maxOutputs: 5, maxBatchTokens: 12, kvBlocks: 8 });
  for (const [i, request] of requests.entries()) {
    for (const each of [bench, plain]) {
      each.engine.submit(`r${i}`, request);
      await each.engine.step();
    }
  }
  await bench.run();
  await plain.run();
  t.ok(asked.every((room) => room <= 4) && asked.includes(4) && asked.includes(1));
  for (const [i, request] of requests.entries()) {
    t.same(bench.outcome(`r${i}`), { tokens: expectedTokens(request, 256), end: 'length' });
  }
  t.equal(bench.engine.stats.preemptions, plain.engine.stats.preemptions, 'nobody lost blocks to a guess');
  for (const { ids, blockTables, outputs } of bench.runner.batches) {
    t.ok(outputs.length <= blockTables.length || outputs.length === ids.length, 'prompts and guesses share no pass');
  }
});
