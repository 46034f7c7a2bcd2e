// A panel x one row of activations, in the vnni build: what decoding waits for. The sums of integer.ts in the same order, with fewer
// instructions for them:
// - high nibbles are multiplied where they lie, 16 times too large; their sum is shifted back once (8 rows: 4 instructions, not 16);
// - a product of a superblock's f16 d and an integer n is madd(d, 2^23 + n, -d * 2^23): one rounding, as the product has, and 2^23 + n is
//   made by writing n into the low bits of that constant. What it needs beside d lies in `ready`: registers are for sums;
// - addresses are one pointer and literal offsets.

import { kept, madd } from '../simd';
import { HALF_SCALE } from './integer';

/** `ready`: 208 bytes of the thread's own; `y`: f32 [8]. */
export function single<F>(w: usize, x: usize, s: usize, blocks: usize, ready: usize, y: usize): void {
  if (changetype<F>(0).parts() == 2) singleSix(w, x, s, blocks, ready, y);
  else if (changetype<F>(0).shares()) singleNibbles<F>(w, x, s, blocks, ready, y);
  else singleBytes(w, x, s, blocks, y);
}

/** Q8_0 */
// @ts-ignore: decorator
@inline function singleBytes(w: usize, x: usize, s: usize, blocks: usize, y: usize): void {
  let half = halfMask(blocks);
  let by = i32x4.splat(kept(HALF_SCALE, blocks));
  let y0 = i32x4.splat(0);
  let y1 = y0;
  for (let b: usize = 0; b < blocks; b++) {
    let a0 = i32x4.shl(v128.load32_splat(s, 4), 7);
    let a1 = a0;
    let q = v128.load32_splat(x);
    a0 = dot(a0, v128.load(w), q);
    a1 = dot(a1, v128.load(w, 16), q);
    q = v128.load32_splat(x, 4);
    a0 = dot(a0, v128.load(w, 32), q);
    a1 = dot(a1, v128.load(w, 48), q);
    q = v128.load32_splat(x, 8);
    a0 = dot(a0, v128.load(w, 64), q);
    a1 = dot(a1, v128.load(w, 80), q);
    q = v128.load32_splat(x, 12);
    a0 = dot(a0, v128.load(w, 96), q);
    a1 = dot(a1, v128.load(w, 112), q);
    q = v128.load32_splat(x, 16);
    a0 = dot(a0, v128.load(w, 128), q);
    a1 = dot(a1, v128.load(w, 144), q);
    q = v128.load32_splat(x, 20);
    a0 = dot(a0, v128.load(w, 160), q);
    a1 = dot(a1, v128.load(w, 176), q);
    q = v128.load32_splat(x, 24);
    a0 = dot(a0, v128.load(w, 192), q);
    a1 = dot(a1, v128.load(w, 208), q);
    q = v128.load32_splat(x, 28);
    a0 = dot(a0, v128.load(w, 224), q);
    a1 = dot(a1, v128.load(w, 240), q);
    const scale = v128.load32_splat(s);
    const halves = v128.load(w, 256);
    const high = halfHigh(halves, half);
    const low = i16x8.shl(halves, 13);
    y0 = madd(f32x4.convert_i32x4_s(a0), f32x4.mul(f32x4.mul(lowPairs(low, high), by), scale), y0);
    y1 = madd(f32x4.convert_i32x4_s(a1), f32x4.mul(f32x4.mul(highPairs(low, high), by), scale), y1);
    w += 272;
    x += 32;
    s += 16;
  }
  v128.store(y, y0);
  v128.store(y, y1, 16);
}

