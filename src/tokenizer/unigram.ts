// SentencePiece Unigram ("t5"): the cut of a text into pieces whose log probabilities have the highest sum (Kudo 2018; Viterbi).

import { CharsMap } from './charsmap.ts';
import type { Encoder } from './encoder.ts';
import { type Keys, TokenizerError, maxCharsMap, missing } from './keys.ts';
import { PieceIndex } from './piece-index.ts';
import { textPieces } from './sentencepiece.ts';
import type { FileVocabulary } from './vocabulary.ts';

/** How much worse than the worst piece an unknown character is. */
const unknownPenalty = 10;

export function unigramEncoder(keys: Keys, vocabulary: FileVocabulary, addsSpacePrefix: boolean): Encoder {
  const { scores, unknown } = vocabulary;
  if (scores === undefined) throw missing('scores', 'a unigram vocabulary is made of them');
  if (unknown === undefined)
    throw missing('unknown_token_id', 'a unigram vocabulary needs one for what it cannot spell');
  const { ids } = textPieces(vocabulary);
  const index = new PieceIndex(ids);
  // Added tokens always win against the same text in pieces.
  const weight = (id: number): number => (vocabulary.kind(id) === 'user' ? 0 : scores[id]);
  let worst = 0;
  for (const id of vocabulary.ofKind('normal')) worst = Math.min(worst, scores[id]);
  const normalize = normalizer(keys, addsSpacePrefix);
  return (text) => bestCut(normalize(text), index, weight, worst - unknownPenalty, unknown);
}

function bestCut(
  text: string,
  index: PieceIndex,
  weight: (id: number) => number,
  unknownScore: number,
  unknown: number,
): number[] {
  // Best way to reach each offset: its score, the last token, and where that token began.
  const best = new Float64Array(text.length + 1).fill(-Infinity);
  const token = new Int32Array(text.length + 1);
  const from = new Int32Array(text.length + 1);
  best[0] = 0;
  const offer = (start: number, end: number, id: number, score: number): void => {
    if (best[start] + score <= best[end]) return;
    best[end] = best[start] + score;
    token[end] = id;
    from[end] = start;
  };
  for (let at = 0; at < text.length;) {
    const width = (text.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
    let isSpelled = false;
    index.matches(text, at, (end, id) => {
      if (end === at + width) isSpelled = true;
      offer(at, end, id, weight(id));
    });
    if (!isSpelled) offer(at, at + width, unknown, unknownScore);
    at += width;
  }
  const ids: number[] = [];
  for (let at = text.length; at > 0; at = from[at]) {
    // Neighbouring unknown characters are one unknown token.
    if (token[at] !== unknown || ids.at(-1) !== unknown) ids.push(token[at]);
  }
  return ids.reverse();
}

/** The charsmap, then spaces: put in front of words, runs made one, all written U+2581. */
function normalizer(keys: Keys, addsSpacePrefix: boolean): (text: string) => string {
  const bytes = keys.numbers('precompiled_charsmap', maxCharsMap);
  if (bytes !== undefined && bytes.some((byte) => !Number.isInteger(byte) || byte < -128 || byte > 255)) {
    throw new TokenizerError('tokenizer.ggml.precompiled_charsmap is not an array of bytes');
  }
  const map = bytes === undefined || bytes.length === 0 ? undefined : new CharsMap(Uint8Array.from(bytes));
  const mergesSpaces = keys.flag('remove_extra_whitespaces') ?? false;
  return (text) => {
    const mapped = map?.normalize(text) ?? text;
    const words = mapped.replace(/^ +/, '');
    if (words === '') return mergesSpaces ? '' : mapped.replaceAll(' ', '\u2581');
    if (mergesSpaces) return `\u2581${words.replace(/ +$/, '').replaceAll(/ +/g, '\u2581')}`;
    const leading = '\u2581'.repeat(mapped.length - words.length);
    return leading + (addsSpacePrefix ? '\u2581' : '') + words.replaceAll(' ', '\u2581');
  };
}
