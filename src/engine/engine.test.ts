import t from 'tap';
import { EngineBench as Bench, promptIds as ids, random, type Outcome } from '../testing/engine-bench.ts';
import { expectedScores, expectedTokens, fakeRequest, fakeRunner, poisonId } from '../testing/fake-model.ts';
import { createOracle } from '../testing/oracle.ts';
import type { SubmitOptions } from './messages.ts';

void t.test('a lone request gets its tokens, exactly as many as it asked for', async (t) => {
  for (const maxTokens of [1, 2, 63, 64, 65]) {
    const bench = new Bench();
    const request = fakeRequest(ids(70), { maxTokens });
    bench.engine.submit('a', request);
    t.same(bench.said, [{ type: 'accepted', id: 'a', cachedTokens: 0 }], 'accepted before the first pass');
    await bench.run();
    t.same(bench.outcome('a'), { tokens: expectedTokens(request, 256), end: 'length' });
    t.equal(bench.outcome('a').tokens.length, maxTokens);
    t.equal(bench.engine.stats.blocksUsed, 0);
  }
});

void t.test('no token at all is a fine number of tokens', async (t) => {
  const bench = new Bench();
  bench.engine.submit('a', fakeRequest(ids(3), { maxTokens: 0 }));
  t.same(bench.outcome('a'), { tokens: [], end: 'length' });
  t.ok(bench.engine.isIdle);
});

void t.test('a stop id ends the answer and is not delivered', async (t) => {
  const bench = new Bench();
  const [first, second, third] = expectedTokens(fakeRequest(ids(5)), 256);
  t.not(third, first);
  t.not(third, second);
  bench.engine.submit('a', fakeRequest(ids(5), { stopIds: [third] }));
  await bench.run();
  t.same(bench.outcome('a'), { tokens: [first, second], end: 'stop_id' });
});

void t.test('the end of the context ends the answer', async (t) => {
  const bench = new Bench();
  bench.engine.submit('a', fakeRequest(ids(250), { maxTokens: 1000 }));
  bench.engine.submit('b', fakeRequest(ids(255), { maxTokens: 1000 }));
  await bench.run();
  t.equal(bench.outcome('a').tokens.length, 6);
  t.equal(bench.outcome('b').tokens.length, 1);
  t.equal(bench.outcome('a').end, 'length');
});

void t.test('what cannot be run is refused with a reason', async (t) => {
  const base = fakeRequest(ids(4));
  const refusals: readonly (readonly [string, SubmitOptions])[] = [
    ['context_length_exceeded', fakeRequest(ids(256))],
    ['empty_prompt', fakeRequest([])],
    ['invalid_token', fakeRequest([3, 97])],
    ['invalid_token', fakeRequest([-1])],
    ['invalid_token', fakeRequest([1], { stopIds: [97] })],
    ['invalid_value', fakeRequest([1], { maxTokens: 1.5 })],
    ['invalid_value', fakeRequest([1], { maxTokens: -1 })],
    ['invalid_value', fakeRequest([1], { deadlineMs: 0 })],
    ['invalid_value', fakeRequest([1], { logprobs: 21 })],
    ['invalid_token_id', fakeRequest([1], { sampling: { ...base.sampling, logitBias: [{ id: 97, bias: 1 }] } })],
    ['invalid_value', fakeRequest([1], { priority: NaN })],
    ['unsupported_parameter', fakeRequest([1], { adapter: 'mine' })],
    ['unsupported_parameter', fakeRequest([1], { output: { type: 'hidden', pooling: 'mean' } })],
    [
      'unsupported_parameter',
      fakeRequest([1], { constraint: { grammar: { type: 'regex', value: 'a' }, start: 'now', repeat: 'one' } }),
    ],
    ['unsupported_parameter', { ...base, input: { ...base.input, positions: Int32Array.of(0, 1, 2, 3) } }],
    [
      'unsupported_parameter',
      {
        ...base,
        input: {
          ...base.input,
          spans: [{ at: 0, length: 1, mediaHash: 'x', embeddings: new Float32Array(4), bidirectional: true }],
        },
      },
    ],
  ];
  for (const [code, options] of refusals) {
    const bench = new Bench();
    bench.engine.submit('a', options);
    t.equal(bench.outcome('a').end, code);
    t.ok(bench.engine.isIdle);
  }
  const bench = new Bench();
  bench.engine.submit('a', fakeRequest(ids(300)));
  const [refusal] = bench.said;
  t.match(refusal, {
    type: 'rejected',
    error: { message: /256 tokens.*300/s, param: 'messages', kind: 'invalid_request' },
  });
});

