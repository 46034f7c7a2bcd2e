// WordPiece ("bert"): the text is normalised as BERT does it, cut at white space, punctuation and Chinese characters, and each word
// is spelled with the longest pieces. The spelling is @huggingface/tokenizers' work; the normalisation is done here, because the
// package's own lowers a final sigma by context and does not see Chinese characters above U+FFFF.

import { Tokenizer as PackageTokenizer } from '@huggingface/tokenizers';
import type { Encoder } from './encoder.ts';
import { type Keys, missing } from './keys.ts';
import type { FileVocabulary } from './vocabulary.ts';

/** Words longer than this are unknown as a whole. */
const longestWord = 100;

export function wordPieceEncoder(keys: Keys, vocabulary: FileVocabulary): Encoder {
  const { unknown } = vocabulary;
  if (unknown === undefined) throw missing('unknown_token_id', 'WordPiece needs a token for what it cannot spell');
  const lowers = keys.flag('normalizer.lowercase') ?? true;
  const stripsAccents = keys.flag('normalizer.strip_accents') ?? lowers;

  // GGUF marks the pieces that begin a word with U+2581; WordPiece marks those that continue one with ##.
  const vocab: Record<string, number> = Object.create(null) as Record<string, number>;
  for (const id of vocabulary.ofKind('normal', 'user', 'unused')) {
    const piece = vocabulary.piece(id);
    const spelled = piece.startsWith('\u2581') ? piece.slice(1) : `##${piece}`;
    vocab[spelled] ??= id;
  }
  const unknownPiece = '\u2581\u2581';
  vocab[unknownPiece] = unknown;
  const tokenizer = new PackageTokenizer(
    {
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: { type: 'BertPreTokenizer' },
      post_processor: null,
      decoder: null,
      model: {
        type: 'WordPiece',
        vocab,
        unk_token: unknownPiece,
        continuing_subword_prefix: '##',
        max_input_chars_per_word: longestWord,
      },
    },
    {},
  );
  return (text) => tokenizer.encode(normalize(text, lowers, stripsAccents), { add_special_tokens: false }).ids;
}

/** The blocks that BERT treats as Chinese: Han, not Hangul or kana. */
const chinese =
  /[\u4e00-\u9fff\u3400-\u4dbf\uf900-\ufaff\u{20000}-\u{2a6df}\u{2a700}-\u{2b73f}\u{2b740}-\u{2b81f}\u{2b920}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/gu;

function normalize(text: string, lowers: boolean, stripsAccents: boolean): string {
  let normalized = text
    .replaceAll(/[\t\n\r]/g, ' ')
    .replaceAll(/[\p{C}\ufffd]/gu, '')
    .replaceAll(/\p{White_Space}/gu, ' ')
    .replaceAll(chinese, ' $& ');
  if (stripsAccents) normalized = normalized.normalize('NFD').replaceAll(/\p{Mn}/gu, '');
  // Character by character: the lower case of a whole word would depend on where its sigmas stand.
  return lowers ? Array.from(normalized, (character) => character.toLowerCase()).join('') : normalized;
}