/** Q4_0, Q4_1, Q5_0, Q5_1, Q4_K, Q5_K */
// @ts-ignore: decorator
@inline function singleNibbles<F>(w: usize, x: usize, s: usize, blocks: usize, ready: usize, y: usize): void {
  const subs = changetype<F>(0).subs();
  const fifth = changetype<F>(0).moreBits() != 0;
  const size = subs == 1 ? changetype<F>(0).bytes() : (changetype<F>(0).bytes() - 32) >> 3;
  let m = i8x16.splat(<i8>kept(15, blocks));
  // High nibbles, or a fifth bit.
  let more = i8x16.splat(<i8>kept(fifth ? 16 : 0xf0, blocks));
  let zero = i32x4.splat(kept(0, blocks));
  let half = halfMask(blocks);
  let by = i32x4.splat(kept(HALF_SCALE, blocks));
  let large = i16x8.splat(<i16>kept(0x4b00, blocks));
  if (subs > 1) storeConstants(ready, <f32>-8388608);
  let y0 = i32x4.splat(0);
  let y1 = y0;
  for (let b: usize = 0; b < blocks; b += subs) {
    if (subs > 1) {
      prepare(w, ready, ready, zero);
      prepare(w + 16, ready, ready + 32, zero);
      w += 32;
    }
    for (let sub: usize = 0; sub < subs; sub++) {
      let a0 = zero;
      if (changetype<F>(0).bias() == 8) a0 = i32x4.shl(v128.load32_splat(s, 4), 3);
      if (changetype<F>(0).bias() == 16) a0 = i32x4.shl(v128.load32_splat(s, 4), 4);
      let a1 = a0;
      let fifths0 = zero;
      let fifths1 = zero;
      if (fifth) {
        fifths0 = v128.load(w, 128);
        fifths1 = v128.load(w, 144);
      }
      // Sums of the high nibbles: two chains of products are done sooner than one.
      let h0 = zero;
      let h1 = zero;
      let raw0 = v128.load(w);
      let raw1 = v128.load(w, 16);
      let q = v128.load32_splat(x);
      a0 = dot(a0, lowWord<F>(raw0, fifths0, 0, m, more), q);
      a1 = dot(a1, lowWord<F>(raw1, fifths1, 0, m, more), q);
      q = v128.load32_splat(x, 16);
      h0 = dot(h0, highWord<F>(raw0, fifths0, 0, m, more), q);
      h1 = dot(h1, highWord<F>(raw1, fifths1, 0, m, more), q);
      raw0 = v128.load(w, 32);
      raw1 = v128.load(w, 48);
      q = v128.load32_splat(x, 4);
      a0 = dot(a0, lowWord<F>(raw0, fifths0, 1, m, more), q);
      a1 = dot(a1, lowWord<F>(raw1, fifths1, 1, m, more), q);
      q = v128.load32_splat(x, 20);
      h0 = dot(h0, highWord<F>(raw0, fifths0, 1, m, more), q);
      h1 = dot(h1, highWord<F>(raw1, fifths1, 1, m, more), q);
      raw0 = v128.load(w, 64);
      raw1 = v128.load(w, 80);
      q = v128.load32_splat(x, 8);
      a0 = dot(a0, lowWord<F>(raw0, fifths0, 2, m, more), q);
      a1 = dot(a1, lowWord<F>(raw1, fifths1, 2, m, more), q);
      q = v128.load32_splat(x, 24);
      h0 = dot(h0, highWord<F>(raw0, fifths0, 2, m, more), q);
      h1 = dot(h1, highWord<F>(raw1, fifths1, 2, m, more), q);
      raw0 = v128.load(w, 96);
      raw1 = v128.load(w, 112);
      q = v128.load32_splat(x, 12);
      a0 = dot(a0, lowWord<F>(raw0, fifths0, 3, m, more), q);
      a1 = dot(a1, lowWord<F>(raw1, fifths1, 3, m, more), q);
      q = v128.load32_splat(x, 28);
      h0 = dot(h0, highWord<F>(raw0, fifths0, 3, m, more), q);
      h1 = dot(h1, highWord<F>(raw1, fifths1, 3, m, more), q);
      a0 = i32x4.add(a0, fifth ? h0 : i32x4.shr_s(h0, 4));
      a1 = i32x4.add(a1, fifth ? h1 : i32x4.shr_s(h1, 4));
      const scale = v128.load32_splat(s);
      const at = w + (fifth ? 160 : 128);
      if (subs > 1) {
        const both = v128.load(at);
        let n = i16x8.extend_low_i8x16_u(both);
        y0 = madd(f32x4.convert_i32x4_s(a0), f32x4.mul(madd(v128.load(ready), lowPairs(n, large), v128.load(ready, 64)), scale), y0);
        y1 = madd(f32x4.convert_i32x4_s(a1), f32x4.mul(madd(v128.load(ready, 16), highPairs(n, large), v128.load(ready, 80)), scale), y1);
        n = i16x8.extend_high_i8x16_u(both);
        const sum = v128.load32_splat(s, 8);
        y0 = less(madd(v128.load(ready, 32), lowPairs(n, large), v128.load(ready, 96)), sum, y0);
        y1 = less(madd(v128.load(ready, 48), highPairs(n, large), v128.load(ready, 112)), sum, y1);
      } else {
        const scales = v128.load(at);
        const high = halfHigh(scales, half);
        const low = i16x8.shl(scales, 13);
        y0 = madd(f32x4.convert_i32x4_s(a0), f32x4.mul(f32x4.mul(lowPairs(low, high), by), scale), y0);
        y1 = madd(f32x4.convert_i32x4_s(a1), f32x4.mul(f32x4.mul(highPairs(low, high), by), scale), y1);
        if (changetype<F>(0).hasOffset()) {
          const offsets = v128.load(at, 16);
          const upper = halfHigh(offsets, half);
          const lower = i16x8.shl(offsets, 13);
          const sum = v128.load32_splat(s, 8);
          y0 = madd(f32x4.mul(lowPairs(lower, upper), by), sum, y0);
          y1 = madd(f32x4.mul(highPairs(lower, upper), by), sum, y1);
        }
      }
      w += size;
      x += 32;
      s += 16;
    }
  }
  v128.store(y, y0);
  v128.store(y, y1, 16);
}

