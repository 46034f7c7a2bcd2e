// The kernels that look at a whole vocabulary (assembly/sampler.ts) and their memory. What is left of the vocabulary after that is small,
// and TypeScript's business.

import { readFileSync } from 'node:fs';
import { nextUp } from './selection.ts';

/** As in the kernels. */
export const groupSize = 64;
/** Values of a row to ask about: between two neighbours there are 300 of 150,000. */
const sampleSize = 512;
const pageBytes = 65536;

/** Pointers are numbers, as are the rest. */
type Kernel = (...operands: readonly number[]) => number;

interface Kernels {
  readonly memory: { readonly buffer: ArrayBuffer; grow(pages: number): number };
  readonly scan: Kernel;
  readonly weigh: Kernel;
  readonly massFrom: Kernel;
  readonly keep: Kernel;
  readonly collect: Kernel;
  readonly nth: Kernel;
}

/** Where a beginning of the order ends: all higher logits belong to it, and of the equal ones those up to this id. */
export interface End {
  /** f32 */
  readonly value: number;
  readonly id: number;
}

/** Some logits by ascending id. */
export interface Collected {
  readonly ids: Int32Array;
  readonly values: Float32Array;
}

/**
 * One vocabulary's worth of logits: `load` and `scan` first. All views are valid until the next call. Results depend on the logits alone,
 * bit for bit, on every machine.
 */
export class LogitRow {
  /** [length] */
  values: Float32Array;
  /** Of each group of 64, once scanned. */
  maxima: Float32Array;
  /** Once scanned; NaN where any of them is. */
  largest = -Infinity;
  /** Once weighed: of each group, ... */
  sums: Float64Array;
  /** ... and of each logit where that is not 0: e^((logit - largest) / temperature), 0 below 2^-53; not normalised, the best has 1. */
  readonly weights: Float32Array;
  readonly #kernels = instantiate();
  readonly #values: Float32Array;
  readonly #maxima: Float32Array;
  readonly #sums: Float64Array;
  readonly #ids: Int32Array;
  readonly #collected: Float32Array;
  readonly #sample: Float32Array;
  readonly #sampleWeights: Float32Array;
  readonly #sampleMaxima: Float32Array;
  readonly #sampleSums: Float64Array;
  #inverse = 1;

  constructor(vocabularySize: number) {
    const groups = Math.ceil(vocabularySize / groupSize);
    const room = groups * groupSize;
    const sampleGroups = sampleSize / groupSize;
    const { memory } = this.#kernels;
    memory.grow(Math.ceil((16 * room + 8 * sampleSize + 12 * (groups + sampleGroups)) / pageBytes));
    let place = 0;
    const floats = (length: number): Float32Array =>
      new Float32Array(memory.buffer, (place += 4 * length) - 4 * length, length);
    const doubles = (length: number): Float64Array =>
      new Float64Array(memory.buffer, (place += 8 * length) - 8 * length, length);
    // What lies in whole groups comes first: vectors like multiples of 16 bytes.
    this.#values = floats(room);
    this.weights = floats(room);
    this.#collected = floats(room);
    this.#ids = new Int32Array(memory.buffer, floats(room).byteOffset, room);
    this.#sample = floats(sampleSize);
    this.#sampleWeights = floats(sampleSize);
    this.#sums = doubles(groups);
    this.#sampleSums = doubles(sampleGroups);
    this.#maxima = floats(groups);
    this.#sampleMaxima = floats(sampleGroups).fill(Infinity);
    this.values = this.#values.subarray(0, 0);
    this.maxima = this.#maxima.subarray(0, 0);
    this.sums = this.#sums.subarray(0, 0);
  }

  load(logits: Float32Array): void {
    const { length } = logits;
    const groups = Math.ceil(length / groupSize);
    this.#values.set(logits);
    this.#values.fill(-Infinity, length, groups * groupSize);
    this.values = this.#values.subarray(0, length);
    this.maxima = this.#maxima.subarray(0, groups);
    this.sums = this.#sums.subarray(0, groups);
  }

  /** After each change of the values. */
  scan(): void {
    this.largest = this.#kernels.scan(this.#values.byteOffset, this.maxima.length, this.#maxima.byteOffset);
  }

  /** The first id that has the largest value. */
  get indexOfLargest(): number {
    const group = this.maxima.indexOf(this.largest);
    return this.values.indexOf(this.largest, group * groupSize);
  }

  /** Groups that do not reach `bound` have the sum 0. Returns the sum of all. */
  weigh(temperature: number, bound: number): number {
    this.#inverse = 1 / Math.max(temperature, leastTemperature);
    return this.#weigh(this.#values, this.#maxima, bound, this.weights, this.sums);
  }

  /** The weight of all that reach `bound`, which is none below that of `weigh`. */
  massFrom(bound: number): number {
    const { maxima, weights } = this;
    return this.#kernels.massFrom(this.#values.byteOffset, maxima.byteOffset, maxima.length, bound, weights.byteOffset);
  }

  /** Only what is in this beginning of the order, and not lighter than that (f32), keeps its weight. Returns the sum of all. */
  keep({ value, id }: End, lightest: number): number {
    const { maxima, weights, sums } = this;
    const row = [this.#values.byteOffset, maxima.byteOffset, maxima.length];
    return this.#kernels.keep(...row, value, nextUp(value), id, lightest, weights.byteOffset, sums.byteOffset);
  }

  /** What this beginning of the order has below `high`. */
  collect(end: End, high = Infinity): Collected {
    return this.collectFew(end, high, this.values.length) as Collected;
  }

  /** The same; `undefined` where that is more than `most`. */
  collectFew({ value, id }: End, high: number, most: number): Collected | undefined {
    const { maxima } = this;
    const row = [this.#values.byteOffset, maxima.byteOffset, maxima.length];
    const places = [this.#ids.byteOffset, this.#collected.byteOffset];
    const count = this.#kernels.collect(...row, value, nextUp(value), id, high, most, ...places);
    return count < 0 ? undefined : { ids: this.#ids.subarray(0, count), values: this.#collected.subarray(0, count) };
  }

  /** The id of the n-th (from 1) that has this value, of the last one where there are fewer. */
  nth(value: number, n: number): number {
    return this.#kernels.nth(this.#values.byteOffset, this.#maxima.byteOffset, this.maxima.length, value, n);
  }

  /** Values from all over the row, descending, ... */
  sample(): Float32Array {
    const { values } = this;
    const step = values.length / sampleSize;
    for (let i = 0; i < sampleSize; i++) this.#sample[i] = values[Math.floor((i + 0.5) * step)];
    return this.#sample.sort().reverse();
  }

  /** ... and their weights, once all are weighed. */
  sampleWeights(): Float32Array {
    this.#weigh(this.#sample, this.#sampleMaxima, -Infinity, this.#sampleWeights, this.#sampleSums);
    return this.#sampleWeights;
  }

  #weigh(values: Float32Array, maxima: Float32Array, bound: number, weights: Float32Array, sums: Float64Array): number {
    const row = [values.byteOffset, maxima.byteOffset, sums.length];
    return this.#kernels.weigh(...row, bound, this.largest, this.#inverse, weights.byteOffset, sums.byteOffset);
  }
}

/** Below it a difference of one bit would already overflow. */
export const leastTemperature = 1e-30;

function instantiate(): Kernels {
  const file = new URL('../../kernels/sampler.wasm', import.meta.url);
  return new WebAssembly.Instance(new WebAssembly.Module(readFileSync(file))).exports as unknown as Kernels;
}
