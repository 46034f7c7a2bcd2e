// How long passes become: on a model whose tokens cost the more the deeper they are, and a clock that the test drives.

import t from 'tap';
import type { Batch } from '../compute/backend.ts';
import { EngineBench, promptIds, random } from '../testing/engine-bench.ts';
import { fakeRequest } from '../testing/fake-model.ts';
import { Pace } from './pace.ts';
import { loadOf, PassTime, type Chunk } from './pass-time.ts';

/** Milliseconds of Qwen3-0.6B in Q8_0 on two cores (2026-11-20): up to four tokens have kernels of their own. */
function measured(tokens: number, batch: Batch): number {
  const { depths, positions } = depthsOf(batch);
  return (tokens <= 4 ? 10 : 19) + 3 * tokens + 0.003 * depths + 0.0022 * positions;
}

/** Depths at which chunks begin, and positions that all tokens look back at. */
function depthsOf({ positions, sequences }: Batch): { depths: number; positions: number } {
  const depths = positions.reduce((sum, each, i) => sum + (sequences[i] === sequences[i - 1] ? 0 : each), 0);
  return { depths, positions: positions.reduce((sum, each) => sum + each + 1, 0) };
}

/** Four streams that have run for a while. */
async function streaming(cost: EngineBench['cost'] = measured, streams = 4): Promise<EngineBench> {
  const sizes = { contextLength: 8192, kvBlocks: 512, maxSequences: 16, maxBatchTokens: 512 };
  const bench = new EngineBench({ ...sizes, pace: new Pace() });
  bench.cost = cost;
  for (let i = 0; i < streams; i++) bench.engine.submit(`s${i}`, fakeRequest(promptIds(60, i), { maxTokens: 8000 }));
  for (let i = 0; i < 60; i++) await bench.engine.step();
  return bench;
}

const long = (tokens = 4000): ReturnType<typeof fakeRequest> => fakeRequest(promptIds(tokens, 20), { maxTokens: 1 });

interface Passes {
  readonly ms: number[];
  readonly tokens: number[];
}

/** Each pass is a token for every stream. */
async function stepUntil(bench: EngineBench, isOver: () => boolean): Promise<Passes> {
  const passes: Passes = { ms: [], tokens: [] };
  while (!isOver()) {
    if (passes.ms.length > 20_000) throw new Error('the engine makes no progress');
    const from = bench.now;
    await bench.engine.step();
    passes.ms.push(bench.now - from);
    passes.tokens.push(bench.runner.batches.at(-1)?.ids.length ?? 0);
  }
  return passes;
}

const read = (bench: EngineBench, id = 'long'): Promise<Passes> =>
  stepUntil(bench, () => bench.outcome(id).end !== undefined);

/** The prompt that is read is so deep; it stands last in a pass, with two tokens or more. */
const until = (bench: EngineBench, depth: number): Promise<Passes> =>
  stepUntil(bench, () => {
    const { positions, sequences } = bench.runner.batches[bench.runner.batches.length - 1];
    return sequences.at(-1) === sequences.at(-2) && (positions.at(-1) ?? 0) >= depth;
  });

function quantile(values: readonly number[], part: number): number {
  return values.toSorted((a, b) => a - b)[Math.floor(part * (values.length - 1))];
}

const sum = (values: readonly number[]): number => values.reduce((total, each) => total + each, 0);
/** A pass that only decodes, at the beginning of the streams' texts. */
const alone = 24;

void t.test('a prompt that is much longer than that is not read in crumbs', async (t) => {
  const bench = await streaming();
  const undisturbed = await streaming(measured, 0);
  for (const each of [bench, undisturbed]) each.engine.submit('long', long(7800));
  const { ms } = await read(bench);
  const quick = sum((await read(undisturbed)).ms);
  t.ok(
    quantile(ms, 0.5) <= 4 * alone,
    `p50 ${quantile(ms, 0.5)} ms: half of it is no deeper than that of the test below`,
  );
  t.ok(sum(ms) < 3 * quick, `read in ${sum(ms)} ms, alone in ${quick}`);
});

