// Where in a growing text the last n ids have stood before: hash heads with chains, as LZ77 coders have them. Each id that is added
// costs the same, however long the text is.

/** Places looked at per question: chains of frequent n-grams are long. */
const mostPlaces = 8;

export class NgramIndex {
  readonly #n: number;
  /** By hash, the latest end of an n-gram; 0: none. */
  #heads = new Int32Array(256);
  /** By end, the one before of the same hash. */
  #earlier = new Int32Array(256);
  /** Ends up to this one are known. */
  #end: number;

  constructor(n: number) {
    this.#n = n;
    this.#end = n - 1;
  }

  /** Learns all n-grams of the first `length` ids; those learned before have not changed. */
  extend(ids: Int32Array, length: number): void {
    this.#grow(ids, length);
    while (this.#end < length) this.#link(ids, ++this.#end);
  }

  /**
   * Ends (the index behind the last id) of earlier places where the last n of the first `length` ids stood, the latest first. Ask before
   * these are learned themselves.
   */
  find(ids: Int32Array, length: number): number[] {
    const found: number[] = [];
    if (length < this.#n) return found;
    let end = this.#heads[this.#slot(ids, length)];
    for (let looked = 0; end > 0 && looked < mostPlaces; looked++) {
      if (isEqual(ids, end, length, this.#n)) found.push(end);
      end = this.#earlier[end];
    }
    return found;
  }

  #link(ids: Int32Array, end: number): void {
    const slot = this.#slot(ids, end);
    this.#earlier[end] = this.#heads[slot];
    this.#heads[slot] = end;
  }

  /** As many slots as ids, up to twice as many; doubled when they are too few, so that an id costs the same on average. */
  #grow(ids: Int32Array, length: number): void {
    if (length < this.#earlier.length) return;
    const size = 2 ** (Math.floor(Math.log2(length)) + 1);
    this.#heads = new Int32Array(size);
    this.#earlier = new Int32Array(size);
    for (let end = this.#n; end <= this.#end; end++) this.#link(ids, end);
  }

  #slot(ids: Int32Array, end: number): number {
    let hash = 0;
    for (let i = end - this.#n; i < end; i++) hash = Math.imul(hash ^ ids[i], 0x9e3779b1) + 1;
    return (hash ^ (hash >>> 15)) & (this.#heads.length - 1);
  }
}

function isEqual(ids: Int32Array, a: number, b: number, count: number): boolean {
  for (let i = 1; i <= count; i++) if (ids[a - i] !== ids[b - i]) return false;
  return true;
}
