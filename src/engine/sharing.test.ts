// What sequences share: the prefix cache between requests, the prompt between the choices of one.

import t from 'tap';
import { EngineBench, promptIds } from '../testing/engine-bench.ts';
import { expectedTokens, fakeRequest, poisonId } from '../testing/fake-model.ts';

const prefixCache = { salt: 'f32' };
const seeded = { temperature: 1, topP: 1, topK: 0, minP: 0, seed: 5 };

/** Token counts of all passes since `from`. */
const passes = (bench: EngineBench, from = 0): number[] =>
  bench.runner.batches.slice(from).map(({ ids }) => ids.length);

void t.test('a prompt that begins like an earlier one is not computed again', async (t) => {
  const bench = new EngineBench({ prefixCache, maxBatchTokens: 256 });
  const first = fakeRequest(promptIds(200), { maxTokens: 5 });
  bench.engine.submit('a', first);
  await bench.run();
  t.equal(bench.cachedTokens('a'), 0);
  t.equal(bench.engine.stats.blocksUsed, 0, 'what is kept is free');

  const from = bench.runner.batches.length;
  const ids = [...promptIds(150), 7, 7, 7];
  const second = fakeRequest(ids, { maxTokens: 5 });
  bench.engine.submit('b', second);
  t.same(
    bench.said.find((message) => message.type === 'accepted' && message.id === 'b'),
    { type: 'accepted', id: 'b', cachedTokens: 150 },
  );
  await bench.run();
  t.equal(bench.cachedTokens('b'), 150, 'whole blocks of what is equal, and a copy of a part of one');
  t.equal(passes(bench, from)[0], 153 - 150);
  t.same(bench.outcome('b').tokens, expectedTokens(second, 256));
  t.match(bench.engine.stats, { prefixQueries: 353, prefixHits: 150, blocksUsed: 0 });
});

void t.test('the last id of a prompt is always computed', async (t) => {
  for (const [length, cached] of [
    [50, 0],
    [63, 62],
    [64, 63],
    [65, 64],
    [128, 127],
    [129, 128],
  ]) {
    const bench = new EngineBench({ prefixCache });
    const request = fakeRequest(promptIds(length));
    for (const id of ['a', 'b']) {
      bench.engine.submit(id, request);
      await bench.run();
      t.same(bench.outcome(id).tokens, expectedTokens(request, 256));
    }
    t.equal(bench.cachedTokens('b'), cached, `of ${length}`);
  }
});

void t.test(
  'answers are remembered like prompts: the next turn of a conversation computes only what is new',
  async (t) => {
    const bench = new EngineBench({ prefixCache });
    const first = fakeRequest(promptIds(50), { maxTokens: 100 });
    bench.engine.submit('a', first);
    await bench.run();
    const ids = [...first.input.ids, ...bench.outcome('a').tokens, 1, 2, 3];
    const second = fakeRequest(ids);
    bench.engine.submit('b', second);
    await bench.run();
    t.equal(bench.cachedTokens('b'), 128);
    t.same(bench.outcome('b').tokens, expectedTokens(second, 256));
  },
);

void t.test(
  "another tenant's prompts are not found, nor those of another salt; without a cache nothing is",
  async (t) => {
    const bench = new EngineBench({ prefixCache });
    const request = fakeRequest(promptIds(200));
    bench.engine.submit('a', { ...request, tenant: 'ann' });
    await bench.run();
    const cold = passes(bench);
    const from = bench.runner.batches.length;
    bench.engine.submit('b', { ...request, tenant: 'bob' });
    await bench.run();
    t.equal(bench.cachedTokens('b'), 0);
    t.same(passes(bench, from), cold, 'pass for pass as if it was the first, so that no clock can tell');
    bench.engine.submit('c', { ...request, tenant: 'ann' });
    await bench.run();
    t.equal(bench.cachedTokens('c'), 192);

    const forgetful = new EngineBench();
    for (const id of ['a', 'b']) {
      forgetful.engine.submit(id, request);
      await forgetful.run();
    }
    t.equal(forgetful.cachedTokens('b'), 0);
    t.match(forgetful.engine.stats, { prefixQueries: 0, prefixHits: 0 });
  },
);

