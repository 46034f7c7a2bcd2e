// Tiles of 4 tokens; single tokens: row.ts. y = W x for weights of unsigned bytes with a scale (and perhaps an offset) per part of a block of 32 columns (one part of 32 or two of
// 16), activations as activation.ts has them. Per part, blocks and parts ascending:
//   acc = f32(sum(byte * q) - bias * sum(q)) * (weight scale * activation scale) + acc,   then   acc = offset * (scale * sum(q)) + acc
// One order of every sum, whatever the tile; integer parts are exact. F: format class (format/), R: range class (simd.ts).

import { halfBits, halfScale } from '../half';
import { madd } from '../simd';
import { quantShift } from '../activation';

/** 8 rows x 4 tokens; the f32 tile stays in memory, so that the integer sums keep the registers. */
export function tile4<F, R>(
  w: usize,
  q: usize,
  s: usize,
  blocks: usize,
  bias: i32,
  hasOffset: bool,
  y: usize,
  stride: usize,
): void {
  const step = changetype<R>(0).step();
  const subs = changetype<F>(0).subs();
  const parts = changetype<F>(0).parts();
  const quantRow = blocks << quantShift(step);
  const recordRow = blocks << 5;
  let m = i8x16.splat(15);
  let more = i8x16.splat(changetype<F>(0).moreBits());
  let bits = halfBits();
  let by = halfScale();
  let pair = i32x4.splat(0x00ff00ff);
  let ones = i16x8.splat(1);
  clear4(y, stride);
  let p = w;
  for (let b: usize = 0; b < blocks; b += subs) {
    for (let sub: usize = 0; sub < subs; sub++) {
      for (let part: usize = 0; part < parts; part++) {
        let a0 = i32x4.splat(0);
        let b0 = i32x4.splat(0);
        let a1 = i32x4.splat(0);
        let b1 = i32x4.splat(0);
        let a2 = i32x4.splat(0);
        let b2 = i32x4.splat(0);
        let a3 = i32x4.splat(0);
        let b3 = i32x4.splat(0);
        if (parts == 1 || part == 0) {
          for (let g: usize = 0; g < 4; g++) {
            const w0 = changetype<F>(0).word(changetype<F>(0).raw(p, sub, 0, g, 0), p, sub, 0, g, 0, m, more);
            const w1 = changetype<F>(0).word(changetype<F>(0).raw(p, sub, 0, g, 16), p, sub, 0, g, 16, m, more);
            const low0 = changetype<R>(0).low(w0, pair);
            const high0 = changetype<R>(0).high(w0);
            const low1 = changetype<R>(0).low(w1, pair);
            const high1 = changetype<R>(0).high(w1);
            let even = changetype<R>(0).even(q);
            let odd = changetype<R>(0).odd(q);
            a0 = changetype<R>(0).mac(a0, low0, high0, even, odd, ones);
            b0 = changetype<R>(0).mac(b0, low1, high1, even, odd, ones);
            let row = q + quantRow;
            even = changetype<R>(0).even(row);
            odd = changetype<R>(0).odd(row);
            a1 = changetype<R>(0).mac(a1, low0, high0, even, odd, ones);
            b1 = changetype<R>(0).mac(b1, low1, high1, even, odd, ones);
            row += quantRow;
            even = changetype<R>(0).even(row);
            odd = changetype<R>(0).odd(row);
            a2 = changetype<R>(0).mac(a2, low0, high0, even, odd, ones);
            b2 = changetype<R>(0).mac(b2, low1, high1, even, odd, ones);
            row += quantRow;
            even = changetype<R>(0).even(row);
            odd = changetype<R>(0).odd(row);
            a3 = changetype<R>(0).mac(a3, low0, high0, even, odd, ones);
            b3 = changetype<R>(0).mac(b3, low1, high1, even, odd, ones);
            q += step;
          }
        }
        if (parts == 1 || part == 1) {
          for (let g: usize = 0; g < 4; g++) {
            const w0 = changetype<F>(0).word(changetype<F>(0).raw(p, sub, 4, g, 0), p, sub, 4, g, 0, m, more);
            const w1 = changetype<F>(0).word(changetype<F>(0).raw(p, sub, 4, g, 16), p, sub, 4, g, 16, m, more);
            const low0 = changetype<R>(0).low(w0, pair);
            const high0 = changetype<R>(0).high(w0);
            const low1 = changetype<R>(0).low(w1, pair);
            const high1 = changetype<R>(0).high(w1);
            let even = changetype<R>(0).even(q);
            let odd = changetype<R>(0).odd(q);
            a0 = changetype<R>(0).mac(a0, low0, high0, even, odd, ones);
            b0 = changetype<R>(0).mac(b0, low1, high1, even, odd, ones);
            let row = q + quantRow;
            even = changetype<R>(0).even(row);
            odd = changetype<R>(0).odd(row);
            a1 = changetype<R>(0).mac(a1, low0, high0, even, odd, ones);
            b1 = changetype<R>(0).mac(b1, low1, high1, even, odd, ones);
            row += quantRow;
            even = changetype<R>(0).even(row);
            odd = changetype<R>(0).odd(row);
            a2 = changetype<R>(0).mac(a2, low0, high0, even, odd, ones);
            b2 = changetype<R>(0).mac(b2, low1, high1, even, odd, ones);
            row += quantRow;
            even = changetype<R>(0).even(row);
            odd = changetype<R>(0).odd(row);
            a3 = changetype<R>(0).mac(a3, low0, high0, even, odd, ones);
            b3 = changetype<R>(0).mac(b3, low1, high1, even, odd, ones);
            q += step;
          }
        }
        const scale0 = changetype<F>(0).scale(p, sub, part, 0, bits, by);
        const scale1 = changetype<F>(0).scale(p, sub, part, 16, bits, by);
        const sums = sumsOf(s, part, parts);
        let n = i32x4.splat(bias);
        let at: usize = 0;
        accumulate(y, s, sums, changetype<R>(0).total(a0, ones), changetype<R>(0).total(b0, ones), scale0, scale1, n);
        let row = y + stride;
        at += recordRow;
        accumulate(row, s + at, sums + at, changetype<R>(0).total(a1, ones), changetype<R>(0).total(b1, ones), scale0, scale1, n);
        row += stride;
        at += recordRow;
        accumulate(row, s + at, sums + at, changetype<R>(0).total(a2, ones), changetype<R>(0).total(b2, ones), scale0, scale1, n);
        row += stride;
        at += recordRow;
        accumulate(row, s + at, sums + at, changetype<R>(0).total(a3, ones), changetype<R>(0).total(b3, ones), scale0, scale1, n);
        if (hasOffset) {
          const offset0 = changetype<F>(0).offset(p, sub, part, 0, bits, by);
          const offset1 = changetype<F>(0).offset(p, sub, part, 16, bits, by);
          addOffset(y, sums, offset0, offset1);
          addOffset(y + stride, sums + recordRow, offset0, offset1);
          addOffset(y + 2 * stride, sums + 2 * recordRow, offset0, offset1);
          addOffset(y + 3 * stride, sums + 3 * recordRow, offset0, offset1);
        }
      }
      s += 32;
    }
    p += changetype<F>(0).bytes();
  }
}

