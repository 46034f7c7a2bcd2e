// All pieces that begin at a place of a text: a sorted list in which each further character narrows the range. A tree of maps over
// 250,000 pieces would cost some hundred megabytes; this costs the sorted references.

export class PieceIndex {
  readonly #pieces: readonly string[];
  readonly #ids: Int32Array;
  /** Range of the pieces with a given first code unit. */
  readonly #first = new Map<number, readonly [from: number, to: number]>();

  constructor(ids: ReadonlyMap<string, number>) {
    // The default order is by UTF-16 code units, the one that `matches` walks in.
    this.#pieces = [...ids.keys()].sort();
    this.#ids = Int32Array.from(this.#pieces, (piece) => ids.get(piece) ?? 0);
    for (let from = 0; from < this.#pieces.length;) {
      const unit = this.#pieces[from].charCodeAt(0);
      const to = this.#edge(from, this.#pieces.length, 0, unit + 1);
      this.#first.set(unit, [from, to]);
      from = to;
    }
  }

  /** Calls `found` for each piece at `start`, the shortest first. */
  matches(text: string, start: number, found: (end: number, id: number) => void): void {
    const range = this.#first.get(text.charCodeAt(start));
    if (range === undefined) return;
    let [from, to] = range;
    for (let depth = 1; from < to; depth++) {
      // The piece that ends here is the first of its range.
      if (this.#pieces[from].length === depth) {
        found(start + depth, this.#ids[from]);
        from++;
      }
      if (start + depth >= text.length) return;
      const unit = text.charCodeAt(start + depth);
      from = this.#edge(from, to, depth, unit);
      to = this.#edge(from, to, depth, unit + 1);
    }
  }

  /** First index of the range whose code unit at `depth` is `unit` or more. */
  #edge(from: number, to: number, depth: number, unit: number): number {
    let [low, high] = [from, to];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#pieces[middle].charCodeAt(depth) < unit) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