void t.test('of several texts that leave each other within a block, the nearest is copied', async (t) => {
  const bench = new EngineBench({ prefixCache, maxBatchTokens: 256 });
  const shared = promptIds(90);
  const variant = (at: number): number[] => promptIds(140).map((id, i) => (i < at ? id : (id + 7 + at) % 96));
  for (const at of [70, 100, 85]) {
    bench.engine.submit(`v${at}`, fakeRequest(variant(at), { maxTokens: 1 }));
    await bench.run();
  }
  t.equal(bench.cachedTokens('v85'), 85, 'what leaves the second at 85');
  const request = fakeRequest([...shared, ...promptIds(60, 5)], { maxTokens: 70 });
  const last = fakeRequest(variant(100).slice(0, 90), { maxTokens: 70 });
  for (const [id, asked, cached] of [
    ['a', request, 90],
    ['b', last, 89],
    ['c', { ...last, tenant: 'bob' }, 0],
  ] as const) {
    bench.engine.submit(id, asked);
    const accepted = bench.said.at(-1);
    t.match(accepted, { type: 'accepted', cachedTokens: cached });
    await bench.run();
    t.equal(bench.cachedTokens(id), cached);
    t.same(bench.outcome(id).tokens, expectedTokens(asked, 256));
  }
  for (const at of [70, 100, 85]) {
    const asked = fakeRequest(variant(at), { maxTokens: 60 });
    bench.engine.submit(`again${at}`, asked);
    await bench.run();
    t.same(bench.outcome(`again${at}`).tokens, expectedTokens(asked, 256), 'those that were copied are what they were');
  }
  t.equal(bench.engine.stats.blocksUsed, 0);
});

void t.test('the beginnings of texts are kept longest, those not asked for longest are forgotten first', async (t) => {
  // Four blocks: one text of 200 ids fills them.
  const bench = new EngineBench({ prefixCache, kvBlocks: 4 });
  const run = async (id: string, count: number, salt: number): Promise<number | undefined> => {
    bench.engine.submit(id, fakeRequest(promptIds(count, salt), { maxTokens: 1 }));
    await bench.run();
    return bench.cachedTokens(id);
  };
  await run('a', 190, 0);
  await run('b', 60, 1);
  t.equal(await run('c', 190, 0), 128, 'the blank block was enough for b');
  await run('d', 190, 2);
  t.equal(await run('e', 190, 0), 64, 'the one block that d lacked was taken from the end of a');
});

void t.test('a prompt that is being read by somebody else is waited for, not read twice', async (t) => {
  const bench = new EngineBench({ prefixCache, maxBatchTokens: 32 });
  const request = fakeRequest(promptIds(200), { maxTokens: 3 });
  for (const id of ['a', 'b', 'c']) bench.engine.submit(id, request);
  await bench.run();
  for (const id of ['a', 'b', 'c']) t.same(bench.outcome(id).tokens, expectedTokens(request, 256));
  t.same(
    ['a', 'b', 'c'].map((id) => bench.cachedTokens(id)),
    [0, 192, 192],
  );
  t.equal(bench.engine.stats.blocksUsed, 0);
});

void t.test('equal texts that were computed side by side are held once', async (t) => {
  const bench = new EngineBench({ prefixCache, maxBatchTokens: 256 });
  const request = fakeRequest(promptIds(100), { maxTokens: 100 });
  bench.engine.submit('a', request);
  bench.engine.submit('b', request);
  await bench.engine.step();
  t.equal(passes(bench)[0], 200, 'side by side');
  t.equal(bench.engine.stats.blocksUsed, 3, 'the first block is the same');
  bench.engine.cancel('a');
  t.equal(bench.engine.stats.blocksUsed, 2);
  await bench.run();
  t.same(bench.outcome('b').tokens, expectedTokens(request, 256));
});

