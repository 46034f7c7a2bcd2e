// Passes over a row of logits, for choosing a token: the largest, weights of a softmax, what reaches a bound. A module of its own with
// its own memory, one build for every machine.
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
 * group g. Returns the sum of all, groups ascending.
 *
 * The exponential is that of math.ts without the cases that cannot occur here, error about 1e-7. Four lanes sum a group: with f64
 * lanes it takes 15 % longer and gains no digit.
 */
export function weigh(
  x: usize,
  maxima: usize,
  groups: i32,
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
    if ((load<f32>(maxima + g * 4) - largest) * inverse >= -36.75) {
      let lanes = f32x4.splat(0);
      for (let at: usize = 0; at < BYTES; at += 16) {
        const exponent = f32x4.mul(f32x4.sub(v128.load(x + at), most), factor);
        const inside = f32x4.pmax(exponent, least);
        const shifted = f32x4.add(f32x4.mul(inside, log2e), round);
        const n = f32x4.sub(shifted, round);
        const r = f32x4.sub(f32x4.sub(inside, f32x4.mul(n, ln2High)), f32x4.mul(n, ln2Low));
        let p = f32x4.add(f32x4.mul(c0, r), c1);
        p = f32x4.add(f32x4.mul(p, r), c2);
        p = f32x4.add(f32x4.mul(p, r), c3);
        p = f32x4.add(f32x4.mul(p, r), c4);
        p = f32x4.add(f32x4.mul(p, r), c5);
        p = f32x4.add(f32x4.add(f32x4.mul(p, f32x4.mul(r, r)), r), one);
        // p * 2^n: n is added to the exponent of p, which is in [0.7, 1.42).
        const scaled = i32x4.add(p, i32x4.shl(shifted, 23));
        const weight = v128.and(scaled, f32x4.ge(exponent, least));
        v128.store(weights + at, weight);
        lanes = f32x4.add(lanes, weight);
      }
      sum = sumOfLanes(lanes);
    } else memory.fill(weights, 0, BYTES);
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

/** ids[n], values[n] = those of x that reach the bound, ascending. Returns how many; both arrays have room for all of x. */
export function collect(x: usize, maxima: usize, groups: i32, bound: f32, ids: usize, values: usize): i32 {
  const least = f32x4.splat(bound);
  let count = 0;
  for (let g = 0; g < groups; g++) {
    if (!(load<f32>(maxima + g * 4) >= bound)) continue;
    for (let id = g * GROUP, end = id + GROUP; id < end; id += 4) {
      const four = v128.load(x + id * 4);
      let mask = i32x4.bitmask(f32x4.ge(four, least));
      while (mask != 0) {
        const lane = ctz(mask);
        store<i32>(ids + count * 4, id + lane);
        store<f32>(values + count * 4, load<f32>(x + (id + lane) * 4));
        count++;
        mask &= mask - 1;
      }
    }
  }
  return count;
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
