// Tokens that hold a text, in a vocabulary that takes a while to read.

import t from 'tap';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { Breakers } from './breakers.ts';

const size = 20_000;
const control = size - 1;

/** Letters and signs by id, many with one of those that end sentences. */
const pieces = Array.from({ length: size }, (_, id) => {
  const word = id.toString(36);
  return id === control ? '<:>' : word + ['', ':', '\n\n', 'é', ' "', '::', '*a'][id % 7];
});

/** `read` counts the tokens looked at. */
function vocabularyOf(read: { count: number }): Tokenizer {
  return {
    vocabulary: {
      size,
      piece: (id) => pieces[id],
      bytes: (id) => {
        read.count++;
        return Buffer.from(pieces[id]);
      },
      kind: (id) => (id === control ? 'control' : 'normal'),
      find: () => undefined,
      bos: undefined,
      eos: undefined,
      endOfGeneration: new Set(),
    },
    addsBos: false,
    addsEos: false,
    encode: (text) => Int32Array.from(text, (letter) => letter.charCodeAt(0)),
    decode: () => '',
  };
}

const holding = (...texts: readonly string[]): readonly number[] =>
  Array.from(pieces.keys()).filter((id) => id !== control && texts.some((text) => pieces[id].includes(text)));

void t.test('tokens that hold a text, whatever was asked before', async (t) => {
  const breakers = new Breakers(vocabularyOf({ count: 0 }));
  for (const texts of [['\n', ':', '"', '*'], [':'], ['::'], ['é'], ['z'], ['1a:', 'b\n\n'], ['\n', ':'], []])
    t.same([...(await breakers.find(texts))], holding(...texts), JSON.stringify(texts));
  // Neither the end of one token and the beginning of the next, nor a control token's name.
  t.same([...(await breakers.find([':1', '<']))], ['1'.charCodeAt(0), '<'.charCodeAt(0)]);
  for (let i = 0; i < 100; i++) await breakers.find([`${i}`]);
  t.same([...(await breakers.find([':']))], holding(':'), 'also when it was forgotten');
});

void t.test('the event loop turns meanwhile, and the vocabulary is read once', async (t) => {
  const read = { count: 0 };
  const breakers = new Breakers(vocabularyOf(read));
  let [most, before, isDone] = [0, 0, false];
  const watch = (): void => {
    most = Math.max(most, read.count - before);
    before = read.count;
    if (!isDone) setImmediate(watch);
  };
  setImmediate(watch);
  const answers = await Promise.all([breakers.find([':', '*']), breakers.find(['*', ':']), breakers.find(['é'])]);
  isDone = true;
  t.same([...answers[0]], holding(':', '*'));
  t.same(answers[1], answers[0]);
  t.same([...answers[2]], holding('é'));
  t.equal(read.count, size - 1);
  t.ok(most > 0 && most <= 2048, `${most} tokens at a time`);
});
