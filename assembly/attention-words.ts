// Attention over a cache of 16-bit integers: one KV block of 64 positions and one, two or four query rows. Queries, keys, values and
// softmax weights are integers with a scale each, their products and sums exact in 32 bits: whatever is computed together, the bits are
// the same. A dot of pairs does 8 products where a multiply-add of floats does 4, and nothing has to be widened first.
//
// Layout, bounds and error: cache-words.ts. Scores: 64 f32 per row, rows 256 bytes apart; weights: 64 i16 per row, 128 bytes apart.

import { scaleRow } from './attention-block';
import { keyLimit, quantizeWords, WEIGHT_LIMIT } from './cache-words';
import { exp1, expBelow, ROUND, NEGATIVE, sumLanes, tanh4 } from './math';
import { real } from './record';
import { madd } from './simd';

/** A query row as integers; `scales` gets its scale times the softmax scale. */
export function quantizeQuery(record: usize, q: usize, dim: usize, out: usize, scale: usize): void {
  store<f32>(scale, quantizeWords(q, dim, keyLimit(dim), out) * real(record, 13));
}

/** Few rows wait for memory: they touch the values while they compute the scores, so that two streams come in. */
@unmanaged
export class Touching {
  // @ts-ignore: decorator
  @inline touches(): bool { return true; }
}

/** Many rows find keys and values in cache. */
@unmanaged
export class Plain {
  // @ts-ignore: decorator
  @inline touches(): bool { return false; }
}

/** Where what was only touched goes, from a row's scores on: nobody reads it. */
const UNUSED: usize = 14080;

/** Scores of one row: tiles of 8 positions from `first` to `last`. `values`: those of the block, which T may touch. */
export function scoreWords1<T>(
  q: usize,
  scale: usize,
  keys: usize,
  dim: usize,
  first: usize,
  last: usize,
  scores: usize,
  values: usize,
): void {
  const row = dim << 1;
  const end = q + row;
  const scales = keys + (dim << 7);
  const ahead = values - keys;
  let seen = i32x4.splat(0);
  for (let tile = first; tile <= last; tile++) {
    let k = keys + tile * (dim << 4);
    let a0 = i32x4.splat(0);
    let b0 = i32x4.splat(0);
    for (let d = q; d < end; d += 8) {
      let low = v128.load(k);
      let high = v128.load(k, 16);
      let x = v128.load32_splat(d);
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(x, low));
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(x, high));
      low = v128.load(k, 32);
      high = v128.load(k, 48);
      x = v128.load32_splat(d, 4);
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(x, low));
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(x, high));
      if (changetype<T>(0).touches()) seen = v128.or(seen, v128.load(k + ahead));
      k += 64;
    }
    const at = tile << 5;
    const low = v128.load(scales + at);
    const high = v128.load(scales + at, 16);
    let factor = v128.load32_splat(scale);
    v128.store(scores + at, f32x4.mul(f32x4.convert_i32x4_s(a0), f32x4.mul(low, factor)));
    v128.store(scores + at, f32x4.mul(f32x4.convert_i32x4_s(b0), f32x4.mul(high, factor)), 16);
  }
  if (changetype<T>(0).touches()) v128.store(scores + UNUSED, seen);
}

