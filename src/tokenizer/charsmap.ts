// `precompiled_charsmap`: SentencePiece's compiled normalisation rules. Layout (little endian):
//
//   u32 size of the trie in bytes | trie: u32 units | replacement texts, each ended by a zero byte
//
// The trie is Darts-clone's double array. A unit holds a label (bits 0-7, bit 31 clear for children), whether the node has a value
// (bit 8) and the offset to its children (bits 10-30, times 256 if bit 9 is set); a value unit (bit 31 set) holds the position of the
// replacement text.

import { TokenizerError } from './keys.ts';

const encoder = new TextEncoder();

export class CharsMap {
  readonly #units: Uint32Array;
  readonly #texts: Uint8Array;
  readonly #replacements = new Map<number, string>();

  constructor(bytes: Uint8Array) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const size = bytes.length < 4 ? 0 : view.getUint32(0, true);
    if (size === 0 || size % 4 !== 0 || 4 + size >= bytes.length || bytes[bytes.length - 1] !== 0) {
      throw new TokenizerError('tokenizer.ggml.precompiled_charsmap is damaged: its sizes do not fit its length');
    }
    this.#units = Uint32Array.from({ length: size / 4 }, (_, i) => view.getUint32(4 + 4 * i, true));
    this.#texts = bytes.subarray(4 + size);
  }

  /** The text with every longest match of a rule replaced, from left to right. */
  normalize(text: string): string {
    const bytes = encoder.encode(text);
    let normalized = '';
    // Offset into `text` of the byte at `at`; they move together, code point by code point.
    let unit = 0;
    for (let at = 0; at < bytes.length;) {
      const match = this.#longestMatch(bytes, at);
      const end = match === undefined ? at + codePointBytes(bytes[at]) : match.end;
      let units = 0;
      for (let i = at; i < end; i++) {
        // A byte that starts a character: one code unit, two for the four-byte ones.
        if ((bytes[i] & 0xc0) !== 0x80) units += bytes[i] >= 0xf0 ? 2 : 1;
      }
      normalized += match === undefined ? text.slice(unit, unit + units) : match.replacement;
      at = end;
      unit += units;
    }
    return normalized;
  }

  #longestMatch(bytes: Uint8Array, start: number): { readonly end: number; readonly replacement: string } | undefined {
    const units = this.#units;
    let node = children(units[0]);
    let end = -1;
    let position = 0;
    for (let at = start; at < bytes.length && bytes[at] !== 0; at++) {
      node ^= bytes[at];
      if (node >= units.length) break;
      const unit = units[node];
      // A label never has bit 31: this also refuses value units.
      if ((unit & 0x800000ff) >>> 0 !== bytes[at]) break;
      node ^= children(unit);
      if (((unit >>> 8) & 1) === 1 && node < units.length) {
        end = at + 1;
        position = units[node] & 0x7fffffff;
      }
    }
    // A rule that ends inside a character belongs to another text, or to a damaged file.
    if (end < 0 || position >= this.#texts.length || (end < bytes.length && (bytes[end] & 0xc0) === 0x80))
      return undefined;
    return { end, replacement: this.#replacement(position) };
  }

  #replacement(position: number): string {
    let text = this.#replacements.get(position);
    if (text === undefined) {
      text = new TextDecoder().decode(this.#texts.subarray(position, this.#texts.indexOf(0, position)));
      this.#replacements.set(position, text);
    }
    return text;
  }
}

function children(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6);
}

function codePointBytes(first: number): number {
  return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}
