import t from 'tap';
import { randomBits } from '../testing/random.ts';
import { CommonSubsequence, predictionIds } from './prediction.ts';

void t.test('the longest common subsequence, id by id, against the table of the textbook', async (t) => {
  const bits = randomBits(5);
  const below = (count: number): number => bits() % count;
  for (let round = 0; round < 200; round++) {
    const ids = 1 + below(20);
    const given = Int32Array.from({ length: below(150) }, () => below(ids));
    const common = new CommonSubsequence(given);
    let row = Array.from(given, () => 0).concat(0);
    const [lengths, expected]: [number[], number[]] = [[], []];
    for (let count = below(150); count > 0; count--) {
      const id = below(ids + 1);
      common.push(id);
      const next = [0];
      for (const [i, own] of given.entries()) next.push(own === id ? row[i] + 1 : Math.max(row[i + 1], next[i]));
      row = next;
      lengths.push(common.length);
      expected.push(row[given.length]);
    }
    t.same(lengths, expected, `round ${round}`);
  }
});

void t.test('an answer that says all of it, and one that says nothing', async (t) => {
  for (const length of [0, 1, 31, 32, 33, 64, 1000]) {
    const given = Int32Array.from({ length }, (_, i) => i);
    const [whole, none] = [new CommonSubsequence(given), new CommonSubsequence(given)];
    for (const id of given) {
      whole.push(id);
      none.push(id + 5000);
    }
    t.equal(whole.length, length);
    t.equal(none.length, 0);
  }
});

void t.test('a prediction is text, and what could not come true is refused before it is cut into tokens', async (t) => {
  const texts: string[] = [];
  const encode = (text: string, options?: { readonly special?: boolean }): Int32Array => {
    t.not(options?.special, true, 'nothing in it is special');
    texts.push(text);
    return Int32Array.from(Buffer.from(text));
  };
  const parts = { tokenizer: { encode }, contextLength: 10, longestToken: 2 } as unknown as Parameters<
    typeof predictionIds
  >[1];
  t.equal(predictionIds({ prediction: undefined }, parts), undefined);
  t.equal(predictionIds({ prediction: '' }, parts), undefined);
  t.same(predictionIds({ prediction: 'abc' }, parts), Int32Array.of(97, 98, 99));
  t.throws(() => predictionIds({ prediction: 'x'.repeat(19) }, parts), {
    code: 'context_length_exceeded',
    param: 'prediction',
  });
  t.same(texts, ['abc']);
});
