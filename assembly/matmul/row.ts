// One token times one panel of 8 rows, or times two at once; sums and operands as in integer.ts, in the same order.

import { halfBits, halfScale } from '../half';
import { madd } from '../simd';
import { sumsOf } from './integer';

/** 8 rows x 1 token. F: format class, R: range class (simd.ts). */
export function tile1<F, R>(w: usize, q: usize, s: usize, blocks: usize, bias: i32, hasOffset: bool, y: usize): void {
  const step = changetype<R>(0).step();
  const subs = changetype<F>(0).subs();
  const parts = changetype<F>(0).parts();
  const shares = changetype<F>(0).shares();
  let m = i8x16.splat(15);
  let more = i8x16.splat(changetype<F>(0).moreBits());
  let bits = halfBits();
  let by = halfScale();
  let pair = i32x4.splat(0x00ff00ff);
  let ones = i16x8.splat(1);
  let n = i32x4.splat(bias);
  let acc0 = f32x4.splat(0);
  let acc1 = f32x4.splat(0);
  let p = w;
  for (let b: usize = 0; b < blocks; b += subs) {
    for (let sub: usize = 0; sub < subs; sub++) {
      const x = v128.load32_splat(s);
      let i0 = i32x4.splat(0);
      let i1 = i32x4.splat(0);
      // Sums of the second 16 columns, where they have a scale of their own.
      let j0 = i32x4.splat(0);
      let j1 = i32x4.splat(0);
      let even = changetype<R>(0).even(q);
      let odd = changetype<R>(0).odd(q);
      let even4 = changetype<R>(0).even(q + 4 * step);
      let odd4 = changetype<R>(0).odd(q + 4 * step);
      let raw = changetype<F>(0).raw(p, sub, 0, 0, 0);
      let word = changetype<F>(0).word(raw, p, sub, 0, 0, 0, m, more);
      i0 = changetype<R>(0).mac(i0, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
      if (!shares) raw = changetype<F>(0).raw(p, sub, 4, 0, 0);
      word = changetype<F>(0).word(raw, p, sub, 4, 0, 0, m, more);
      if (parts == 2) j0 = changetype<R>(0).mac(j0, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      else i0 = changetype<R>(0).mac(i0, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      raw = changetype<F>(0).raw(p, sub, 0, 0, 16);
      word = changetype<F>(0).word(raw, p, sub, 0, 0, 16, m, more);
      i1 = changetype<R>(0).mac(i1, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
      if (!shares) raw = changetype<F>(0).raw(p, sub, 4, 0, 16);
      word = changetype<F>(0).word(raw, p, sub, 4, 0, 16, m, more);
      if (parts == 2) j1 = changetype<R>(0).mac(j1, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      else i1 = changetype<R>(0).mac(i1, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      even = changetype<R>(0).even(q + step);
      odd = changetype<R>(0).odd(q + step);
      even4 = changetype<R>(0).even(q + 5 * step);
      odd4 = changetype<R>(0).odd(q + 5 * step);
      raw = changetype<F>(0).raw(p, sub, 0, 1, 0);
      word = changetype<F>(0).word(raw, p, sub, 0, 1, 0, m, more);
      i0 = changetype<R>(0).mac(i0, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
      if (!shares) raw = changetype<F>(0).raw(p, sub, 4, 1, 0);
      word = changetype<F>(0).word(raw, p, sub, 4, 1, 0, m, more);
      if (parts == 2) j0 = changetype<R>(0).mac(j0, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      else i0 = changetype<R>(0).mac(i0, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      raw = changetype<F>(0).raw(p, sub, 0, 1, 16);
      word = changetype<F>(0).word(raw, p, sub, 0, 1, 16, m, more);
      i1 = changetype<R>(0).mac(i1, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
      if (!shares) raw = changetype<F>(0).raw(p, sub, 4, 1, 16);
      word = changetype<F>(0).word(raw, p, sub, 4, 1, 16, m, more);
      if (parts == 2) j1 = changetype<R>(0).mac(j1, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      else i1 = changetype<R>(0).mac(i1, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      even = changetype<R>(0).even(q + 2 * step);
      odd = changetype<R>(0).odd(q + 2 * step);
      even4 = changetype<R>(0).even(q + 6 * step);
      odd4 = changetype<R>(0).odd(q + 6 * step);
      raw = changetype<F>(0).raw(p, sub, 0, 2, 0);
      word = changetype<F>(0).word(raw, p, sub, 0, 2, 0, m, more);
      i0 = changetype<R>(0).mac(i0, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
      if (!shares) raw = changetype<F>(0).raw(p, sub, 4, 2, 0);
      word = changetype<F>(0).word(raw, p, sub, 4, 2, 0, m, more);
      if (parts == 2) j0 = changetype<R>(0).mac(j0, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      else i0 = changetype<R>(0).mac(i0, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      raw = changetype<F>(0).raw(p, sub, 0, 2, 16);
      word = changetype<F>(0).word(raw, p, sub, 0, 2, 16, m, more);
      i1 = changetype<R>(0).mac(i1, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
      if (!shares) raw = changetype<F>(0).raw(p, sub, 4, 2, 16);
      word = changetype<F>(0).word(raw, p, sub, 4, 2, 16, m, more);
      if (parts == 2) j1 = changetype<R>(0).mac(j1, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      else i1 = changetype<R>(0).mac(i1, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      even = changetype<R>(0).even(q + 3 * step);
      odd = changetype<R>(0).odd(q + 3 * step);
      even4 = changetype<R>(0).even(q + 7 * step);
      odd4 = changetype<R>(0).odd(q + 7 * step);
      raw = changetype<F>(0).raw(p, sub, 0, 3, 0);
      word = changetype<F>(0).word(raw, p, sub, 0, 3, 0, m, more);
      i0 = changetype<R>(0).mac(i0, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
      if (!shares) raw = changetype<F>(0).raw(p, sub, 4, 3, 0);
      word = changetype<F>(0).word(raw, p, sub, 4, 3, 0, m, more);
      if (parts == 2) j0 = changetype<R>(0).mac(j0, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      else i0 = changetype<R>(0).mac(i0, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      raw = changetype<F>(0).raw(p, sub, 0, 3, 16);
      word = changetype<F>(0).word(raw, p, sub, 0, 3, 16, m, more);
      i1 = changetype<R>(0).mac(i1, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
      if (!shares) raw = changetype<F>(0).raw(p, sub, 4, 3, 16);
      word = changetype<F>(0).word(raw, p, sub, 4, 3, 16, m, more);
      if (parts == 2) j1 = changetype<R>(0).mac(j1, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      else i1 = changetype<R>(0).mac(i1, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      q += step << 3;
      const sums = sumsOf(s, 0, parts);
      const correction = i32x4.mul(v128.load32_splat(sums), n);
      i0 = i32x4.sub(changetype<R>(0).total(i0, ones), correction);
      acc0 = madd(f32x4.convert_i32x4_s(i0), f32x4.mul(changetype<F>(0).scale(p, sub, 0, 0, bits, by), x), acc0);
      i1 = i32x4.sub(changetype<R>(0).total(i1, ones), correction);
      acc1 = madd(f32x4.convert_i32x4_s(i1), f32x4.mul(changetype<F>(0).scale(p, sub, 0, 16, bits, by), x), acc1);
      if (hasOffset) {
        const scaled = v128.load32_splat(sums, 12);
        acc0 = madd(changetype<F>(0).offset(p, sub, 0, 0, bits, by), scaled, acc0);
        acc1 = madd(changetype<F>(0).offset(p, sub, 0, 16, bits, by), scaled, acc1);
      }
      if (parts == 2) {
        const sums = sumsOf(s, 1, parts);
        const correction = i32x4.mul(v128.load32_splat(sums), n);
        j0 = i32x4.sub(changetype<R>(0).total(j0, ones), correction);
        acc0 = madd(f32x4.convert_i32x4_s(j0), f32x4.mul(changetype<F>(0).scale(p, sub, 1, 0, bits, by), x), acc0);
        j1 = i32x4.sub(changetype<R>(0).total(j1, ones), correction);
        acc1 = madd(f32x4.convert_i32x4_s(j1), f32x4.mul(changetype<F>(0).scale(p, sub, 1, 16, bits, by), x), acc1);
        if (hasOffset) {
          const scaled = v128.load32_splat(sums, 12);
          acc0 = madd(changetype<F>(0).offset(p, sub, 1, 0, bits, by), scaled, acc0);
          acc1 = madd(changetype<F>(0).offset(p, sub, 1, 16, bits, by), scaled, acc1);
        }
      }
      s += 32;
    }
    p += changetype<F>(0).bytes();
  }
  v128.store(y, acc0);
  v128.store(y, acc1, 16);
}

/** Two panels (at `w` and `v`, results to `y` and `z`) x 1 token: two streams of weights, one of activations. */
export function twin1<F, R>(
  w: usize,
  v: usize,
  q: usize,
  s: usize,
  blocks: usize,
  bias: i32,
  hasOffset: bool,
  y: usize,
  z: usize,
): void {
  const step = changetype<R>(0).step();
  const subs = changetype<F>(0).subs();
  const parts = changetype<F>(0).parts();
  const shares = changetype<F>(0).shares();
  let m = i8x16.splat(15);
  let more = i8x16.splat(changetype<F>(0).moreBits());
  let bits = halfBits();
  let by = halfScale();
  let pair = i32x4.splat(0x00ff00ff);
  let ones = i16x8.splat(1);
  let n = i32x4.splat(bias);
  let acc0 = f32x4.splat(0);
  let acc1 = f32x4.splat(0);
  let acc2 = f32x4.splat(0);
  let acc3 = f32x4.splat(0);
  let p = w;
  let r = v;
  for (let b: usize = 0; b < blocks; b += subs) {
    for (let sub: usize = 0; sub < subs; sub++) {
      const x = v128.load32_splat(s);
      let i0 = i32x4.splat(0);
      let i1 = i32x4.splat(0);
      let i2 = i32x4.splat(0);
      let i3 = i32x4.splat(0);
      // Sums of the second 16 columns, where they have a scale of their own.
      let j0 = i32x4.splat(0);
      let j1 = i32x4.splat(0);
      let j2 = i32x4.splat(0);
      let j3 = i32x4.splat(0);
      let even = changetype<R>(0).even(q);
      let odd = changetype<R>(0).odd(q);
      let even4 = changetype<R>(0).even(q + 4 * step);
      let odd4 = changetype<R>(0).odd(q + 4 * step);
      let raw = changetype<F>(0).raw(p, sub, 0, 0, 0);
      let word = changetype<F>(0).word(raw, p, sub, 0, 0, 0, m, more);
      i0 = changetype<R>(0).mac(i0, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
      if (!shares) raw = changetype<F>(0).raw(p, sub, 4, 0, 0);
      word = changetype<F>(0).word(raw, p, sub, 4, 0, 0, m, more);
      if (parts == 2) j0 = changetype<R>(0).mac(j0, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      else i0 = changetype<R>(0).mac(i0, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      raw = changetype<F>(0).raw(p, sub, 0, 0, 16);
      word = changetype<F>(0).word(raw, p, sub, 0, 0, 16, m, more);
      i1 = changetype<R>(0).mac(i1, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
      if (!shares) raw = changetype<F>(0).raw(p, sub, 4, 0, 16);
      word = changetype<F>(0).word(raw, p, sub, 4, 0, 16, m, more);
      if (parts == 2) j1 = changetype<R>(0).mac(j1, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      else i1 = changetype<R>(0).mac(i1, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      raw = changetype<F>(0).raw(r, sub, 0, 0, 0);
      word = changetype<F>(0).word(raw, r, sub, 0, 0, 0, m, more);
      i2 = changetype<R>(0).mac(i2, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
      if (!shares) raw = changetype<F>(0).raw(r, sub, 4, 0, 0);
      word = changetype<F>(0).word(raw, r, sub, 4, 0, 0, m, more);
      if (parts == 2) j2 = changetype<R>(0).mac(j2, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      else i2 = changetype<R>(0).mac(i2, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      raw = changetype<F>(0).raw(r, sub, 0, 0, 16);
      word = changetype<F>(0).word(raw, r, sub, 0, 0, 16, m, more);
      i3 = changetype<R>(0).mac(i3, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
      if (!shares) raw = changetype<F>(0).raw(r, sub, 4, 0, 16);
      word = changetype<F>(0).word(raw, r, sub, 4, 0, 16, m, more);
      if (parts == 2) j3 = changetype<R>(0).mac(j3, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      else i3 = changetype<R>(0).mac(i3, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      even = changetype<R>(0).even(q + step);
      odd = changetype<R>(0).odd(q + step);
      even4 = changetype<R>(0).even(q + 5 * step);
      odd4 = changetype<R>(0).odd(q + 5 * step);
      raw = changetype<F>(0).raw(p, sub, 0, 1, 0);
      word = changetype<F>(0).word(raw, p, sub, 0, 1, 0, m, more);
      i0 = changetype<R>(0).mac(i0, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
      if (!shares) raw = changetype<F>(0).raw(p, sub, 4, 1, 0);
      word = changetype<F>(0).word(raw, p, sub, 4, 1, 0, m, more);
      if (parts == 2) j0 = changetype<R>(0).mac(j0, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      else i0 = changetype<R>(0).mac(i0, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      raw = changetype<F>(0).raw(p, sub, 0, 1, 16);
      word = changetype<F>(0).word(raw, p, sub, 0, 1, 16, m, more);
      i1 = changetype<R>(0).mac(i1, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
      if (!shares) raw = changetype<F>(0).raw(p, sub, 4, 1, 16);
      word = changetype<F>(0).word(raw, p, sub, 4, 1, 16, m, more);
      if (parts == 2) j1 = changetype<R>(0).mac(j1, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      else i1 = changetype<R>(0).mac(i1, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      raw = changetype<F>(0).raw(r, sub, 0, 1, 0);
      word = changetype<F>(0).word(raw, r, sub, 0, 1, 0, m, more);
      i2 = changetype<R>(0).mac(i2, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
      if (!shares) raw = changetype<F>(0).raw(r, sub, 4, 1, 0);
      word = changetype<F>(0).word(raw, r, sub, 4, 1, 0, m, more);
      if (parts == 2) j2 = changetype<R>(0).mac(j2, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      else i2 = changetype<R>(0).mac(i2, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      raw = changetype<F>(0).raw(r, sub, 0, 1, 16);
      word = changetype<F>(0).word(raw, r, sub, 0, 1, 16, m, more);
      i3 = changetype<R>(0).mac(i3, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
      if (!shares) raw = changetype<F>(0).raw(r, sub, 4, 1, 16);
      word = changetype<F>(0).word(raw, r, sub, 4, 1, 16, m, more);
      if (parts == 2) j3 = changetype<R>(0).mac(j3, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      else i3 = changetype<R>(0).mac(i3, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      even = changetype<R>(0).even(q + 2 * step);
      odd = changetype<R>(0).odd(q + 2 * step);
      even4 = changetype<R>(0).even(q + 6 * step);
      odd4 = changetype<R>(0).odd(q + 6 * step);
      raw = changetype<F>(0).raw(p, sub, 0, 2, 0);
      word = changetype<F>(0).word(raw, p, sub, 0, 2, 0, m, more);
      i0 = changetype<R>(0).mac(i0, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
      if (!shares) raw = changetype<F>(0).raw(p, sub, 4, 2, 0);
      word = changetype<F>(0).word(raw, p, sub, 4, 2, 0, m, more);
      if (parts == 2) j0 = changetype<R>(0).mac(j0, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      else i0 = changetype<R>(0).mac(i0, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      raw = changetype<F>(0).raw(p, sub, 0, 2, 16);
      word = changetype<F>(0).word(raw, p, sub, 0, 2, 16, m, more);
      i1 = changetype<R>(0).mac(i1, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
      if (!shares) raw = changetype<F>(0).raw(p, sub, 4, 2, 16);
      word = changetype<F>(0).word(raw, p, sub, 4, 2, 16, m, more);
      if (parts == 2) j1 = changetype<R>(0).mac(j1, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      else i1 = changetype<R>(0).mac(i1, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      raw = changetype<F>(0).raw(r, sub, 0, 2, 0);
      word = changetype<F>(0).word(raw, r, sub, 0, 2, 0, m, more);
      i2 = changetype<R>(0).mac(i2, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
      if (!shares) raw = changetype<F>(0).raw(r, sub, 4, 2, 0);
      word = changetype<F>(0).word(raw, r, sub, 4, 2, 0, m, more);
      if (parts == 2) j2 = changetype<R>(0).mac(j2, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      else i2 = changetype<R>(0).mac(i2, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      raw = changetype<F>(0).raw(r, sub, 0, 2, 16);
      word = changetype<F>(0).word(raw, r, sub, 0, 2, 16, m, more);
      i3 = changetype<R>(0).mac(i3, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
      if (!shares) raw = changetype<F>(0).raw(r, sub, 4, 2, 16);
      word = changetype<F>(0).word(raw, r, sub, 4, 2, 16, m, more);
      if (parts == 2) j3 = changetype<R>(0).mac(j3, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      else i3 = changetype<R>(0).mac(i3, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      even = changetype<R>(0).even(q + 3 * step);
      odd = changetype<R>(0).odd(q + 3 * step);
      even4 = changetype<R>(0).even(q + 7 * step);
      odd4 = changetype<R>(0).odd(q + 7 * step);
      raw = changetype<F>(0).raw(p, sub, 0, 3, 0);
      word = changetype<F>(0).word(raw, p, sub, 0, 3, 0, m, more);
      i0 = changetype<R>(0).mac(i0, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
      if (!shares) raw = changetype<F>(0).raw(p, sub, 4, 3, 0);
      word = changetype<F>(0).word(raw, p, sub, 4, 3, 0, m, more);
      if (parts == 2) j0 = changetype<R>(0).mac(j0, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      else i0 = changetype<R>(0).mac(i0, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      raw = changetype<F>(0).raw(p, sub, 0, 3, 16);
      word = changetype<F>(0).word(raw, p, sub, 0, 3, 16, m, more);
      i1 = changetype<R>(0).mac(i1, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
      if (!shares) raw = changetype<F>(0).raw(p, sub, 4, 3, 16);
      word = changetype<F>(0).word(raw, p, sub, 4, 3, 16, m, more);
      if (parts == 2) j1 = changetype<R>(0).mac(j1, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      else i1 = changetype<R>(0).mac(i1, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      raw = changetype<F>(0).raw(r, sub, 0, 3, 0);
      word = changetype<F>(0).word(raw, r, sub, 0, 3, 0, m, more);
      i2 = changetype<R>(0).mac(i2, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
      if (!shares) raw = changetype<F>(0).raw(r, sub, 4, 3, 0);
      word = changetype<F>(0).word(raw, r, sub, 4, 3, 0, m, more);
      if (parts == 2) j2 = changetype<R>(0).mac(j2, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      else i2 = changetype<R>(0).mac(i2, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      raw = changetype<F>(0).raw(r, sub, 0, 3, 16);
      word = changetype<F>(0).word(raw, r, sub, 0, 3, 16, m, more);
      i3 = changetype<R>(0).mac(i3, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
      if (!shares) raw = changetype<F>(0).raw(r, sub, 4, 3, 16);
      word = changetype<F>(0).word(raw, r, sub, 4, 3, 16, m, more);
      if (parts == 2) j3 = changetype<R>(0).mac(j3, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      else i3 = changetype<R>(0).mac(i3, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even4, odd4, ones);
      q += step << 3;
      const sums = sumsOf(s, 0, parts);
      const correction = i32x4.mul(v128.load32_splat(sums), n);
      i0 = i32x4.sub(changetype<R>(0).total(i0, ones), correction);
      acc0 = madd(f32x4.convert_i32x4_s(i0), f32x4.mul(changetype<F>(0).scale(p, sub, 0, 0, bits, by), x), acc0);
      i1 = i32x4.sub(changetype<R>(0).total(i1, ones), correction);
      acc1 = madd(f32x4.convert_i32x4_s(i1), f32x4.mul(changetype<F>(0).scale(p, sub, 0, 16, bits, by), x), acc1);
      i2 = i32x4.sub(changetype<R>(0).total(i2, ones), correction);
      acc2 = madd(f32x4.convert_i32x4_s(i2), f32x4.mul(changetype<F>(0).scale(r, sub, 0, 0, bits, by), x), acc2);
      i3 = i32x4.sub(changetype<R>(0).total(i3, ones), correction);
      acc3 = madd(f32x4.convert_i32x4_s(i3), f32x4.mul(changetype<F>(0).scale(r, sub, 0, 16, bits, by), x), acc3);
      if (hasOffset) {
        const scaled = v128.load32_splat(sums, 12);
        acc0 = madd(changetype<F>(0).offset(p, sub, 0, 0, bits, by), scaled, acc0);
        acc1 = madd(changetype<F>(0).offset(p, sub, 0, 16, bits, by), scaled, acc1);
        acc2 = madd(changetype<F>(0).offset(r, sub, 0, 0, bits, by), scaled, acc2);
        acc3 = madd(changetype<F>(0).offset(r, sub, 0, 16, bits, by), scaled, acc3);
      }
      if (parts == 2) {
        const sums = sumsOf(s, 1, parts);
        const correction = i32x4.mul(v128.load32_splat(sums), n);
        j0 = i32x4.sub(changetype<R>(0).total(j0, ones), correction);
        acc0 = madd(f32x4.convert_i32x4_s(j0), f32x4.mul(changetype<F>(0).scale(p, sub, 1, 0, bits, by), x), acc0);
        j1 = i32x4.sub(changetype<R>(0).total(j1, ones), correction);
        acc1 = madd(f32x4.convert_i32x4_s(j1), f32x4.mul(changetype<F>(0).scale(p, sub, 1, 16, bits, by), x), acc1);
        j2 = i32x4.sub(changetype<R>(0).total(j2, ones), correction);
        acc2 = madd(f32x4.convert_i32x4_s(j2), f32x4.mul(changetype<F>(0).scale(r, sub, 1, 0, bits, by), x), acc2);
        j3 = i32x4.sub(changetype<R>(0).total(j3, ones), correction);
        acc3 = madd(f32x4.convert_i32x4_s(j3), f32x4.mul(changetype<F>(0).scale(r, sub, 1, 16, bits, by), x), acc3);
        if (hasOffset) {
          const scaled = v128.load32_splat(sums, 12);
          acc0 = madd(changetype<F>(0).offset(p, sub, 1, 0, bits, by), scaled, acc0);
          acc1 = madd(changetype<F>(0).offset(p, sub, 1, 16, bits, by), scaled, acc1);
          acc2 = madd(changetype<F>(0).offset(r, sub, 1, 0, bits, by), scaled, acc2);
          acc3 = madd(changetype<F>(0).offset(r, sub, 1, 16, bits, by), scaled, acc3);
        }
      }
      s += 32;
    }
    p += changetype<F>(0).bytes();
    r += changetype<F>(0).bytes();
  }
  v128.store(y, acc0);
  v128.store(y, acc1, 16);
  v128.store(z, acc2);
  v128.store(z, acc3, 16);
}
