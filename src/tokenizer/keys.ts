// Typed access to `tokenizer.ggml.*` (GGUF specification, "Tokenizer"). Metadata comes from a file of unknown origin: every size is
// capped before it is used, every id is checked, and what is wrong is said with the key's name.

import type { Metadata, MetadataValue } from '../core/metadata.ts';

/** The file's tokenizer is incomplete, inconsistent, or of a kind that is not supported; the message names the key. */
export class TokenizerError extends Error {
  override readonly name = 'TokenizerError';
}

// The largest vocabularies in use have 262,144 tokens and about 515,000 merges; four times that is still only some 100 MB here.
export const maxTokens = 1 << 20;
export const maxMerges = 1 << 21;
/** Characters of one piece. The longest real ones are runs of a few hundred spaces. */
export const maxPieceLength = 1 << 14;
/** Bytes of `precompiled_charsmap`; the usual NFKC map has 240 kB. */
export const maxCharsMap = 1 << 24;

const prefix = 'tokenizer.ggml.';

export class Keys {
  readonly #metadata: Metadata;

  constructor(metadata: Metadata) {
    this.#metadata = metadata;
  }

  string(name: string): string | undefined {
    const value = this.#get(name);
    if (value === undefined || typeof value === 'string') return value;
    throw wrong(name, 'a string');
  }

  flag(name: string): boolean | undefined {
    const value = this.#get(name);
    if (value === undefined || typeof value === 'boolean') return value;
    throw wrong(name, 'a boolean');
  }

  /** A token id below `size`. GGUF writers use 0xffffffff (or -1) for "none". */
  id(name: string, size: number): number | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (typeof value !== 'number' && typeof value !== 'bigint') throw wrong(name, 'a token id');
    const id = Number(value);
    if (id === 0xffffffff || id === -1) return undefined;
    if (!Number.isInteger(id) || id < 0 || id >= size) {
      throw new TokenizerError(`${prefix}${name} is ${id}, which is not an id of this vocabulary of ${size} tokens`);
    }
    return id;
  }

  strings(name: string, most: number): readonly string[] | undefined {
    const value = this.#array(name, most);
    if (value === undefined) return undefined;
    for (const item of value) {
      if (typeof item !== 'string') throw wrong(name, 'an array of strings');
      if (item.length > maxPieceLength) {
        throw new TokenizerError(
          `${prefix}${name} holds a string of ${item.length} characters; at most ${maxPieceLength} are accepted`,
        );
      }
    }
    return value as readonly string[];
  }

  numbers(name: string, most: number): readonly number[] | undefined {
    const value = this.#array(name, most);
    if (value === undefined) return undefined;
    for (const item of value) if (typeof item !== 'number') throw wrong(name, 'an array of numbers');
    return value as readonly number[];
  }

  #get(name: string): MetadataValue | undefined {
    return Object.hasOwn(this.#metadata, prefix + name) ? this.#metadata[prefix + name] : undefined;
  }

  #array(name: string, most: number): readonly unknown[] | undefined {
    const value = this.#get(name);
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) throw wrong(name, 'an array');
    const items: readonly unknown[] = value;
    if (items.length > most) {
      throw new TokenizerError(`${prefix}${name} has ${items.length} entries; at most ${most} are accepted`);
    }
    return items;
  }
}

function wrong(name: string, expected: string): TokenizerError {
  return new TokenizerError(`${prefix}${name} is not ${expected}`);
}

export function missing(name: string, why: string): TokenizerError {
  return new TokenizerError(`${prefix}${name} is missing: ${why}`);
}
