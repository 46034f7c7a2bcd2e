// The tile of integer.ts for two to four rows written out, without a loop over the groups of a block: for the scheduler of Node 24, which
// keeps long bodies in registers. Sums and operands as there, in the same order.

import { kept } from '../simd';
import { finish, HALF_BITS, HALF_SCALE, start } from './integer';

export function longTile<W, F, R, T>(w: usize, x: usize, s: usize, blocks: usize, ready: usize, acc: usize): void {
  const rows = changetype<T>(0).rows();
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
  for (let column: usize = 0; column < blocks; column += subs) {
    changetype<W>(0).prepare(w, ready, bits, by);
    for (let sub: usize = 0; sub < subs; sub++) {
      let a0 = start<F, R, T>(s, 0, 0, parts);
      let b0 = a0;
      let a1 = start<F, R, T>(s, 1, 0, parts);
      let b1 = a1;
      let a2 = start<F, R, T>(s, 2, 0, parts);
      let b2 = a2;
      let a3 = start<F, R, T>(s, 3, 0, parts);
      let b3 = a3;
      let raw0 = changetype<W>(0).raw(w, sub, 0, 0, 0);
      let raw1 = changetype<W>(0).raw(w, sub, 0, 0, 16);
      let word = changetype<W>(0).word(raw0, w, sub, 0, 0, 0, m, more);
      let low0 = changetype<R>(0).low(word, pair);
      let high0 = changetype<R>(0).high(word);
      word = changetype<W>(0).word(raw1, w, sub, 0, 0, 16, m, more);
      let low1 = changetype<R>(0).low(word, pair);
      let high1 = changetype<R>(0).high(word);
      let at = x;
      let even = changetype<R>(0).even(at);
      let odd = changetype<R>(0).odd(at);
      a0 = changetype<R>(0).mac(a0, low0, high0, even, odd, ones);
      b0 = changetype<R>(0).mac(b0, low1, high1, even, odd, ones);
      even = changetype<R>(0).even(at + step);
      odd = changetype<R>(0).odd(at + step);
      a1 = changetype<R>(0).mac(a1, low0, high0, even, odd, ones);
      b1 = changetype<R>(0).mac(b1, low1, high1, even, odd, ones);
      if (rows > 2) {
        even = changetype<R>(0).even(at + 2 * step);
        odd = changetype<R>(0).odd(at + 2 * step);
        a2 = changetype<R>(0).mac(a2, low0, high0, even, odd, ones);
        b2 = changetype<R>(0).mac(b2, low1, high1, even, odd, ones);
      }
      if (rows > 3) {
        even = changetype<R>(0).even(at + 3 * step);
        odd = changetype<R>(0).odd(at + 3 * step);
        a3 = changetype<R>(0).mac(a3, low0, high0, even, odd, ones);
        b3 = changetype<R>(0).mac(b3, low1, high1, even, odd, ones);
      }
      if (parts == 1) {
        if (!shares) {
          raw0 = changetype<W>(0).raw(w, sub, 4, 0, 0);
          raw1 = changetype<W>(0).raw(w, sub, 4, 0, 16);
        }
        word = changetype<W>(0).word(raw0, w, sub, 4, 0, 0, m, more);
        low0 = changetype<R>(0).low(word, pair);
        high0 = changetype<R>(0).high(word);
        word = changetype<W>(0).word(raw1, w, sub, 4, 0, 16, m, more);
        low1 = changetype<R>(0).low(word, pair);
        high1 = changetype<R>(0).high(word);
        at = x + 4 * rows * step;
        even = changetype<R>(0).even(at);
        odd = changetype<R>(0).odd(at);
        a0 = changetype<R>(0).mac(a0, low0, high0, even, odd, ones);
        b0 = changetype<R>(0).mac(b0, low1, high1, even, odd, ones);
        even = changetype<R>(0).even(at + step);
        odd = changetype<R>(0).odd(at + step);
        a1 = changetype<R>(0).mac(a1, low0, high0, even, odd, ones);
        b1 = changetype<R>(0).mac(b1, low1, high1, even, odd, ones);
        if (rows > 2) {
          even = changetype<R>(0).even(at + 2 * step);
          odd = changetype<R>(0).odd(at + 2 * step);
          a2 = changetype<R>(0).mac(a2, low0, high0, even, odd, ones);
          b2 = changetype<R>(0).mac(b2, low1, high1, even, odd, ones);
        }
        if (rows > 3) {
          even = changetype<R>(0).even(at + 3 * step);
          odd = changetype<R>(0).odd(at + 3 * step);
          a3 = changetype<R>(0).mac(a3, low0, high0, even, odd, ones);
          b3 = changetype<R>(0).mac(b3, low1, high1, even, odd, ones);
        }
      }
      raw0 = changetype<W>(0).raw(w, sub, 0, 1, 0);
      raw1 = changetype<W>(0).raw(w, sub, 0, 1, 16);
      word = changetype<W>(0).word(raw0, w, sub, 0, 1, 0, m, more);
      low0 = changetype<R>(0).low(word, pair);
      high0 = changetype<R>(0).high(word);
      word = changetype<W>(0).word(raw1, w, sub, 0, 1, 16, m, more);
      low1 = changetype<R>(0).low(word, pair);
      high1 = changetype<R>(0).high(word);
      at = x + rows * step;
      even = changetype<R>(0).even(at);
      odd = changetype<R>(0).odd(at);
      a0 = changetype<R>(0).mac(a0, low0, high0, even, odd, ones);
      b0 = changetype<R>(0).mac(b0, low1, high1, even, odd, ones);
      even = changetype<R>(0).even(at + step);
      odd = changetype<R>(0).odd(at + step);
      a1 = changetype<R>(0).mac(a1, low0, high0, even, odd, ones);
      b1 = changetype<R>(0).mac(b1, low1, high1, even, odd, ones);
      if (rows > 2) {
        even = changetype<R>(0).even(at + 2 * step);
        odd = changetype<R>(0).odd(at + 2 * step);
        a2 = changetype<R>(0).mac(a2, low0, high0, even, odd, ones);
        b2 = changetype<R>(0).mac(b2, low1, high1, even, odd, ones);
      }
      if (rows > 3) {
        even = changetype<R>(0).even(at + 3 * step);
        odd = changetype<R>(0).odd(at + 3 * step);
        a3 = changetype<R>(0).mac(a3, low0, high0, even, odd, ones);
        b3 = changetype<R>(0).mac(b3, low1, high1, even, odd, ones);
      }
      if (parts == 1) {
        if (!shares) {
          raw0 = changetype<W>(0).raw(w, sub, 4, 1, 0);
          raw1 = changetype<W>(0).raw(w, sub, 4, 1, 16);
        }
        word = changetype<W>(0).word(raw0, w, sub, 4, 1, 0, m, more);
        low0 = changetype<R>(0).low(word, pair);
        high0 = changetype<R>(0).high(word);
        word = changetype<W>(0).word(raw1, w, sub, 4, 1, 16, m, more);
        low1 = changetype<R>(0).low(word, pair);
        high1 = changetype<R>(0).high(word);
        at = x + 5 * rows * step;
        even = changetype<R>(0).even(at);
        odd = changetype<R>(0).odd(at);
        a0 = changetype<R>(0).mac(a0, low0, high0, even, odd, ones);
        b0 = changetype<R>(0).mac(b0, low1, high1, even, odd, ones);
        even = changetype<R>(0).even(at + step);
        odd = changetype<R>(0).odd(at + step);
        a1 = changetype<R>(0).mac(a1, low0, high0, even, odd, ones);
        b1 = changetype<R>(0).mac(b1, low1, high1, even, odd, ones);
        if (rows > 2) {
          even = changetype<R>(0).even(at + 2 * step);
          odd = changetype<R>(0).odd(at + 2 * step);
          a2 = changetype<R>(0).mac(a2, low0, high0, even, odd, ones);
          b2 = changetype<R>(0).mac(b2, low1, high1, even, odd, ones);
        }
        if (rows > 3) {
          even = changetype<R>(0).even(at + 3 * step);
          odd = changetype<R>(0).odd(at + 3 * step);
          a3 = changetype<R>(0).mac(a3, low0, high0, even, odd, ones);
          b3 = changetype<R>(0).mac(b3, low1, high1, even, odd, ones);
        }
      }
      raw0 = changetype<W>(0).raw(w, sub, 0, 2, 0);
      raw1 = changetype<W>(0).raw(w, sub, 0, 2, 16);
      word = changetype<W>(0).word(raw0, w, sub, 0, 2, 0, m, more);
      low0 = changetype<R>(0).low(word, pair);
      high0 = changetype<R>(0).high(word);
      word = changetype<W>(0).word(raw1, w, sub, 0, 2, 16, m, more);
      low1 = changetype<R>(0).low(word, pair);
      high1 = changetype<R>(0).high(word);
      at = x + 2 * rows * step;
      even = changetype<R>(0).even(at);
      odd = changetype<R>(0).odd(at);
      a0 = changetype<R>(0).mac(a0, low0, high0, even, odd, ones);
      b0 = changetype<R>(0).mac(b0, low1, high1, even, odd, ones);
      even = changetype<R>(0).even(at + step);
      odd = changetype<R>(0).odd(at + step);
      a1 = changetype<R>(0).mac(a1, low0, high0, even, odd, ones);
      b1 = changetype<R>(0).mac(b1, low1, high1, even, odd, ones);
      if (rows > 2) {
        even = changetype<R>(0).even(at + 2 * step);
        odd = changetype<R>(0).odd(at + 2 * step);
        a2 = changetype<R>(0).mac(a2, low0, high0, even, odd, ones);
        b2 = changetype<R>(0).mac(b2, low1, high1, even, odd, ones);
      }
      if (rows > 3) {
        even = changetype<R>(0).even(at + 3 * step);
        odd = changetype<R>(0).odd(at + 3 * step);
        a3 = changetype<R>(0).mac(a3, low0, high0, even, odd, ones);
        b3 = changetype<R>(0).mac(b3, low1, high1, even, odd, ones);
      }
      if (parts == 1) {
        if (!shares) {
          raw0 = changetype<W>(0).raw(w, sub, 4, 2, 0);
          raw1 = changetype<W>(0).raw(w, sub, 4, 2, 16);
        }
        word = changetype<W>(0).word(raw0, w, sub, 4, 2, 0, m, more);
        low0 = changetype<R>(0).low(word, pair);
        high0 = changetype<R>(0).high(word);
        word = changetype<W>(0).word(raw1, w, sub, 4, 2, 16, m, more);
        low1 = changetype<R>(0).low(word, pair);
        high1 = changetype<R>(0).high(word);
        at = x + 6 * rows * step;
        even = changetype<R>(0).even(at);
        odd = changetype<R>(0).odd(at);
        a0 = changetype<R>(0).mac(a0, low0, high0, even, odd, ones);
        b0 = changetype<R>(0).mac(b0, low1, high1, even, odd, ones);
        even = changetype<R>(0).even(at + step);
        odd = changetype<R>(0).odd(at + step);
        a1 = changetype<R>(0).mac(a1, low0, high0, even, odd, ones);
        b1 = changetype<R>(0).mac(b1, low1, high1, even, odd, ones);
        if (rows > 2) {
          even = changetype<R>(0).even(at + 2 * step);
          odd = changetype<R>(0).odd(at + 2 * step);
          a2 = changetype<R>(0).mac(a2, low0, high0, even, odd, ones);
          b2 = changetype<R>(0).mac(b2, low1, high1, even, odd, ones);
        }
        if (rows > 3) {
          even = changetype<R>(0).even(at + 3 * step);
          odd = changetype<R>(0).odd(at + 3 * step);
          a3 = changetype<R>(0).mac(a3, low0, high0, even, odd, ones);
          b3 = changetype<R>(0).mac(b3, low1, high1, even, odd, ones);
        }
      }
      raw0 = changetype<W>(0).raw(w, sub, 0, 3, 0);
      raw1 = changetype<W>(0).raw(w, sub, 0, 3, 16);
      word = changetype<W>(0).word(raw0, w, sub, 0, 3, 0, m, more);
      low0 = changetype<R>(0).low(word, pair);
      high0 = changetype<R>(0).high(word);
      word = changetype<W>(0).word(raw1, w, sub, 0, 3, 16, m, more);
      low1 = changetype<R>(0).low(word, pair);
      high1 = changetype<R>(0).high(word);
      at = x + 3 * rows * step;
      even = changetype<R>(0).even(at);
      odd = changetype<R>(0).odd(at);
      a0 = changetype<R>(0).mac(a0, low0, high0, even, odd, ones);
      b0 = changetype<R>(0).mac(b0, low1, high1, even, odd, ones);
      even = changetype<R>(0).even(at + step);
      odd = changetype<R>(0).odd(at + step);
      a1 = changetype<R>(0).mac(a1, low0, high0, even, odd, ones);
      b1 = changetype<R>(0).mac(b1, low1, high1, even, odd, ones);
      if (rows > 2) {
        even = changetype<R>(0).even(at + 2 * step);
        odd = changetype<R>(0).odd(at + 2 * step);
        a2 = changetype<R>(0).mac(a2, low0, high0, even, odd, ones);
        b2 = changetype<R>(0).mac(b2, low1, high1, even, odd, ones);
      }
      if (rows > 3) {
        even = changetype<R>(0).even(at + 3 * step);
        odd = changetype<R>(0).odd(at + 3 * step);
        a3 = changetype<R>(0).mac(a3, low0, high0, even, odd, ones);
        b3 = changetype<R>(0).mac(b3, low1, high1, even, odd, ones);
      }
      if (parts == 1) {
        if (!shares) {
          raw0 = changetype<W>(0).raw(w, sub, 4, 3, 0);
          raw1 = changetype<W>(0).raw(w, sub, 4, 3, 16);
        }
        word = changetype<W>(0).word(raw0, w, sub, 4, 3, 0, m, more);
        low0 = changetype<R>(0).low(word, pair);
        high0 = changetype<R>(0).high(word);
        word = changetype<W>(0).word(raw1, w, sub, 4, 3, 16, m, more);
        low1 = changetype<R>(0).low(word, pair);
        high1 = changetype<R>(0).high(word);
        at = x + 7 * rows * step;
        even = changetype<R>(0).even(at);
        odd = changetype<R>(0).odd(at);
        a0 = changetype<R>(0).mac(a0, low0, high0, even, odd, ones);
        b0 = changetype<R>(0).mac(b0, low1, high1, even, odd, ones);
        even = changetype<R>(0).even(at + step);
        odd = changetype<R>(0).odd(at + step);
        a1 = changetype<R>(0).mac(a1, low0, high0, even, odd, ones);
        b1 = changetype<R>(0).mac(b1, low1, high1, even, odd, ones);
        if (rows > 2) {
          even = changetype<R>(0).even(at + 2 * step);
          odd = changetype<R>(0).odd(at + 2 * step);
          a2 = changetype<R>(0).mac(a2, low0, high0, even, odd, ones);
          b2 = changetype<R>(0).mac(b2, low1, high1, even, odd, ones);
        }
        if (rows > 3) {
          even = changetype<R>(0).even(at + 3 * step);
          odd = changetype<R>(0).odd(at + 3 * step);
          a3 = changetype<R>(0).mac(a3, low0, high0, even, odd, ones);
          b3 = changetype<R>(0).mac(b3, low1, high1, even, odd, ones);
        }
      }
      let scale0 = changetype<W>(0).scale(w, sub, 0, 0, ready, bits, by);
      let scale1 = changetype<W>(0).scale(w, sub, 0, 16, ready, bits, by);
      let offset0 = changetype<W>(0).offset(w, sub, 0, 0, ready, bits, by);
      let offset1 = changetype<W>(0).offset(w, sub, 0, 16, ready, bits, by);
      finish<F, R, T>(acc, s, 0, 0, parts, a0, b0, scale0, scale1, offset0, offset1, ones);
      finish<F, R, T>(acc + 32, s, 1, 0, parts, a1, b1, scale0, scale1, offset0, offset1, ones);
      if (rows > 2) finish<F, R, T>(acc + 64, s, 2, 0, parts, a2, b2, scale0, scale1, offset0, offset1, ones);
      if (rows > 3) finish<F, R, T>(acc + 96, s, 3, 0, parts, a3, b3, scale0, scale1, offset0, offset1, ones);
      if (parts == 2) {
        a0 = start<F, R, T>(s, 0, 1, parts);
        b0 = a0;
        a1 = start<F, R, T>(s, 1, 1, parts);
        b1 = a1;
        a2 = start<F, R, T>(s, 2, 1, parts);
        b2 = a2;
        a3 = start<F, R, T>(s, 3, 1, parts);
        b3 = a3;
        raw0 = changetype<W>(0).raw(w, sub, 4, 0, 0);
        raw1 = changetype<W>(0).raw(w, sub, 4, 0, 16);
        word = changetype<W>(0).word(raw0, w, sub, 4, 0, 0, m, more);
        low0 = changetype<R>(0).low(word, pair);
        high0 = changetype<R>(0).high(word);
        word = changetype<W>(0).word(raw1, w, sub, 4, 0, 16, m, more);
        low1 = changetype<R>(0).low(word, pair);
        high1 = changetype<R>(0).high(word);
        at = x + 4 * rows * step;
        even = changetype<R>(0).even(at);
        odd = changetype<R>(0).odd(at);
        a0 = changetype<R>(0).mac(a0, low0, high0, even, odd, ones);
        b0 = changetype<R>(0).mac(b0, low1, high1, even, odd, ones);
        even = changetype<R>(0).even(at + step);
        odd = changetype<R>(0).odd(at + step);
        a1 = changetype<R>(0).mac(a1, low0, high0, even, odd, ones);
        b1 = changetype<R>(0).mac(b1, low1, high1, even, odd, ones);
        if (rows > 2) {
          even = changetype<R>(0).even(at + 2 * step);
          odd = changetype<R>(0).odd(at + 2 * step);
          a2 = changetype<R>(0).mac(a2, low0, high0, even, odd, ones);
          b2 = changetype<R>(0).mac(b2, low1, high1, even, odd, ones);
        }
        if (rows > 3) {
          even = changetype<R>(0).even(at + 3 * step);
          odd = changetype<R>(0).odd(at + 3 * step);
          a3 = changetype<R>(0).mac(a3, low0, high0, even, odd, ones);
          b3 = changetype<R>(0).mac(b3, low1, high1, even, odd, ones);
        }
        raw0 = changetype<W>(0).raw(w, sub, 4, 1, 0);
        raw1 = changetype<W>(0).raw(w, sub, 4, 1, 16);
        word = changetype<W>(0).word(raw0, w, sub, 4, 1, 0, m, more);
        low0 = changetype<R>(0).low(word, pair);
        high0 = changetype<R>(0).high(word);
        word = changetype<W>(0).word(raw1, w, sub, 4, 1, 16, m, more);
        low1 = changetype<R>(0).low(word, pair);
        high1 = changetype<R>(0).high(word);
        at = x + 5 * rows * step;
        even = changetype<R>(0).even(at);
        odd = changetype<R>(0).odd(at);
        a0 = changetype<R>(0).mac(a0, low0, high0, even, odd, ones);
        b0 = changetype<R>(0).mac(b0, low1, high1, even, odd, ones);
        even = changetype<R>(0).even(at + step);
        odd = changetype<R>(0).odd(at + step);
        a1 = changetype<R>(0).mac(a1, low0, high0, even, odd, ones);
        b1 = changetype<R>(0).mac(b1, low1, high1, even, odd, ones);
        if (rows > 2) {
          even = changetype<R>(0).even(at + 2 * step);
          odd = changetype<R>(0).odd(at + 2 * step);
          a2 = changetype<R>(0).mac(a2, low0, high0, even, odd, ones);
          b2 = changetype<R>(0).mac(b2, low1, high1, even, odd, ones);
        }
        if (rows > 3) {
          even = changetype<R>(0).even(at + 3 * step);
          odd = changetype<R>(0).odd(at + 3 * step);
          a3 = changetype<R>(0).mac(a3, low0, high0, even, odd, ones);
          b3 = changetype<R>(0).mac(b3, low1, high1, even, odd, ones);
        }
        raw0 = changetype<W>(0).raw(w, sub, 4, 2, 0);
        raw1 = changetype<W>(0).raw(w, sub, 4, 2, 16);
        word = changetype<W>(0).word(raw0, w, sub, 4, 2, 0, m, more);
        low0 = changetype<R>(0).low(word, pair);
        high0 = changetype<R>(0).high(word);
        word = changetype<W>(0).word(raw1, w, sub, 4, 2, 16, m, more);
        low1 = changetype<R>(0).low(word, pair);
        high1 = changetype<R>(0).high(word);
        at = x + 6 * rows * step;
        even = changetype<R>(0).even(at);
        odd = changetype<R>(0).odd(at);
        a0 = changetype<R>(0).mac(a0, low0, high0, even, odd, ones);
        b0 = changetype<R>(0).mac(b0, low1, high1, even, odd, ones);
        even = changetype<R>(0).even(at + step);
        odd = changetype<R>(0).odd(at + step);
        a1 = changetype<R>(0).mac(a1, low0, high0, even, odd, ones);
        b1 = changetype<R>(0).mac(b1, low1, high1, even, odd, ones);
        if (rows > 2) {
          even = changetype<R>(0).even(at + 2 * step);
          odd = changetype<R>(0).odd(at + 2 * step);
          a2 = changetype<R>(0).mac(a2, low0, high0, even, odd, ones);
          b2 = changetype<R>(0).mac(b2, low1, high1, even, odd, ones);
        }
        if (rows > 3) {
          even = changetype<R>(0).even(at + 3 * step);
          odd = changetype<R>(0).odd(at + 3 * step);
          a3 = changetype<R>(0).mac(a3, low0, high0, even, odd, ones);
          b3 = changetype<R>(0).mac(b3, low1, high1, even, odd, ones);
        }
        raw0 = changetype<W>(0).raw(w, sub, 4, 3, 0);
        raw1 = changetype<W>(0).raw(w, sub, 4, 3, 16);
        word = changetype<W>(0).word(raw0, w, sub, 4, 3, 0, m, more);
        low0 = changetype<R>(0).low(word, pair);
        high0 = changetype<R>(0).high(word);
        word = changetype<W>(0).word(raw1, w, sub, 4, 3, 16, m, more);
        low1 = changetype<R>(0).low(word, pair);
        high1 = changetype<R>(0).high(word);
        at = x + 7 * rows * step;
        even = changetype<R>(0).even(at);
        odd = changetype<R>(0).odd(at);
        a0 = changetype<R>(0).mac(a0, low0, high0, even, odd, ones);
        b0 = changetype<R>(0).mac(b0, low1, high1, even, odd, ones);
        even = changetype<R>(0).even(at + step);
        odd = changetype<R>(0).odd(at + step);
        a1 = changetype<R>(0).mac(a1, low0, high0, even, odd, ones);
        b1 = changetype<R>(0).mac(b1, low1, high1, even, odd, ones);
        if (rows > 2) {
          even = changetype<R>(0).even(at + 2 * step);
          odd = changetype<R>(0).odd(at + 2 * step);
          a2 = changetype<R>(0).mac(a2, low0, high0, even, odd, ones);
          b2 = changetype<R>(0).mac(b2, low1, high1, even, odd, ones);
        }
        if (rows > 3) {
          even = changetype<R>(0).even(at + 3 * step);
          odd = changetype<R>(0).odd(at + 3 * step);
          a3 = changetype<R>(0).mac(a3, low0, high0, even, odd, ones);
          b3 = changetype<R>(0).mac(b3, low1, high1, even, odd, ones);
        }
        scale0 = changetype<W>(0).scale(w, sub, 1, 0, ready, bits, by);
        scale1 = changetype<W>(0).scale(w, sub, 1, 16, ready, bits, by);
        offset0 = changetype<W>(0).offset(w, sub, 1, 0, ready, bits, by);
        offset1 = changetype<W>(0).offset(w, sub, 1, 16, ready, bits, by);
        finish<F, R, T>(acc, s, 0, 1, parts, a0, b0, scale0, scale1, offset0, offset1, ones);
        finish<F, R, T>(acc + 32, s, 1, 1, parts, a1, b1, scale0, scale1, offset0, offset1, ones);
        if (rows > 2) finish<F, R, T>(acc + 64, s, 2, 1, parts, a2, b2, scale0, scale1, offset0, offset1, ones);
        if (rows > 3) finish<F, R, T>(acc + 96, s, 3, 1, parts, a3, b3, scale0, scale1, offset0, offset1, ones);
      }
      x += 8 * rows * step;
      s += rows << 4;
    }
    w += changetype<W>(0).bytes();
  }
}
