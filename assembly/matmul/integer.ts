// One block of a tile: 32 columns of 8 rows of weights x 1 to 6 rows of activations (a pack of activation.ts).
// y = W x for weights of unsigned bytes with a scale (and perhaps an offset) per part of a block of 32 columns (one part of 32 or two of 16).
// Per part, blocks and parts ascending:
//   acc = f32(sum(byte * q) - bias * sum(q)) * (weight scale * activation scale) + acc,   then   acc = offset * (scale * sum(q)) + acc
// One order of every sum, whatever the tile; integer parts are exact. W: class of the words (format/), F: class that knows bias and offset,
// R: range class (simd.ts), T: rows of the pack.

import { kept, madd } from '../simd';

/** Constants of half.ts. */
export const HALF_BITS: i32 = <i32>0x8fffffff;
export const HALF_SCALE: i32 = 0x77800000;

/** `acc`: f32 [rows][8], in memory, so that the integer sums keep the registers. */
// @ts-ignore: decorator
@inline function block<W, F, R, T>(
  p: usize,
  sub: usize,
  ready: usize,
  x: usize,
  s: usize,
  acc: usize,
  m: v128,
  more: v128,
  bits: v128,
  by: v128,
  pair: v128,
  ones: v128,
): void {
  const rows = changetype<T>(0).rows();
  const step = changetype<R>(0).step();
  const parts = changetype<W>(0).parts();
  const shares = changetype<W>(0).shares();
  // Two groups of columns at once: where they share bytes, and where the scheduler likes longer bodies (not in Node 20).
  const both = parts == 1 && (shares || BUILD == 2);
  const groups: usize = parts == 1 && !both ? 8 : 4;
  for (let part: usize = 0; part < parts; part++) {
    const high: usize = parts == 1 ? 0 : part << 2;
    let a0 = start<F, R, T>(s, 0, part, parts);
    let b0 = a0;
    let a1 = start<F, R, T>(s, 1, part, parts);
    let b1 = a1;
    let a2 = start<F, R, T>(s, 2, part, parts);
    let b2 = a2;
    let a3 = start<F, R, T>(s, 3, part, parts);
    let b3 = a3;
    let a4 = start<F, R, T>(s, 4, part, parts);
    let b4 = a4;
    let a5 = start<F, R, T>(s, 5, part, parts);
    let b5 = a5;
    for (let g: usize = 0; g < groups; g++) {
      let raw0 = changetype<W>(0).raw(p, sub, high, g, 0);
      let raw1 = changetype<W>(0).raw(p, sub, high, g, 16);
      let word = changetype<W>(0).word(raw0, p, sub, high, g, 0, m, more);
      let low0 = changetype<R>(0).low(word, pair);
      let high0 = changetype<R>(0).high(word);
      word = changetype<W>(0).word(raw1, p, sub, high, g, 16, m, more);
      let low1 = changetype<R>(0).low(word, pair);
      let high1 = changetype<R>(0).high(word);
      let at = x;
      let even = changetype<R>(0).even(at);
      let odd = changetype<R>(0).odd(at);
      a0 = changetype<R>(0).mac(a0, low0, high0, even, odd, ones);
      b0 = changetype<R>(0).mac(b0, low1, high1, even, odd, ones);
      if (rows > 1) {
        even = changetype<R>(0).even(at + step);
        odd = changetype<R>(0).odd(at + step);
        a1 = changetype<R>(0).mac(a1, low0, high0, even, odd, ones);
        b1 = changetype<R>(0).mac(b1, low1, high1, even, odd, ones);
      }
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
      if (rows > 4) {
        even = changetype<R>(0).even(at + 4 * step);
        odd = changetype<R>(0).odd(at + 4 * step);
        a4 = changetype<R>(0).mac(a4, low0, high0, even, odd, ones);
        b4 = changetype<R>(0).mac(b4, low1, high1, even, odd, ones);
      }
      if (rows > 5) {
        even = changetype<R>(0).even(at + 5 * step);
        odd = changetype<R>(0).odd(at + 5 * step);
        a5 = changetype<R>(0).mac(a5, low0, high0, even, odd, ones);
        b5 = changetype<R>(0).mac(b5, low1, high1, even, odd, ones);
      }
      if (both) {
        if (!shares) {
          raw0 = changetype<W>(0).raw(p, sub, 4, g, 0);
          raw1 = changetype<W>(0).raw(p, sub, 4, g, 16);
        }
        word = changetype<W>(0).word(raw0, p, sub, 4, g, 0, m, more);
        low0 = changetype<R>(0).low(word, pair);
        high0 = changetype<R>(0).high(word);
        word = changetype<W>(0).word(raw1, p, sub, 4, g, 16, m, more);
        low1 = changetype<R>(0).low(word, pair);
        high1 = changetype<R>(0).high(word);
        at = x + 4 * rows * step;
        even = changetype<R>(0).even(at);
        odd = changetype<R>(0).odd(at);
        a0 = changetype<R>(0).mac(a0, low0, high0, even, odd, ones);
        b0 = changetype<R>(0).mac(b0, low1, high1, even, odd, ones);
        if (rows > 1) {
          even = changetype<R>(0).even(at + step);
          odd = changetype<R>(0).odd(at + step);
          a1 = changetype<R>(0).mac(a1, low0, high0, even, odd, ones);
          b1 = changetype<R>(0).mac(b1, low1, high1, even, odd, ones);
        }
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
        if (rows > 4) {
          even = changetype<R>(0).even(at + 4 * step);
          odd = changetype<R>(0).odd(at + 4 * step);
          a4 = changetype<R>(0).mac(a4, low0, high0, even, odd, ones);
          b4 = changetype<R>(0).mac(b4, low1, high1, even, odd, ones);
        }
        if (rows > 5) {
          even = changetype<R>(0).even(at + 5 * step);
          odd = changetype<R>(0).odd(at + 5 * step);
          a5 = changetype<R>(0).mac(a5, low0, high0, even, odd, ones);
          b5 = changetype<R>(0).mac(b5, low1, high1, even, odd, ones);
        }
      }
      x += rows * step;
    }
    const scale0 = changetype<W>(0).scale(p, sub, part, 0, ready, bits, by);
    const scale1 = changetype<W>(0).scale(p, sub, part, 16, ready, bits, by);
    const offset0 = changetype<W>(0).offset(p, sub, part, 0, ready, bits, by);
    const offset1 = changetype<W>(0).offset(p, sub, part, 16, ready, bits, by);
    finish<F, R, T>(acc, s, 0, part, parts, a0, b0, scale0, scale1, offset0, offset1, ones);
    if (rows > 1) finish<F, R, T>(acc + 32, s, 1, part, parts, a1, b1, scale0, scale1, offset0, offset1, ones);
    if (rows > 2) finish<F, R, T>(acc + 64, s, 2, part, parts, a2, b2, scale0, scale1, offset0, offset1, ones);
    if (rows > 3) finish<F, R, T>(acc + 96, s, 3, part, parts, a3, b3, scale0, scale1, offset0, offset1, ones);
    if (rows > 4) finish<F, R, T>(acc + 128, s, 4, part, parts, a4, b4, scale0, scale1, offset0, offset1, ones);
    if (rows > 5) finish<F, R, T>(acc + 160, s, 5, part, parts, a5, b5, scale0, scale1, offset0, offset1, ones);
  }
}

