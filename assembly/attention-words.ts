// Attention over a cache of 16-bit integers: one KV block of 64 positions and one, two or four query rows. Queries, keys, values and
// softmax weights are integers with a scale each, their products and sums exact in 32 bits: whatever is computed together, the bits are
// the same. A dot of pairs does 8 products where a multiply-add of floats does 4, and nothing has to be widened first. Scores:
// words-score.ts; sums of the values: words-add.ts; here what lies between them.
//
// Layout, bounds and error: cache-words.ts. Scores: 64 f32 per row, rows 256 bytes apart; weights: 64 i16 per row, 128 bytes apart.

import { scaleRow } from './attention-block';
import { keyLimit, quantizeWords, WEIGHT_LIMIT } from './cache-words';
import { exp1, expBelow, largestOfAll, NEGATIVE, ROUND, sumLanes, tanh4 } from './math';
import { real } from './record';
import { madd } from './simd';

/** A query row as integers; `scales` gets its scale times the softmax scale. */
export function quantizeQuery(record: usize, q: usize, dim: usize, out: usize, scale: usize): void {
  store<f32>(scale, quantizeWords(q, dim, keyLimit(dim), out) * real(record, 13));
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
  const old = load<f32>(state);
  let peaks = f32x4.splat(old);
  if (whole && softcap == 0) {
    for (let i = start; i < end; i += 16) peaks = f32x4.pmax(peaks, v128.load(scores + i));
  } else {
    for (let i = start; i < end; i += 16) {
      let s = v128.load(scores + i);
      if (softcap > 0) s = f32x4.mul(f32x4.splat(softcap), tanh4(f32x4.div(s, f32x4.splat(softcap))));
      s = v128.bitselect(s, negative, v128.and(i32x4.ge_s(lanes, low), i32x4.le_s(lanes, high)));
      lanes = i32x4.add(lanes, four);
      v128.store(scores + i, s);
      peaks = f32x4.pmax(peaks, s);
    }
  }
  let top = largestOfAll(peaks);
  const peak = f32x4.extract_lane(top, 0);
  let total = load<f32>(state, 4);
  if (peak != old) {
    const rescale = exp1(old - peak);
    total *= rescale;
    scaleRow(sums, dim, rescale);
  }
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
    most = f32x4.pmax(most, w);
  }
  store<f32>(state, peak);
  store<f32>(state, total + sumLanes(sum), 4);
  const largest = f32x4.extract_lane(largestOfAll(most), 0);
  let factor = f32x4.splat(largest > 0 ? WEIGHT_LIMIT / largest : 0);
  store<f32>(state, largest / WEIGHT_LIMIT, 8);
  for (let i = start; i < end; i += 32) {
    const a = i32x4.sub(madd(v128.load(scores + i), factor, magic), magic);
    const b = i32x4.sub(madd(v128.load(scores + i, 16), factor, magic), magic);
    v128.store(weights + (i >> 1), i16x8.narrow_i32x4_s(a, b));
  }
}