void t.test('who lost its blocks finds most of them again', async (t) => {
  const computed = async (cache: typeof prefixCache | undefined): Promise<number> => {
    const bench = new EngineBench({ prefixCache: cache, kvBlocks: 5, maxBatchTokens: 256 });
    const requests = [
      fakeRequest(promptIds(120, 1), { maxTokens: 100 }),
      fakeRequest(promptIds(120, 2), { maxTokens: 90 }),
    ];
    for (const [i, request] of requests.entries()) bench.engine.submit(`r${i}`, request);
    await bench.run();
    t.equal(bench.engine.stats.preemptions, 1);
    for (const [i, request] of requests.entries())
      t.same(bench.outcome(`r${i}`), { tokens: expectedTokens(request, 256), end: 'length' });
    t.equal(bench.cachedTokens('r1'), 0, 'that is no cached token of the prompt');
    return passes(bench).reduce((sum, count) => sum + count, 0);
  };
  const [cold, warm] = [await computed(undefined), await computed(prefixCache)];
  t.ok(warm <= cold - 64, `${warm} tokens computed instead of ${cold}`);
});

for (const cache of [undefined, prefixCache]) {
  const name = cache === undefined ? 'without cache' : 'with cache';
  void t.test(`choices share the prompt and have generators of their own (${name})`, async (t) => {
    for (const length of [1, 63, 64, 65, 130]) {
      const bench = new EngineBench({ prefixCache: cache, maxBatchTokens: 256 });
      const request = fakeRequest(promptIds(length), { choices: 3, maxTokens: 70, sampling: seeded });
      bench.engine.submit('a', request);
      await bench.engine.step();
      t.equal(passes(bench)[0], length, 'the prompt is computed once');
      await bench.engine.step();
      t.equal(passes(bench)[1], 3, 'nothing of it is computed again');
      const shared = Math.floor(length / 64);
      t.equal(bench.engine.stats.blocksUsed, shared + 3, 'whole blocks are held once');
      await bench.run();
      const outcomes = [0, 1, 2].map((choice) => bench.outcome('a', choice));
      for (const choice of [0, 1, 2]) {
        const tokens = expectedTokens(request, 256, choice);
        t.same(outcomes[choice], { tokens, end: 'length' });
      }
      t.equal(new Set(outcomes.map(({ tokens }) => String(tokens))).size, 3);
      t.equal(bench.engine.stats.blocksUsed, 0);
      const alone = new EngineBench({ prefixCache: cache });
      alone.engine.submit('a', { ...request, choices: 1 });
      await alone.run();
      t.same(outcomes[0], alone.outcome('a'), 'choice 0 is what one choice is');
      t.match(bench.engine.stats, { prefixQueries: cache === undefined ? 0 : length }, 'the prompt is asked for once');
    }
  });
}

void t.test('where no block is free for a copy, the rest of the prompt is computed again', async (t) => {
  const bench = new EngineBench({ kvBlocks: 4, maxBatchTokens: 256 });
  const request = fakeRequest(promptIds(100), { choices: 4, maxTokens: 60, sampling: seeded });
  bench.engine.submit('a', request);
  await bench.engine.step();
  t.equal(bench.engine.stats.blocksUsed, 4, 'one shared, one of its own, two copies');
  await bench.run();
  for (const choice of [0, 1, 2, 3]) t.same(bench.outcome('a', choice).tokens, expectedTokens(request, 256, choice));
  t.equal(bench.engine.stats.blocksUsed, 0);
});