/** -bias * sum(q) of a part. */
// @ts-ignore: decorator
@inline function correction<F, T>(s: usize, row: usize, part: usize, parts: usize): v128 {
  const bias = changetype<F>(0).bias();
  const field = changetype<T>(0).rows() << 2;
  const at = s + (row << 2);
  if (parts == 1) return times(v128.load32_splat(at + field), bias);
  const first = v128.load32_splat(at + 3 * field);
  return times(part == 0 ? first : i32x4.sub(v128.load32_splat(at + field), first), bias);
}

// @ts-ignore: decorator
@inline function times(n: v128, bias: i32): v128 {
  if (bias == 1) return n;
  if (bias == 4) return i32x4.shl(n, 2);
  if (bias == 8) return i32x4.shl(n, 3);
  if (bias == 16) return i32x4.shl(n, 4);
  if (bias == 32) return i32x4.shl(n, 5);
  if (bias == 64) return i32x4.shl(n, 6);
  if (bias == 128) return i32x4.shl(n, 7);
  return i32x4.mul(n, i32x4.splat(bias));
}

/** What the integer sums of a row start from. */
// @ts-ignore: decorator
@inline export function start<F, R, T>(s: usize, row: usize, part: usize, parts: usize): v128 {
  if (row >= changetype<T>(0).rows() || changetype<F>(0).bias() == 0 || !changetype<R>(0).starts()) return i32x4.splat(0);
  return correction<F, T>(s, row, part, parts);
}

