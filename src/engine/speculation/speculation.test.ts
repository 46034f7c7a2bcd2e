// What is guessed, and when it is worth testing. That answers do not depend on it: engine.test.ts and law.test.ts.

import t from 'tap';
import { EngineBench, random } from '../../testing/engine-bench.ts';
import { fakeRequest, teacher } from '../../testing/fake-model.ts';
import { Acceptance } from './acceptance.ts';
import { Drafter } from './drafter.ts';
import { NgramIndex } from './ngram-index.ts';
import { PassCost } from './pass-cost.ts';
import { PromptLookup } from './speculation.ts';

const copy = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);
const guessed = (drafter: Drafter, most: number): number[] => drafter.guess(most).map(({ id }) => id);

function drafterOf(prompt: readonly number[], answer: readonly number[] = []): Drafter {
  const drafter = new Drafter(Int32Array.from(prompt));
  drafter.follow(Int32Array.from(answer));
  return drafter;
}

void t.test('an index finds where the last ids stood before, the latest first', async (t) => {
  for (const n of [1, 2, 3]) {
    const next = random(n);
    const ids = Int32Array.from({ length: 1500 }, () => next([300, 16, 7][n - 1]));
    const index = new NgramIndex(n);
    let [places, found] = [0, 0];
    for (let length = 1; length <= ids.length; length++) {
      const slow: number[] = [];
      for (let end = length - 1; end >= n; end--) {
        if (ids.subarray(end - n, end).every((id, i) => id === ids[length - n + i])) slow.push(end);
      }
      const ends = index.find(ids, length);
      places += Math.min(8, slow.length);
      found += ends.length;
      let at = -1;
      for (const end of ends) {
        const next = slow.indexOf(end);
        if (next <= at) t.fail(`${end} is no place, or out of order`);
        at = next;
      }
      index.extend(ids, length);
    }
    // Another n-gram of the same hash may take the place of one in eight.
    t.ok(found > 0.9 * places && places > 1000, `${found} of ${places} places of ${n} ids`);
  }
});

void t.test('a drafter copies what stood behind the same ids, and goes on copying', async (t) => {
  const prompt = [...copy(100, 150), 1, 2, 3];
  t.same(guessed(drafterOf(prompt), 5), [], 'nothing was said twice');
  t.same(guessed(drafterOf(prompt, [110]), 3), [111, 112, 113], 'one id');
  t.same(guessed(drafterOf([...prompt, 110, 111, 7], [110, 111]), 1), [7], 'the latest of two equal places');
  t.same(guessed(drafterOf([...prompt, 111, 112, 7], [110, 111, 112]), 1), [113], 'the longer agreement');
  t.same(guessed(drafterOf(copy(100, 110), [100, 101]), 20).slice(0, 8), copy(102, 110));
});

void t.test('a text that repeats itself is guessed beyond its end', async (t) => {
  t.same(guessed(drafterOf([5, 6, 7, 5, 6, 7, 5]), 7), [6, 7, 5, 6, 7, 5, 6]);
  t.same(guessed(drafterOf([9, 9, 9]), 4), [9, 9, 9, 9]);
});

void t.test('after an edit the copy is taken up again', async (t) => {
  const source = copy(100, 160);
  const begun = copy(100, 120);
  const resumed = (answer: readonly number[]): number[] => guessed(drafterOf(source, answer), 3);
  t.same(resumed([...begun, 7]), [121, 122, 123], 'one id was replaced');
  t.same(resumed([...begun, 7, 8]), [122, 123, 124], 'two were');
  t.same(resumed([...begun, 7, 120]), [121, 122, 123], 'one was put in');
  t.same(resumed([...begun, 125]), [126, 127, 128], 'some were left out');
  t.same(resumed([...begun, ...copy(1, 15)]), [], 'in the end it is given up');
  // Where 120 stood last something else came, but the copy goes on behind 119.
  const elsewhere = [...source, 120, 50, 51];
  t.same(guessed(drafterOf(elsewhere, [...begun, 7, 120]), 2), [121, 122]);
});

void t.test('a prediction is copied from its beginning, past edits, and no longer than it proves right', async (t) => {
  const prediction = copy(100, 150);
  const guess = (answer: readonly number[]): number[] => {
    const drafter = new Drafter(Int32Array.from(copy(0, 20)), Int32Array.from(prediction));
    drafter.follow(Int32Array.from(answer));
    t.equal(drafter.length, 20 + answer.length, 'the prediction is not part of the text');
    return guessed(drafter, 3);
  };
  t.same(guess([]), [100, 101, 102], 'before anything is said');
  t.same(guess([100, 101]), [102, 103, 104]);
  t.same(guess([7, 101, 102]), [103, 104, 105], 'another beginning');
  t.same(guess([100, 101, 102, 110]), [111, 112, 113]);
  t.same(guess([3, 4, 5]), [6, 7, 8], 'something else is said');
});

void t.test('how a text arrives does not change what is guessed', async (t) => {
  const next = random(7);
  const prompt = Array.from({ length: 200 }, () => next(12));
  const answer = Array.from({ length: 400 }, (_, i) => (i % 50 < 30 ? prompt[i % 200] : next(12)));
  const whole = drafterOf(prompt, answer);
  const pieces = drafterOf(prompt);
  for (let at = 0; at < answer.length;) {
    const count = 1 + next(6);
    pieces.follow(Int32Array.from(answer.slice(at, at + count)));
    pieces.guess(next(4));
    at += count;
  }
  t.equal(pieces.length, 600);
  t.same(pieces.guess(15), whole.guess(15));
});

