// Which tokens a piece of text is made of: tokens go in as they are written, and come out with the text that they wrote, which a stop
// string or half a character may keep waiting.

import type { TokenCandidate, TokenLogprob } from '../core/generation.ts';
import type { TokenScore } from '../engine/messages.ts';
import type { Vocabulary } from '../tokenizer/tokenizer.ts';

interface Written {
  readonly token: TokenLogprob;
  /** Length of the text (UTF-16 units) before and behind it. */
  readonly from: number;
  readonly to: number;
}

export class TokenTrail {
  readonly #vocabulary: Vocabulary;
  readonly #waiting: Written[] = [];
  #written = 0;
  #delivered = 0;

  constructor(vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary;
  }

  /** `bytes`: what it adds to the text; `text`: what became ready with it. */
  push(id: number, bytes: Uint8Array, text: string, score: TokenScore): void {
    const from = this.#written;
    this.#written += text.length;
    // Bytes without text are the beginning of a character that is not there yet.
    const to = this.#written + (text === '' && bytes.length > 0 ? 1 : 0);
    this.#waiting.push({ token: tokenLogprob(this.#vocabulary, id, bytes, score), from, to });
  }

  /** The text is delivered so far, and goes on. */
  deliver(text: string): TokenLogprob[] {
    this.#delivered += text.length;
    const waits = this.#waiting.findIndex(({ to }) => to > this.#delivered);
    return this.#waiting.splice(0, waits < 0 ? this.#waiting.length : waits).map(({ token }) => token);
  }

  /** The same, and this is where a stop string cuts the text: a token of which only a part is left has the bytes of that part. */
  cut(text: string): TokenLogprob[] {
    const before = this.#delivered;
    const whole = this.deliver(text);
    const [half] = this.#waiting.splice(0);
    if (half === undefined || half.from >= this.#delivered) return whole;
    const rest = Buffer.from(text.slice(Math.max(0, half.from - before)));
    return [...whole, withBytes(half.token, rest)];
  }
}

export function tokenLogprob(
  vocabulary: Vocabulary,
  id: number,
  bytes: Uint8Array,
  { logprob, topIds, topLogprobs }: TokenScore,
): TokenLogprob {
  const top = topIds.map((each, i) => candidate(vocabulary, each, topLogprobs[i]));
  // What is not shown has a name nevertheless.
  const { text } = candidate(vocabulary, id, logprob);
  return { id, text: bytes.length === 0 ? text : decode(bytes), bytes, logprob, top };
}

function candidate(vocabulary: Vocabulary, id: number, logprob: number): TokenCandidate {
  const bytes = vocabulary.bytes(id);
  return { id, text: decode(bytes), bytes, logprob };
}

function withBytes(token: TokenLogprob, bytes: Uint8Array): TokenLogprob {
  return { ...token, text: decode(bytes), bytes };
}

function decode(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
}
