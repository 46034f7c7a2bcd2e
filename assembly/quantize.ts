// f32 row -> int8 per block of 32: q = round(x * 127 / max|x|), scale = max|x| / 127 (records: activation.ts).
//   4 x   5 stride   6 cols   7 quants   8 records [rows][cols/32] of 32 bytes   9 form: 2 i16 in the order k0 k2 k1 k3, 1 int8

import { word } from './record';
import { SCALES_SHIFT } from './activation';

export function quantize(record: usize, from: u32, to: u32): void {
  const blocks = <usize>word(record, 6) >> 5;
  const wide = word(record, 9) == 2;
  const shift: usize = wide ? 6 : 5;
  for (let row = <usize>from; row < <usize>to; row++) {
    let x = <usize>word(record, 4) + row * <usize>word(record, 5);
    let q = <usize>word(record, 7) + row * (blocks << shift);
    let s = <usize>word(record, 8) + row * (blocks << SCALES_SHIFT);
    for (let b: usize = 0; b < blocks; b++) {
      quantizeBlock(x, q, s, wide);
      x += 128;
      q += <usize>1 << shift;
      s += <usize>1 << SCALES_SHIFT;
    }
  }
}

function quantizeBlock(x: usize, q: usize, s: usize, wide: bool): void {
  const most = largest32(x);
  const scale: f32 = most / <f32>127.0;
  const inverse: f32 = most > 0 ? <f32>127.0 / most : 0;
  const first = quantizeSixteen(x, q, inverse, wide);
  const second = quantizeSixteen(x + 64, q + (wide ? 32 : 16), inverse, wide);
  store<f32>(s, scale);
  store<i32>(s, first + second, 4);
  store<i32>(s, first, 8);
  store<i32>(s, second, 12);
  store<f32>(s, scale * <f32>(first + second), 16);
  store<f32>(s, scale * <f32>first, 20);
  store<f32>(s, scale * <f32>second, 24);
}

/** max|x| of 32 values. */
// @ts-ignore: decorator
@inline export function largest32(x: usize): f32 {
  let peak = f32x4.splat(0);
  for (let i: usize = 0; i < 128; i += 16) peak = f32x4.max(peak, f32x4.abs(v128.load(x + i)));
  peak = f32x4.max(peak, i8x16.shuffle(peak, peak, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  peak = f32x4.max(peak, i8x16.shuffle(peak, peak, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11));
  return f32x4.extract_lane(peak, 0);
}

/** 16 values; returns the sum of their quants. */
export function quantizeSixteen(x: usize, q: usize, inverse: f32, wide: bool): i32 {
  let factor = f32x4.splat(inverse);
  const a = rounded(x, factor);
  const b = rounded(x + 16, factor);
  const c = rounded(x + 32, factor);
  const d = rounded(x + 48, factor);
  const low = i16x8.narrow_i32x4_s(a, b);
  const high = i16x8.narrow_i32x4_s(c, d);
  if (wide) {
    v128.store(q, i8x16.shuffle(low, low, 0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15));
    v128.store(q, i8x16.shuffle(high, high, 0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15), 16);
  } else {
    v128.store(q, i8x16.narrow_i16x8_s(low, high));
  }
  const sum = i32x4.add(i32x4.add(a, b), i32x4.add(c, d));
  return (
    i32x4.extract_lane(sum, 0) + i32x4.extract_lane(sum, 1) + (i32x4.extract_lane(sum, 2) + i32x4.extract_lane(sum, 3))
  );
}

// @ts-ignore: decorator
@inline function rounded(x: usize, factor: v128): v128 {
  return i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(x), factor)));
}
