// From a rendered prompt to ids: BOS exactly once.

import type { Tokenizer } from './tokenizer.ts';

/**
 * Ids of a prompt whose text may name special tokens (a rendered chat template). BOS comes first when the vocabulary asks for it
 * and the text does not already begin with it.
 */
export function promptIds(tokenizer: Tokenizer, text: string): Int32Array {
  return withBos(tokenizer, tokenizer.encode(text, { special: true }));
}

/** `ids` with BOS in front when the vocabulary asks for it and it is not there. */
export function withBos(tokenizer: Tokenizer, ids: Int32Array): Int32Array {
  const { bos } = tokenizer.vocabulary;
  if (!tokenizer.addsBos || bos === undefined || ids[0] === bos) return ids;
  const all = new Int32Array(ids.length + 1);
  all[0] = bos;
  all.set(ids, 1);
  return all;
}
