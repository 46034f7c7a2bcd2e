// f32 row -> int8 per block of 32: q = round(x * 127 / max|x|), scale = max|x| / 127. Where everything lies: activation.ts.
//   4 x   5 stride   6 cols   7 quants   8 numbers   9 form: 2 i16 in the order k0 k2 k1 k3, 1 int8

import { itemCount, word } from './record';
import { NUMBERS_SHIFT, packOf } from './activation';
import { ROUND } from './math';
import { kept, keptFloat } from './simd';

export function quantize(record: usize, batch: usize, from: u32, to: u32): void {
  const blocks = <usize>word(record, 6) >> 5;
  const wide = word(record, 9) == 2;
  const count = <usize>itemCount(record, batch);
  const pack = packOf(count);
  for (let row = <usize>from; row < <usize>to; row++) {
    const first = row - row % pack;
    const rows = min<usize>(pack, count - first);
    const x = <usize>word(record, 4) + row * <usize>word(record, 5);
    const s = <usize>word(record, 8) + ((first * blocks) << NUMBERS_SHIFT) + ((row - first) << 2);
    if (wide) {
      const q = <usize>word(record, 7) + ((first * blocks) << 6) + ((row - first) << 3);
      quantizeWide(x, q, s, blocks, rows);
    } else {
      const q = <usize>word(record, 7) + ((first * blocks) << 5) + ((row - first) << 2);
      quantizeRow(x, q, s, blocks, rows);
    }
  }
}

/** `rows` of the pack: groups of 4 columns lie 4 * rows bytes apart. */
function quantizeRow(x: usize, q: usize, s: usize, blocks: usize, rows: usize): void {
  let magic = keptFloat(ROUND, blocks);
  let magicBits = i32x4.splat(kept(ROUND_BITS, blocks));
  let ones = i16x8.splat(<i16>kept(1, blocks));
  let magnitude = i32x4.splat(kept(0x7fffffff, blocks));
  const step = rows << 2;
  for (let b: usize = 0; b < blocks; b++) {
    const most = largestBy(x, magnitude);
    const scale: f32 = most / <f32>127.0;
    const inverse: f32 = most > 0 ? <f32>127.0 / most : 0;
    let factor = f32x4.splat(inverse);
    let low = eight(x, factor, magic, magicBits);
    let high = eight(x + 32, factor, magic, magicBits);
    const first = i32x4.add(i32x4.dot_i16x8_s(low, ones), i32x4.dot_i16x8_s(high, ones));
    let bytes = i8x16.narrow_i16x8_s(low, high);
    if (rows == 1) {
      v128.store(q, bytes);
    } else {
      v128.store32_lane(q, bytes, 0);
      v128.store32_lane(q + step, bytes, 1);
      v128.store32_lane(q + 2 * step, bytes, 2);
      v128.store32_lane(q + 3 * step, bytes, 3);
    }
    q += step << 2;
    low = eight(x + 64, factor, magic, magicBits);
    high = eight(x + 96, factor, magic, magicBits);
    const second = i32x4.add(i32x4.dot_i16x8_s(low, ones), i32x4.dot_i16x8_s(high, ones));
    bytes = i8x16.narrow_i16x8_s(low, high);
    if (rows == 1) {
      v128.store(q, bytes);
    } else {
      v128.store32_lane(q, bytes, 0);
      v128.store32_lane(q + step, bytes, 1);
      v128.store32_lane(q + 2 * step, bytes, 2);
      v128.store32_lane(q + 3 * step, bytes, 3);
    }
    q += step << 2;
    storeNumbers(s, step, scale, first, second);
    x += 128;
    s += step << 2;
  }
}