/** Columns 4g .. 4g + 3 of a block. */
// @ts-ignore: decorator
@inline function lowWord<F>(raw: v128, fifths: v128, g: i32, m: v128, more: v128): v128 {
  const low = v128.and(raw, m);
  if (changetype<F>(0).moreBits() == 0) return low;
  return v128.or(low, v128.and(i16x8.shl(fifths, 4 - g), more));
}

/** Columns 16 + 4g .. 16 + 4g + 3; without fifth bits 16 times as large. */
// @ts-ignore: decorator
@inline function highWord<F>(raw: v128, fifths: v128, g: i32, m: v128, more: v128): v128 {
  if (changetype<F>(0).moreBits() == 0) return v128.and(raw, more);
  return v128.or(v128.and(i16x8.shr_u(raw, 4), m), v128.and(i16x8.shr_u(fifths, g), more));
}

/** Q6_K: n is a signed byte, here with 128 added, so it lies 8 bits higher: 2^15 + 128 + n, and d * (2^15 + 128) is exact. */
// @ts-ignore: decorator
@inline function singleSix(w: usize, x: usize, s: usize, blocks: usize, ready: usize, y: usize): void {
  let pairs = i8x16.splat(<i8>kept(0xc0, blocks));
  let sign = i8x16.splat(<i8>kept(0x80, blocks));
  let zero = i32x4.splat(kept(0, blocks));
  let large = i16x8.splat(<i16>kept(0x4700, blocks));
  storeConstants(ready, <f32>-32896);
  let y0 = i32x4.splat(0);
  let y1 = y0;
  for (let b: usize = 0; b < blocks; b += 8) {
    prepare(w, ready, ready, zero);
    w += 16;
    for (let sub: usize = 0; sub < 8; sub++) {
      const scale = v128.load32_splat(s);
      const scales = v128.xor(v128.load(w, 192), sign);
      const first = v128.load32_splat(s, 12);
      // As `sixBits` does, from bytes that are loaded once.
      let a0 = i32x4.shl(first, 5);
      let a1 = a0;
      let raw0 = v128.load(w);
      let raw1 = v128.load(w, 16);
      let q = v128.load32_splat(x);
      a0 = dot(a0, v128.andnot(raw0, pairs), q);
      a1 = dot(a1, v128.andnot(raw1, pairs), q);
      let last0 = v128.and(raw0, pairs);
      let last1 = v128.and(raw1, pairs);
      raw0 = v128.load(w, 32);
      raw1 = v128.load(w, 48);
      q = v128.load32_splat(x, 4);
      a0 = dot(a0, v128.andnot(raw0, pairs), q);
      a1 = dot(a1, v128.andnot(raw1, pairs), q);
      last0 = v128.or(i16x8.shr_u(last0, 2), v128.and(raw0, pairs));
      last1 = v128.or(i16x8.shr_u(last1, 2), v128.and(raw1, pairs));
      raw0 = v128.load(w, 64);
      raw1 = v128.load(w, 80);
      q = v128.load32_splat(x, 8);
      a0 = dot(a0, v128.andnot(raw0, pairs), q);
      a1 = dot(a1, v128.andnot(raw1, pairs), q);
      last0 = v128.or(i16x8.shr_u(last0, 2), v128.and(raw0, pairs));
      last1 = v128.or(i16x8.shr_u(last1, 2), v128.and(raw1, pairs));
      q = v128.load32_splat(x, 12);
      a0 = dot(a0, i16x8.shr_u(last0, 2), q);
      a1 = dot(a1, i16x8.shr_u(last1, 2), q);
      let n: v128 = i8x16.shuffle(zero, scales, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
      y0 = madd(f32x4.convert_i32x4_s(a0), f32x4.mul(madd(v128.load(ready), lowPairs(n, large), v128.load(ready, 64)), scale), y0);
      y1 = madd(f32x4.convert_i32x4_s(a1), f32x4.mul(madd(v128.load(ready, 16), highPairs(n, large), v128.load(ready, 80)), scale), y1);

      a0 = i32x4.shl(i32x4.sub(v128.load32_splat(s, 4), first), 5);
      a1 = a0;
      raw0 = v128.load(w, 96);
      raw1 = v128.load(w, 112);
      q = v128.load32_splat(x, 16);
      a0 = dot(a0, v128.andnot(raw0, pairs), q);
      a1 = dot(a1, v128.andnot(raw1, pairs), q);
      last0 = v128.and(raw0, pairs);
      last1 = v128.and(raw1, pairs);
      raw0 = v128.load(w, 128);
      raw1 = v128.load(w, 144);
      q = v128.load32_splat(x, 20);
      a0 = dot(a0, v128.andnot(raw0, pairs), q);
      a1 = dot(a1, v128.andnot(raw1, pairs), q);
      last0 = v128.or(i16x8.shr_u(last0, 2), v128.and(raw0, pairs));
      last1 = v128.or(i16x8.shr_u(last1, 2), v128.and(raw1, pairs));
      raw0 = v128.load(w, 160);
      raw1 = v128.load(w, 176);
      q = v128.load32_splat(x, 24);
      a0 = dot(a0, v128.andnot(raw0, pairs), q);
      a1 = dot(a1, v128.andnot(raw1, pairs), q);
      last0 = v128.or(i16x8.shr_u(last0, 2), v128.and(raw0, pairs));
      last1 = v128.or(i16x8.shr_u(last1, 2), v128.and(raw1, pairs));
      q = v128.load32_splat(x, 28);
      a0 = dot(a0, i16x8.shr_u(last0, 2), q);
      a1 = dot(a1, i16x8.shr_u(last1, 2), q);
      n = i8x16.shuffle(zero, scales, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
      y0 = madd(f32x4.convert_i32x4_s(a0), f32x4.mul(madd(v128.load(ready), lowPairs(n, large), v128.load(ready, 64)), scale), y0);
      y1 = madd(f32x4.convert_i32x4_s(a1), f32x4.mul(madd(v128.load(ready, 16), highPairs(n, large), v128.load(ready, 80)), scale), y1);
      w += 208;
      x += 32;
      s += 16;
    }
  }
  v128.store(y, y0);
  v128.store(y, y1, 16);
}

// @ts-ignore: decorator
@inline function dot(sum: v128, word: v128, quants: v128): v128 {
  return i32x4.relaxed_dot_i8x16_i7x16_add_s(quants, word, sum);
}

/** c - a * b, fused as `madd` is. */
// @ts-ignore: decorator
@inline function less(a: v128, b: v128, c: v128): v128 { return f32x4.relaxed_nmadd(a, b, c); }

/** i16 0 to 3 (4 to 7) of `low`, each with that of `high` above it. */
// @ts-ignore: decorator
@inline function lowPairs(low: v128, high: v128): v128 {
  return i8x16.shuffle(low, high, 0, 1, 16, 17, 2, 3, 18, 19, 4, 5, 20, 21, 6, 7, 22, 23);
}
// @ts-ignore: decorator
@inline function highPairs(low: v128, high: v128): v128 {
  return i8x16.shuffle(low, high, 8, 9, 24, 25, 10, 11, 26, 27, 12, 13, 28, 29, 14, 15, 30, 31);
}

// The step of half.ts, in i16: the upper 16 bits of f32 times 2^-112; the lower ones are the half moved up by 13 bits.

// @ts-ignore: decorator
@inline function halfMask(blocks: usize): v128 { return i16x8.splat(<i16>kept(0x8fff, blocks)); }
// @ts-ignore: decorator
@inline function halfHigh(halves: v128, mask: v128): v128 { return v128.and(i16x8.shr_s(halves, 3), mask); }

// `ready`: d of 8 rows, dmin | both times `by` | constants of `prepare`

/** `by`: minus what is added to the integers of a superblock's scales. */
// @ts-ignore: decorator
@inline function storeConstants(ready: usize, by: f32): void {
  v128.store(ready, i16x8.splat(<i16>0x8000), 128);
  v128.store(ready, i16x8.splat(0x3800), 144);
  v128.store(ready, f32x4.splat(2), 160);
  v128.store(ready, f32x4.splat(<f32>-0.00006103515625), 176);
  v128.store(ready, f32x4.splat(by), 192);
}

/**
 * 8 halves -> f32 d at `to`, and 64 bytes on d * `by`. As in `superScales` no subnormal f32 comes up: with an exponent of at least 2^-15, a normal
 * half is f and a subnormal one 2 f - 2^-14; the smaller of the two is the right one.
 */
// @ts-ignore: decorator
@inline function prepare(at: usize, ready: usize, to: usize, zero: v128): void {
  const halves = v128.load(at);
  const sign = v128.and(halves, v128.load(ready, 128));
  const high = i16x8.add(i16x8.shr_u(v128.xor(halves, sign), 3), v128.load(ready, 144));
  const low = i16x8.shl(halves, 13);
  const two = v128.load(ready, 160);
  const least = v128.load(ready, 176);
  const by = v128.load(ready, 192);
  const f0 = lowPairs(low, high);
  const f1 = highPairs(low, high);
  const d0 = v128.or(f32x4.pmin(f0, madd(f0, two, least)), lowPairs(zero, sign));
  const d1 = v128.or(f32x4.pmin(f1, madd(f1, two, least)), highPairs(zero, sign));
  v128.store(to, d0);
  v128.store(to, d1, 16);
  v128.store(to, f32x4.mul(d0, by), 64);
  v128.store(to, f32x4.mul(d1, by), 80);
}
