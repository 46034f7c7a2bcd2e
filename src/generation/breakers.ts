// Which tokens hold a text: the sequence breakers of DRY are written as text and known to the engine as ids.

import { setImmediate as turn } from 'node:timers/promises';
import type { Tokenizer, Vocabulary } from '../tokenizer/tokenizer.ts';

/** Callers repeat the same few; each may be thousands of ids. */
const mostRemembered = 64;

/** So many tokens are read between two turns of the event loop: half a millisecond. */
const slice = 1024;

/**
 * For one tokenizer. The bytes of a vocabulary are laid out once, at the first question; that of 150,000 tokens takes 50 ms, in which the
 * server goes on with whatever else there is.
 */
export class Breakers {
  readonly #tokenizer: Tokenizer;
  readonly #found = new Map<string, Int32Array>();
  #layout: Promise<Layout> | undefined;

  constructor(tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer;
  }

  /** Ids of the tokens that hold one of these in their text, ascending. Of a text that no token holds, the last token of its encoding. */
  async find(texts: readonly string[]): Promise<Int32Array> {
    const isFound = new Uint8Array(this.#tokenizer.vocabulary.size);
    let count = 0;
    for (const text of texts) {
      for (const id of this.#found.get(text) ?? (await this.#search(text))) {
        if (isFound[id] === 0) count++;
        isFound[id] = 1;
      }
    }
    const ids = new Int32Array(count);
    for (let id = isFound.indexOf(1), i = 0; id >= 0; id = isFound.indexOf(1, id + 1)) ids[i++] = id;
    return ids;
  }

  async #search(text: string): Promise<Int32Array> {
    this.#layout ??= layOut(this.#tokenizer.vocabulary);
    const layout = await this.#layout;
    await turn();
    let ids = search(layout, Buffer.from(text));
    // Behind a letter, as in a text: encodings often begin with a space of their own.
    if (ids.length === 0) ids = this.#tokenizer.encode(`a${text}`).slice(-1);
    const [oldest] = this.#found.keys();
    if (oldest !== undefined && this.#found.size >= mostRemembered) this.#found.delete(oldest);
    this.#found.set(text, ids);
    return ids;
  }
}

/** The bytes of all tokens, one after the other. */
interface Layout {
  readonly bytes: Buffer;
  /** Where token i begins; one more for the end. */
  readonly starts: Int32Array;
}

async function layOut(vocabulary: Vocabulary): Promise<Layout> {
  const starts = new Int32Array(vocabulary.size + 1);
  const slices: Buffer[] = [];
  for (let from = 0; from < vocabulary.size; from += slice) {
    await turn();
    const pieces: Uint8Array[] = [];
    for (let id = from; id < Math.min(from + slice, vocabulary.size); id++) {
      // Control tokens are no text, however they are spelled.
      const piece = vocabulary.kind(id) === 'control' ? new Uint8Array() : vocabulary.bytes(id, { once: true });
      pieces.push(piece);
      starts[id + 1] = starts[id] + piece.length;
    }
    slices.push(Buffer.concat(pieces));
  }
  return { bytes: Buffer.concat(slices), starts };
}

function search({ bytes, starts }: Layout, text: Buffer): Int32Array {
  const ids = new Int32Array(starts.length - 1);
  let count = 0;
  // The token that the place belongs to: both only go forward.
  let id = 0;
  const [first, length] = [text[0], text.length];
  for (let at = length === 0 ? -1 : bytes.indexOf(text); at >= 0;) {
    while (starts[id + 1] <= at) id++;
    const isInside = at + length <= starts[id + 1];
    if (isInside) ids[count++] = id;
    at = isInside ? starts[id + 1] : at + 1;
    if (length > 1) at = bytes.indexOf(text, at);
    else {
      // Single letters are everywhere: asking for each costs more than looking.
      while (at < bytes.length && bytes[at] !== first) at++;
      if (at === bytes.length) break;
    }
  }
  return ids.slice(0, count);
}
