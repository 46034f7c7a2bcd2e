// What differs between the builds, and nothing else does. BUILD is a constant of the compiler (`use` in
// asconfig.json): 0 strict, 1 rel16, 2 vnni.
//
//   strict   plain SIMD, no fused multiply-add: the same bits on every machine
//   rel16    fused multiply-add; products of small weights by the relaxed i16 dot product (pmaddubsw)
//   vnni     the same, by the relaxed i32 dot product (vpdpbusd), which also takes unsigned bytes up to 255
//
// Integer parts are exact in all of them, so rel16 and vnni give equal bits.
//
// A *word* is 4 rows x 4 columns of unsigned bytes, one row in each i32 lane. It meets 4 activations of a token, broadcast to all lanes.
// The strict form splits a word into even and odd bytes (i16) and keeps activations as i16 in the order k0 k2 k1 k3; the relaxed
// forms take activations as int8.

/** a * b + c, fused where the build says so. */
// @ts-ignore: decorator
@inline export function madd(a: v128, b: v128, c: v128): v128 {
  if (BUILD == 0) return f32x4.add(f32x4.mul(a, b), c);
  return f32x4.relaxed_madd(a, b, c);
}

/** a * b + c for one value, in the same way. */
// @ts-ignore: decorator
@inline export function madd1(a: f32, b: f32, c: f32): f32 {
  if (BUILD == 0) return a * b + c;
  return f32x4.extract_lane(f32x4.relaxed_madd(f32x4.splat(a), f32x4.splat(b), f32x4.splat(c)), 0);
}

/**
 * A constant that the compiler does not take for one, so that it stays in a register: a known one is made anew each time round a loop.
 * `count`: anything below 2^31 that only the caller knows.
 */
// @ts-ignore: decorator
@inline export function kept(value: i32, count: usize): i32 { return value + <i32>(count >> 31); }

// @ts-ignore: decorator
@inline export function keptFloat(value: f32, count: usize): v128 { return i32x4.splat(kept(reinterpret<i32>(value), count)); }

// Products of words and activations, by the range of the weights. `pair` is the mask 0x00ff00ff; `ones` eight times 1.

/** Weights of 0..255. */
@unmanaged
export class Bytes {
  /** Bytes of 4 activations. */
  // @ts-ignore: decorator
  @inline step(): usize { return BUILD == 2 ? 4 : 8; }
  // @ts-ignore: decorator
  @inline even(x: usize): v128 { return v128.load32_splat(x); }
  // @ts-ignore: decorator
  @inline odd(x: usize): v128 {
    if (BUILD == 2) return i32x4.splat(0);
    return v128.load32_splat(x, 4);
  }
  // @ts-ignore: decorator
  @inline low(word: v128, pair: v128): v128 {
    if (BUILD == 2) return word;
    return v128.and(word, pair);
  }
  // @ts-ignore: decorator
  @inline high(word: v128): v128 {
    if (BUILD == 2) return word;
    return i16x8.shr_u(word, 8);
  }
  // @ts-ignore: decorator
  @inline mac(sum: v128, low: v128, high: v128, even: v128, odd: v128, ones: v128): v128 {
    if (BUILD == 2) return i32x4.relaxed_dot_i8x16_i7x16_add_s(even, low, sum);
    return i32x4.add(i32x4.add(sum, i32x4.dot_i16x8_s(low, even)), i32x4.dot_i16x8_s(high, odd));
  }
  /** Whether sums may start from an i32. */
  // @ts-ignore: decorator
  @inline starts(): bool { return true; }
  // @ts-ignore: decorator
  @inline total(sum: v128, ones: v128): v128 { return sum; }
}

/** Weights of 0..15: the i16 sums of a whole block of 32 stay below 2^15 (8 * 2 * 15 * 127 = 30480). */
@unmanaged
export class Nibbles {
  // @ts-ignore: decorator
  @inline step(): usize { return BUILD == 0 ? 8 : 4; }
  // @ts-ignore: decorator
  @inline even(x: usize): v128 { return v128.load32_splat(x); }
  // @ts-ignore: decorator
  @inline odd(x: usize): v128 {
    if (BUILD != 0) return i32x4.splat(0);
    return v128.load32_splat(x, 4);
  }
  // @ts-ignore: decorator
  @inline low(word: v128, pair: v128): v128 {
    if (BUILD != 0) return word;
    return v128.and(word, pair);
  }
  // @ts-ignore: decorator
  @inline high(word: v128): v128 {
    if (BUILD != 0) return word;
    return i16x8.shr_u(word, 8);
  }
  // @ts-ignore: decorator
  @inline mac(sum: v128, low: v128, high: v128, even: v128, odd: v128, ones: v128): v128 {
    if (BUILD == 2) return i32x4.relaxed_dot_i8x16_i7x16_add_s(even, low, sum);
    if (BUILD == 1) return i16x8.add(sum, i16x8.relaxed_dot_i8x16_i7x16_s(even, low));
    return i32x4.add(i32x4.add(sum, i32x4.dot_i16x8_s(low, even)), i32x4.dot_i16x8_s(high, odd));
  }
  /** Whether sums may start from an i32. */
  // @ts-ignore: decorator
  @inline starts(): bool { return BUILD != 1; }
  // @ts-ignore: decorator
  @inline total(sum: v128, ones: v128): v128 {
    if (BUILD == 1) return i32x4.dot_i16x8_s(sum, ones);
    return sum;
  }
}

/** Weights of 0..127: one i16 product (2 * 127 * 127 = 32258) is widened at once. */
@unmanaged
export class Smalls {
  // @ts-ignore: decorator
  @inline step(): usize { return BUILD == 0 ? 8 : 4; }
  // @ts-ignore: decorator
  @inline even(x: usize): v128 { return v128.load32_splat(x); }
  // @ts-ignore: decorator
  @inline odd(x: usize): v128 {
    if (BUILD != 0) return i32x4.splat(0);
    return v128.load32_splat(x, 4);
  }
  // @ts-ignore: decorator
  @inline low(word: v128, pair: v128): v128 {
    if (BUILD != 0) return word;
    return v128.and(word, pair);
  }
  // @ts-ignore: decorator
  @inline high(word: v128): v128 {
    if (BUILD != 0) return word;
    return i16x8.shr_u(word, 8);
  }
  // @ts-ignore: decorator
  @inline mac(sum: v128, low: v128, high: v128, even: v128, odd: v128, ones: v128): v128 {
    if (BUILD == 2) return i32x4.relaxed_dot_i8x16_i7x16_add_s(even, low, sum);
    if (BUILD == 1) return i32x4.add(sum, i32x4.dot_i16x8_s(i16x8.relaxed_dot_i8x16_i7x16_s(even, low), ones));
    return i32x4.add(i32x4.add(sum, i32x4.dot_i16x8_s(low, even)), i32x4.dot_i16x8_s(high, odd));
  }
  /** Whether sums may start from an i32. */
  // @ts-ignore: decorator
  @inline starts(): bool { return true; }
  // @ts-ignore: decorator
  @inline total(sum: v128, ones: v128): v128 { return sum; }
}