/** The same for two rows, `dim` words apart. */
export function scoreWords2<T>(
  q: usize,
  scale: usize,
  keys: usize,
  dim: usize,
  first: usize,
  last: usize,
  scores: usize,
  values: usize,
): void {
  const row = dim << 1;
  const end = q + row;
  const scales = keys + (dim << 7);
  const ahead = values - keys;
  let seen = i32x4.splat(0);
  for (let tile = first; tile <= last; tile++) {
    let k = keys + tile * (dim << 4);
    let a0 = i32x4.splat(0);
    let b0 = i32x4.splat(0);
    let a1 = i32x4.splat(0);
    let b1 = i32x4.splat(0);
    for (let d = q; d < end; d += 8) {
      let low = v128.load(k);
      let high = v128.load(k, 16);
      let x = v128.load32_splat(d);
      let at = d;
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(x, low));
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(x, high));
      at += row;
      x = v128.load32_splat(at);
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(x, low));
      b1 = i32x4.add(b1, i32x4.dot_i16x8_s(x, high));
      low = v128.load(k, 32);
      high = v128.load(k, 48);
      x = v128.load32_splat(d, 4);
      at = d;
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(x, low));
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(x, high));
      at += row;
      x = v128.load32_splat(at, 4);
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(x, low));
      b1 = i32x4.add(b1, i32x4.dot_i16x8_s(x, high));
      if (changetype<T>(0).touches()) seen = v128.or(seen, v128.load(k + ahead));
      k += 64;
    }
    const at = tile << 5;
    const low = v128.load(scales + at);
    const high = v128.load(scales + at, 16);
    let factor = v128.load32_splat(scale);
    v128.store(scores + at, f32x4.mul(f32x4.convert_i32x4_s(a0), f32x4.mul(low, factor)));
    v128.store(scores + at, f32x4.mul(f32x4.convert_i32x4_s(b0), f32x4.mul(high, factor)), 16);
    factor = v128.load32_splat(scale, 4);
    v128.store(scores + at, f32x4.mul(f32x4.convert_i32x4_s(a1), f32x4.mul(low, factor)), 256);
    v128.store(scores + at, f32x4.mul(f32x4.convert_i32x4_s(b1), f32x4.mul(high, factor)), 272);
  }
  if (changetype<T>(0).touches()) v128.store(scores + UNUSED, seen);
}

/** The same for four rows. */
export function scoreWords4<T>(
  q: usize,
  scale: usize,
  keys: usize,
  dim: usize,
  first: usize,
  last: usize,
  scores: usize,
  values: usize,
): void {
  const row = dim << 1;
  const end = q + row;
  const scales = keys + (dim << 7);
  const ahead = values - keys;
  let seen = i32x4.splat(0);
  for (let tile = first; tile <= last; tile++) {
    let k = keys + tile * (dim << 4);
    let a0 = i32x4.splat(0);
    let b0 = i32x4.splat(0);
    let a1 = i32x4.splat(0);
    let b1 = i32x4.splat(0);
    let a2 = i32x4.splat(0);
    let b2 = i32x4.splat(0);
    let a3 = i32x4.splat(0);
    let b3 = i32x4.splat(0);
    for (let d = q; d < end; d += 8) {
      let low = v128.load(k);
      let high = v128.load(k, 16);
      let x = v128.load32_splat(d);
      let at = d;
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(x, low));
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(x, high));
      at += row;
      x = v128.load32_splat(at);
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(x, low));
      b1 = i32x4.add(b1, i32x4.dot_i16x8_s(x, high));
      at += row;
      x = v128.load32_splat(at);
      a2 = i32x4.add(a2, i32x4.dot_i16x8_s(x, low));
      b2 = i32x4.add(b2, i32x4.dot_i16x8_s(x, high));
      at += row;
      x = v128.load32_splat(at);
      a3 = i32x4.add(a3, i32x4.dot_i16x8_s(x, low));
      b3 = i32x4.add(b3, i32x4.dot_i16x8_s(x, high));
      low = v128.load(k, 32);
      high = v128.load(k, 48);
      x = v128.load32_splat(d, 4);
      at = d;
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(x, low));
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(x, high));
      at += row;
      x = v128.load32_splat(at, 4);
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(x, low));
      b1 = i32x4.add(b1, i32x4.dot_i16x8_s(x, high));
      at += row;
      x = v128.load32_splat(at, 4);
      a2 = i32x4.add(a2, i32x4.dot_i16x8_s(x, low));
      b2 = i32x4.add(b2, i32x4.dot_i16x8_s(x, high));
      at += row;
      x = v128.load32_splat(at, 4);
      a3 = i32x4.add(a3, i32x4.dot_i16x8_s(x, low));
      b3 = i32x4.add(b3, i32x4.dot_i16x8_s(x, high));
      if (changetype<T>(0).touches()) seen = v128.or(seen, v128.load(k + ahead));
      k += 64;
    }
    const at = tile << 5;
    const low = v128.load(scales + at);
    const high = v128.load(scales + at, 16);
    let factor = v128.load32_splat(scale);
    v128.store(scores + at, f32x4.mul(f32x4.convert_i32x4_s(a0), f32x4.mul(low, factor)));
    v128.store(scores + at, f32x4.mul(f32x4.convert_i32x4_s(b0), f32x4.mul(high, factor)), 16);
    factor = v128.load32_splat(scale, 4);
    v128.store(scores + at, f32x4.mul(f32x4.convert_i32x4_s(a1), f32x4.mul(low, factor)), 256);
    v128.store(scores + at, f32x4.mul(f32x4.convert_i32x4_s(b1), f32x4.mul(high, factor)), 272);
    factor = v128.load32_splat(scale, 8);
    v128.store(scores + at, f32x4.mul(f32x4.convert_i32x4_s(a2), f32x4.mul(low, factor)), 512);
    v128.store(scores + at, f32x4.mul(f32x4.convert_i32x4_s(b2), f32x4.mul(high, factor)), 528);
    factor = v128.load32_splat(scale, 12);
    v128.store(scores + at, f32x4.mul(f32x4.convert_i32x4_s(a3), f32x4.mul(low, factor)), 768);
    v128.store(scores + at, f32x4.mul(f32x4.convert_i32x4_s(b3), f32x4.mul(high, factor)), 784);
  }
  if (changetype<T>(0).touches()) v128.store(scores + UNUSED, seen);
}

