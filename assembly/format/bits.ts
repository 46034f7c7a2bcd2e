// Fields of packed formats.

import { widenHighBy, widenLowBy } from '../half';

/** Four of eight f16 -> f32; `bits` and `by` are the constants of half.ts. */
// @ts-ignore: decorator
@inline export function halves(at: usize, half: usize, bits: v128, by: v128): v128 {
  return half ? widenHighBy(v128.load(at), bits, by) : widenLowBy(v128.load(at), bits, by);
}

/** Four unsigned bytes -> f32. */
// @ts-ignore: decorator
@inline export function bytes4(at: usize): v128 {
  return f32x4.convert_i32x4_u(i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(at))));
}

/** Four signed bytes -> f32. */
// @ts-ignore: decorator
@inline export function signed4(at: usize): v128 {
  return f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(v128.load32_zero(at))));
}

/** Low (high 0) or high (high 4) nibbles; `m` is i8x16.splat(15). */
// @ts-ignore: decorator
@inline export function nibbles(raw: v128, high: usize, m: v128): v128 {
  return v128.and(high ? i16x8.shr_u(raw, 4) : raw, m);
}

/** Bit `high + g` of every byte -> bit 4: the fifth bits of columns 4 (high + g) + j lie in byte j; `m` is i8x16.splat(16). */
// @ts-ignore: decorator
@inline export function fifth(bits: v128, high: usize, g: usize, m: v128): v128 {
  return v128.and(high ? i16x8.shr_u(bits, <i32>g) : i16x8.shl(bits, 4 - <i32>g), m);
}

/**
 * Three vectors at `at`, 32 bytes apart, hold four words of 6 bits: the low bits are the first three, the upper pairs the fourth. `m` is
 * i8x16.splat(0xc0).
 */
// @ts-ignore: decorator
@inline export function sixBits(at: usize, g: usize, m: v128): v128 {
  if (g < 3) return v128.andnot(v128.load(at + (g << 5)), m);
  const second = v128.or(i16x8.shr_u(v128.and(v128.load(at), m), 2), v128.and(v128.load(at, 32), m));
  return i16x8.shr_u(v128.or(i16x8.shr_u(second, 2), v128.and(v128.load(at, 64), m)), 2);
}

/**
 * The same as `halves`, without a step through subnormal f32, which are slow and not rare among the scales of superblocks: a subnormal half
 * gets the exponent of the smallest normal one, and that one is subtracted.
 */
// @ts-ignore: decorator
@inline export function superScales(at: usize, half: usize): v128 {
  const words = v128.load64_zero(at + (half >> 1));
  const h = i32x4.extend_low_i16x8_u(words);
  const magnitude = v128.and(h, i32x4.splat(0x7fff));
  const small = i32x4.lt_s(magnitude, i32x4.splat(0x400));
  const moved = i32x4.sub(i32x4.add(i32x4.shl(magnitude, 13), i32x4.splat(0x38000000)), i32x4.shl(small, 23));
  const value = f32x4.sub(moved, v128.and(small, i32x4.splat(0x38800000)));
  return v128.or(value, i32x4.shl(v128.andnot(h, i32x4.splat(0x7fff)), 16));
}
