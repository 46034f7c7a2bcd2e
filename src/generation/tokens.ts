// Tokenizer and chat template of a loaded model by themselves. Nothing here asks the engine.

import { isUtf8 } from 'node:buffer';
import { ApiError } from '../core/errors.ts';
import type { TokenizationRequest } from '../core/tokenization.ts';
import { withBos } from '../tokenizer/prompt.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { ModelParts } from './models.ts';
import { checkIds, placeOf, renderPrompt } from './prompt.ts';

/**
 * Longest text that is tokenized for its own sake, as the spec says of texts; a conversation is measured when it is rendered. It
 * is work of the server's only thread: half a second at some 0.5 MB/s (Node 20, 2 vCPU, November 2026).
 */
const maxCharacters = 262_144;

/** Throws an `ApiError` for a conversation that the template refuses, or that becomes too long. */
export function tokenize({ prompt, addsBos, special }: TokenizationRequest, model: ModelParts): Int32Array {
  const text = prompt.type === 'chat' ? renderPrompt(prompt, model) : prompt.text;
  if (text.length > maxCharacters) {
    throw new ApiError(
      'invalid_request',
      `This is a text of ${text.length} characters; at most ${maxCharacters} are tokenized at once. Send it in parts.`,
      { code: 'invalid_value', param: placeOf(prompt) },
    );
  }
  const ids = model.tokenizer.encode(text, { special });
  return addsBos ? withBos(model.tokenizer, ids) : ids;
}

/** Special tokens are written out. `param`: what the caller calls the ids. */
export function detokenize(ids: readonly number[], param: string, { tokenizer }: ModelParts): string {
  checkIds(ids, param, tokenizer);
  return tokenizer.decode(ids, { special: true });
}

/** What one token contributes to a text: its bytes where they are no whole characters. */
export function pieceOf(id: number, { vocabulary }: Tokenizer): string | readonly number[] {
  const bytes = vocabulary.bytes(id);
  return isUtf8(bytes) ? Buffer.from(bytes).toString() : [...bytes];
}