void t.test('an id that is running is refused a second time', async (t) => {
  const bench = new Bench();
  bench.engine.submit('a', fakeRequest(ids(3)));
  bench.engine.submit('a', fakeRequest(ids(4)));
  t.match(bench.said[1], { type: 'rejected', error: { kind: 'conflict' } });
});

void t.test('the queue is bounded, and says when to come back', async (t) => {
  const bench = new Bench({ maxSequences: 2, maxWaiting: 3 });
  for (let i = 0; i < 6; i++) bench.engine.submit(`r${i}`, fakeRequest(ids(3, i)));
  t.same(
    bench.said.map(({ type }) => type),
    ['accepted', 'accepted', 'accepted', 'accepted', 'accepted', 'rejected'],
    'two places and three waiting',
  );
  t.match(bench.said[5], { error: { kind: 'rate_limit', code: 'queue_full', retryAfterSeconds: 1 } });
  await bench.engine.step();
  bench.engine.submit('late', fakeRequest(ids(3)));
  t.equal(bench.outcome('late').end, 'queue_full', 'still full while two run and three wait');
  bench.engine.cancel('r4');
  bench.engine.submit('lucky', fakeRequest(ids(3)));
  await bench.run();
  t.equal(bench.outcome('lucky').end, 'length');
});

void t.test('requests that arrive together share batches, decodes before prompts, in order of rank', async (t) => {
  const bench = new Bench({ maxBatchTokens: 8 });
  bench.engine.submit('a', fakeRequest(ids(3, 1), { maxTokens: 20 }));
  await bench.engine.step();
  bench.engine.submit('low', fakeRequest(ids(30, 2)));
  bench.engine.submit('high', fakeRequest(ids(5, 3), { priority: 1 }));
  await bench.engine.step();
  const batch = bench.runner.batches[1];
  t.equal(batch.blockTables.length, 3);
  t.same(
    Array.from(batch.sequences),
    [0, 1, 1, 1, 1, 1, 2, 2],
    'one decoded token, the urgent prompt, then what fits of the other',
  );
  t.same(Array.from(batch.outputs), [0, 5], 'logits only where a sequence is at its end');
  await bench.run();
  t.equal(bench.outcome('a').tokens.length, 20);
  const order = bench.said.flatMap((message) => (message.type === 'finished' ? [message.id] : []));
  t.same(order, ['high', 'low', 'a']);
});

void t.test('times of queue and prompt come with the first tokens, the tokens of a pass before it', async (t) => {
  const bench = new Bench({ maxSequences: 1, maxBatchTokens: 8 });
  bench.engine.submit('a', fakeRequest(ids(20), { maxTokens: 2 }));
  bench.engine.submit('b', fakeRequest(ids(3), { maxTokens: 2 }));
  const [first] = expectedTokens(fakeRequest(ids(5)), 256);
  bench.engine.submit('stopped', fakeRequest(ids(5), { stopIds: [first] }));
  const passes: number[] = [];
  while (!bench.engine.isIdle) {
    await bench.engine.step((tokens) => {
      passes.push(tokens);
      t.equal(bench.runner.batches.length, passes.length - 1, 'told before the pass');
      bench.now += 10;
    });
  }
  t.same(passes, [8, 8, 4, 1, 3, 1, 5]);
  const timings = bench.said.flatMap((message) => ('timing' in message ? [[message.id, message.timing]] : []));
  t.same(timings, [
    ['a', { queueMs: 0, prefillMs: 30 }],
    ['b', { queueMs: 40, prefillMs: 10 }],
    ['stopped', { queueMs: 60, prefillMs: 10 }],
  ]);
});

void t.test('cancel frees the blocks at every stage and silences the request', async (t) => {
  for (const stage of ['waiting', 'prefill', 'in flight', 'decode'] as const) {
    const bench = new Bench({ maxBatchTokens: 4, maxSequences: 1 });
    const other = fakeRequest(ids(2), { maxTokens: 2 });
    bench.engine.submit('a', fakeRequest(ids(10), { maxTokens: 50 }));
    bench.engine.submit('b', other);
    if (stage === 'prefill') await bench.engine.step();
    if (stage === 'decode') for (let i = 0; i < 5; i++) await bench.engine.step();
    const step = stage === 'in flight' ? bench.engine.step() : undefined;
    bench.engine.cancel('a');
    const said = bench.said.length;
    if (step !== undefined) t.equal(bench.engine.stats.blocksUsed, 1, 'blocks in use stay until the pass is over');
    await step;
    t.equal(bench.engine.stats.blocksUsed, 0, `${stage}: free within one step`);
    bench.engine.cancel('a');
    await bench.run();
    t.notOk(
      bench.said.slice(said).some((message) => 'id' in message && message.id === 'a'),
      `${stage}: nothing more is said`,
    );
    t.same(bench.outcome('b'), { tokens: expectedTokens(other, 256), end: 'length' });
  }
});