/**
 * Scores -> softmax weights times the values' scales, as integers with one factor (state word 2); 0 outside [from, to]. Looks at tiles
 * `first` to `last` alone, which hold [from, to]. The row's state and sums move to the new peak.
 */
export function weighWords(
  record: usize,
  scores: usize,
  valueScales: usize,
  from: i32,
  to: i32,
  first: usize,
  last: usize,
  state: usize,
  sums: usize,
  dim: usize,
  weights: usize,
): void {
  const start = first << 5;
  const end = (last + 1) << 5;
  const whole = from <= <i32>(first << 3) && to >= <i32>(last << 3) + 7;
  let negative = f32x4.splat(NEGATIVE);
  let four = i32x4.splat(4);
  let low = i32x4.splat(from);
  let high = i32x4.splat(to);
  let begin = i32x4.add(i32x4(0, 1, 2, 3), i32x4.splat(<i32>(first << 3)));
  const softcap = real(record, 15);
  let lanes = begin;
  let peaks = negative;
  if (whole && softcap == 0) {
    for (let i = start; i < end; i += 16) peaks = f32x4.max(peaks, v128.load(scores + i));
  } else {
    for (let i = start; i < end; i += 16) {
      let s = v128.load(scores + i);
      if (softcap > 0) s = f32x4.mul(f32x4.splat(softcap), tanh4(f32x4.div(s, f32x4.splat(softcap))));
      s = v128.bitselect(s, negative, v128.and(i32x4.ge_s(lanes, low), i32x4.le_s(lanes, high)));
      lanes = i32x4.add(lanes, four);
      v128.store(scores + i, s);
      peaks = f32x4.max(peaks, s);
    }
  }
  const old = load<f32>(state);
  const peak = max(old, largestLane(peaks));
  let total = load<f32>(state, 4);
  if (peak != old) {
    const rescale = exp1(old - peak);
    total *= rescale;
    scaleRow(sums, dim, rescale);
  }
  let top = f32x4.splat(peak);
  let sum = f32x4.splat(0);
  let most = f32x4.splat(0);
  let least = f32x4.splat(-87.0);
  let log2e = f32x4.splat(1.44269504088896341);
  let magic = f32x4.splat(ROUND);
  let c0 = f32x4.splat(1.0000001192092896);
  let c1 = f32x4.splat(0.6931471824645996);
  let c2 = f32x4.splat(0.2402210682630539);
  let c3 = f32x4.splat(0.055503569543361664);
  let c4 = f32x4.splat(0.009676031768321991);
  let c5 = f32x4.splat(0.0013390863314270973);
  lanes = begin;
  for (let i = start; i < end; i += 16) {
    let p = expBelow(f32x4.sub(v128.load(scores + i), top), least, log2e, magic, c0, c1, c2, c3, c4, c5);
    let w = f32x4.mul(p, v128.load(valueScales + i));
    if (!whole) {
      const seen = v128.and(i32x4.ge_s(lanes, low), i32x4.le_s(lanes, high));
      p = v128.and(p, seen);
      w = v128.and(w, seen);
      lanes = i32x4.add(lanes, four);
    }
    v128.store(scores + i, w);
    sum = f32x4.add(sum, p);
    most = f32x4.max(most, w);
  }
  store<f32>(state, peak);
  store<f32>(state, total + sumLanes(sum), 4);
  const largest = largestLane(most);
  let factor = f32x4.splat(largest > 0 ? WEIGHT_LIMIT / largest : 0);
  store<f32>(state, largest / WEIGHT_LIMIT, 8);
  for (let i = start; i < end; i += 32) {
    const a = i32x4.sub(madd(v128.load(scores + i), factor, magic), magic);
    const b = i32x4.sub(madd(v128.load(scores + i, 16), factor, magic), magic);
    v128.store(weights + (i >> 1), i16x8.narrow_i32x4_s(a, b));
  }
}

