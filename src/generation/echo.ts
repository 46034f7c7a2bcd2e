// The prompt, told back: its text, and its tokens with their log probabilities.

import type { Prompt, TokenLogprob } from '../core/generation.ts';
import type { TokenScore } from '../engine/messages.ts';
import { Detokenizer } from '../tokenizer/detokenizer.ts';
import type { ModelParts } from './models.ts';
import { tokenLogprob } from './token-trail.ts';

/**
 * Their bytes, joined, are the text that is told. The token that begins a document has none, unless the caller wrote it. `scores`: of the
 * tokens from the second on; nothing precedes the first.
 */
export function promptLogprobs(
  prompt: Prompt,
  ids: Int32Array,
  scores: readonly TokenScore[],
  { tokenizer }: ModelParts,
): TokenLogprob[] {
  const { vocabulary } = tokenizer;
  const detokenizer = new Detokenizer(tokenizer, { special: true });
  const { bos } = vocabulary;
  const isAdded = prompt.type === 'text' && ids[0] === bos && !prompt.text.startsWith(vocabulary.piece(ids[0]));
  return Array.from(ids, (id, i) => {
    let bytes: Uint8Array = new Uint8Array();
    if (i > 0 || !isAdded) {
      detokenizer.push(id);
      bytes = detokenizer.added;
    }
    if (i > 0) return tokenLogprob(vocabulary, id, bytes, scores[i - 1]);
    return { ...tokenLogprob(vocabulary, id, bytes, unknown), logprob: undefined };
  });
}

const unknown: TokenScore = { logprob: 0, topIds: [], topLogprobs: [] };
