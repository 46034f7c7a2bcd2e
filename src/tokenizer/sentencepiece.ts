// SentencePiece BPE ("llama") and its newer sibling with a merge list ("gemma4"): spaces are written U+2581, the whole text is one
// word, and what is no piece falls back to bytes. The package would take 0.75 s for 100 kB here; this takes a tenth.

import type { Encoder } from './encoder.ts';
import { type Keys, TokenizerError, maxMerges, missing } from './keys.ts';
import { codePointEdges, mergeSymbols } from './merge.ts';
import type { FileVocabulary } from './vocabulary.ts';

/** Pieces are joined where the joint is a piece; the piece with the highest score first. */
export function scoredEncoder(vocabulary: FileVocabulary, addsSpacePrefix: boolean): Encoder {
  const { scores } = vocabulary;
  if (scores === undefined) throw missing('scores', 'SentencePiece BPE joins pieces in the order of their scores');
  const pieces = textPieces(vocabulary);
  const spell = byteFallback(vocabulary);
  return (text, opens) => {
    const escaped = (addsSpacePrefix && opens ? `\u2581${text}` : text).replaceAll(' ', '\u2581');
    const edges = mergeSymbols(codePointEdges(escaped), (start, _, end) => {
      if (end - start > pieces.longest) return undefined;
      const id = pieces.ids.get(escaped.slice(start, end));
      return id === undefined ? undefined : -scores[id];
    });
    return idsOf(escaped, edges, pieces.ids, spell);
  };
}

/** Pairs are joined in the order of the file's merges. Words are runs of newlines and what is between them. */
export function mergeListEncoder(keys: Keys, vocabulary: FileVocabulary): Encoder {
  const merges = keys.strings('merges', maxMerges);
  if (merges === undefined) throw missing('merges', 'BPE cannot encode without its merges');
  const ranks = new Map<string, number>();
  let longest = 0;
  for (const [rank, merge] of merges.entries()) {
    if (merge.indexOf(' ', 1) < 0)
      throw new TokenizerError(`tokenizer.ggml.merges holds ${JSON.stringify(merge)}, which is no pair of pieces`);
    if (!ranks.has(merge)) ranks.set(merge, rank);
    longest = Math.max(longest, merge.length - 1);
  }
  const { ids } = textPieces(vocabulary);
  const spell = byteFallback(vocabulary);
  return (text) => {
    const found: number[] = [];
    for (const [word] of text.replaceAll(' ', '\u2581').matchAll(/\n+|[^\n]+/g)) {
      const whole = word.startsWith('\n') ? ids.get(word) : undefined;
      if (whole !== undefined) {
        found.push(whole);
        continue;
      }
      const edges = mergeSymbols(codePointEdges(word), (start, middle, end) =>
        end - start > longest ? undefined : ranks.get(`${word.slice(start, middle)} ${word.slice(middle, end)}`),
      );
      for (const id of idsOf(word, edges, ids, spell)) found.push(id);
    }
    return found;
  };
}

interface Pieces {
  readonly ids: ReadonlyMap<string, number>;
  /** Code units of the longest. */
  readonly longest: number;
}

/** What text may become: never control or byte tokens, however they are spelled. */
export function textPieces(vocabulary: FileVocabulary): Pieces {
  const ids = new Map<string, number>();
  let longest = 0;
  for (const id of vocabulary.ofKind('normal', 'user', 'unused')) {
    const piece = vocabulary.piece(id);
    if (piece === '' || ids.has(piece)) continue;
    ids.set(piece, id);
    longest = Math.max(longest, piece.length);
  }
  return { ids, longest };
}

type Spell = (text: string, ids: number[]) => void;

const encoder = new TextEncoder();

/** Bytes of a character that is no piece, as byte tokens; without those, the unknown token. */
function byteFallback(vocabulary: FileVocabulary): Spell {
  const bytes = new Map<number, number>();
  for (const id of vocabulary.ofKind('byte')) bytes.set(vocabulary.bytes(id)[0], id);
  const { unknown } = vocabulary;
  if (bytes.size < 256 && unknown === undefined) {
    throw missing(
      'unknown_token_id',
      'the vocabulary has no token for every byte, so it needs one for what it cannot spell',
    );
  }
  return (text, ids) => {
    for (const byte of encoder.encode(text)) {
      const id = bytes.get(byte) ?? unknown;
      if (id === undefined) continue;
      ids.push(id);
      // One unknown token for the whole character.
      if (id === unknown) return;
    }
  };
}

function idsOf(text: string, edges: Int32Array, pieces: ReadonlyMap<string, number>, spell: Spell): number[] {
  const ids: number[] = [];
  for (let i = 0; i + 1 < edges.length; i++) {
    const piece = text.slice(edges[i], edges[i + 1]);
    const id = pieces.get(piece);
    if (id === undefined) spell(piece, ids);
    else ids.push(id);
  }
  return ids;
}