void t.test('streams wait four times as long for a token at most, however deep a prompt is', async (t) => {
  for (const hold of [1, 1.02]) {
    const next = random(1);
    // Passes of a machine are not all alike.
    const bench = await streaming((tokens, batch) => measured(tokens, batch) * hold ** (next(5) - 2));
    bench.engine.submit('long', long());
    const { ms } = await read(bench);
    t.ok(quantile(ms, 0.99) <= 4 * alone * hold ** 2, `p99 ${quantile(ms, 0.99)} ms`);
    t.ok(quantile(ms, 0.5) >= 2.8 * alone, `p50 ${quantile(ms, 0.5)} ms: the time that this allows is used`);
    t.ok(sum(ms) < 110_000, `read in ${sum(ms)} ms`);
  }
});

void t.test('a short prompt pays for its own depth, not for that of the long one that it overtakes', async (t) => {
  const first = await streaming(measured, 0);
  const from = first.now;
  first.engine.submit('short', fakeRequest(promptIds(32, 30), { maxTokens: 1 }));
  await read(first, 'short');
  const aloneMs = first.now - from;
  for (const depth of [100, 1000, 2500, 3800]) {
    const bench = await streaming();
    bench.engine.submit('long', long());
    const { ms } = await until(bench, depth);
    const chunkMs = quantile(ms.slice(-10), 0.5);
    // It comes when a pass has just begun.
    const step = bench.engine.step();
    const at = bench.now - chunkMs;
    bench.engine.submit('short', fakeRequest(promptIds(32, 30), { maxTokens: 1 }));
    await step;
    await read(bench, 'short');
    t.equal(bench.outcome('long').end, undefined);
    const short = bench.now - at;
    t.ok(short <= aloneMs + 2 * chunkMs, `at ${depth}: ${short} ms, alone ${aloneMs} ms, a chunk ${chunkMs} ms`);
  }
});

void t.test('passes that were held up are soon forgotten', async (t) => {
  let held = 1;
  const bench = await streaming((tokens, batch) => held * measured(tokens, batch));
  bench.engine.submit('long', long());
  await until(bench, 1000);
  for (let i = 0; i < 3; i++) {
    held = 10;
    await bench.engine.step();
    held = 1;
    await until(bench, 1100 + 100 * i);
  }
  const { ms } = await until(bench, 1500);
  t.ok(Math.abs(quantile(ms, 0.5) / alone - 3.4) < 0.3, `then ${quantile(ms, 0.5)} ms`);
});

void t.test('what others take of the machine streams and prompts lose alike', async (t) => {
  let busy = 1;
  const bench = await streaming((tokens, batch) => busy * measured(tokens, batch));
  bench.engine.submit('long', long());
  await until(bench, 1500);
  busy = 3;
  await until(bench, 1900);
  const { tokens } = await until(bench, 2100);
  t.ok(sum(tokens) / tokens.length >= 4 + 4, `${sum(tokens) / tokens.length} tokens in a pass`);
  busy = 1;
  await until(bench, 2500);
  const { ms } = await until(bench, 2700);
  t.ok(quantile(ms, 0.99) <= 4.5 * alone, `${quantile(ms, 0.99)} ms when they are gone`);
});

void t.test('as streams come and go a pass is compared with what it would last beside those of now', async (t) => {
  const bench = await streaming(measured, 12);
  bench.engine.submit('long', long());
  await until(bench, 1000);
  for (let i = 2; i < 12; i++) bench.engine.cancel(`s${i}`);
  await until(bench, 1300);
  const { ms } = await until(bench, 1600);
  // Two streams alone: 16 ms.
  t.ok(quantile(ms, 0.99) <= 4 * 16, `${quantile(ms, 0.99)} ms`);
});