void t.test('choices end one by one: stop ids at the first token, limits, cancellation', async (t) => {
  const request = fakeRequest(promptIds(70), { choices: 4, maxTokens: 30, sampling: seeded });
  const firsts = [0, 1, 2, 3].map((choice) => expectedTokens(request, 256, choice)[0]);
  t.equal(new Set(firsts).size, 4);
  for (const stopped of [0, 1, 3]) {
    const bench = new EngineBench();
    const stopping = { ...request, stopIds: [firsts[stopped]] };
    bench.engine.submit('a', stopping);
    await bench.run();
    for (const choice of [0, 1, 2, 3]) t.same(bench.outcome('a', choice).tokens, expectedTokens(stopping, 256, choice));
    t.same(bench.outcome('a', stopped), { tokens: [], end: 'stop_id' });
    t.equal(bench.engine.stats.blocksUsed, 0);
  }
  for (const maxTokens of [0, 1]) {
    const bench = new EngineBench();
    bench.engine.submit('a', { ...request, maxTokens });
    await bench.run();
    for (const choice of [0, 1, 2, 3])
      t.same(bench.outcome('a', choice), { tokens: firsts.slice(choice, choice + maxTokens), end: 'length' });
  }
  const bench = new EngineBench();
  bench.engine.submit('a', request);
  bench.engine.cancel('a', 2);
  for (let i = 0; i < 10; i++) await bench.engine.step();
  bench.engine.cancel('a', 0);
  const said = bench.outcome('a', 0).tokens.length;
  const step = bench.engine.step();
  bench.engine.cancel('a', 3);
  await step;
  await bench.run();
  t.equal(bench.outcome('a', 0).tokens.length, said, 'the one that computed the prompt may go first');
  t.equal(bench.outcome('a', 3).end, undefined);
  for (const choice of [1, 2]) t.same(bench.outcome('a', choice).tokens, expectedTokens(request, 256, choice));
  t.equal(bench.engine.stats.blocksUsed, 0);
  t.ok(bench.engine.isIdle);
});

void t.test('a failure ends all choices, and nobody else', async (t) => {
  const bench = new EngineBench({ maxSequences: 4 });
  const good = fakeRequest(promptIds(9), { maxTokens: 30 });
  bench.engine.submit('bad', fakeRequest([1, poisonId], { choices: 3 }));
  bench.engine.submit('good', good);
  bench.engine.submit('late', fakeRequest(promptIds(9), { choices: 3, maxTokens: 100, deadlineMs: 50 }));
  while (!bench.engine.isIdle) {
    await bench.engine.step();
    bench.now += 1;
  }
  for (const choice of [0, 1, 2]) {
    t.same(bench.outcome('bad', choice), { tokens: [], end: 'invalid_logits' });
    t.equal(bench.outcome('late', choice).end, 'deadline_exceeded');
    t.ok(bench.outcome('late', choice).tokens.length > 5);
  }
  t.same(bench.said.filter(({ type }) => type === 'failed').length, 2, 'each is told once');
  t.same(bench.outcome('good').tokens, expectedTokens(good, 256));
  t.equal(bench.engine.stats.blocksUsed, 0);
});

void t.test('choices have places together, and more than there are places is refused', async (t) => {
  const bench = new EngineBench({ maxSequences: 4, maxWaiting: 1 });
  const many = fakeRequest(promptIds(5), { choices: 5 });
  bench.engine.submit('many', many);
  t.match(bench.said[0], {
    type: 'rejected',
    error: {
      kind: 'invalid_request',
      code: 'too_many_choices',
      param: 'n',
      message: /at most 4 .* 5 were .*--max-seqs/,
    },
  });
  bench.engine.submit('one', fakeRequest(promptIds(5), { maxTokens: 20 }));
  bench.engine.submit('four', fakeRequest(promptIds(6), { choices: 4, maxTokens: 20 }));
  bench.engine.submit('full', fakeRequest(promptIds(6), { choices: 4 }));
  t.equal(bench.outcome('full').end, 'queue_full', 'a request counts once among those that wait');
  await bench.engine.step();
  t.match(bench.engine.stats, { running: 1, waiting: 1 }, 'four places are not free');
  bench.engine.submit('three', fakeRequest(promptIds(6), { choices: 3 }));
  t.equal(bench.outcome('three').end, 'queue_full', 'nobody overtakes');
  await bench.run();
  for (const batch of bench.runner.batches) t.ok(batch.blockTables.length <= 4);
  t.equal(bench.outcome('four', 3).tokens.length, 20);
  bench.engine.submit('none', fakeRequest(promptIds(6), { choices: 0 }));
  t.equal(bench.outcome('none').end, 'invalid_value');
});
