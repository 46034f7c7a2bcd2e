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

/** Bit `index` of every byte -> bit 4: the fifth bits of columns 4 index + j lie in byte j; `m` is i8x16.splat(16). */
// @ts-ignore: decorator
@inline export function fifth(bits: v128, index: usize, m: v128): v128 {
  const moved = index < 4 ? i16x8.shl(bits, 4 - <i32>index) : i16x8.shr_u(bits, <i32>index - 4);
  return v128.and(moved, m);
}

/** Bits 2g and 2g + 1 of every byte -> bits 4 and 5; `m` is i8x16.splat(48). */
// @ts-ignore: decorator
@inline export function upper(pairs: v128, g: usize, m: v128): v128 {
  const moved = g < 2 ? i16x8.shl(pairs, 4 - (<i32>g << 1)) : i16x8.shr_u(pairs, (<i32>g << 1) - 4);
  return v128.and(moved, m);
}