/** The same in the i16 form: groups lie 8 * rows bytes apart. */
function quantizeWide(x: usize, q: usize, s: usize, blocks: usize, rows: usize): void {
  let magic = keptFloat(ROUND, blocks);
  let magicBits = i32x4.splat(kept(ROUND_BITS, blocks));
  let ones = i16x8.splat(<i16>kept(1, blocks));
  let magnitude = i32x4.splat(kept(0x7fffffff, blocks));
  const step = rows << 3;
  for (let b: usize = 0; b < blocks; b++) {
    const most = largestBy(x, magnitude);
    const scale: f32 = most / <f32>127.0;
    const inverse: f32 = most > 0 ? <f32>127.0 / most : 0;
    let factor = f32x4.splat(inverse);
    let sum = i32x4.splat(0);
    let first = sum;
    for (let i: usize = 0; i < 4; i++) {
      const quants = eight(x, factor, magic, magicBits);
      sum = i32x4.add(sum, i32x4.dot_i16x8_s(quants, ones));
      const swapped = i8x16.shuffle(quants, quants, 0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15);
      v128.store64_lane(q, swapped, 0);
      v128.store64_lane(q + step, swapped, 1);
      q += step << 1;
      x += 32;
      if (i == 1) {
        first = sum;
        sum = i32x4.splat(0);
      }
    }
    storeNumbers(s, rows << 2, scale, first, sum);
    s += rows << 4;
  }
}

/** `first` and `second`: sums of the quants of 16 columns, in four parts; the numbers lie `step` bytes apart. */
// @ts-ignore: decorator
@inline function storeNumbers(s: usize, step: usize, scale: f32, first: v128, second: v128): void {
  const pairs = i32x4.add(
    i8x16.shuffle(first, second, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23),
    i8x16.shuffle(first, second, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31),
  );
  const front = i32x4.extract_lane(pairs, 0) + i32x4.extract_lane(pairs, 1);
  const sum = front + i32x4.extract_lane(pairs, 2) + i32x4.extract_lane(pairs, 3);
  store<f32>(s, scale);
  store<i32>(s + step, -sum);
  store<f32>(s + 2 * step, scale * <f32>sum);
  store<i32>(s + 3 * step, -front);
}

/** max|x| of 32 values. */
export function largest32(x: usize): f32 { return largestBy(x, i32x4.splat(0x7fffffff)); }

/** `magnitude`: i32x4.splat(0x7fffffff). Bits of magnitudes are ordered like magnitudes, with NaN above all. */
// @ts-ignore: decorator
@inline function largestBy(x: usize, magnitude: v128): f32 {
  let peak = v128.and(v128.load(x), magnitude);
  let other = v128.and(v128.load(x, 16), magnitude);
  peak = i32x4.max_s(peak, v128.and(v128.load(x, 32), magnitude));
  other = i32x4.max_s(other, v128.and(v128.load(x, 48), magnitude));
  peak = i32x4.max_s(peak, v128.and(v128.load(x, 64), magnitude));
  other = i32x4.max_s(other, v128.and(v128.load(x, 80), magnitude));
  peak = i32x4.max_s(peak, v128.and(v128.load(x, 96), magnitude));
  other = i32x4.max_s(other, v128.and(v128.load(x, 112), magnitude));
  peak = i32x4.max_s(peak, other);
  peak = i32x4.max_s(peak, i8x16.shuffle(peak, peak, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  peak = i32x4.max_s(peak, i8x16.shuffle(peak, peak, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11));
  return f32x4.extract_lane(peak, 0);
}

const ROUND_BITS: i32 = 0x4b400000;

/** 8 values -> 8 i16. */
// @ts-ignore: decorator
@inline function eight(x: usize, factor: v128, magic: v128, magicBits: v128): v128 {
  const a = i32x4.sub(f32x4.add(f32x4.mul(v128.load(x), factor), magic), magicBits);
  const b = i32x4.sub(f32x4.add(f32x4.mul(v128.load(x, 16), factor), magic), magicBits);
  return i16x8.narrow_i32x4_s(a, b);
}

/** 16 values -> 16 int8. */
// @ts-ignore: decorator
@inline export function quantizeSixteen(x: usize, q: usize, inverse: f32): void {
  let magic = f32x4.splat(ROUND);
  let magicBits = i32x4.splat(ROUND_BITS);
  let factor = f32x4.splat(inverse);
  v128.store(q, i8x16.narrow_i16x8_s(eight(x, factor, magic, magicBits), eight(x + 32, factor, magic, magicBits)));
}
