// Which tokens hold a text: the sequence breakers of DRY are written as text and known to the engine as ids.

import type { Tokenizer, Vocabulary } from '../tokenizer/tokenizer.ts';

/** Callers repeat the same few; each may be thousands of ids. */
const mostRemembered = 64;

/** For one tokenizer. The bytes of a vocabulary are laid out once, at the first question. */
export class Breakers {
  readonly #tokenizer: Tokenizer;
  readonly #found = new Map<string, Int32Array>();
  #layout: Layout | undefined;

  constructor(tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer;
  }

  /** Ids of the tokens that hold one of these in their text, ascending. Of a text that no token holds, the last token of its encoding. */
  find(texts: readonly string[]): Int32Array {
    const ids = new Set(texts.flatMap((text) => [...this.#tokensWith(text)]));
    return Int32Array.from(ids).sort();
  }

  #tokensWith(text: string): Int32Array {
    let ids = this.#found.get(text);
    if (ids === undefined) {
      this.#layout ??= layOut(this.#tokenizer.vocabulary);
      ids = search(this.#layout, Buffer.from(text));
      // Behind a letter, as in a text: encodings often begin with a space of their own.
      if (ids.length === 0) ids = this.#tokenizer.encode(`a${text}`).slice(-1);
      const [oldest] = this.#found.keys();
      if (oldest !== undefined && this.#found.size === mostRemembered) this.#found.delete(oldest);
      this.#found.set(text, ids);
    }
    return ids;
  }
}

/** The bytes of all tokens, one after the other. */
interface Layout {
  readonly bytes: Buffer;
  /** Where token i begins; one more for the end. */
  readonly starts: Int32Array;
}

function layOut(vocabulary: Vocabulary): Layout {
  const starts = new Int32Array(vocabulary.size + 1);
  const pieces: Uint8Array[] = [];
  for (let id = 0; id < vocabulary.size; id++) {
    // Control tokens are no text, however they are spelled.
    const piece = vocabulary.kind(id) === 'control' ? new Uint8Array() : vocabulary.bytes(id);
    pieces.push(piece);
    starts[id + 1] = starts[id] + piece.length;
  }
  return { bytes: Buffer.concat(pieces), starts };
}

function search({ bytes, starts }: Layout, text: Buffer): Int32Array {
  const ids: number[] = [];
  if (text.length === 0) return Int32Array.from(ids);
  let at = bytes.indexOf(text);
  while (at >= 0) {
    const id = tokenAt(starts, at);
    const isInside = at + text.length <= starts[id + 1];
    if (isInside) ids.push(id);
    at = bytes.indexOf(text, isInside ? starts[id + 1] : at + 1);
  }
  return Int32Array.from(ids);
}

/** The one that has the byte at this offset. */
function tokenAt(starts: Int32Array, offset: number): number {
  let [low, high] = [0, starts.length - 1];
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (starts[middle] <= offset) low = middle;
    else high = middle;
  }
  return low;
}
