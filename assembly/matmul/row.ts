// One token times one panel of 8 rows, or times two at once; sums and operands as in integer.ts, in the same order.

import { madd } from '../simd';
import { sumsOf } from './integer';

/** 8 rows x 1 token. F: format class, R: range class (simd.ts). */
export function tile1<F, R>(w: usize, q: usize, s: usize, blocks: usize, bias: i32, hasOffset: bool, y: usize): void {
  const step = changetype<R>(0).step();
  const subs = changetype<F>(0).subs();
  const parts = changetype<F>(0).parts();
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
      {
        let even = changetype<R>(0).even(q);
        let odd = changetype<R>(0).odd(q);
        let w0 = changetype<F>(0).word(p, sub, 0, 0, 0);
        let w1 = changetype<F>(0).word(p, sub, 0, 0, 16);
        i0 = changetype<R>(0).mac(i0, changetype<R>(0).low(w0, pair), changetype<R>(0).high(w0), even, odd, ones);
        i1 = changetype<R>(0).mac(i1, changetype<R>(0).low(w1, pair), changetype<R>(0).high(w1), even, odd, ones);
        even = changetype<R>(0).even(q + step);
        odd = changetype<R>(0).odd(q + step);
        w0 = changetype<F>(0).word(p, sub, 0, 1, 0);
        w1 = changetype<F>(0).word(p, sub, 0, 1, 16);
        i0 = changetype<R>(0).mac(i0, changetype<R>(0).low(w0, pair), changetype<R>(0).high(w0), even, odd, ones);
        i1 = changetype<R>(0).mac(i1, changetype<R>(0).low(w1, pair), changetype<R>(0).high(w1), even, odd, ones);
        even = changetype<R>(0).even(q + 2 * step);
        odd = changetype<R>(0).odd(q + 2 * step);
        w0 = changetype<F>(0).word(p, sub, 0, 2, 0);
        w1 = changetype<F>(0).word(p, sub, 0, 2, 16);
        i0 = changetype<R>(0).mac(i0, changetype<R>(0).low(w0, pair), changetype<R>(0).high(w0), even, odd, ones);
        i1 = changetype<R>(0).mac(i1, changetype<R>(0).low(w1, pair), changetype<R>(0).high(w1), even, odd, ones);
        even = changetype<R>(0).even(q + 3 * step);
        odd = changetype<R>(0).odd(q + 3 * step);
        w0 = changetype<F>(0).word(p, sub, 0, 3, 0);
        w1 = changetype<F>(0).word(p, sub, 0, 3, 16);
        i0 = changetype<R>(0).mac(i0, changetype<R>(0).low(w0, pair), changetype<R>(0).high(w0), even, odd, ones);
        i1 = changetype<R>(0).mac(i1, changetype<R>(0).low(w1, pair), changetype<R>(0).high(w1), even, odd, ones);
        q += step << 2;
        if (parts == 2) {
          const sums = sumsOf(s, 0, parts);
          const correction = i32x4.mul(v128.load32_splat(sums), n);
          i0 = i32x4.sub(changetype<R>(0).total(i0, ones), correction);
          acc0 = madd(f32x4.convert_i32x4_s(i0), f32x4.mul(changetype<F>(0).scale(p, sub, 0, 0), x), acc0);
          i1 = i32x4.sub(changetype<R>(0).total(i1, ones), correction);
          acc1 = madd(f32x4.convert_i32x4_s(i1), f32x4.mul(changetype<F>(0).scale(p, sub, 0, 16), x), acc1);
          if (hasOffset) {
            const scaled = v128.load32_splat(sums, 12);
            acc0 = madd(changetype<F>(0).offset(p, sub, 0, 0), scaled, acc0);
            acc1 = madd(changetype<F>(0).offset(p, sub, 0, 16), scaled, acc1);
          }
          i0 = i32x4.splat(0);
          i1 = i32x4.splat(0);
        }
        even = changetype<R>(0).even(q);
        odd = changetype<R>(0).odd(q);
        w0 = changetype<F>(0).word(p, sub, 4, 0, 0);
        w1 = changetype<F>(0).word(p, sub, 4, 0, 16);
        i0 = changetype<R>(0).mac(i0, changetype<R>(0).low(w0, pair), changetype<R>(0).high(w0), even, odd, ones);
        i1 = changetype<R>(0).mac(i1, changetype<R>(0).low(w1, pair), changetype<R>(0).high(w1), even, odd, ones);
        even = changetype<R>(0).even(q + step);
        odd = changetype<R>(0).odd(q + step);
        w0 = changetype<F>(0).word(p, sub, 4, 1, 0);
        w1 = changetype<F>(0).word(p, sub, 4, 1, 16);
        i0 = changetype<R>(0).mac(i0, changetype<R>(0).low(w0, pair), changetype<R>(0).high(w0), even, odd, ones);
        i1 = changetype<R>(0).mac(i1, changetype<R>(0).low(w1, pair), changetype<R>(0).high(w1), even, odd, ones);
        even = changetype<R>(0).even(q + 2 * step);
        odd = changetype<R>(0).odd(q + 2 * step);
        w0 = changetype<F>(0).word(p, sub, 4, 2, 0);
        w1 = changetype<F>(0).word(p, sub, 4, 2, 16);
        i0 = changetype<R>(0).mac(i0, changetype<R>(0).low(w0, pair), changetype<R>(0).high(w0), even, odd, ones);
        i1 = changetype<R>(0).mac(i1, changetype<R>(0).low(w1, pair), changetype<R>(0).high(w1), even, odd, ones);
        even = changetype<R>(0).even(q + 3 * step);
        odd = changetype<R>(0).odd(q + 3 * step);
        w0 = changetype<F>(0).word(p, sub, 4, 3, 0);
        w1 = changetype<F>(0).word(p, sub, 4, 3, 16);
        i0 = changetype<R>(0).mac(i0, changetype<R>(0).low(w0, pair), changetype<R>(0).high(w0), even, odd, ones);
        i1 = changetype<R>(0).mac(i1, changetype<R>(0).low(w1, pair), changetype<R>(0).high(w1), even, odd, ones);
        q += step << 2;
      }
      const sums = sumsOf(s, parts - 1, parts);
      const correction = i32x4.mul(v128.load32_splat(sums), n);
      i0 = i32x4.sub(changetype<R>(0).total(i0, ones), correction);
      acc0 = madd(f32x4.convert_i32x4_s(i0), f32x4.mul(changetype<F>(0).scale(p, sub, parts - 1, 0), x), acc0);
      i1 = i32x4.sub(changetype<R>(0).total(i1, ones), correction);
      acc1 = madd(f32x4.convert_i32x4_s(i1), f32x4.mul(changetype<F>(0).scale(p, sub, parts - 1, 16), x), acc1);
      if (hasOffset) {
        const scaled = v128.load32_splat(sums, 12);
        acc0 = madd(changetype<F>(0).offset(p, sub, parts - 1, 0), scaled, acc0);
        acc1 = madd(changetype<F>(0).offset(p, sub, parts - 1, 16), scaled, acc1);
      }
      s += 32;
    }
    p += changetype<F>(0).bytes();
  }
  v128.store(y, acc0);
  v128.store(y, acc1, 16);
}

