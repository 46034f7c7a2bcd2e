// IEEE half <-> single. A half moved up by 16 bits, its exponent field shifted into place, is the value times 2^-112: one exact
// multiplication mends the exponent, subnormals included (infinities and NaN become large numbers: weights hold neither).

/** The low four of eight halves -> f32. */
// @ts-ignore: decorator
@inline export function widenLow(halves: v128): v128 { return widen(i32x4.extend_low_i16x8_u(halves)); }

/** The high four of eight halves -> f32. */
// @ts-ignore: decorator
@inline export function widenHigh(halves: v128): v128 { return widen(i32x4.extend_high_i16x8_u(halves)); }

// @ts-ignore: decorator
@inline function widen(words: v128): v128 {
  const moved = v128.and(i32x4.shr_s(i32x4.shl(words, 16), 3), i32x4.splat(<i32>0x8fffffff));
  return f32x4.mul(moved, f32x4.splat(reinterpret<f32>(0x77800000)));
}

// In loops the two constants come from the caller, who keeps them in `let` locals: a constant inside a loop is made anew each time.

/** i32x4.splat(0x8fffffff): sign and the bits behind it. */
// @ts-ignore: decorator
@inline export function halfBits(): v128 { return i32x4.splat(<i32>0x8fffffff); }

/** f32x4.splat(2^112) */
// @ts-ignore: decorator
@inline export function halfScale(): v128 { return f32x4.splat(reinterpret<f32>(0x77800000)); }

// @ts-ignore: decorator
@inline export function widenLowBy(halves: v128, bits: v128, scale: v128): v128 {
  return f32x4.mul(v128.and(i32x4.shr_s(i32x4.shl(i32x4.extend_low_i16x8_u(halves), 16), 3), bits), scale);
}

// @ts-ignore: decorator
@inline export function widenHighBy(halves: v128, bits: v128, scale: v128): v128 {
  return f32x4.mul(v128.and(i32x4.shr_s(i32x4.shl(i32x4.extend_high_i16x8_u(halves), 16), 3), bits), scale);
}

/** One half -> f32, the same arithmetic. */
// @ts-ignore: decorator
@inline export function widenOne(half: u32): f32 {
  return reinterpret<f32>((<i32>(half << 16) >> 3) & <i32>0x8fffffff) * reinterpret<f32>(0x77800000);
}

/** f32 -> half, round to nearest even; what is too large becomes the largest finite half, since `widen` knows no infinity. */
export function narrowOne(x: f32): u32 {
  const bits = reinterpret<u32>(x);
  const sign = (bits >> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude >= 0x477ff000) return sign | 0x7bff;
  if (magnitude < 0x38800000) {
    // Adding 0.5 moves the last 10 bits of a subnormal half to the end of the mantissa, rounded.
    return sign | (reinterpret<u32>(reinterpret<f32>(magnitude) + <f32>0.5) - 0x3f000000);
  }
  return sign | ((magnitude + 0xc8000fff + ((magnitude >> 13) & 1)) >> 13);
}