void t.test('an id cancelled during a pass can be used again at once', async (t) => {
  const bench = new Bench();
  bench.engine.submit('a', fakeRequest(ids(10)));
  const step = bench.engine.step();
  bench.engine.cancel('a');
  const again = fakeRequest(ids(12, 5));
  bench.engine.submit('a', again);
  await step;
  await bench.run();
  t.same(bench.outcome('a'), { tokens: expectedTokens(again, 256), end: 'length' });
  t.equal(bench.engine.stats.blocksUsed, 0);
});

void t.test('a deadline ends a request, waiting or running, and nobody else', async (t) => {
  const bench = new Bench({ maxSequences: 1 });
  bench.engine.submit('running', fakeRequest(ids(3), { maxTokens: 100, deadlineMs: 50 }));
  bench.engine.submit('waiting', fakeRequest(ids(3), { deadlineMs: 20 }));
  bench.engine.submit('patient', fakeRequest(ids(3)));
  while (!bench.engine.isIdle) {
    await bench.engine.step();
    bench.now += 10;
  }
  t.same(bench.outcome('waiting'), { tokens: [], end: 'deadline_exceeded' });
  t.equal(bench.outcome('running').end, 'deadline_exceeded');
  t.equal(bench.outcome('running').tokens.length, 5);
  t.equal(bench.outcome('patient').end, 'length');
  t.match(
    bench.said.find(({ type }) => type === 'failed'),
    { error: { kind: 'timeout' } },
  );
});

void t.test('a request with NaN logits ends alone', async (t) => {
  const bench = new Bench();
  const good = fakeRequest(ids(9), { maxTokens: 30 });
  bench.engine.submit('bad', fakeRequest([1, poisonId, 2], { maxTokens: 30 }));
  bench.engine.submit('good', good);
  await bench.run();
  t.same(bench.outcome('bad'), { tokens: [], end: 'invalid_logits' });
  t.same(bench.outcome('good'), { tokens: expectedTokens(good, 256), end: 'length' });
});

void t.test('prompts are scored, whatever else runs, and whatever rows a pass has', async (t) => {
  let preemptions = 0;
  for (let mixture = 0; mixture < 20; mixture++) {
    const next = random(mixture);
    const maxSequences = 1 + next(4);
    const bench = new Bench({
      maxSequences,
      maxOutputs: maxSequences + next(6),
      maxBatchTokens: maxSequences + next(30),
      kvBlocks: 4 + next(2),
      prefixCache: { salt: '' },
    });
    const requests = Array.from({ length: 8 }, (_, i) =>
      fakeRequest(ids([1, 2, 64, 65, 100, 130, 30, 64][i], i % 2), {
        maxTokens: [0, 70, 110, 20, 120][next(5)],
        choices: 1 + next(Math.min(2, maxSequences)),
        ...(i % 3 > 0 && { logprobs: i % 4, promptLogprobs: true }),
      }),
    );
    for (const [i, request] of requests.entries()) {
      bench.engine.submit(String(i), request);
      if (next(2) === 0) await bench.engine.step();
    }
    await bench.run();
    for (const [i, request] of requests.entries()) {
      const said = bench.said.filter((message) => 'id' in message && message.id === String(i));
      const prompts = said.flatMap((message) => (message.type === 'prompt' ? [message] : []));
      const scores = request.promptLogprobs === true ? expectedScores(request, request.logprobs ?? 0) : [];
      t.same(
        prompts.flatMap((message) => message.scores),
        scores,
        `mixture ${mixture}, request ${i}`,
      );
      let at = 1;
      for (const message of prompts) {
        t.equal(message.at, at);
        at += message.scores.length;
      }
      t.notOk(
        said.slice(said.findIndex(({ type }) => type === 'tokens')).some(({ type }) => type === 'prompt') &&
          said.some(({ type }) => type === 'tokens'),
        'before any token',
      );
      for (let choice = 0; choice < (request.choices ?? 1); choice++)
        t.same(bench.outcome(String(i), choice), { tokens: expectedTokens(request, 256, choice), end: 'length' });
    }
    t.equal(bench.engine.stats.blocksUsed, 0);
    preemptions += bench.engine.stats.preemptions;
  }
  t.ok(preemptions > 5, 'enough happened');
});

