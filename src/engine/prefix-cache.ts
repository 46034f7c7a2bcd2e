// Which blocks hold which beginning of a text, so that a prompt that begins like an earlier one need not be computed again. The name of
// a full block is a hash of all that decides its keys and values: the chain of vLLM's automatic prefix caching.
//
//   root = H(salt, tenant, adapter)      key of block i = i-H(key of block i - 1, its 64 ids, the media in it)
//
// The tenant is in the root: a key's prompts are invisible to other keys, also to a clock.

import { hash } from 'node:crypto';
import { blockTokens } from '../compute/backend.ts';
import { invariant } from '../core/errors.ts';
import type { BlockPool } from './block-pool.ts';
import type { MediaSpan } from './messages.ts';
import { Siblings, type BlockContent, type CommonPart } from './siblings.ts';

export class PrefixCache {
  readonly #pool: BlockPool;
  readonly #blocks = new Map<string, number>();
  readonly #keys = new Map<number, string>();
  readonly #siblings = new Siblings();
  readonly #onKeep: (key: string, block: number) => void;

  /** `pool` must tell it of every block that it forgets. `onKeep` hears of each that has a name now, or again. */
  constructor(pool: BlockPool, onKeep: (key: string, block: number) => void = () => undefined) {
    this.#pool = pool;
    this.#onKeep = onKeep;
  }

  get size(): number {
    return this.#blocks.size;
  }

  /** The block of this name, held by somebody or idle. It stays what it is until the next `allocate`; `share` it to keep it. */
  find(key: string): number | undefined {
    return this.#blocks.get(key);
  }

  /** The block that has most of these ids in common, of those that follow `parent`. It stays what it is until the next `allocate`. */
  findPart(parent: string, ids: Int32Array): CommonPart | undefined {
    return this.#siblings.nearest(parent, ids);
  }

  /**
   * Names a held block whose 64 positions are computed and will not be written again. The answer is the block that has the name: this
   * one, or one that had it before, with the same bits in it. With its content it is also found by who has a part of it.
   */
  keep(key: string, block: number, content?: BlockContent): number {
    const earlier = this.#blocks.get(key);
    if (earlier === undefined) {
      invariant(!this.#keys.has(block), `block ${block} has one name`);
      this.#blocks.set(key, block);
      this.#keys.set(block, key);
      this.#pool.remember(block);
      if (content !== undefined) this.#siblings.add(block, content);
    }
    this.#onKeep(key, earlier ?? block);
    return earlier ?? block;
  }

  /** The pool gave the block to somebody else. */
  forget(block: number): void {
    const key = this.#keys.get(block);
    invariant(key !== undefined, `block ${block} has a name`);
    this.#keys.delete(block);
    this.#blocks.delete(key);
    this.#siblings.delete(block);
  }
}

/** What two requests must have in common besides their ids. `salt`: whatever else decides the bits, such as the type of the cache. */
export interface PrefixScope {
  readonly salt: string;
  readonly tenant: string;
  readonly adapter: string | undefined;
}

export function rootKey({ salt, tenant, adapter }: PrefixScope): string {
  return hashOf(Buffer.from(JSON.stringify([salt, tenant, adapter ?? null])));
}

/** The names of one sequence's full blocks, each computed when it is first asked for. */
export class PrefixKeys {
  readonly #spans: readonly MediaSpan[];
  /** Of the root, then of block 0, 1, ... */
  readonly #chain: string[];

  /** `chain`: the root, and the names of blocks that are known already. */
  constructor(chain: readonly string[], spans: readonly MediaSpan[]) {
    invariant(chain.length > 0, 'a chain has a root');
    this.#chain = [...chain];
    this.#spans = spans;
  }

  /** `ids`: those of the sequence, as many as are known; block `index` must be full of them. */
  at(index: number, ids: Int32Array): string {
    invariant((index + 1) * blockTokens <= ids.length, 'only full blocks have names');
    while (this.#chain.length <= index + 1) {
      const block = this.#chain.length - 1;
      const from = block * blockTokens;
      const content = ids.subarray(from, from + blockTokens);
      const bytes = Buffer.from(content.buffer, content.byteOffset, content.byteLength);
      const head = Buffer.from(`${this.#chain[block]} ${this.#mediaIn(from)}\n`);
      this.#chain.push(`${block}-${hashOf(Buffer.concat([head, bytes]))}`);
    }
    return this.#chain[index + 1];
  }

  /** The name that block `index` continues. */
  before(index: number, ids: Int32Array): string {
    return index === 0 ? this.#chain[0] : this.at(index - 1, ids);
  }

  /** Those of another sequence that begins with the first `blocks` blocks of this one. */
  fork(blocks: number): PrefixKeys {
    return new PrefixKeys(this.#chain.slice(0, blocks + 1), this.#spans);
  }

  /** Ids of media positions are placeholders: what is there is named by its content. */
  #mediaIn(from: number): string {
    const present = this.#spans.filter(({ at, length }) => at < from + blockTokens && at + length > from);
    return JSON.stringify(present.map(({ at, length, mediaHash }) => [at, length, mediaHash]));
  }
}

/** 256 bits: nobody can make two prompts of one name. */
function hashOf(bytes: Buffer): string {
  return hash('sha256', bytes, 'base64');
}
