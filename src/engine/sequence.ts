// One sequence on its way through the engine: its ids, how many of them are in the KV cache, and where.

import { blockTokens } from '../compute/backend.ts';
import { invariant } from '../core/errors.ts';
import type { BlockPool } from './block-pool.ts';
import type { SubmitOptions } from './messages.ts';

/** `waiting`: holds no blocks. `running`: has a place in the batch. `done`: finished, failed or cancelled; nothing more is said of it. */
export type SequenceStatus = 'waiting' | 'running' | 'done';

/**
 * Positions 0..computed-1 are in the cache; positions computed..length-1 are known and not yet computed ("pending"). A prompt
 * starts with everything pending, decoding has one pending id at a time, and a pre-empted sequence is simply all pending
 * again: the scheduler knows no other difference between prefill, decode and recomputation.
 */
export class Sequence {
  readonly id: string;
  readonly options: SubmitOptions;
  /** Place in the order of arrival. */
  readonly order: number;
  /** Milliseconds on the engine's clock. */
  readonly arrivedAt: number;
  readonly promptTokens: number;
  status: SequenceStatus = 'waiting';
  /** When it took part in a pass for the first time. */
  startedAt: number | undefined;
  readonly #ids: Int32Array;
  readonly #blocks: Int32Array;
  #length: number;
  #computed = 0;
  #blockCount = 0;

  /** `limit`: most ids it may ever have, prompt and answer together. */
  constructor(
    id: string,
    options: SubmitOptions,
    { order, at, limit }: { readonly order: number; readonly at: number; readonly limit: number },
  ) {
    this.id = id;
    this.options = options;
    this.order = order;
    this.arrivedAt = at;
    this.promptTokens = options.input.ids.length;
    invariant(this.promptTokens > 0 && this.promptTokens <= limit, 'a prompt fits into its sequence');
    this.#ids = new Int32Array(limit);
    this.#ids.set(options.input.ids);
    this.#length = this.promptTokens;
    this.#blocks = new Int32Array(Math.ceil(limit / blockTokens));
  }

  get length(): number {
    return this.#length;
  }

  get computed(): number {
    return this.#computed;
  }

  /** Ids known and not yet computed. */
  get pending(): number {
    return this.#length - this.#computed;
  }

  /** Ids written by the model; also the counter of the sampler's generator. */
  get generated(): number {
    return this.#length - this.promptTokens;
  }

  /** Whether no further id may be appended. */
  get isFull(): boolean {
    return this.#length === this.#ids.length;
  }

  get blockCount(): number {
    return this.#blockCount;
  }

  /** The pool's blocks for positions 0..63, 64..127, ... */
  get blockTable(): Int32Array {
    return this.#blocks.subarray(0, this.#blockCount);
  }

  /** The next `count` pending ids. */
  next(count: number): Int32Array {
    return this.#ids.subarray(this.#computed, this.#computed + count);
  }

  /** Blocks still missing before all known ids can be computed. */
  get missingBlocks(): number {
    return Math.ceil(this.#length / blockTokens) - this.#blockCount;
  }

  /** Takes the missing blocks; takes none and says `false` when the pool has too few. */
  reserve(pool: BlockPool): boolean {
    const missing = this.missingBlocks;
    if (missing > pool.free) return false;
    for (let i = 0; i < missing; i++) {
      const block = pool.allocate();
      invariant(block !== undefined, 'free blocks can be allocated');
      this.#blocks[this.#blockCount++] = block;
    }
    return true;
  }

  /** The next `count` pending ids are in the cache now. */
  commit(count: number): void {
    invariant(count > 0 && count <= this.pending, 'only pending ids are committed');
    invariant(this.#computed + count <= this.#blockCount * blockTokens, 'committed positions have blocks');
    this.#computed += count;
  }

  append(id: number): void {
    invariant(this.pending === 0 && !this.isFull, 'an id is appended to a computed sequence with room');
    this.#ids[this.#length++] = id;
  }

  /** Gives all blocks back; every id is pending again. */
  evict(pool: BlockPool): void {
    for (const block of this.blockTable) pool.release(block);
    this.#blockCount = 0;
    this.#computed = 0;
  }
}

/** The order of service: higher priority, then earlier arrival. */
export function byRank(a: Sequence, b: Sequence): number {
  return b.options.priority - a.options.priority || a.order - b.order;
}
