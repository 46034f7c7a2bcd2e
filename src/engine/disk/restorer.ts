// Between memory and disk: a sequence that got its blocks has those filled that the disk knows, before it takes part in a pass; what is
// computed goes to the disk. One block at a time, sequences taking turns, beside the passes of others: its copy takes a millisecond or
// two of the engine's thread.

import { blockTokens } from '../../compute/backend.ts';
import type { KvStore, LowerTier, Sequence } from '../sequence.ts';
import type { DiskCache } from './disk-cache.ts';

/** Where blocks are kept by key. */
export type BlockArchive = Pick<DiskCache, 'has' | 'read' | 'keep'>;

interface Restoring {
  readonly sequence: Sequence;
  /** It lost its blocks when this is another one. */
  readonly life: number;
}

/** In which even a slow machine computes a block: a disk that needs longer is left alone by the sequence that found out. */
const slowMs = 1000;

export class Restorer implements LowerTier {
  readonly #disk: BlockArchive;
  readonly #store: KvStore;
  readonly #now: () => number;
  readonly #queue: Restoring[] = [];
  #isRunning = false;
  #waiting: (() => void)[] = [];

  /** `now`: milliseconds, monotonic. */
  constructor(disk: BlockArchive, store: KvStore, now: () => number) {
    this.#disk = disk;
    this.#store = store;
    this.#now = now;
  }

  has(key: string): boolean {
    return this.#disk.has(key);
  }

  start(sequence: Sequence): void {
    // What it found in memory is in use, and may not be on disk yet.
    for (let index = 0; index < sequence.computed / blockTokens; index++) {
      this.keep(sequence.keyOf(index), sequence.blockTable[index]);
    }
    const next = { sequence, life: sequence.life };
    if (this.#keyFor(next) === undefined) return;
    sequence.isRestoring = true;
    this.#queue.push(next);
    if (!this.#isRunning) void this.#run();
  }

  /** The block has this name now. */
  keep(key: string, block: number): void {
    const { cache, blocks } = this.#store;
    this.#disk.keep(key, (content) => {
      if (cache?.find(key) !== block) return false;
      blocks.read(block, content);
      return true;
    });
  }

  /** Resolves when a block was filled or none will be; at once when none is awaited. */
  async progress(): Promise<void> {
    if (this.#isRunning) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      const { sequence, life } = next;
      const from = this.#now();
      const isFilled = await this.#fillNext(next);
      if (sequence.life === life) {
        const isWorthIt = isFilled && this.#now() - from < slowMs;
        sequence.isRestoring = isWorthIt && this.#keyFor(next) !== undefined;
        if (sequence.isRestoring) this.#queue.push(next);
      }
      this.#wake();
    }
    this.#isRunning = false;
  }

  async #fillNext(next: Restoring): Promise<boolean> {
    const key = this.#keyFor(next);
    const content = key === undefined ? undefined : await this.#disk.read(key);
    const { sequence, life } = next;
    if (content === undefined || sequence.life !== life) return false;
    this.#store.blocks.write(sequence.blockTable[sequence.computed / blockTokens], content);
    sequence.fill(this.#store);
    return true;
  }

  /** Of the block that it needs next, if that is only on disk. */
  #keyFor({ sequence, life }: Restoring): string | undefined {
    if (sequence.life !== life) return undefined;
    sequence.catchUp(this.#store);
    const index = sequence.computed / blockTokens;
    if (index >= sequence.reusableBlocks) return undefined;
    const key = sequence.keyOf(index);
    return this.#disk.has(key) ? key : undefined;
  }

  #wake(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