/** Two panels (at `w` and `v`, results to `y` and `z`) x 1 token: two streams of weights, one of activations. */
export function twin1<F, R>(w: usize, v: usize, q: usize, s: usize, blocks: usize, bias: i32, hasOffset: bool, y: usize, z: usize): void {
  const step = changetype<R>(0).step();
  const subs = changetype<F>(0).subs();
  const parts = changetype<F>(0).parts();
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
      {
        let even = changetype<R>(0).even(q);
        let odd = changetype<R>(0).odd(q);
        let w0 = changetype<F>(0).word(p, sub, 0, 0, 0);
        let w1 = changetype<F>(0).word(p, sub, 0, 0, 16);
        let w2 = changetype<F>(0).word(r, sub, 0, 0, 0);
        let w3 = changetype<F>(0).word(r, sub, 0, 0, 16);
        i0 = changetype<R>(0).mac(i0, changetype<R>(0).low(w0, pair), changetype<R>(0).high(w0), even, odd, ones);
        i1 = changetype<R>(0).mac(i1, changetype<R>(0).low(w1, pair), changetype<R>(0).high(w1), even, odd, ones);
        i2 = changetype<R>(0).mac(i2, changetype<R>(0).low(w2, pair), changetype<R>(0).high(w2), even, odd, ones);
        i3 = changetype<R>(0).mac(i3, changetype<R>(0).low(w3, pair), changetype<R>(0).high(w3), even, odd, ones);
        even = changetype<R>(0).even(q + step);
        odd = changetype<R>(0).odd(q + step);
        w0 = changetype<F>(0).word(p, sub, 0, 1, 0);
        w1 = changetype<F>(0).word(p, sub, 0, 1, 16);
        w2 = changetype<F>(0).word(r, sub, 0, 1, 0);
        w3 = changetype<F>(0).word(r, sub, 0, 1, 16);
        i0 = changetype<R>(0).mac(i0, changetype<R>(0).low(w0, pair), changetype<R>(0).high(w0), even, odd, ones);
        i1 = changetype<R>(0).mac(i1, changetype<R>(0).low(w1, pair), changetype<R>(0).high(w1), even, odd, ones);
        i2 = changetype<R>(0).mac(i2, changetype<R>(0).low(w2, pair), changetype<R>(0).high(w2), even, odd, ones);
        i3 = changetype<R>(0).mac(i3, changetype<R>(0).low(w3, pair), changetype<R>(0).high(w3), even, odd, ones);
        even = changetype<R>(0).even(q + 2 * step);
        odd = changetype<R>(0).odd(q + 2 * step);
        w0 = changetype<F>(0).word(p, sub, 0, 2, 0);
        w1 = changetype<F>(0).word(p, sub, 0, 2, 16);
        w2 = changetype<F>(0).word(r, sub, 0, 2, 0);
        w3 = changetype<F>(0).word(r, sub, 0, 2, 16);
        i0 = changetype<R>(0).mac(i0, changetype<R>(0).low(w0, pair), changetype<R>(0).high(w0), even, odd, ones);
        i1 = changetype<R>(0).mac(i1, changetype<R>(0).low(w1, pair), changetype<R>(0).high(w1), even, odd, ones);
        i2 = changetype<R>(0).mac(i2, changetype<R>(0).low(w2, pair), changetype<R>(0).high(w2), even, odd, ones);
        i3 = changetype<R>(0).mac(i3, changetype<R>(0).low(w3, pair), changetype<R>(0).high(w3), even, odd, ones);
        even = changetype<R>(0).even(q + 3 * step);
        odd = changetype<R>(0).odd(q + 3 * step);
        w0 = changetype<F>(0).word(p, sub, 0, 3, 0);
        w1 = changetype<F>(0).word(p, sub, 0, 3, 16);
        w2 = changetype<F>(0).word(r, sub, 0, 3, 0);
        w3 = changetype<F>(0).word(r, sub, 0, 3, 16);
        i0 = changetype<R>(0).mac(i0, changetype<R>(0).low(w0, pair), changetype<R>(0).high(w0), even, odd, ones);
        i1 = changetype<R>(0).mac(i1, changetype<R>(0).low(w1, pair), changetype<R>(0).high(w1), even, odd, ones);
        i2 = changetype<R>(0).mac(i2, changetype<R>(0).low(w2, pair), changetype<R>(0).high(w2), even, odd, ones);
        i3 = changetype<R>(0).mac(i3, changetype<R>(0).low(w3, pair), changetype<R>(0).high(w3), even, odd, ones);
        q += step << 2;
        if (parts == 2) {
          const sums = sumsOf(s, 0, parts);
          const correction = i32x4.mul(v128.load32_splat(sums), n);
          i0 = i32x4.sub(changetype<R>(0).total(i0, ones), correction);
          acc0 = madd(f32x4.convert_i32x4_s(i0), f32x4.mul(changetype<F>(0).scale(p, sub, 0, 0), x), acc0);
          i1 = i32x4.sub(changetype<R>(0).total(i1, ones), correction);
          acc1 = madd(f32x4.convert_i32x4_s(i1), f32x4.mul(changetype<F>(0).scale(p, sub, 0, 16), x), acc1);
          i2 = i32x4.sub(changetype<R>(0).total(i2, ones), correction);
          acc2 = madd(f32x4.convert_i32x4_s(i2), f32x4.mul(changetype<F>(0).scale(r, sub, 0, 0), x), acc2);
          i3 = i32x4.sub(changetype<R>(0).total(i3, ones), correction);
          acc3 = madd(f32x4.convert_i32x4_s(i3), f32x4.mul(changetype<F>(0).scale(r, sub, 0, 16), x), acc3);
          if (hasOffset) {
            const scaled = v128.load32_splat(sums, 12);
            acc0 = madd(changetype<F>(0).offset(p, sub, 0, 0), scaled, acc0);
            acc1 = madd(changetype<F>(0).offset(p, sub, 0, 16), scaled, acc1);
            acc2 = madd(changetype<F>(0).offset(r, sub, 0, 0), scaled, acc2);
            acc3 = madd(changetype<F>(0).offset(r, sub, 0, 16), scaled, acc3);
          }
          i0 = i32x4.splat(0);
          i1 = i32x4.splat(0);
          i2 = i32x4.splat(0);
          i3 = i32x4.splat(0);
        }
        even = changetype<R>(0).even(q);
        odd = changetype<R>(0).odd(q);
        w0 = changetype<F>(0).word(p, sub, 4, 0, 0);
        w1 = changetype<F>(0).word(p, sub, 4, 0, 16);
        w2 = changetype<F>(0).word(r, sub, 4, 0, 0);
        w3 = changetype<F>(0).word(r, sub, 4, 0, 16);
        i0 = changetype<R>(0).mac(i0, changetype<R>(0).low(w0, pair), changetype<R>(0).high(w0), even, odd, ones);
        i1 = changetype<R>(0).mac(i1, changetype<R>(0).low(w1, pair), changetype<R>(0).high(w1), even, odd, ones);
        i2 = changetype<R>(0).mac(i2, changetype<R>(0).low(w2, pair), changetype<R>(0).high(w2), even, odd, ones);
        i3 = changetype<R>(0).mac(i3, changetype<R>(0).low(w3, pair), changetype<R>(0).high(w3), even, odd, ones);
        even = changetype<R>(0).even(q + step);
        odd = changetype<R>(0).odd(q + step);
        w0 = changetype<F>(0).word(p, sub, 4, 1, 0);
        w1 = changetype<F>(0).word(p, sub, 4, 1, 16);
        w2 = changetype<F>(0).word(r, sub, 4, 1, 0);
        w3 = changetype<F>(0).word(r, sub, 4, 1, 16);
        i0 = changetype<R>(0).mac(i0, changetype<R>(0).low(w0, pair), changetype<R>(0).high(w0), even, odd, ones);
        i1 = changetype<R>(0).mac(i1, changetype<R>(0).low(w1, pair), changetype<R>(0).high(w1), even, odd, ones);
        i2 = changetype<R>(0).mac(i2, changetype<R>(0).low(w2, pair), changetype<R>(0).high(w2), even, odd, ones);
        i3 = changetype<R>(0).mac(i3, changetype<R>(0).low(w3, pair), changetype<R>(0).high(w3), even, odd, ones);
        even = changetype<R>(0).even(q + 2 * step);
        odd = changetype<R>(0).odd(q + 2 * step);
        w0 = changetype<F>(0).word(p, sub, 4, 2, 0);
        w1 = changetype<F>(0).word(p, sub, 4, 2, 16);
        w2 = changetype<F>(0).word(r, sub, 4, 2, 0);
        w3 = changetype<F>(0).word(r, sub, 4, 2, 16);
        i0 = changetype<R>(0).mac(i0, changetype<R>(0).low(w0, pair), changetype<R>(0).high(w0), even, odd, ones);
        i1 = changetype<R>(0).mac(i1, changetype<R>(0).low(w1, pair), changetype<R>(0).high(w1), even, odd, ones);
        i2 = changetype<R>(0).mac(i2, changetype<R>(0).low(w2, pair), changetype<R>(0).high(w2), even, odd, ones);
        i3 = changetype<R>(0).mac(i3, changetype<R>(0).low(w3, pair), changetype<R>(0).high(w3), even, odd, ones);
        even = changetype<R>(0).even(q + 3 * step);
        odd = changetype<R>(0).odd(q + 3 * step);
        w0 = changetype<F>(0).word(p, sub, 4, 3, 0);
        w1 = changetype<F>(0).word(p, sub, 4, 3, 16);
        w2 = changetype<F>(0).word(r, sub, 4, 3, 0);
        w3 = changetype<F>(0).word(r, sub, 4, 3, 16);
        i0 = changetype<R>(0).mac(i0, changetype<R>(0).low(w0, pair), changetype<R>(0).high(w0), even, odd, ones);
        i1 = changetype<R>(0).mac(i1, changetype<R>(0).low(w1, pair), changetype<R>(0).high(w1), even, odd, ones);
        i2 = changetype<R>(0).mac(i2, changetype<R>(0).low(w2, pair), changetype<R>(0).high(w2), even, odd, ones);
        i3 = changetype<R>(0).mac(i3, changetype<R>(0).low(w3, pair), changetype<R>(0).high(w3), even, odd, ones);
        q += step << 2;
      }
      const sums = sumsOf(s, parts - 1, parts);
      const correction = i32x4.mul(v128.load32_splat(sums), n);
      i0 = i32x4.sub(changetype<R>(0).total(i0, ones), correction);
      acc0 = madd(f32x4.convert_i32x4_s(i0), f32x4.mul(changetype<F>(0).scale(p, sub, parts - 1, 0), x), acc0);
      i1 = i32x4.sub(changetype<R>(0).total(i1, ones), correction);
      acc1 = madd(f32x4.convert_i32x4_s(i1), f32x4.mul(changetype<F>(0).scale(p, sub, parts - 1, 16), x), acc1);
      i2 = i32x4.sub(changetype<R>(0).total(i2, ones), correction);
      acc2 = madd(f32x4.convert_i32x4_s(i2), f32x4.mul(changetype<F>(0).scale(r, sub, parts - 1, 0), x), acc2);
      i3 = i32x4.sub(changetype<R>(0).total(i3, ones), correction);
      acc3 = madd(f32x4.convert_i32x4_s(i3), f32x4.mul(changetype<F>(0).scale(r, sub, parts - 1, 16), x), acc3);
      if (hasOffset) {
        const scaled = v128.load32_splat(sums, 12);
        acc0 = madd(changetype<F>(0).offset(p, sub, parts - 1, 0), scaled, acc0);
        acc1 = madd(changetype<F>(0).offset(p, sub, parts - 1, 16), scaled, acc1);
        acc2 = madd(changetype<F>(0).offset(r, sub, parts - 1, 0), scaled, acc2);
        acc3 = madd(changetype<F>(0).offset(r, sub, parts - 1, 16), scaled, acc3);
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
