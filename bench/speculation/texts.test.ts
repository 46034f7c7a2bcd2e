import t from 'tap';
import { seededRandom } from '../random.ts';
import { codeEdit, piecesOf, randomText } from './texts.ts';

const source = Array.from({ length: 60 }, (_, i) => `  const value${i} = parameter + ${i}; // 😀 ${i * i}`).join('\n');
const size = { promptTokens: 500, answerTokens: 300, vocabularySize: 1000 };

void t.test('pieces are the whole text, as long as tokens are', async (t) => {
  const pieces = piecesOf(source);
  t.equal(pieces.join(''), source);
  t.ok(source.length / pieces.length > 1.5 && pieces.every(({ length }) => length <= 8));
});

void t.test('an edit repeats most of the prompt, and not all of it', async (t) => {
  const { prompt, answer } = codeEdit(source, size);
  t.ok(prompt.length >= 500 && prompt.length < 560 && answer.length === 300);
  t.ok([...prompt, ...answer].every((id) => id >= 0 && id < 1000));
  const threes = (ids: readonly number[]): string[] => ids.slice(2).map((id, i) => `${ids[i]} ${ids[i + 1]} ${id}`);
  const known = new Set(threes(prompt));
  const repeated = threes(answer).filter((three) => known.has(three)).length / 298;
  t.ok(repeated > 0.6 && repeated < 0.97, `${repeated} of the answer`);
  t.throws(() => codeEdit('too short', size), /pieces only/);
});

void t.test('random text has frequent and rare words, the same ones each time', async (t) => {
  const { prompt, answer } = randomText(seededRandom(1), size);
  t.equal(prompt.length, 500);
  t.equal(answer.length, 300);
  t.same(randomText(seededRandom(1), size).answer, answer);
  const all = [...prompt, ...answer];
  t.ok(all.every((id) => id >= 0 && id < 1000));
  const frequent = all.filter((id) => id < 30).length / all.length;
  t.ok(frequent > 0.4 && frequent < 0.6, 'half of a text are its thirty most frequent words');
});