void t.test('tokens come with their scores, the stop id with its end', async (t) => {
  const [first, second, third] = expectedTokens(fakeRequest(ids(5)), 256);
  const bench = new Bench();
  bench.engine.submit('a', fakeRequest(ids(5), { logprobs: 2, stopIds: [third] }));
  bench.engine.submit('plain', fakeRequest(ids(5), { maxTokens: 1 }));
  await bench.run();
  const scores = expectedScores(fakeRequest([...ids(5), first, second, third]), 2).slice(4);
  t.match(bench.said.filter((message) => 'id' in message && message.id === 'a').slice(2), [
    { type: 'tokens', ids: [first], scores: [scores[0]] },
    { type: 'tokens', ids: [second], scores: [scores[1]] },
    { type: 'finished', cause: 'stop_id', score: scores[2] },
  ]);
  t.notOk(bench.said.some((message) => 'id' in message && message.id === 'plain' && 'scores' in message));
  bench.engine.submit('poison', fakeRequest([3, poisonId, 4], { logprobs: 1, promptLogprobs: true }));
  await bench.run();
  t.equal(bench.outcome('poison').end, 'invalid_logits');
  t.equal(bench.engine.stats.blocksUsed, 0);
});

void t.test('a broken executor is thrown to the loop', async (t) => {
  const broken = { ...fakeRunner(4), forward: () => Promise.reject(new Error('worker died')) };
  const bench = new Bench({ runner: broken });
  bench.engine.submit('a', fakeRequest(ids(3)));
  await t.rejects(bench.engine.step(), /worker died/);
});

void t.test(
  'in any mixture every choice gets the tokens of a lone run, and the pool is left as it began',
  async (t) => {
    const totals = { preemptions: 0, prefixQueries: 0, prefixHits: 0, forks: 0, drafted: 0, accepted: 0 };
    for (let mixture = 0; mixture < 60; mixture++) {
      const next = random(mixture);
      const kvBlocks = 4 + next(6);
      const maxSequences = 1 + next(6);
      const prefixCache = mixture % 2 === 0 ? { salt: 'f32' } : undefined;
      const bench = new Bench({
        kvBlocks,
        maxSequences,
        maxBatchTokens: maxSequences + next(40),
        maxOutputs: maxSequences + next(20),
        prefixCache,
        speculation: mixture % 3 === 0 ? undefined : createOracle(random(mixture), 256),
      });
      const requests = new Map<string, SubmitOptions>();
      const cancelled = new Set<string>();
      for (let i = 0; requests.size < 15 || !bench.engine.isIdle; i++) {
        if (i > 20_000) throw new Error(`mixture ${mixture} makes no progress`);
        if (requests.size < 15 && next(3) === 0) {
          const id = `r${requests.size}`;
          const choices = 1 + (next(3) === 0 ? next(maxSequences) : 0);
          totals.forks += choices - 1;
          const request = fakeRequest(ids(1 + next(200), next(3)), {
            maxTokens: 1 + next(120),
            priority: next(3),
            choices,
            tenant: ['ann', 'bob'][next(2)],
            stopIds: next(2) === 0 ? [next(poisonId)] : [],
            sampling: { temperature: next(2), topP: 1, topK: 0, minP: 0, seed: next(1000) },
          });
          requests.set(id, request);
          bench.engine.submit(id, request);
        }
        const step = bench.engine.step();
        if (next(40) === 0) {
          const id = `r${next(15)}`;
          if (requests.has(id)) cancelled.add(id);
          bench.engine.cancel(id);
        }
        await step;
      }
      const expected: Record<string, Outcome> = {};
      const actual: Record<string, Outcome> = {};
      for (const [id, request] of requests) {
        for (let choice = 0; choice < (request.choices ?? 1); choice++) {
          const name = `${id}, choice ${choice}`;
          const outcome = bench.outcome(id, choice);
          const tokens = expectedTokens(request, 256, choice);
          const isStopped = tokens.length < Math.min(request.maxTokens, 256 - request.input.ids.length);
          const isCut = cancelled.has(id) && outcome.end === undefined;
          actual[name] = outcome;
          expected[name] = isCut
            ? { tokens: tokens.slice(0, outcome.tokens.length), end: undefined }
            : { tokens, end: isStopped ? 'stop_id' : 'length' };
        }
      }
      t.same(actual, expected, `mixture ${mixture}`);
      const { stats } = bench.engine;
      t.match(stats, { running: 0, waiting: 0, blocksUsed: 0, blocksTotal: kvBlocks });
      totals.preemptions += stats.preemptions;
      totals.prefixQueries += stats.prefixQueries;
      totals.prefixHits += stats.prefixHits;
      totals.drafted += stats.draftedTokens;
      totals.accepted += stats.acceptedTokens;
    }
    t.ok(
      totals.preemptions > 10 && totals.forks > 50 && totals.prefixHits > totals.prefixQueries / 10,
      'enough happened',
    );
    t.ok(totals.accepted > 1000 && totals.accepted < totals.drafted - 1000, 'right and wrong guesses');
    t.comment(JSON.stringify(totals));
  },
);