// @ts-ignore: decorator
@inline function largestLane(v: v128): f32 {
  return max(
    max(f32x4.extract_lane(v, 0), f32x4.extract_lane(v, 1)),
    max(f32x4.extract_lane(v, 2), f32x4.extract_lane(v, 3)),
  );
}

/**
 * sums[d] += factor * sum over the pairs of positions of tiles `first` to `last` of weight * value. `state`: factor at word 2. What nobody
 * sees weighs 0 and adds nothing to an integer sum.
 */
export function addWords1(
  values: usize,
  dim: usize,
  weights: usize,
  first: usize,
  last: usize,
  state: usize,
  sums: usize,
): void {
  const start = weights + (first << 4);
  const end = weights + ((last + 1) << 4);
  const whole = dim & ~7;
  for (let d: usize = 0; d < whole; d += 8) {
    let v = values + (d << 7) + (first << 7);
    let a0 = i32x4.splat(0);
    let b0 = i32x4.splat(0);
    for (let j = start; j < end; j += 8) {
      let low = v128.load(v);
      let high = v128.load(v, 16);
      let x = v128.load32_splat(j);
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(x, low));
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(x, high));
      low = v128.load(v, 32);
      high = v128.load(v, 48);
      x = v128.load32_splat(j, 4);
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(x, low));
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(x, high));
      v += 64;
    }
    addTo(sums + (d << 2), a0, b0, v128.load32_splat(state, 8));
  }
  if (whole == dim) return;
  addLast(values + (whole << 7), weights, first, last, v128.load32_splat(state, 8), sums + (whole << 2));
}

/** The last 4 dims of a head that is no multiple of 8. */
function addLast(values: usize, weights: usize, first: usize, last: usize, factor: v128, sums: usize): void {
  let a = i32x4.splat(0);
  for (let j = first << 2; j < (last + 1) << 2; j++) {
    a = i32x4.add(a, i32x4.dot_i16x8_s(v128.load32_splat(weights + (j << 2)), v128.load(values + (j << 4))));
  }
  v128.store(sums, madd(f32x4.convert_i32x4_s(a), factor, v128.load(sums)));
}

/** The same for two rows: weights 128, states 16 and sums 4 * dim bytes apart. */
export function addWords2(
  values: usize,
  dim: usize,
  weights: usize,
  first: usize,
  last: usize,
  state: usize,
  sums: usize,
): void {
  const rowBytes = dim << 2;
  const start = weights + (first << 4);
  const end = weights + ((last + 1) << 4);
  const whole = dim & ~7;
  for (let d: usize = 0; d < whole; d += 8) {
    let v = values + (d << 7) + (first << 7);
    let a0 = i32x4.splat(0);
    let b0 = i32x4.splat(0);
    let a1 = i32x4.splat(0);
    let b1 = i32x4.splat(0);
    for (let j = start; j < end; j += 8) {
      let low = v128.load(v);
      let high = v128.load(v, 16);
      let x = v128.load32_splat(j);
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(x, low));
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(x, high));
      x = v128.load32_splat(j, 128);
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(x, low));
      b1 = i32x4.add(b1, i32x4.dot_i16x8_s(x, high));
      low = v128.load(v, 32);
      high = v128.load(v, 48);
      x = v128.load32_splat(j, 4);
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(x, low));
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(x, high));
      x = v128.load32_splat(j, 132);
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(x, low));
      b1 = i32x4.add(b1, i32x4.dot_i16x8_s(x, high));
      v += 64;
    }
    let out = sums + (d << 2);
    addTo(out, a0, b0, v128.load32_splat(state, 8));
    out += rowBytes;
    addTo(out, a1, b1, v128.load32_splat(state, 24));
  }
  if (whole == dim) return;
  for (let r: usize = 0; r < 2; r++) {
    const factor = v128.load32_splat(state + (r << 4), 8);
    addLast(values + (whole << 7), weights + (r << 7), first, last, factor, sums + r * rowBytes + (whole << 2));
  }
}