// @ts-ignore: decorator
@inline export function finish<F, R, T>(
  acc: usize,
  s: usize,
  row: usize,
  part: usize,
  parts: usize,
  a: v128,
  b: v128,
  scale0: v128,
  scale1: v128,
  offset0: v128,
  offset1: v128,
  ones: v128,
): void {
  const x = v128.load32_splat(s + (row << 2));
  const sum = scaledSum<F, T>(s, row, part, parts, x);
  v128.store(acc, result<F, R, T>(v128.load(acc), a, scale0, offset0, x, sum, s, row, part, parts, ones));
  v128.store(acc, result<F, R, T>(v128.load(acc, 16), b, scale1, offset1, x, sum, s, row, part, parts, ones), 16);
}

/** What the offset of a part is multiplied with. `x`: scale of the activations. */
// @ts-ignore: decorator
@inline function scaledSum<F, T>(s: usize, row: usize, part: usize, parts: usize, x: v128): v128 {
  if (!changetype<F>(0).hasOffset()) return i32x4.splat(0);
  const field = changetype<T>(0).rows() << 2;
  const at = s + (row << 2);
  if (parts == 1) return v128.load32_splat(at + 2 * field);
  const first = v128.load32_splat(at + 3 * field);
  const sum = part == 0 ? first : i32x4.sub(v128.load32_splat(at + field), first);
  return f32x4.mul(x, f32x4.convert_i32x4_s(i32x4.neg(sum)));
}

/** The f32 sum `was` of 4 rows of weights, and what a part adds. `sum`: of its products, `scaled`: scaledSum. */
// @ts-ignore: decorator
@inline function result<F, R, T>(
  was: v128,
  sum: v128,
  scale: v128,
  offset: v128,
  x: v128,
  scaled: v128,
  s: usize,
  row: usize,
  part: usize,
  parts: usize,
  ones: v128,
): v128 {
  sum = changetype<R>(0).total(sum, ones);
  if (changetype<F>(0).bias() != 0 && !changetype<R>(0).starts()) sum = i32x4.add(sum, correction<F, T>(s, row, part, parts));
  const value = madd(f32x4.convert_i32x4_s(sum), f32x4.mul(scale, x), was);
  return changetype<F>(0).hasOffset() ? madd(offset, scaled, value) : value;
}

/** A panel x a pack, added to `acc`. `ready`: room for what a superblock has ready for its blocks. */
export function tile<W, F, R, T>(w: usize, x: usize, s: usize, blocks: usize, ready: usize, acc: usize): void {
  const rows = changetype<T>(0).rows();
  const subs = changetype<W>(0).subs();
  const quants = (rows * changetype<R>(0).step()) << 3;
  let m = i8x16.splat(<i8>kept(15, blocks));
  let more = i8x16.splat(<i8>kept(changetype<W>(0).moreBits(), blocks));
  let bits = i32x4.splat(kept(HALF_BITS, blocks));
  let by = i32x4.splat(kept(HALF_SCALE, blocks));
  let pair = i32x4.splat(kept(0x00ff00ff, blocks));
  let ones = i16x8.splat(<i16>kept(1, blocks));
  for (let b: usize = 0; b < blocks; b += subs) {
    changetype<W>(0).prepare(w, ready, bits, by);
    for (let sub: usize = 0; sub < subs; sub++) {
      block<W, F, R, T>(w, sub, ready, x, s, acc, m, more, bits, by, pair, ones);
      x += quants;
      s += rows << 4;
    }
    w += changetype<W>(0).bytes();
  }
}
