import t from 'tap';
import { StopMatcher } from './stop.ts';

/** What the definition says, computed the slow way over the whole text. */
function oracle(text: string, stops: readonly string[]): { text: string; stop: string | undefined } {
  for (let end = 1; end <= text.length; end++) {
    const found = stops.filter((stop) => text.slice(0, end).endsWith(stop)).sort((a, b) => b.length - a.length)[0];
    if (found !== undefined) return { text: text.slice(0, end - found.length), stop: found };
  }
  return { text, stop: undefined };
}

function run(pieces: readonly string[], stops: readonly string[]): { text: string; stop: string | undefined } {
  const matcher = new StopMatcher(stops);
  let text = '';
  for (const piece of pieces) {
    const result = matcher.push(piece);
    text += result.text;
    if (result.stop !== undefined) return { text, stop: result.stop };
  }
  return { text: text + matcher.end(), stop: undefined };
}

void t.test('a stop string is cut off, whole or in pieces', async (t) => {
  t.same(run(['Hello STOP world'], ['STOP']), { text: 'Hello ', stop: 'STOP' });
  t.same(run(['Hello S', 'T', 'OP world'], ['STOP']), { text: 'Hello ', stop: 'STOP' });
  t.same(run(['STOP'], ['STOP']), { text: '', stop: 'STOP' });
  t.same(run(['abc'], []), { text: 'abc', stop: undefined });
});

void t.test('its beginning is held back, and given out when it leads nowhere', async (t) => {
  const matcher = new StopMatcher(['STOP']);
  t.same(matcher.push('a ST'), { text: 'a ' });
  t.same(matcher.push('A'), { text: 'STA' });
  t.same(matcher.push('STO'), { text: '' });
  t.equal(matcher.end(), 'STO', 'also when the text ends');
  t.equal(matcher.end(), '', 'once');
});

void t.test('a beginning inside a failed beginning is not lost', async (t) => {
  t.same(run(['aab'], ['ab']), { text: 'a', stop: 'ab' });
  t.same(run(['aa', 'a', 'ab'], ['aab']), { text: 'aa', stop: 'aab' });
  t.same(run(['abab', 'ac'], ['abac']), { text: 'ab', stop: 'abac' });
});

void t.test('the first to be complete wins; at the same end, the longest', async (t) => {
  t.same(run(['xabcd'], ['abcd', 'bc']), { text: 'xa', stop: 'bc' });
  t.same(run(['xabc'], ['bc', 'abc', 'c']), { text: 'x', stop: 'abc' });
  t.same(run(['ab'], ['abc', 'ab']), { text: '', stop: 'ab' });
});

void t.test('characters beyond the basic plane stay whole', async (t) => {
  t.same(run(['a😀', 'b'], ['😁']), { text: 'a😀b', stop: undefined });
  t.same(run(['a😁b'], ['😁']), { text: 'a', stop: '😁' });
  t.same(run(['a😀b'], ['\ude00']), { text: 'a😀b', stop: undefined }, 'half a character matches nothing');
});

void t.test('law: any text, any stops, any cut agree with the definition', async (t) => {
  let state = 12345;
  const random = (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
  const word = (length: number): string =>
    Array.from({ length }, () => ['a', 'b', 'é', '😀'][random(random(8) === 0 ? 4 : 2)]).join('');
  for (let round = 0; round < 3000; round++) {
    const text = word(random(24));
    const stops = Array.from({ length: 1 + random(4) }, () => word(1 + random(5)));
    const pieces: string[] = [''];
    for (const character of text) {
      if (random(3) === 0) pieces.push('');
      pieces[pieces.length - 1] += character;
    }
    const expected = oracle(text, stops);
    const got = run(pieces, stops);
    if (got.text !== expected.text || got.stop !== expected.stop) {
      t.same({ pieces, stops, ...got }, { pieces, stops, ...expected });
      return;
    }
  }
  t.pass('3000 rounds');
});

void t.test('the work grows with the text, not with the stop strings', async (t) => {
  // A quadratic search would need about 4e9 comparisons here.
  const matcher = new StopMatcher([
    `${'a'.repeat(1000)}b`,
    ...Array.from({ length: 500 }, (_, i) => `${'a'.repeat(i)}c`),
  ]);
  const started = performance.now();
  let length = 0;
  for (let i = 0; i < 1000; i++) length += matcher.push('a'.repeat(200)).text.length;
  t.equal(length + matcher.end().length, 200_000);
  t.ok(performance.now() - started < 2000);
});
