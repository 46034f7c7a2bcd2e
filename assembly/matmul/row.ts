// One row of activations times one panel of 8 rows of weights, or times two at once; sums and operands as in integer.ts, in the same
// order. Written out: with nothing to share between rows, a loop would cost as much as its products.

import { One } from '../activation';
import { kept, madd } from '../simd';
import { correction, HALF_BITS, HALF_SCALE, start } from './integer';

/** `acc`: f32 [8]. */
export function row1<W, F, R>(w: usize, x: usize, s: usize, blocks: usize, ready: usize, acc: usize): void {
  const step = changetype<R>(0).step();
  const subs = changetype<W>(0).subs();
  const parts = changetype<W>(0).parts();
  const shares = changetype<W>(0).shares();
  let m = i8x16.splat(<i8>kept(15, blocks));
  let more = i8x16.splat(<i8>kept(changetype<W>(0).moreBits(), blocks));
  let bits = i32x4.splat(kept(HALF_BITS, blocks));
  let by = i32x4.splat(kept(HALF_SCALE, blocks));
  let pair = i32x4.splat(kept(0x00ff00ff, blocks));
  let ones = i16x8.splat(<i16>kept(1, blocks));
  let acc0 = f32x4.splat(0);
  let acc1 = f32x4.splat(0);
  for (let column: usize = 0; column < blocks; column += subs) {
    changetype<W>(0).prepare(w, ready, bits, by);
    for (let sub: usize = 0; sub < subs; sub++) {
      let a = start<F, R, One>(s, 0, 0, parts);
      let b = a;
      let raw0 = changetype<W>(0).raw(w, sub, 0, 0, 0);
      let raw1 = changetype<W>(0).raw(w, sub, 0, 0, 16);
      let even = changetype<R>(0).even(x);
      let odd = changetype<R>(0).odd(x);
      let word = changetype<W>(0).word(raw0, w, sub, 0, 0, 0, m, more);
      a = changetype<R>(0).mac(a, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
      word = changetype<W>(0).word(raw1, w, sub, 0, 0, 16, m, more);
      b = changetype<R>(0).mac(b, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
      if (parts == 1) {
        if (!shares) {
          raw0 = changetype<W>(0).raw(w, sub, 4, 0, 0);
          raw1 = changetype<W>(0).raw(w, sub, 4, 0, 16);
        }
        even = changetype<R>(0).even(x + 4 * step);
        odd = changetype<R>(0).odd(x + 4 * step);
        word = changetype<W>(0).word(raw0, w, sub, 4, 0, 0, m, more);
        a = changetype<R>(0).mac(a, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
        word = changetype<W>(0).word(raw1, w, sub, 4, 0, 16, m, more);
        b = changetype<R>(0).mac(b, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
      }
      raw0 = changetype<W>(0).raw(w, sub, 0, 1, 0);
      raw1 = changetype<W>(0).raw(w, sub, 0, 1, 16);
      even = changetype<R>(0).even(x + step);
      odd = changetype<R>(0).odd(x + step);
      word = changetype<W>(0).word(raw0, w, sub, 0, 1, 0, m, more);
      a = changetype<R>(0).mac(a, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
      word = changetype<W>(0).word(raw1, w, sub, 0, 1, 16, m, more);
      b = changetype<R>(0).mac(b, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
      if (parts == 1) {
        if (!shares) {
          raw0 = changetype<W>(0).raw(w, sub, 4, 1, 0);
          raw1 = changetype<W>(0).raw(w, sub, 4, 1, 16);
        }
        even = changetype<R>(0).even(x + 5 * step);
        odd = changetype<R>(0).odd(x + 5 * step);
        word = changetype<W>(0).word(raw0, w, sub, 4, 1, 0, m, more);
        a = changetype<R>(0).mac(a, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
        word = changetype<W>(0).word(raw1, w, sub, 4, 1, 16, m, more);
        b = changetype<R>(0).mac(b, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
      }
      raw0 = changetype<W>(0).raw(w, sub, 0, 2, 0);
      raw1 = changetype<W>(0).raw(w, sub, 0, 2, 16);
      even = changetype<R>(0).even(x + 2 * step);
      odd = changetype<R>(0).odd(x + 2 * step);
      word = changetype<W>(0).word(raw0, w, sub, 0, 2, 0, m, more);
      a = changetype<R>(0).mac(a, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
      word = changetype<W>(0).word(raw1, w, sub, 0, 2, 16, m, more);
      b = changetype<R>(0).mac(b, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
      if (parts == 1) {
        if (!shares) {
          raw0 = changetype<W>(0).raw(w, sub, 4, 2, 0);
          raw1 = changetype<W>(0).raw(w, sub, 4, 2, 16);
        }
        even = changetype<R>(0).even(x + 6 * step);
        odd = changetype<R>(0).odd(x + 6 * step);
        word = changetype<W>(0).word(raw0, w, sub, 4, 2, 0, m, more);
        a = changetype<R>(0).mac(a, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
        word = changetype<W>(0).word(raw1, w, sub, 4, 2, 16, m, more);
        b = changetype<R>(0).mac(b, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
      }
      raw0 = changetype<W>(0).raw(w, sub, 0, 3, 0);
      raw1 = changetype<W>(0).raw(w, sub, 0, 3, 16);
      even = changetype<R>(0).even(x + 3 * step);
      odd = changetype<R>(0).odd(x + 3 * step);
      word = changetype<W>(0).word(raw0, w, sub, 0, 3, 0, m, more);
      a = changetype<R>(0).mac(a, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
      word = changetype<W>(0).word(raw1, w, sub, 0, 3, 16, m, more);
      b = changetype<R>(0).mac(b, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
      if (parts == 1) {
        if (!shares) {
          raw0 = changetype<W>(0).raw(w, sub, 4, 3, 0);
          raw1 = changetype<W>(0).raw(w, sub, 4, 3, 16);
        }
        even = changetype<R>(0).even(x + 7 * step);
        odd = changetype<R>(0).odd(x + 7 * step);
        word = changetype<W>(0).word(raw0, w, sub, 4, 3, 0, m, more);
        a = changetype<R>(0).mac(a, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
        word = changetype<W>(0).word(raw1, w, sub, 4, 3, 16, m, more);
        b = changetype<R>(0).mac(b, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
      }
      acc0 = scaled<F, R>(acc0, s, 0, parts, a, changetype<W>(0).scale(w, sub, 0, 0, ready, bits, by), ones);
      acc1 = scaled<F, R>(acc1, s, 0, parts, b, changetype<W>(0).scale(w, sub, 0, 16, ready, bits, by), ones);
      if (changetype<F>(0).hasOffset()) {
        acc0 = shifted(acc0, s, 0, parts, changetype<W>(0).offset(w, sub, 0, 0, ready, bits, by));
        acc1 = shifted(acc1, s, 0, parts, changetype<W>(0).offset(w, sub, 0, 16, ready, bits, by));
      }
      if (parts == 2) {
        a = start<F, R, One>(s, 0, 1, parts);
        b = a;
        raw0 = changetype<W>(0).raw(w, sub, 4, 0, 0);
        raw1 = changetype<W>(0).raw(w, sub, 4, 0, 16);
        even = changetype<R>(0).even(x + 4 * step);
        odd = changetype<R>(0).odd(x + 4 * step);
        word = changetype<W>(0).word(raw0, w, sub, 4, 0, 0, m, more);
        a = changetype<R>(0).mac(a, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
        word = changetype<W>(0).word(raw1, w, sub, 4, 0, 16, m, more);
        b = changetype<R>(0).mac(b, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
        raw0 = changetype<W>(0).raw(w, sub, 4, 1, 0);
        raw1 = changetype<W>(0).raw(w, sub, 4, 1, 16);
        even = changetype<R>(0).even(x + 5 * step);
        odd = changetype<R>(0).odd(x + 5 * step);
        word = changetype<W>(0).word(raw0, w, sub, 4, 1, 0, m, more);
        a = changetype<R>(0).mac(a, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
        word = changetype<W>(0).word(raw1, w, sub, 4, 1, 16, m, more);
        b = changetype<R>(0).mac(b, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
        raw0 = changetype<W>(0).raw(w, sub, 4, 2, 0);
        raw1 = changetype<W>(0).raw(w, sub, 4, 2, 16);
        even = changetype<R>(0).even(x + 6 * step);
        odd = changetype<R>(0).odd(x + 6 * step);
        word = changetype<W>(0).word(raw0, w, sub, 4, 2, 0, m, more);
        a = changetype<R>(0).mac(a, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
        word = changetype<W>(0).word(raw1, w, sub, 4, 2, 16, m, more);
        b = changetype<R>(0).mac(b, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
        raw0 = changetype<W>(0).raw(w, sub, 4, 3, 0);
        raw1 = changetype<W>(0).raw(w, sub, 4, 3, 16);
        even = changetype<R>(0).even(x + 7 * step);
        odd = changetype<R>(0).odd(x + 7 * step);
        word = changetype<W>(0).word(raw0, w, sub, 4, 3, 0, m, more);
        a = changetype<R>(0).mac(a, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
        word = changetype<W>(0).word(raw1, w, sub, 4, 3, 16, m, more);
        b = changetype<R>(0).mac(b, changetype<R>(0).low(word, pair), changetype<R>(0).high(word), even, odd, ones);
        acc0 = scaled<F, R>(acc0, s, 1, parts, a, changetype<W>(0).scale(w, sub, 1, 0, ready, bits, by), ones);
        acc1 = scaled<F, R>(acc1, s, 1, parts, b, changetype<W>(0).scale(w, sub, 1, 16, ready, bits, by), ones);
        if (changetype<F>(0).hasOffset()) {
          acc0 = shifted(acc0, s, 1, parts, changetype<W>(0).offset(w, sub, 1, 0, ready, bits, by));
          acc1 = shifted(acc1, s, 1, parts, changetype<W>(0).offset(w, sub, 1, 16, ready, bits, by));
        }
      }
      x += step << 3;
      s += 16;
    }
    w += changetype<W>(0).bytes();
  }
  v128.store(acc, acc0);
  v128.store(acc, acc1, 16);
}

// @ts-ignore: decorator
@inline function scaled<F, R>(acc: v128, s: usize, part: usize, parts: usize, sum: v128, scale: v128, ones: v128): v128 {
  sum = changetype<R>(0).total(sum, ones);
  if (changetype<F>(0).bias() != 0 && !changetype<R>(0).starts()) sum = i32x4.add(sum, correction<F, One>(s, 0, part, parts));
  return madd(f32x4.convert_i32x4_s(sum), f32x4.mul(scale, v128.load32_splat(s)), acc);
}

// @ts-ignore: decorator
@inline function shifted(acc: v128, s: usize, part: usize, parts: usize, offset: v128): v128 {
  let factor = v128.load32_splat(s, 8);
  if (parts == 2) {
    const sum = part == 0 ? v128.load32_splat(s, 12) : i32x4.sub(v128.load32_splat(s, 4), v128.load32_splat(s, 12));
    factor = f32x4.mul(v128.load32_splat(s), f32x4.convert_i32x4_s(i32x4.neg(sum)));
  }
  return madd(offset, factor, acc);
}