void t.test('odds follow what came true, and fall along a draft', async (t) => {
  const acceptance = new Acceptance();
  const likeness = { agreed: 3, isResumed: false };
  const before = acceptance.expect(likeness);
  for (let i = 0; i < 20; i++) acceptance.learn(likeness, true);
  t.ok(acceptance.expect(likeness) > 0.9 && acceptance.expect(likeness) > before);
  t.equal(acceptance.expect({ agreed: 2, isResumed: false }), new Acceptance().expect({ agreed: 2, isResumed: false }));
  t.equal(acceptance.expect({ agreed: 3, isResumed: true }), new Acceptance().expect({ agreed: 3, isResumed: true }));
  for (let i = 0; i < 60; i++) acceptance.learn(likeness, false);
  t.ok(acceptance.expect(likeness) < 0.2, 'what was long ago counts less');
  const odds = drafterOf([...copy(0, 90), 5], [6, 7, 8]).guess(10);
  t.equal(odds.length, 10);
  for (const [i, guess] of odds.entries()) t.ok(guess.odds > 0 && guess.odds <= (odds[i - 1]?.odds ?? 1));
});

void t.test('the cost of a pass: the middle of the last ones, between sizes a line, beyond them a trial', async (t) => {
  const cost = new PassCost();
  t.equal(cost.usual(1), undefined);
  for (const ms of [10, 500, 11]) cost.learn(1, ms);
  t.equal(cost.usual(1), 11, 'one that was held up says nothing');
  t.same(cost.estimate(1, 0), [11]);
  const untried = cost.estimate(1, 4);
  t.ok(untried[4] > untried[0] && untried[4] < 3 * untried[0], 'cheap enough to be tried');
  cost.learn(5, 31);
  t.same(cost.estimate(1, 4), [11, 16, 21, 26, 31]);
  cost.learn(3, 9);
  t.same(cost.estimate(1, 4), [11, 11, 11, 20, 31], 'more tokens are never taken to be faster');
  t.equal(cost.usual(5), undefined, 'once is no habit');
  for (let i = 0; i < 100; i++) cost.learn(8, 40);
  t.equal(cost.usual(1), undefined, 'that was long ago');
  cost.learn(1, 20);
  t.equal(cost.usual(1), 20, 'and one pass is enough to know again');
});

/** Milliseconds of a pass by its tokens. */
const machines: Readonly<Record<string, (tokens: number) => number>> = {
  'waits for memory': (tokens) => 40 + tokens,
  'in tiles of four': (tokens) => 20 + 20 * Math.ceil(tokens / 4),
  usual: (tokens) => 20 + 10 * tokens,
  'computes every token': (tokens) => 30 * tokens,
};

const next = random(11);
const source = Array.from({ length: 400 }, () => Math.floor(90 ** ((next(1000) + 1) / 1000)));
/** Every twentieth id is replaced, every thirtieth left out, every fortieth has one before it. */
const edited = source.flatMap((id, i) => (i % 30 === 29 ? [] : i % 20 === 19 ? [3] : i % 40 === 38 ? [5, id] : [id]));
/** Frequent and rare ids, by chance. */
const chance = Array.from({ length: 400 }, () => Math.floor(90 ** ((next(1000) + 1) / 1000)));

/** Milliseconds for `users` answers that are given, side by side. */
async function duration(
  answer: readonly number[],
  users: number,
  cost: (tokens: number) => number,
  speculation: PromptLookup | undefined,
): Promise<number> {
  const bench = new EngineBench({
    contextLength: 1024,
    kvBlocks: 16 * users,
    maxSequences: users,
    maxBatchTokens: 64,
    maxOutputs: 16,
    sampler: teacher(answer),
    speculation,
  });
  bench.cost = cost;
  for (let user = 0; user < users; user++)
    bench.engine.submit(String(user), fakeRequest(source, { maxTokens: answer.length }));
  await bench.run();
  for (let user = 0; user < users; user++) t.same(bench.outcome(String(user)), { tokens: answer, end: 'length' });
  const prompts = users * Math.ceil(source.length / 64) * cost(64);
  return bench.now - prompts;
}

void t.test('on where it pays, off where it does not', async (t) => {
  for (const [machine, cost] of Object.entries(machines)) {
    for (const users of [1, 4]) {
      const ratio = async (answer: readonly number[]): Promise<number> =>
        (await duration(answer, users, cost, undefined)) / (await duration(answer, users, cost, new PromptLookup()));
      const [edit, noise] = [await ratio(edited), await ratio(chance)];
      const isWorthwhile = cost(8) < 3 * cost(1);
      const name = `${machine}, ${users} users`;
      t.comment(`${name}: edit ${edit.toFixed(2)}, noise ${noise.toFixed(3)}`);
      t.ok(edit > (isWorthwhile && users === 1 ? 1.8 : 0.97), `${name}: edit ${edit.toFixed(2)}`);
      t.ok(noise > 0.97, `${name}: noise ${noise.toFixed(3)}`);
    }
  }
});
