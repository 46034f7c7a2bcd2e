// What is said in the measurement: a prompt and the answer to it, as ids. The answers are given, since models of random weights have none.

import type { Random } from '../random.ts';

export interface Text {
  readonly name: string;
  readonly prompt: readonly number[];
  readonly answer: readonly number[];
}

export interface TextOptions {
  /** Of the prompt, about. */
  readonly promptTokens: number;
  /** Of the answer, at most. */
  readonly answerTokens: number;
  readonly vocabularySize: number;
}

/**
 * A request to change a source file, answered with the whole file: a name becomes another one, every ninth line gets a line before it, every
 * thirteenth is left out. `source`: any code.
 */
export function codeEdit(source: string, { promptTokens, answerTokens, vocabularySize }: TextOptions): Text {
  const idOf = numbering(vocabularySize);
  const pieces = piecesOf(source);
  if (pieces.length < promptTokens) throw new Error(`the source has ${pieces.length} pieces only`);
  const before = pieces.slice(0, promptTokens).join('');
  const name = mostFrequent(before.match(/\b[a-z]\w{5,}\b/gi) ?? []);
  const after = before
    .split('\n')
    .flatMap((line, i) => (i % 13 === 12 ? [] : i % 9 === 8 ? ['// As the comment above says.', line] : [line]))
    .join('\n')
    .replaceAll(new RegExp(`\\b${name}\\b`, 'g'), 'renamedValue');
  const prompt = piecesOf(`Call ${name} renamedValue, and clean this file up:\n${before}\n\nThe new file:\n`);
  return {
    name: 'code edit',
    prompt: prompt.map(idOf),
    answer: piecesOf(after).slice(0, answerTokens).map(idOf),
  };
}

/** Words that come as often as words of a language do (Zipf's law) and follow each other by chance: what repeats means nothing. */
export function randomText(random: Random, { promptTokens, answerTokens, vocabularySize }: TextOptions): Text {
  // The inverse of a distribution function that is near to 1/rank: vocabulary ^ u.
  const word = (): number => Math.min(vocabularySize - 1, Math.floor(vocabularySize ** (random.word() / 2 ** 32)));
  const words = (count: number): number[] => Array.from({ length: count }, word);
  return { name: 'random text', prompt: words(promptTokens), answer: words(answerTokens) };
}

/** Pieces of about the size that tokenizers cut code into: spaces with up to five letters, single signs, indentation. */
export function piecesOf(text: string): string[] {
  return text.match(/ ?\w{1,5}|\n *|[^\w\n]/g) ?? [];
}

/** Each new piece gets the next id. */
function numbering(vocabularySize: number): (piece: string) => number {
  const ids = new Map<string, number>();
  return (piece) => {
    const id = ids.get(piece) ?? ids.size % vocabularySize;
    ids.set(piece, id);
    return id;
  };
}

function mostFrequent(words: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
  const [[first]] = [...counts].toSorted(([, a], [, b]) => b - a);
  return first;
}
