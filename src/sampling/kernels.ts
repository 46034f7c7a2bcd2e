// The kernels that look at a whole vocabulary (assembly/sampler.ts) and their memory. What is left of the vocabulary after that is small,
// and TypeScript's business.

import { readFileSync } from 'node:fs';

/** As in the kernels. */
export const groupSize = 64;
const pageBytes = 65536;

interface Kernels {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  scan(x: number, groups: number, maxima: number): number;
  weigh(
    x: number,
    maxima: number,
    groups: number,
    largest: number,
    inverse: number,
    weights: number,
    sums: number,
  ): number;
  massFrom(x: number, maxima: number, groups: number, bound: number, weights: number): number;
  collect(x: number, maxima: number, groups: number, bound: number, ids: number, values: number): number;
}

export interface Softmax {
  /** e^((logit - largest) / temperature) of each, 0 below 2^-53; not normalised, the best has 1. */
  readonly weights: Float32Array;
  /** Of each group of 64. */
  readonly sums: Float64Array;
  readonly total: number;
}

/**
 * Room for one vocabulary's worth of logits: `row`, and `candidates`, which `collect` fills with those of them that matter. All views
 * are valid until the next call on the same one. Results depend on the logits alone, bit for bit, on every machine.
 */
export class LogitSpace {
  readonly row: Logits;
  readonly candidates: Logits;
  /** Of the candidates, ascending. */
  readonly ids: Int32Array;
  readonly #kernels = instantiate();
  readonly #placeOfIds: number;

  constructor(vocabularySize: number) {
    const groups = Math.ceil(vocabularySize / groupSize);
    const ofLogits = bytesOfLogits(groups);
    const { memory } = this.#kernels;
    memory.grow(Math.ceil((2 * ofLogits + 4 * groupSize * groups) / pageBytes));
    this.row = new Logits(this.#kernels, 0, groups);
    this.candidates = new Logits(this.#kernels, ofLogits, groups);
    this.#placeOfIds = 2 * ofLogits;
    this.ids = new Int32Array(memory.buffer, this.#placeOfIds, groupSize * groups);
  }

  /** The tokens of the scanned row whose logits reach `bound` become the candidates, scanned themselves. */
  collect(bound: number): void {
    const { place, maxima, groups } = this.row;
    const { place: values } = this.candidates;
    const length = this.#kernels.collect(place, maxima.byteOffset, groups, bound, this.#placeOfIds, values);
    this.candidates.resize(length);
    this.candidates.scan();
  }

  /** Only the candidates of the order's beginning (higher value first, lower index first among equals) that ends here stay. */
  narrow({ value, index }: { readonly value: number; readonly index: number }): void {
    const { values } = this.candidates;
    let count = 0;
    for (let i = 0; i < values.length; i++) {
      if (values[i] < value || (values[i] === value && i > index)) continue;
      this.ids[count] = this.ids[i];
      values[count++] = values[i];
    }
    this.candidates.resize(count);
    this.candidates.scan();
  }
}

/** Logits, padded with -Infinity to whole groups. */
export class Logits {
  readonly place: number;
  /** [length] */
  values: Float32Array;
  /** Of each group, once scanned. */
  maxima: Float32Array;
  /** NaN where any of them is. */
  largest = -Infinity;
  readonly #kernels: Kernels;
  readonly #values: Float32Array;
  readonly #weights: Float32Array;
  readonly #sums: Float64Array;
  readonly #maxima: Float32Array;

  constructor(kernels: Kernels, place: number, groups: number) {
    const { buffer } = kernels.memory;
    const room = groupSize * groups;
    this.place = place;
    this.#kernels = kernels;
    this.#values = new Float32Array(buffer, place, room);
    this.#weights = new Float32Array(buffer, place + 4 * room, room);
    this.#sums = new Float64Array(buffer, place + 8 * room, groups);
    this.#maxima = new Float32Array(buffer, place + 8 * room + 8 * groups, groups);
    this.values = this.#values.subarray(0, 0);
    this.maxima = this.#maxima.subarray(0, 0);
  }

  get groups(): number {
    return this.maxima.length;
  }

  load(logits: Float32Array): void {
    this.#values.set(logits);
    this.resize(logits.length);
  }

  /** The first `length` values stay. */
  resize(length: number): void {
    const groups = Math.ceil(length / groupSize);
    this.#values.fill(-Infinity, length, groups * groupSize);
    this.values = this.#values.subarray(0, length);
    this.maxima = this.#maxima.subarray(0, groups);
  }

  /** After each change of the values: the largest of each group, and of all. */
  scan(): void {
    this.largest = this.#kernels.scan(this.place, this.groups, this.#maxima.byteOffset);
  }

  /** Once scanned. `largest`: of all that compete. */
  weigh(largest: number, temperature: number): Softmax {
    const { groups } = this;
    // Beyond it a difference of one bit would already overflow.
    const inverse = Math.min(1 / temperature, 1e30);
    const [weights, sums] = [this.#weights, this.#sums];
    const total = this.#kernels.weigh(
      this.place,
      this.#maxima.byteOffset,
      groups,
      largest,
      inverse,
      weights.byteOffset,
      sums.byteOffset,
    );
    return { weights: weights.subarray(0, this.values.length), sums: sums.subarray(0, groups), total };
  }

  /** Once weighed: the weight of all values that reach `bound`. */
  massFrom(bound: number): number {
    return this.#kernels.massFrom(this.place, this.#maxima.byteOffset, this.groups, bound, this.#weights.byteOffset);
  }

  /** The first value that equals the largest. */
  get indexOfLargest(): number {
    const group = this.maxima.indexOf(this.largest);
    return this.values.indexOf(this.largest, group * groupSize);
  }
}

function bytesOfLogits(groups: number): number {
  // Values and weights, sums, maxima; whole multiples of 16 bytes, as vectors like them.
  return Math.ceil((groups * (8 * groupSize + 12)) / 16) * 16;
}

function instantiate(): Kernels {
  const file = new URL('../../kernels/sampler.wasm', import.meta.url);
  return new WebAssembly.Instance(new WebAssembly.Module(readFileSync(file))).exports as unknown as Kernels;
}
