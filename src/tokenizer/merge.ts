// The heart of BPE over a text of any length: neighbours are joined, the best pair first, until no pair may be joined. Pairs wait in
// a heap, symbols are a linked list, so the work grows as n log n (sentencepiece's bpe_model uses the same scheme).

/**
 * `edges`: the ends of n symbols, n + 1 rising offsets. `cost(start, middle, end)`: what joining the symbols [start, middle) and
 * [middle, end) costs; cheaper pairs are joined first, of equals the leftmost; `undefined` where they may not be joined.
 * Gives the edges that remain.
 */
export function mergeSymbols(
  edges: Int32Array,
  cost: (start: number, middle: number, end: number) => number | undefined,
): Int32Array {
  const count = edges.length - 1;
  if (count <= 1) return edges;
  const previous = new Int32Array(count);
  const next = new Int32Array(count);
  // End of a symbol that still stands; 0 once it was joined to its left neighbour.
  const end = edges.slice(1);
  for (let i = 0; i < count; i++) {
    previous[i] = i - 1;
    next[i] = i + 1 < count ? i + 1 : -1;
  }
  const queue = new PairQueue(count);
  const offer = (left: number, right: number): void => {
    const found = cost(edges[left], edges[right], end[right]);
    if (found !== undefined) queue.push(found, left, end[right]);
  };
  for (let i = 0; i + 1 < count; i++) offer(i, i + 1);

  for (let pair = queue.pop(); pair !== undefined; pair = queue.pop()) {
    const { left } = pair;
    const right = end[left] === 0 ? -1 : next[left];
    // Of another age: one of the two has grown or gone since.
    if (right < 0 || end[right] !== pair.end) continue;
    end[left] = end[right];
    end[right] = 0;
    next[left] = next[right];
    if (next[left] >= 0) {
      previous[next[left]] = left;
      offer(left, next[left]);
    }
    if (previous[left] >= 0) offer(previous[left], left);
  }

  const kept: number[] = [edges[0]];
  for (let i = 0; i >= 0; i = next[i]) kept.push(end[i]);
  return Int32Array.from(kept);
}

interface Pair {
  readonly left: number;
  /** Offset where the pair ended when it was offered. */
  readonly end: number;
}

/** Binary heap in typed arrays, by cost, then by position. */
class PairQueue {
  #costs: Float64Array;
  #lefts: Int32Array;
  #ends: Int32Array;
  #size = 0;

  constructor(capacity: number) {
    this.#costs = new Float64Array(capacity);
    this.#lefts = new Int32Array(capacity);
    this.#ends = new Int32Array(capacity);
  }

  push(cost: number, left: number, end: number): void {
    if (this.#size === this.#costs.length) this.#grow();
    let at = this.#size++;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#before(cost, left, parent)) break;
      this.#move(parent, at);
      at = parent;
    }
    this.#put(at, cost, left, end);
  }

  pop(): Pair | undefined {
    if (this.#size === 0) return undefined;
    const first = { left: this.#lefts[0], end: this.#ends[0] };
    const last = --this.#size;
    if (last > 0) this.#sink(this.#costs[last], this.#lefts[last], this.#ends[last]);
    return first;
  }

  #sink(cost: number, left: number, end: number): void {
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.#size) break;
      const sibling = child + 1;
      if (sibling < this.#size && this.#before(this.#costs[sibling], this.#lefts[sibling], child)) child = sibling;
      if (!this.#after(cost, left, child)) break;
      this.#move(child, at);
      at = child;
    }
    this.#put(at, cost, left, end);
  }

  #before(cost: number, left: number, other: number): boolean {
    return cost < this.#costs[other] || (cost === this.#costs[other] && left < this.#lefts[other]);
  }

  #after(cost: number, left: number, other: number): boolean {
    return cost > this.#costs[other] || (cost === this.#costs[other] && left > this.#lefts[other]);
  }

  #move(from: number, to: number): void {
    this.#put(to, this.#costs[from], this.#lefts[from], this.#ends[from]);
  }

  #put(at: number, cost: number, left: number, end: number): void {
    this.#costs[at] = cost;
    this.#lefts[at] = left;
    this.#ends[at] = end;
  }

  #grow(): void {
    const capacity = this.#costs.length * 2;
    const grown = <T extends Float64Array | Int32Array>(to: T, from: T): T => {
      to.set(from);
      return to;
    };
    this.#costs = grown(new Float64Array(capacity), this.#costs);
    this.#lefts = grown(new Int32Array(capacity), this.#lefts);
    this.#ends = grown(new Int32Array(capacity), this.#ends);
  }
}

/** Offsets of the code points of a text, its length included. */
export function codePointEdges(text: string): Int32Array {
  const edges: number[] = [];
  for (let at = 0; at < text.length; at++) {
    edges.push(at);
    const code = text.charCodeAt(at);
    if (code >= 0xd800 && code < 0xdc00) {
      const low = text.charCodeAt(at + 1);
      if (low >= 0xdc00 && low < 0xe000) at++;
    }
  }
  edges.push(text.length);
  return Int32Array.from(edges);
}
