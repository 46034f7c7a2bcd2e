// Ids -> text, piece by piece. A token may hold part of a character: bytes wait until they form UTF-8 or certainly never will
// (then U+FFFD, as in WHATWG Encoding and Unicode 3.9, "maximal subpart"). What was given out is never taken back.

import type { Tokenizer } from './tokenizer.ts';

export interface DetokenizerOptions {
  /** Show control and unknown tokens as their text. */
  readonly special?: boolean;
  /** Single ids that are shown although they are control tokens; output formats need some of them. */
  readonly shows?: ReadonlySet<number>;
  /** The ids continue a text: a leading space is text then, not an artefact of encoding. */
  readonly continues?: boolean;
}

export class Detokenizer {
  readonly #tokenizer: Tokenizer;
  readonly #special: boolean;
  readonly #shows: ReadonlySet<number>;
  /** Keeps the bytes of an unfinished character; replaces what cannot become one. */
  readonly #decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  #stripsSpace: boolean;
  #added: Uint8Array = nothing;

  constructor(tokenizer: Tokenizer & { readonly stripsLeadingSpace?: boolean }, options: DetokenizerOptions = {}) {
    this.#tokenizer = tokenizer;
    this.#special = options.special ?? false;
    this.#shows = options.shows ?? new Set();
    this.#stripsSpace = (tokenizer.stripsLeadingSpace ?? false) && !(options.continues ?? false);
  }

  /** Bytes that the last token added to the text, ready or not. */
  get added(): Uint8Array {
    return this.#added;
  }

  /** Text that became ready with this token. */
  push(id: number): string {
    const { vocabulary } = this.#tokenizer;
    this.#added = nothing;
    const kind = vocabulary.kind(id);
    if ((kind === 'control' || kind === 'unknown') && !this.#special && !this.#shows.has(id)) return '';
    let bytes = vocabulary.bytes(id);
    if (bytes.length === 0) return '';
    if (this.#stripsSpace) {
      this.#stripsSpace = false;
      if (bytes[0] === 0x20 && kind !== 'control' && kind !== 'unknown') bytes = bytes.subarray(1);
    }
    this.#added = bytes;
    return this.#decoder.decode(bytes, { stream: true });
  }

  /** What is left: an unfinished character becomes U+FFFD. */
  end(): string {
    return this.#decoder.decode();
  }
}

const nothing = new Uint8Array();
