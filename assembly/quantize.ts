// f32 row -> int8 per block of 32: q = round(x * 127 / max|x|), scale = max|x| / 127. The strict builds keep q as i16 in the order
// k0 k2 k1 k3, so that one dot of pairs meets the even bytes of a weight word and one the odd bytes.
//   4 x   5 stride   6 cols   7 quants [rows][cols] i16   8 scales [rows][cols/32] of {f32 scale, i32 -128 * sum of q}

import { word } from './record';

export function quantize(record: usize, from: u32, to: u32): void {
  const blocks = <usize>word(record, 6) >> 5;
  for (let row = <usize>from; row < <usize>to; row++) {
    let x = <usize>word(record, 4) + row * <usize>word(record, 5);
    let q = <usize>word(record, 7) + row * (blocks << 6);
    let s = <usize>word(record, 8) + row * (blocks << 3);
    for (let b: usize = 0; b < blocks; b++) {
      quantizeBlock(x, q, s);
      x += 128;
      q += 64;
      s += 8;
    }
  }
}

function quantizeBlock(x: usize, q: usize, s: usize): void {
  let peak = f32x4.splat(0);
  for (let i: usize = 0; i < 128; i += 16) peak = f32x4.max(peak, f32x4.abs(v128.load(x + i)));
  peak = f32x4.max(peak, i8x16.shuffle(peak, peak, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  peak = f32x4.max(peak, i8x16.shuffle(peak, peak, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11));
  const most = f32x4.extract_lane(peak, 0);
  const inverse: f32 = most > 0 ? <f32>127.0 / most : 0;
  let factor = f32x4.splat(inverse);
  let sum = i32x4.splat(0);
  for (let i: usize = 0; i < 4; i++) {
    const low = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(x + (i << 5)), factor)));
    const high = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(x + (i << 5), 16), factor)));
    sum = i32x4.add(sum, i32x4.add(low, high));
    const eight = i16x8.narrow_i32x4_s(low, high);
    v128.store(q + (i << 4), i8x16.shuffle(eight, eight, 0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15));
  }
  store<f32>(s, most / <f32>127.0);
  const total =
    i32x4.extract_lane(sum, 0) + i32x4.extract_lane(sum, 1) + (i32x4.extract_lane(sum, 2) + i32x4.extract_lane(sum, 3));
  store<i32>(s, -128 * total, 4);
}