void t.test('reading goes on where every token costs more than there is time for', async (t) => {
  const far = ({ positions }: Batch): number => positions.filter((position) => position >= 3000).length;
  const bench = await streaming((tokens, batch) => measured(tokens, batch) + 1000 * far(batch));
  bench.engine.submit('long', long(3200));
  await until(bench, 3000);
  const { tokens } = await read(bench);
  t.ok(tokens.length < 150, `200 tokens in ${tokens.length} passes`);
});

void t.test('a long prompt has its turn beside short ones, also where a token is a third of a pass', async (t) => {
  const bench = await streaming((tokens, batch) => measured(tokens, batch) + 0.005 * depthsOf(batch).positions);
  bench.engine.submit('long', long());
  await until(bench, 2000);
  let count = 0;
  const short = (): void =>
    bench.engine.submit(`short${count}`, fakeRequest(promptIds(60, 40 + count++), { maxTokens: 1 }));
  const { tokens } = await stepUntil(bench, () => {
    if (count < 2 || bench.outcome(`short${count - 2}`).end !== undefined) short();
    return Math.max(...bench.runner.batches[bench.runner.batches.length - 1].positions) >= 2100;
  });
  // Two tokens in every fourth pass.
  t.ok(tokens.length <= 230, `100 tokens in ${tokens.length} passes`);
});

void t.test('without streams prompts are read at full speed: about a second at any depth', async (t) => {
  const bench = await streaming(measured, 0);
  bench.engine.submit('long', long(6000));
  const { ms, tokens } = await read(bench);
  t.equal(tokens[0], 64, 'the first one is small: nothing is known yet');
  const usual = ms.slice(4, -1);
  t.ok(Math.min(...usual) > 700 && Math.max(...usual) < 1300, usual.map(Math.round).join(' '));
});

void t.test('the parts of the time are told apart', (t) => {
  const next = random(5);
  const time = new PassTime();
  const truth = ({ tokens, positions }: ReturnType<typeof loadOf>): number => 20 + 3 * tokens + 0.002 * positions;
  const chunk = (): Chunk => ({ depth: next(4000), count: 1 + next(next(2) === 0 ? 8 : 200) });
  for (let i = 0; i < 400; i++) {
    const load = loadOf([chunk()]);
    time.learn(load, truth(load));
  }
  for (let i = 0; i < 100; i++) {
    const load = loadOf([chunk(), chunk()]);
    const ratio = time.expect(load) / truth(load);
    t.ok(Math.abs(ratio - 1) < 0.05, `${ratio}`);
    const { depth, count } = chunk();
    const added = time.added(loadOf([{ depth, count }]));
    t.equal(time.tokensWithin(added + 1e-6, depth), count);
    t.equal(time.tokensWithin(added - 1e-6, depth), count - 1);
  }
  t.end();
});

void t.test('whatever passes last, every part stays positive and an estimate finite', (t) => {
  for (let seed = 0; seed < 20; seed++) {
    const next = random(seed);
    const time = new PassTime();
    for (let i = 0; i < 5000; i++) {
      // Long stretches of the same pass, then others; some last nothing or for ever.
      const depth = next(50) === 0 ? next(100_000) : 4000;
      const load = loadOf([{ depth, count: 1 + next(next(30) === 0 ? 500 : 3) }]);
      const held = [0, 1e6, 0.1, 10][next(100)] ?? 0.5 + next(100) / 100;
      time.learn(load, held * (20 + load.tokens));
      const parts = [
        { tokens: 0, positions: 0 },
        { tokens: 1, positions: 0 },
        { tokens: 0, positions: 1 },
      ];
      const [pass, token, position] = parts.map((each, j) => (j === 0 ? time.expect(each) : time.added(each)));
      const isSane = pass > 0 && pass < 1e4 && token > 0 && token < 1e4 && position > 0 && position < 100;
      if (!isSane) throw new Error(`mixture ${seed}, pass ${i}: ${pass} ${token} ${position}`);
    }
  }
  t.end();
});
