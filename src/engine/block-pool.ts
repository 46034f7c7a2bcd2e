// The KV cache as numbered blocks of 64 positions with reference counts. It hands out numbers; the bytes are the executor's.

import { invariant } from '../core/errors.ts';

/** Law: allocate n and release each reference once -> `free` is what it was. A block is writable by its only holder. */
export class BlockPool {
  readonly total: number;
  readonly #references: Int32Array;
  /** Stack of free blocks; the lowest number is on top, so that a lightly used pool touches little memory. */
  readonly #free: number[];

  constructor(total: number) {
    invariant(Number.isInteger(total) && total > 0, 'a pool has blocks');
    this.total = total;
    this.#references = new Int32Array(total);
    this.#free = Array.from({ length: total }, (_, i) => total - 1 - i);
  }

  get free(): number {
    return this.#free.length;
  }

  get used(): number {
    return this.total - this.#free.length;
  }

  /** A block with one reference, or `undefined` when none is left. */
  allocate(): number | undefined {
    const block = this.#free.pop();
    if (block !== undefined) this.#references[block] = 1;
    return block;
  }

  /** One holder more. */
  share(block: number): void {
    invariant(this.#references[block] > 0, `block ${block} is held by nobody`);
    this.#references[block]++;
  }

  /** One holder less; the last one frees the block. */
  release(block: number): void {
    invariant(this.#references[block] > 0, `block ${block} is held by nobody`);
    if (--this.#references[block] === 0) this.#free.push(block);
  }

  references(block: number): number {
    return this.#references[block];
  }
}
