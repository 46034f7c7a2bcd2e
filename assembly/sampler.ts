// Passes over a row of logits, for choosing a token: the largest, weights of a softmax, what reaches a bound, what an order has up to its
// end. A module of its own with its own memory, one build for every machine.
//
// Rows are padded with -Infinity to whole groups of 64. `maxima` [groups] f32: with it, a pass skips groups that hold nothing of interest.

import { EXP_1, EXP_2, EXP_3, EXP_4, EXP_5, LOG2_E, ROUND } from './math';

const GROUP: i32 = 64;
const BYTES: usize = 256;

/** maxima[g] = the largest of group g. Returns the largest of all, NaN where any value is NaN. */
export function scan(x: usize, groups: i32, maxima: usize): f32 {
  const lowest = f32x4.splat(-Infinity);
  let odd = i32x4.splat(0);
  let largest = lowest;
  for (let g = 0; g < groups; g++) {
    let a = lowest;
    let b = lowest;
    for (let end = x + BYTES; x < end; x += 32) {
      const low = v128.load(x);
      const high = v128.load(x, 16);
      odd = v128.or(odd, v128.or(f32x4.ne(low, low), f32x4.ne(high, high)));
      a = f32x4.pmax(a, low);
      b = f32x4.pmax(b, high);
    }
    a = f32x4.pmax(a, b);
    largest = f32x4.pmax(largest, a);
    store<f32>(maxima + g * 4, largestLane(a));
  }
  return v128.any_true(odd) ? NaN : largestLane(largest);
}

/**
 * weights[i] = e^((x[i] - largest) * inverse), 0 where the exponent is below -36.75 (2^-53: no draw has more digits); sums[g] f64 = those of
 * group g. Returns the sum of all, groups ascending. A group that does not reach `bound` has the sum 0, and its weights mean nothing.
 *
 * The exponential is that of math.ts without the cases that cannot occur here, error about 1e-7. Four lanes sum a group: with f64
 * lanes it takes 15 % longer and gains no digit.
 */
export function weigh(
  x: usize,
  maxima: usize,
  groups: i32,
  bound: f32,
  largest: f32,
  inverse: f32,
  weights: usize,
  sums: usize,
): f64 {
  const most = f32x4.splat(largest);
  const factor = f32x4.splat(inverse);
  const least = f32x4.splat(-36.75);
  // Adding 1.5 * 2^23 rounds to an integer, which is then in the lowest bits.
  const round = f32x4.splat(ROUND);
  const log2e = f32x4.splat(LOG2_E);
  const ln2High = f32x4.splat(0.693359375);
  const ln2Low = f32x4.splat(-2.12194440e-4);
  const c0 = f32x4.splat(EXP_5);
  const c1 = f32x4.splat(EXP_4);
  const c2 = f32x4.splat(EXP_3);
  const c3 = f32x4.splat(EXP_2);
  const c4 = f32x4.splat(EXP_1);
  const c5 = f32x4.splat(5.0000001201e-1);
  const one = f32x4.splat(1.0);
  let total: f64 = 0;
  for (let g = 0; g < groups; g++, x += BYTES, weights += BYTES) {
    let sum: f64 = 0;
    if (load<f32>(maxima + g * 4) >= bound) {
      let lanes = f32x4.splat(0);
      for (let at: usize = 0; at < BYTES; at += 16) {
        const exponent = f32x4.mul(f32x4.sub(v128.load(x + at), most), factor);
        const shifted = f32x4.add(f32x4.mul(exponent, log2e), round);
        const n = f32x4.sub(shifted, round);
        const r = f32x4.sub(f32x4.sub(exponent, f32x4.mul(n, ln2High)), f32x4.mul(n, ln2Low));
        let p = f32x4.add(f32x4.mul(c0, r), c1);
        p = f32x4.add(f32x4.mul(p, r), c2);
        p = f32x4.add(f32x4.mul(p, r), c3);
        p = f32x4.add(f32x4.mul(p, r), c4);
        p = f32x4.add(f32x4.mul(p, r), c5);
        p = f32x4.add(f32x4.add(f32x4.mul(p, f32x4.mul(r, r)), r), one);
        // p * 2^n: n is added to the exponent of p, which is in [0.7, 1.42).
        const scaled = i32x4.add(p, i32x4.shl(shifted, 23));
        // Far below, it is anything, and not taken.
        const weight = v128.and(scaled, f32x4.ge(exponent, least));
        v128.store(weights + at, weight);
        lanes = f32x4.add(lanes, weight);
      }
      sum = sumOfLanes(lanes);
    }
    store<f64>(sums + g * 8, sum);
    total += sum;
  }
  return total;
}

/** The sum of the weights of those x that reach the bound, groups ascending. */
export function massFrom(x: usize, maxima: usize, groups: i32, bound: f32, weights: usize): f64 {
  const least = f32x4.splat(bound);
  let total: f64 = 0;
  for (let g = 0; g < groups; g++, x += BYTES, weights += BYTES) {
    if (!(load<f32>(maxima + g * 4) >= bound)) continue;
    let lanes = f32x4.splat(0);
    for (let at: usize = 0; at < BYTES; at += 16) {
      lanes = f32x4.add(lanes, v128.and(v128.load(weights + at), f32x4.ge(v128.load(x + at), least)));
    }
    total += sumOfLanes(lanes);
  }
  return total;
}

