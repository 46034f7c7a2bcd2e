// Log probabilities as text completions show them: four lists side by side.

import type { TokenCandidate, TokenLogprob } from '../../core/generation.ts';
import type * as wire from '../../generated/types.ts';
import { finite } from '../logprobs.ts';

/** Those of one choice, piece by piece: where a token begins depends on the ones before. */
export class LogprobLists {
  /** Characters that have begun. */
  #characters = 0;

  push(tokens: readonly TokenLogprob[]): wire.TextLogprobs {
    return {
      tokens: tokens.map(spelled),
      token_logprobs: tokens.map(({ logprob }) => (logprob === undefined ? null : finite(logprob))),
      top_logprobs: tokens.map(writeTop),
      text_offset: tokens.map(({ bytes }) => this.#offset(bytes)),
    };
  }

  /** A token that goes on with a character begins where that character does. */
  #offset(bytes: Uint8Array): number {
    const begun = this.#characters;
    for (const byte of bytes) if (!isContinuation(byte)) this.#characters++;
    return bytes.length > 0 && isContinuation(bytes[0]) ? Math.max(0, begun - 1) : begun;
  }
}

/** Of a UTF-8 sequence: a byte that begins no character. */
function isContinuation(byte: number): boolean {
  return (byte & 0xc0) === 0x80;
}

/** The likeliest, and the token itself wherever it stands. */
function writeTop(token: TokenLogprob): Record<string, number> | null {
  if (token.logprob === undefined) return null;
  const top: Record<string, number> = {};
  for (const candidate of [...token.top, token]) {
    const name = spelled(candidate);
    // Of several tokens with one text the likeliest is shown.
    if (!Object.hasOwn(top, name)) define(top, name, finite(candidate.logprob));
  }
  return top;
}

/** `__proto__` is a text like others. */
function define(object: Record<string, number>, key: string, value: number): void {
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}

/** Texts are keys here, so bytes that are no text must not all look alike. */
function spelled({ text, bytes }: TokenCandidate): string {
  if (!text.includes('\ufffd')) return text;
  return `bytes:${[...bytes].map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}`;
}
