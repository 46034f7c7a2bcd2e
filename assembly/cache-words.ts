// The KV cache of 16-bit integers: a row (one position of one head) is `dim` integers and one scale, the row's largest magnitude over a
// limit that keeps every sum of attention inside 32 bits:
//   scores  dim products of a key and a query, each at most keyLimit(dim)^2      -> dim * limit^2 < 2^31
//   values  64 products of a value and a softmax weight                          -> 64 * VALUE_LIMIT * WEIGHT_LIMIT < 2^31
// The error of a row of normal values is below that of f16 (about 2e-4 of their deviation against 3e-4); a row with outliers loses
// relative to its largest value, not to each.
//
//   keys    [position / 8][dim / 2][8 positions][2 dims] i16 | [64] f32 scales
//   values  [dim / 8][position / 2][8 dims][2 positions] i16 | [64] f32 scales
//
// Both are read from the first byte to the last: a cache of thousands of positions comes from memory, which likes nothing else. The last
// 4 dims of heads that are no multiple of 8 are a part of 4.

import { largestLane, ROUND } from './math';

export const VALUE_LIMIT: f32 = 4095;
export const WEIGHT_LIMIT: f32 = 8191;

/** Largest magnitude of keys and of queries. */
// @ts-ignore: decorator
@inline export function keyLimit(dim: usize): f32 { return <f32>floor<f64>(sqrt<f64>(2147483647.0 / <f64>dim)); }

@unmanaged
export class Words {
  // @ts-ignore: decorator
  @inline integers(): bool { return true; }
  /** Bytes of one position, keys or values. */
  // @ts-ignore: decorator
  @inline rowBytes(dim: usize): usize { return (dim << 1) + 4; }
  /** Writes one position, `within` of its block. `scratch`: 2 * dim bytes. */
  // @ts-ignore: decorator
  @inline put(k: usize, v: usize, keys: usize, values: usize, within: usize, dim: usize, scratch: usize): void {
    const scales = (dim << 7) + (within << 2);
    store<f32>(keys + scales, quantizeWords(k, dim, keyLimit(dim), scratch));
    const tile = keys + (within >> 3) * (dim << 4) + ((within & 7) << 2);
    // Eight dims, in pairs; the last 4 of a head that is no multiple of 8 alone.
    const bytes = (dim & ~7) << 1;
    for (let d: usize = 0; d < bytes; d += 16) {
      const words = v128.load(scratch + d);
      const row = tile + (d << 3);
      v128.store32_lane(row, words, 0);
      v128.store32_lane(row, words, 1, 32);
      v128.store32_lane(row, words, 2, 64);
      v128.store32_lane(row, words, 3, 96);
    }
    for (let d = bytes; d < dim << 1; d += 4) store<u32>(tile + (d << 3), load<u32>(scratch + d));
    store<f32>(values + scales, quantizeWords(v, dim, VALUE_LIMIT, scratch));
    // Another thread may be writing the other position of the pair: nothing but this one's two bytes are touched.
    const lane = (within & 1) << 1;
    for (let d: usize = 0; d < bytes; d += 16) {
      const words = v128.load(scratch + d);
      const row = values + (d << 6) + ((within >> 1) << 5) + lane;
      v128.store16_lane(row, words, 0);
      v128.store16_lane(row, words, 1, 4);
      v128.store16_lane(row, words, 2, 8);
      v128.store16_lane(row, words, 3, 12);
      v128.store16_lane(row, words, 4, 16);
      v128.store16_lane(row, words, 5, 20);
      v128.store16_lane(row, words, 6, 24);
      v128.store16_lane(row, words, 7, 28);
    }
    const last = values + (bytes << 6) + ((within >> 1) << 4) + lane;
    for (let d = bytes; d < dim << 1; d += 2) store<u16>(last + ((d - bytes) << 1), load<u16>(scratch + d));
  }
}

/** f32 row -> i16: q = round(x * limit / max|x|); returns max|x| / limit. `dim` is a multiple of 4. */
export function quantizeWords(x: usize, dim: usize, limit: f32, q: usize): f32 {
  const bytes = dim << 2;
  // Bits of magnitudes are ordered like magnitudes, with NaN above all: a row with one gets it for a scale.
  let peaks = i32x4.splat(0);
  for (let i: usize = 0; i < bytes; i += 16) peaks = i32x4.max_s(peaks, f32x4.abs(v128.load(x + i)));
  const most = largestLane(peaks);
  let factor = f32x4.splat(most > 0 ? limit / most : 0);
  // Adding 1.5 * 2^23 rounds to integers, which are then the low bits.
  let magic = f32x4.splat(ROUND);
  for (let i: usize = 0; i < bytes; i += 16) {
    const words = i32x4.sub(f32x4.add(f32x4.mul(v128.load(x + i), factor), magic), magic);
    v128.store64_lane(q + (i >> 1), i16x8.narrow_i32x4_s(words, words), 0);
  }
  return most / limit;
}
