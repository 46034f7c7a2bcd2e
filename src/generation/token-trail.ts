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
  /** The bytes before its own that its text begins with: those of a character that others began. */
  readonly begun: Uint8Array;
}

export class TokenTrail {
  readonly #vocabulary: Vocabulary;
  readonly #waiting: Written[] = [];
  #begun: Uint8Array = new Uint8Array();
  #written = 0;
  #delivered = 0;
  /** What is delivered of the first that waits. */
  #part = '';

  constructor(vocabulary: Vocabulary) {
    this.#vocabulary = vocabulary;
  }

  /** `bytes`: what it adds to the text; `text`: what became ready with it. */
  push(id: number, bytes: Uint8Array, text: string, score: TokenScore): void {
    const from = this.#written;
    this.#written += text.length;
    const begun = this.#begun;
    // Bytes without text are the beginning of a character that is not there yet.
    const isBeginning = text === '' && bytes.length > 0;
    const to = this.#written + (isBeginning ? 1 : 0);
    if (isBeginning) this.#begun = Buffer.concat([begun, bytes]);
    else if (text !== '') this.#begun = new Uint8Array();
    this.#waiting.push({ token: tokenLogprob(this.#vocabulary, id, bytes, score), from, to, begun });
  }

  /** The text is delivered so far, and goes on. */
  deliver(text: string): TokenLogprob[] {
    this.#delivered += text.length;
    this.#part += text;
    const waits = this.#waiting.findIndex(({ to }) => to > this.#delivered);
    const whole = this.#waiting.splice(0, waits < 0 ? this.#waiting.length : waits);
    const [next] = this.#waiting;
    const left = next === undefined ? 0 : Math.max(0, this.#delivered - next.from);
    this.#part = this.#part.slice(this.#part.length - left);
    return whole.map(({ token }) => token);
  }

  /** The same, and this is where a stop string cuts the text: a token of which only a part is left has the bytes of that part. */
  cut(text: string): TokenLogprob[] {
    const whole = this.deliver(text);
    const [half] = this.#waiting.splice(0);
    return half === undefined || this.#part === '' ? whole : [...whole, beginningOf(half, this.#part)];
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

/** As many of its bytes as this text has. */
function beginningOf({ token, begun }: Written, text: string): TokenLogprob {
  let length = 0;
  while (length < token.bytes.length && decode(Buffer.concat([begun, token.bytes.subarray(0, length)])) !== text)
    length++;
  const bytes = token.bytes.subarray(0, length);
  return { ...token, text: decode(bytes), bytes };
}

function decode(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
}