/** Where a block's record keeps the sum of the quants of a part; the scaled sum follows 12 bytes later. */
// @ts-ignore: decorator
@inline export function sumsOf(s: usize, part: usize, parts: usize): usize { return parts == 1 ? s + 4 : s + 8 + (part << 2); }

// @ts-ignore: decorator
@inline function accumulate(y: usize, s: usize, sums: usize, a: v128, b: v128, scale0: v128, scale1: v128, bias: v128): void {
  const correction = i32x4.mul(v128.load32_splat(sums), bias);
  const x = v128.load32_splat(s);
  v128.store(y, madd(f32x4.convert_i32x4_s(i32x4.sub(a, correction)), f32x4.mul(scale0, x), v128.load(y)));
  v128.store(y, madd(f32x4.convert_i32x4_s(i32x4.sub(b, correction)), f32x4.mul(scale1, x), v128.load(y, 16)), 16);
}

// @ts-ignore: decorator
@inline function addOffset(y: usize, sums: usize, offset0: v128, offset1: v128): void {
  const scaled = v128.load32_splat(sums, 12);
  v128.store(y, madd(offset0, scaled, v128.load(y)));
  v128.store(y, madd(offset1, scaled, v128.load(y, 16)), 16);
}

function clear4(y: usize, stride: usize): void {
  for (let row: usize = 0; row < 4; row++) {
    v128.store(y, f32x4.splat(0));
    v128.store(y, f32x4.splat(0), 16);
    y += stride;
  }
}
