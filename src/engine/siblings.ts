// Blocks that continue the same beginning, by their ids: a prompt that leaves all of them somewhere within the block takes over what it has
// in common with the nearest one.

import { blockTokens } from '../compute/backend.ts';

/** What a block holds, and after what. */
export interface BlockContent {
  /** Name of the block before it, or of the root. */
  readonly parent: string;
  /** [64] */
  readonly ids: Int32Array;
}

/** The first `count` positions are the same. */
export interface CommonPart {
  readonly block: number;
  readonly count: number;
}

/** Of one beginning; all prompts begin at the root. Further ones replace the oldest, so that looking stays cheap. */
const mostSiblings = 64;

export class Siblings {
  readonly #families = new Map<string, Map<number, Int32Array>>();
  readonly #parents = new Map<number, string>();

  add(block: number, { parent, ids }: BlockContent): void {
    const family = this.#families.get(parent) ?? new Map<number, Int32Array>();
    this.#families.set(parent, family);
    // The sequence's own memory is not kept for 64 ids of it.
    family.set(block, ids.slice(0, blockTokens));
    this.#parents.set(block, parent);
    for (const oldest of family.keys()) {
      if (family.size <= mostSiblings) break;
      this.delete(oldest);
    }
  }

  delete(block: number): void {
    const parent = this.#parents.get(block);
    if (parent === undefined) return;
    this.#parents.delete(block);
    const family = this.#families.get(parent);
    family?.delete(block);
    if (family?.size === 0) this.#families.delete(parent);
  }

  /** `undefined`: none begins with the first of these ids. */
  nearest(parent: string, ids: Int32Array): CommonPart | undefined {
    let best: CommonPart | undefined;
    for (const [block, theirs] of this.#families.get(parent) ?? []) {
      let count = 0;
      while (count < ids.length && ids[count] === theirs[count]) count++;
      if (count > (best?.count ?? 0)) best = { block, count };
    }
    return best;
  }

  get size(): number {
    return this.#parents.size;
  }
}
