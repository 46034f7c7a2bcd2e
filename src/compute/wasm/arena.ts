// One arena is one shared WASM memory. The layout is planned before the memory exists; this is the only holder of raw pointers.
//
//   0        control page: see below
//   65536    records, batch header, activations, KV cache, weights, in the order in which they were reserved
//
// The last page below 4 GiB stays unused, so that a pointer plus a length never wraps around.

import { invariant } from '../../core/errors.ts';

const pageBytes = 65536;
export const arenaLimit = 65536 * pageBytes - pageBytes;

/** Byte offsets in the control page of every arena. */
export const control = {
  /** In arena 0: number of the program run the workers are asked for. */
  go: 64,
  /** In arena 0: number of the last finished run. */
  done: 128,
  /** In arena 0: next load job; KiB loaded so far. */
  nextJob: 192,
  loadedKib: 256,
  /** Barrier words, then chunk counters (assembly/barrier.ts). */
  sync: 1024,
  /** How often a thread looks before it sleeps. */
  spins: 1024 + 132,
  counters: 1024 + 192,
} as const;

/** Stages of a phase times threads. */
export const maxCounters = (pageBytes - control.counters) / 64;

/** Reserves ranges; nothing is allocated until `create`. */
export class ArenaPlan {
  #end = pageBytes;

  /** Offset of `bytes` reserved bytes; `alignment` is a power of two. */
  reserve(bytes: number, alignment = 64): number {
    const at = Math.ceil(this.#end / alignment) * alignment;
    this.#end = at + bytes;
    return at;
  }

  get bytes(): number {
    return this.#end;
  }

  get fits(): boolean {
    return this.#end <= arenaLimit;
  }

  create(): WebAssembly.Memory {
    invariant(this.fits, 'an arena stays below 4 GiB');
    const pages = Math.ceil(this.#end / pageBytes) + 1;
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  }
}
