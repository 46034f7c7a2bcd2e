// The KV cache as numbered blocks of 64 positions with reference counts. It hands out numbers; the bytes are the executor's.
//
//   blank --allocate--> held --release, nothing to remember--> blank
//                        ^ '--release, remembered--> idle (oldest first) --allocate, when no blank one is left--> held
//                        '---------------share----------'
//
// Idle blocks are free like blank ones: what they hold is only worth keeping as long as nobody needs the room.

import { invariant } from '../core/errors.ts';

/** Law: allocate n and release each reference once -> `free` is what it was. A block is writable by its only holder. */
export class BlockPool {
  readonly total: number;
  readonly #references: Int32Array;
  readonly #isRemembered: Uint8Array;
  /** Stack of blank blocks; the lowest number is on top, so that a lightly used pool touches little memory. */
  readonly #blank: number[];
  readonly #idle: Ring;
  readonly #onForget: (block: number) => void;

  /** `onForget`: a remembered block is about to get other content. */
  constructor(total: number, onForget: (block: number) => void = () => undefined) {
    invariant(Number.isInteger(total) && total > 0, 'a pool has blocks');
    this.total = total;
    this.#references = new Int32Array(total);
    this.#isRemembered = new Uint8Array(total);
    this.#blank = Array.from({ length: total }, (_, i) => total - 1 - i);
    this.#idle = new Ring(total);
    this.#onForget = onForget;
  }

  /** Blocks that can be allocated, remembered or not. */
  get free(): number {
    return this.#blank.length + this.#idle.size;
  }

  get used(): number {
    return this.total - this.free;
  }

  /** A block with one reference, or `undefined` when none is left. Forgets the idle block that was released longest ago if it must. */
  allocate(): number | undefined {
    const block = this.#blank.pop() ?? this.#takeOldest();
    if (block !== undefined) this.#references[block] = 1;
    return block;
  }

  /** One holder more, also of an idle block. */
  share(block: number): void {
    if (this.#references[block] === 0) {
      invariant(this.#isRemembered[block] === 1, `block ${block} is held by nobody`);
      this.#idle.delete(block);
    }
    this.#references[block]++;
  }

  /** One holder less; the last one frees the block. */
  release(block: number): void {
    invariant(this.#references[block] > 0, `block ${block} is held by nobody`);
    if (--this.#references[block] > 0) return;
    if (this.#isRemembered[block] === 1) this.#idle.add(block);
    else this.#blank.push(block);
  }

  /** The content of a held block is worth keeping beyond its last holder. */
  remember(block: number): void {
    invariant(this.#references[block] > 0, `block ${block} is held by nobody`);
    this.#isRemembered[block] = 1;
  }

  references(block: number): number {
    return this.#references[block];
  }

  #takeOldest(): number | undefined {
    const block = this.#idle.oldest;
    if (block === undefined) return undefined;
    this.#idle.delete(block);
    this.#isRemembered[block] = 0;
    this.#onForget(block);
    return block;
  }
}

/** Blocks in the order in which they were added; all in constant time: a doubly linked ring whose head is the number after the last. */
class Ring {
  size = 0;
  readonly #head: number;
  readonly #next: Int32Array;
  readonly #previous: Int32Array;

  constructor(capacity: number) {
    this.#head = capacity;
    this.#next = new Int32Array(capacity + 1).fill(capacity);
    this.#previous = new Int32Array(capacity + 1).fill(capacity);
  }

  get oldest(): number | undefined {
    return this.size === 0 ? undefined : this.#next[this.#head];
  }

  add(block: number): void {
    const last = this.#previous[this.#head];
    this.#link(last, block);
    this.#link(block, this.#head);
    this.size++;
  }

  delete(block: number): void {
    this.#link(this.#previous[block], this.#next[block]);
    this.size--;
  }

  #link(a: number, b: number): void {
    this.#next[a] = b;
    this.#previous[b] = a;
  }
}
