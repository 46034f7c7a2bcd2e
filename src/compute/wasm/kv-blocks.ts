// The KV blocks as they lie in the arenas: per layer 64 positions of keys, then of values (assembly/cache.ts), both of one piece.

import { invariant } from '../../core/errors.ts';
import { blockTokens, type BackendPlan, type KvBlocks } from '../backend.ts';
import { cacheLayout, cacheTypes } from './cache.ts';
import type { Layout } from './layout.ts';

/** Keys or values of one layer. */
interface Part {
  readonly arena: Uint8Array;
  /** Of block 0. */
  readonly start: number;
  /** Of one block. */
  readonly bytes: number;
  /** Where it begins in the bytes of a block. */
  readonly at: number;
}

export class ArenaBlocks implements KvBlocks {
  readonly bytes: number;
  readonly layout = cacheLayout;
  readonly #blocks: number;
  readonly #parts: readonly Part[];

  constructor(
    { kvLayers, kvCache, kvBlocks }: BackendPlan,
    { caches }: Layout,
    memories: readonly WebAssembly.Memory[],
  ) {
    const arenas = memories.map(({ buffer }) => new Uint8Array(buffer));
    const parts: Part[] = [];
    let at = 0;
    for (const { layer, kvHeads, headDim } of kvLayers) {
      const cache = caches.get(layer);
      invariant(cache !== undefined, `layer ${layer} has a cache`);
      const bytes = blockTokens * kvHeads * cacheTypes[kvCache].rowBytes(headDim);
      for (const start of [cache.keys, cache.values]) {
        parts.push({ arena: arenas[cache.arena], start, bytes, at });
        at += bytes;
      }
    }
    this.bytes = at;
    this.#blocks = kvBlocks;
    this.#parts = parts;
  }

  read(block: number, out: Uint8Array): void {
    this.#check(block, out.length);
    for (const { arena, start, bytes, at } of this.#parts) {
      const from = start + block * bytes;
      out.set(arena.subarray(from, from + bytes), at);
    }
  }

  write(block: number, content: Uint8Array): void {
    this.#check(block, content.length);
    for (const { arena, start, bytes, at } of this.#parts) {
      arena.set(content.subarray(at, at + bytes), start + block * bytes);
    }
  }

  copy(from: number, to: number): void {
    this.#check(from);
    this.#check(to);
    for (const { arena, start, bytes } of this.#parts) {
      const source = start + from * bytes;
      arena.copyWithin(start + to * bytes, source, source + bytes);
    }
  }

  #check(block: number, bytes = this.bytes): void {
    invariant(block >= 0 && block < this.#blocks, `block ${block} is one of the pool`);
    invariant(bytes === this.bytes, 'a block is read and written whole');
  }
}
