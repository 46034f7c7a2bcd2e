// Whose turn it is, and for how long: on a model whose passes last as long as the test says.

import t from 'tap';
import { EngineBench, promptIds, tokensPerPass } from '../testing/engine-bench.ts';
import { fakeRequest } from '../testing/fake-model.ts';
import type { SubmitOptions } from './messages.ts';
import { Pace } from './pace.ts';

/** 40 ms for the weights and 4 ms per token, as a model of 0.6 billion parameters on two cores. */
const slow = (tokens: number): number => 40 + 4 * tokens;

function serve(changes: ConstructorParameters<typeof EngineBench>[0] = {}): EngineBench {
  const bench = new EngineBench({
    contextLength: 8192,
    kvBlocks: 256,
    maxSequences: 32,
    maxBatchTokens: 512,
    pace: new Pace(),
    ...changes,
  });
  bench.cost = slow;
  return bench;
}

/** Runs until `isOver`, and says when each token of each request came. */
async function watch(bench: EngineBench, isOver: () => boolean): Promise<Map<string, number[]>> {
  const times = new Map<string, number[]>();
  let seen = bench.said.length;
  for (let steps = 0; !isOver(); steps++) {
    if (steps > 10_000) throw new Error('the engine makes no progress');
    await bench.engine.step();
    for (const message of bench.said.slice(seen)) {
      if (message.type === 'tokens') times.set(message.id, [...(times.get(message.id) ?? []), bench.now]);
    }
    seen = bench.said.length;
  }
  return times;
}

const gaps = (times: readonly number[]): number[] => times.slice(1).map((time, i) => time - times[i]);

const stream = (salt: number, changes: Partial<SubmitOptions> = {}): SubmitOptions =>
  fakeRequest(promptIds(20, salt), { maxTokens: 5000, ...changes });

void t.test('running streams hardly notice that a long prompt is read', async (t) => {
  const bench = serve();
  for (let i = 0; i < 4; i++) bench.engine.submit(`s${i}`, stream(i));
  let steps = 0;
  const before = await watch(bench, () => steps++ >= 60);
  const usual = gaps(before.get('s0') ?? []).sort((a, b) => a - b);
  const median = usual[usual.length >> 1];
  t.equal(median, slow(4));
  bench.engine.submit('long', fakeRequest(promptIds(4000, 9), { maxTokens: 1 }));
  const meanwhile = await watch(bench, () => bench.outcome('long').end !== undefined);
  const [last, worst] = gaps(meanwhile.get('s0') ?? []).toSorted((a, b) => b - a);
  t.ok(worst <= 4 * median, `${worst} ms between two tokens instead of ${median} ms`);
  t.ok(last <= 8 * median, `${last} ms where it ends`);
  t.ok(worst >= 2 * median, 'and the time that this allows is used');
});

void t.test('a short prompt does not wait until a long one is read', async (t) => {
  for (const streams of [0, 4]) {
    const bench = serve();
    for (let i = 0; i < streams; i++) bench.engine.submit(`s${i}`, stream(i));
    let steps = 0;
    await watch(bench, () => steps++ >= 30);
    // Alone, beside the same streams.
    const alone = bench.now;
    bench.engine.submit('alone', fakeRequest(promptIds(50, 8), { maxTokens: 1 }));
    await watch(bench, () => bench.outcome('alone').end !== undefined);
    const aloneMs = bench.now - alone;
    bench.engine.submit('long', fakeRequest(promptIds(4000, 9), { maxTokens: 1 }));
    steps = 0;
    const from = bench.now;
    await watch(bench, () => steps++ >= 10);
    const chunkMs = (bench.now - from) / 10;
    // It comes while a pass is under way.
    const step = bench.engine.step();
    const at = bench.now - slow(bench.runner.batches.at(-1)?.ids.length ?? 0);
    bench.engine.submit('short', fakeRequest(promptIds(50, 7), { maxTokens: 1 }));
    await step;
    await watch(bench, () => bench.outcome('short').end !== undefined);
    t.equal(bench.outcome('long').end, undefined);
    const ms = bench.now - at;
    t.ok(
      ms <= aloneMs + 2 * chunkMs,
      `${ms} ms, alone ${aloneMs} ms, a chunk ${chunkMs} ms, beside ${streams} streams`,
    );
  }
});

void t.test('prompts of one length are read one by one: sharing would make all of them late', async (t) => {
  const bench = serve({ pace: tokensPerPass(100) });
  for (const id of ['a', 'b', 'c'])
    bench.engine.submit(id, fakeRequest(promptIds(400, id.charCodeAt(0)), { maxTokens: 1 }));
  const ends: number[] = [];
  await watch(bench, () => {
    ends.push(bench.said.filter(({ type }) => type === 'finished').length);
    return bench.engine.isIdle;
  });
  t.same(ends, [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3]);
});

void t.test('nobody starves: a long prompt is read though short ones keep coming', async (t) => {
  const bench = serve({ pace: tokensPerPass(64) });
  bench.engine.submit('long', fakeRequest(promptIds(640, 1), { maxTokens: 1 }));
  let steps = 0;
  await watch(bench, () => {
    bench.engine.submit(`short${steps}`, fakeRequest(promptIds(60, 2 + steps), { maxTokens: 1 }));
    return steps++ > 60 || bench.outcome('long').end !== undefined;
  });
  t.ok(steps <= 45, `read in ${steps} passes, a quarter of each`);
});

void t.test('without streams a pass lasts about a second at most, so that a cancelled request soon ends', async (t) => {
  const bench = serve({ maxBatchTokens: 4096 });
  bench.engine.submit('long', fakeRequest(promptIds(6000, 1), { maxTokens: 1 }));
  await bench.run();
  const tokens = bench.runner.batches.map(({ ids }) => ids.length);
  t.equal(tokens[0], 64, 'the first one is small: nothing is known yet');
  t.ok(Math.max(...tokens.map(slow)) < 1300);
  t.ok(tokens.length < 40, `${tokens.length} passes`);
});

void t.test('tenants take turns within a priority; each one goes in order of arrival', async (t) => {
  const bench = serve({ maxSequences: 1 });
  const submit = (id: string, tenant: string, priority = 0): void =>
    bench.engine.submit(id, fakeRequest(promptIds(3, id.length), { tenant, priority, maxTokens: 1 }));
  for (let i = 0; i < 4; i++) submit(`ann${i}`, 'ann');
  submit('bob0', 'bob');
  submit('bob1', 'bob');
  submit('cleo0', 'cleo');
  submit('urgent0', 'ann', 1);
  submit('urgent1', 'ann', 1);
  await bench.run();
  const order = bench.said.flatMap((message) => (message.type === 'finished' ? [message.id] : []));
  t.same(order, ['urgent0', 'urgent1', 'bob0', 'cleo0', 'ann0', 'bob1', 'ann1', 'ann2', 'ann3']);
});

void t.test('a tenant that comes late to a long queue is served next', async (t) => {
  const bench = serve({ maxSequences: 2 });
  for (let i = 0; i < 20; i++)
    bench.engine.submit(`ann${i}`, fakeRequest(promptIds(3, i), { tenant: 'ann', maxTokens: 4 }));
  for (let i = 0; i < 10; i++) await bench.engine.step();
  const before = bench.said.filter(({ type }) => type === 'begun').length;
  bench.engine.submit('bob', fakeRequest(promptIds(3), { tenant: 'bob', maxTokens: 4 }));
  await bench.run();
  const begun = bench.said.flatMap((message) => (message.type === 'begun' ? [message.id] : []));
  // Two places may have become free at once.
  t.ok(begun.indexOf('bob') - before <= 1);
});