/**
 * Weights below `lightest`, and all after the end of the order (higher value first, lower index first among equals), become 0: the end
 * is the value `low` at the index `last`; `up` is the f32 above `low`. Sums follow; returns that of all. A group whose sum becomes 0, or
 * was, keeps weights that mean nothing.
 */
export function keep(
  x: usize,
  maxima: usize,
  groups: i32,
  low: f32,
  up: f32,
  last: i32,
  lightest: f32,
  weights: usize,
  sums: usize,
): f64 {
  const least = f32x4.splat(lightest);
  // Up to the group of the last one, all that reach `low` are kept once its later equals are gone, ...
  for (let id = last + 1; id < groups * GROUP && id % GROUP != 0; id++) {
    if (load<f32>(x + id * 4) == low) store<f32>(weights + id * 4, 0);
  }
  let total: f64 = 0;
  for (let g = 0; g < groups; g++, x += BYTES, weights += BYTES) {
    if (load<f64>(sums + g * 8) == 0) continue;
    // ... after it, all that are above.
    const bound = g * GROUP <= last ? low : up;
    let sum: f64 = 0;
    if (load<f32>(maxima + g * 4) >= bound) {
      const border = f32x4.splat(bound);
      let lanes = f32x4.splat(0);
      for (let at: usize = 0; at < BYTES; at += 16) {
        const weight = v128.load(weights + at);
        const mask = v128.and(f32x4.ge(v128.load(x + at), border), f32x4.ge(weight, least));
        const kept = v128.and(weight, mask);
        v128.store(weights + at, kept);
        lanes = f32x4.add(lanes, kept);
      }
      sum = sumOfLanes(lanes);
    }
    store<f64>(sums + g * 8, sum);
    total += sum;
  }
  return total;
}

/**
 * ids[n], values[n] = those of x below `high` that the order has up to its end (`keep`), ascending by index. Returns how many: -1 where
 * there are more than `room`.
 */
export function collect(
  x: usize,
  maxima: usize,
  groups: i32,
  low: f32,
  up: f32,
  last: i32,
  high: f32,
  room: i32,
  ids: usize,
  values: usize,
): i32 {
  const most = f32x4.splat(high);
  let count = 0;
  for (let g = 0; g < groups; g++) {
    const bound = g * GROUP <= last ? low : up;
    if (!(load<f32>(maxima + g * 4) >= bound)) continue;
    const least = f32x4.splat(bound);
    for (let id = g * GROUP, end = id + GROUP; id < end; id += 16) {
      const at = x + id * 4;
      const low8 = i16x8.narrow_i32x4_s(between(v128.load(at), least, most), between(v128.load(at, 16), least, most));
      const high8 = i16x8.narrow_i32x4_s(between(v128.load(at, 32), least, most), between(v128.load(at, 48), least, most));
      let mask = i8x16.bitmask(i8x16.narrow_i16x8_s(low8, high8));
      while (mask != 0) {
        const index = id + ctz(mask);
        const value = load<f32>(x + index * 4);
        mask &= mask - 1;
        if (value == low && index > last) continue;
        if (count == room) return -1;
        store<i32>(ids + count * 4, index);
        store<f32>(values + count * 4, value);
        count++;
      }
    }
  }
  return count;
}

/** The index of the n-th of those that equal the value, n from 1; of the last one where there are fewer, -1 where there is none. */
export function nth(x: usize, maxima: usize, groups: i32, value: f32, n: i32): i32 {
  const wanted = f32x4.splat(value);
  let last = -1;
  for (let g = 0; g < groups; g++) {
    if (!(load<f32>(maxima + g * 4) >= value)) continue;
    for (let id = g * GROUP, end = id + GROUP; id < end; id += 4) {
      let mask = i32x4.bitmask(f32x4.eq(v128.load(x + id * 4), wanted));
      if (mask == 0) continue;
      const count = popcnt(mask);
      if (count >= n) {
        while (--n > 0) mask &= mask - 1;
        return id + ctz(mask);
      }
      n -= count;
      last = id + 31 - clz(mask);
    }
  }
  return last;
}

// @ts-ignore: decorator
@inline function between(values: v128, low: v128, high: v128): v128 {
  return v128.and(f32x4.ge(values, low), f32x4.lt(values, high));
}

// @ts-ignore: decorator
@inline function sumOfLanes(v: v128): f64 {
  const pairs = f64x2.add(f64x2.promote_low_f32x4(v), f64x2.promote_low_f32x4(v128.shuffle<i64>(v, v, 1, 0)));
  return f64x2.extract_lane(pairs, 0) + f64x2.extract_lane(pairs, 1);
}

// @ts-ignore: decorator
@inline function largestLane(v: v128): f32 {
  const pairs = f32x4.pmax(v, v128.shuffle<i32>(v, v, 2, 3, 0, 1));
  return f32x4.extract_lane(f32x4.pmax(pairs, v128.shuffle<i32>(pairs, pairs, 1, 0, 3, 2)), 0);
}