/** The same for four rows. */
export function addWords4(
  values: usize,
  dim: usize,
  weights: usize,
  first: usize,
  last: usize,
  state: usize,
  sums: usize,
): void {
  const rowBytes = dim << 2;
  const start = weights + (first << 4);
  const end = weights + ((last + 1) << 4);
  const whole = dim & ~7;
  for (let d: usize = 0; d < whole; d += 8) {
    let v = values + (d << 7) + (first << 7);
    let a0 = i32x4.splat(0);
    let b0 = i32x4.splat(0);
    let a1 = i32x4.splat(0);
    let b1 = i32x4.splat(0);
    let a2 = i32x4.splat(0);
    let b2 = i32x4.splat(0);
    let a3 = i32x4.splat(0);
    let b3 = i32x4.splat(0);
    for (let j = start; j < end; j += 8) {
      let low = v128.load(v);
      let high = v128.load(v, 16);
      let x = v128.load32_splat(j);
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(x, low));
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(x, high));
      x = v128.load32_splat(j, 128);
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(x, low));
      b1 = i32x4.add(b1, i32x4.dot_i16x8_s(x, high));
      x = v128.load32_splat(j, 256);
      a2 = i32x4.add(a2, i32x4.dot_i16x8_s(x, low));
      b2 = i32x4.add(b2, i32x4.dot_i16x8_s(x, high));
      x = v128.load32_splat(j, 384);
      a3 = i32x4.add(a3, i32x4.dot_i16x8_s(x, low));
      b3 = i32x4.add(b3, i32x4.dot_i16x8_s(x, high));
      low = v128.load(v, 32);
      high = v128.load(v, 48);
      x = v128.load32_splat(j, 4);
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(x, low));
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(x, high));
      x = v128.load32_splat(j, 132);
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(x, low));
      b1 = i32x4.add(b1, i32x4.dot_i16x8_s(x, high));
      x = v128.load32_splat(j, 260);
      a2 = i32x4.add(a2, i32x4.dot_i16x8_s(x, low));
      b2 = i32x4.add(b2, i32x4.dot_i16x8_s(x, high));
      x = v128.load32_splat(j, 388);
      a3 = i32x4.add(a3, i32x4.dot_i16x8_s(x, low));
      b3 = i32x4.add(b3, i32x4.dot_i16x8_s(x, high));
      v += 64;
    }
    let out = sums + (d << 2);
    addTo(out, a0, b0, v128.load32_splat(state, 8));
    out += rowBytes;
    addTo(out, a1, b1, v128.load32_splat(state, 24));
    out += rowBytes;
    addTo(out, a2, b2, v128.load32_splat(state, 40));
    out += rowBytes;
    addTo(out, a3, b3, v128.load32_splat(state, 56));
  }
  if (whole == dim) return;
  for (let r: usize = 0; r < 4; r++) {
    const factor = v128.load32_splat(state + (r << 4), 8);
    addLast(values + (whole << 7), weights + (r << 7), first, last, factor, sums + r * rowBytes + (whole << 2));
  }
}

// @ts-ignore: decorator
@inline function addTo(out: usize, a: v128, b: v128, factor: v128): void {
  v128.store(out, madd(f32x4.convert_i32x4_s(a), factor, v128.load(out)));
  v128.store(out, madd(f32x4.convert_i32x4_s(b), factor, v128.load(out, 16)), 16);
}
