// DRY, "don't repeat yourself" (p-e-w, text-generation-webui #5677): who has begun to repeat a passage is kept from going on with it.
//
//   ... the cat sat on | ... the cat sat    the text ends with 3 tokens that occurred before, then came "on":
//                                           "on" loses multiplier * base^(3 - allowedLength)

import type { DryParams } from '../core/sampling.ts';
import { leastLogit } from './selection.ts';

/** No longer match counts for more; bounds the work of a text that is one token over and over. */
const longestMatch = 50;

export class DryMatches {
  readonly #params: DryParams;
  readonly #breakers: ReadonlySet<number>;
  readonly #ids: number[] = [];
  /** Where the token at a position occurred last before it; -1: nowhere. */
  readonly #earlier: number[] = [];
  readonly #lastPlace = new Map<number, number>();
  /** Tokens since the last breaker: no match reaches beyond it. */
  #unbroken = 0;

  constructor(params: DryParams, ids: Int32Array) {
    this.#params = params;
    this.#breakers = new Set(params.breakers);
    for (const id of ids) this.push(id);
  }

  push(id: number): void {
    this.#earlier.push(this.#lastPlace.get(id) ?? -1);
    this.#lastPlace.set(id, this.#ids.length);
    this.#ids.push(id);
    this.#unbroken = this.#breakers.has(id) ? 0 : this.#unbroken + 1;
  }

  /** Work: occurrences of the last token. */
  apply(logits: Float32Array): void {
    const { multiplier, base, allowedLength } = this.#params;
    for (const [id, length] of this.#matches()) {
      let penalty = multiplier;
      // Not `**`, whose last bits are the machine's choice.
      for (let i = allowedLength; i < length; i++) penalty *= base;
      if (logits[id] > -Infinity) logits[id] = Math.max(leastLogit, logits[id] - penalty);
    }
  }

  /** Token -> the longest match that it would continue, of those that are long enough. */
  #matches(): Map<number, number> {
    const ids = this.#ids;
    const end = ids.length - 1;
    const limit = Math.min(longestMatch, this.#unbroken);
    const { allowedLength } = this.#params;
    const found = new Map<number, number>();
    if (limit < allowedLength) return found;
    for (let at = this.#earlier[end]; at >= 0; at = this.#earlier[at]) {
      const next = ids[at + 1];
      let length = 1;
      while (length < limit && length <= at && ids[at - length] === ids[end - length]) length++;
      if (length < allowedLength || length <= (found.get(next) ?? 0) || this.#breakers.has(next)) continue;
      found.set(next, length);
    }
    return found;
  }
}
