// Byte-level BPE through @huggingface/tokenizers: a tokenizer.json is synthesized from what the GGUF file says. The package merges
// with a queue (n log n in the length of a word) and keeps its regular expressions equal to Oniguruma's; special tokens are cut
// out before it sees the text. Bytes that a vocabulary has no token for (rare ones, in some older models) are left out, as everywhere.

import { Tokenizer as PackageTokenizer } from '@huggingface/tokenizers';
import { byteCharacter } from './byte-alphabet.ts';
import { type Keys, TokenizerError, maxMerges, missing } from './keys.ts';
import type { Encoder } from './encoder.ts';
import { mergeSymbols } from './merge.ts';
import type { PreTokenizer } from './pre-tokenizers.ts';
import type { FileVocabulary } from './vocabulary.ts';

export function byteLevelEncoder(keys: Keys, vocabulary: FileVocabulary, pre: PreTokenizer): Encoder {
  const merges = keys.strings('merges', maxMerges);
  if (merges === undefined) throw missing('merges', 'byte-level BPE cannot encode without its merges');
  if (!Array.from({ length: 256 }, (_, byte) => byteCharacter(byte)).some((c) => vocabulary.find(c) !== undefined)) {
    throw new TokenizerError('the vocabulary holds no token of the byte-level alphabet: it could not encode any text');
  }
  const vocab: Record<string, number> = Object.create(null) as Record<string, number>;
  for (const id of vocabulary.ofKind('normal', 'unused')) {
    const piece = vocabulary.piece(id);
    if (vocabulary.find(piece) === id) vocab[piece] = id;
  }
  const tokenizer = new PackageTokenizer(
    {
      added_tokens: [],
      normalizer: pre.normalization === undefined ? null : { type: pre.normalization },
      pre_tokenizer: {
        type: 'Sequence',
        pretokenizers: [
          ...pre.patterns.map((pattern) => ({
            type: 'Split',
            pattern: { Regex: pattern },
            behavior: 'Isolated',
            invert: false,
          })),
          { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false },
        ],
      },
      post_processor: null,
      decoder: null,
      model: {
        type: 'BPE',
        vocab,
        merges: merges.map(splitMerge).filter(([left, right]) => left + right in vocab),
        ignore_merges: pre.wholeWords ?? false,
        fuse_unk: false,
        byte_fallback: false,
      },
    },
    {},
  );
  shortenLongWords(tokenizer.model as WordModel, merges);
  return (text) => tokenizer.encode(text, { add_special_tokens: false }).ids;
}

/** The part of the package's BPE model that spells one word. */
interface WordModel {
  bpe: (word: string) => string[];
}

/**
 * The package builds objects and strings for every pair that it looks at: 0.4 s for one word of 100 kB, which is what a text without
 * a space is. Long words go through our own queue, six times as fast; the package keeps the ordinary ones, which it remembers.
 */
function shortenLongWords(model: WordModel, merges: readonly string[]): void {
  const ranks = new Map<string, number>();
  for (const [rank, merge] of merges.entries()) if (!ranks.has(merge)) ranks.set(merge, rank);
  const packageBpe = model.bpe.bind(model);
  model.bpe = (word: string): string[] => {
    if (word.length <= longWord) return packageBpe(word);
    const edges = mergeSymbols(
      Int32Array.from({ length: word.length + 1 }, (_, at) => at),
      (start, middle, end) => ranks.get(`${word.slice(start, middle)} ${word.slice(middle, end)}`),
    );
    return Array.from({ length: edges.length - 1 }, (_, i) => word.slice(edges[i], edges[i + 1]));
  };
}

/** Bytes; longer than any word of a language. */
const longWord = 256;

/** `a b` -> both halves; the first character may itself be a space in files of SentencePiece origin. */
export function splitMerge(merge: string): [string, string] {
  const at = merge.indexOf(' ', 1);
  if (at < 0 || at === merge.length - 1)
    throw new TokenizerError(`tokenizer.ggml.merges holds ${JSON.stringify(merge)}, which is no pair of pieces`);
  return [merge.slice(0, at), merge.slice(at + 1)];
}
