// What the machine gives to code that does nothing else: ceilings for the matrix kernels. Not part of the kernels; bench/bare.ts compiles it.

import { Bytes, Nibbles } from './simd';

/** Products of 8 rows x 4 tokens over 64 groups of 4 columns that stay in cache: 8192 multiplications, `times` times. */
export function productsOfBytes(w: usize, x: usize, times: u32, out: usize): void { products<Bytes>(w, x, times, out); }

/** The same for weights of 4 bits. The sums overflow, which costs nothing. */
export function productsOfNibbles(w: usize, x: usize, times: u32, out: usize): void { products<Nibbles>(w, x, times, out); }

function products<R>(w: usize, x: usize, times: u32, out: usize): void {
  const step = changetype<R>(0).step();
  let pair = i32x4.splat(0x00ff00ff);
  let ones = i16x8.splat(1);
  let a0 = i32x4.splat(0);
  let b0 = i32x4.splat(0);
  let a1 = i32x4.splat(0);
  let b1 = i32x4.splat(0);
  let a2 = i32x4.splat(0);
  let b2 = i32x4.splat(0);
  let a3 = i32x4.splat(0);
  let b3 = i32x4.splat(0);
  for (let t: u32 = 0; t < times; t++) {
    let p = w;
    let q = x;
    for (let g = 0; g < 64; g++) {
      const w0 = v128.load(p);
      const w1 = v128.load(p, 16);
      const low0 = changetype<R>(0).low(w0, pair);
      const high0 = changetype<R>(0).high(w0);
      const low1 = changetype<R>(0).low(w1, pair);
      const high1 = changetype<R>(0).high(w1);
      let even = changetype<R>(0).even(q);
      let odd = changetype<R>(0).odd(q);
      a0 = changetype<R>(0).mac(a0, low0, high0, even, odd, ones);
      b0 = changetype<R>(0).mac(b0, low1, high1, even, odd, ones);
      even = changetype<R>(0).even(q + step);
      odd = changetype<R>(0).odd(q + step);
      a1 = changetype<R>(0).mac(a1, low0, high0, even, odd, ones);
      b1 = changetype<R>(0).mac(b1, low1, high1, even, odd, ones);
      even = changetype<R>(0).even(q + 2 * step);
      odd = changetype<R>(0).odd(q + 2 * step);
      a2 = changetype<R>(0).mac(a2, low0, high0, even, odd, ones);
      b2 = changetype<R>(0).mac(b2, low1, high1, even, odd, ones);
      even = changetype<R>(0).even(q + 3 * step);
      odd = changetype<R>(0).odd(q + 3 * step);
      a3 = changetype<R>(0).mac(a3, low0, high0, even, odd, ones);
      b3 = changetype<R>(0).mac(b3, low1, high1, even, odd, ones);
      p += 32;
      q += 4 * step;
    }
  }
  v128.store(out, i32x4.add(i32x4.add(a0, b0), i32x4.add(a1, b1)));
  v128.store(out, i32x4.add(i32x4.add(a2, b2), i32x4.add(a3, b3)), 16);
}

/** Reads `bytes` once, as two streams. */
export function read(at: usize, bytes: usize, out: usize): void {
  const distance = (bytes >> 7) << 6;
  let a = i32x4.splat(0);
  let b = i32x4.splat(0);
  for (let p = at; p < at + distance; p += 64) {
    const q = p + distance;
    a = v128.xor(v128.xor(a, v128.load(p)), v128.xor(v128.load(p, 16), v128.xor(v128.load(p, 32), v128.load(p, 48))));
    b = v128.xor(v128.xor(b, v128.load(q)), v128.xor(v128.load(q, 16), v128.xor(v128.load(q, 32), v128.load(q, 48))));
  }
  v128.store(out, v128.xor(a, b));
}
