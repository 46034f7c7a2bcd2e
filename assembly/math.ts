// Elementary functions on four lanes, from IEEE operations alone (and the build's multiply-add).
// exp: Cephes' expf (range reduction by a two-part ln 2, polynomial of degree 5 in r^2), error about 1e-7.

import { madd } from './simd';

/** e^x for x in [-87, 88]; x is clamped to that range. */
export function exp4(x: v128): v128 {
  const clamped = f32x4.min(f32x4.max(x, f32x4.splat(-87.0)), f32x4.splat(88.0));
  const n = f32x4.nearest(f32x4.mul(clamped, f32x4.splat(1.44269504088896341)));
  let r = madd(n, f32x4.splat(-0.693359375), clamped);
  r = madd(n, f32x4.splat(2.12194440e-4), r);
  let p = f32x4.splat(1.9875691500e-4);
  p = madd(p, r, f32x4.splat(1.3981999507e-3));
  p = madd(p, r, f32x4.splat(8.3334519073e-3));
  p = madd(p, r, f32x4.splat(4.1665795894e-2));
  p = madd(p, r, f32x4.splat(1.6666665459e-1));
  p = madd(p, r, f32x4.splat(5.0000001201e-1));
  p = f32x4.add(madd(f32x4.mul(p, r), r, r), f32x4.splat(1.0));
  const exponent = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127)), 23);
  return f32x4.mul(p, exponent);
}

// e^x = 2^n * 2^r with n = round(x log2 e): adding 1.5 * 2^23 rounds, and leaves n in the low bits of the sum, from where it is moved
// into the exponent of 2^r. 2^r on [-1/2, 1/2]: interpolated at the Chebyshev nodes, degree 5, error 2.1e-7.
export const MAGIC: f32 = 12582912.0;

/** e^x for x <= 0, 0 being e^-87 and less. Constants come from the caller's `let` locals. NaN may give any number. */
// @ts-ignore: decorator
@inline export function expBelow(
  x: v128,
  least: v128,
  log2e: v128,
  magic: v128,
  c0: v128,
  c1: v128,
  c2: v128,
  c3: v128,
  c4: v128,
  c5: v128,
): v128 {
  const clamped = f32x4.max(x, least);
  const moved = madd(clamped, log2e, magic);
  const r = madd(clamped, log2e, f32x4.sub(magic, moved));
  let p = madd(c5, r, c4);
  p = madd(p, r, c3);
  p = madd(p, r, c2);
  p = madd(p, r, c1);
  p = madd(p, r, c0);
  return i32x4.add(p, i32x4.shl(moved, 23));
}

/** x / (1 + e^-x) */
export function silu4(x: v128): v128 {
  return f32x4.div(x, f32x4.add(f32x4.splat(1.0), exp4(f32x4.neg(x))));
}

/** The tanh form of GELU: x * sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3). */
export function geluTanh4(x: v128): v128 {
  const cube = f32x4.mul(f32x4.mul(x, x), x);
  const u = f32x4.mul(f32x4.add(x, f32x4.mul(cube, f32x4.splat(0.044715))), f32x4.splat(1.5957691216057308));
  return f32x4.div(x, f32x4.add(f32x4.splat(1.0), exp4(f32x4.neg(u))));
}

/** 1 - 2 / (e^2x + 1) */
export function tanh4(x: v128): v128 {
  const e = exp4(f32x4.add(x, x));
  return f32x4.sub(f32x4.splat(1.0), f32x4.div(f32x4.splat(2.0), f32x4.add(e, f32x4.splat(1.0))));
}

/** Sum of the lanes, always (0 + 1) + (2 + 3). */
// @ts-ignore: decorator
@inline export function sumLanes(v: v128): f32 {
  return f32x4.extract_lane(v, 0) + f32x4.extract_lane(v, 1) + (f32x4.extract_lane(v, 2) + f32x4.extract_lane(v, 3));
}

export const NEGATIVE: f32 = -Infinity;

/** e^x of one value; x = -infinity gives 0. */
// @ts-ignore: decorator
@inline export function exp1(x: f32): f32 {
  return x == NEGATIVE ? 0 : f32x4.extract_lane(exp4(f32x4.splat(x)), 0);
}
