// Elementary functions on four lanes, from IEEE operations alone (and the build's multiply-add).
// exp: Cephes' expf (range reduction by a two-part ln 2, polynomial of degree 5 in r^2), error about 1e-7.

import { madd } from './simd';

/** 1.5 * 2^23: added to a small number, it leaves its nearest integer (ties to even) in the last bits. */
export const ROUND: f32 = 12582912;

/** e^x for x in [-87, 88]; x is clamped to that range. */
export function exp4(x: v128): v128 {
  return exp4By(
    x,
    f32x4.splat(-87.0),
    f32x4.splat(88.0),
    f32x4.splat(LOG2_E),
    f32x4.splat(ROUND),
    f32x4.splat(MINUS_LN2_HIGH),
    f32x4.splat(MINUS_LN2_LOW),
    f32x4.splat(EXP_5),
    f32x4.splat(EXP_4),
    f32x4.splat(EXP_3),
    f32x4.splat(EXP_2),
    f32x4.splat(EXP_1),
    f32x4.splat(0.5),
    f32x4.splat(1.0),
    i32x4.splat(127),
  );
}

export const LOG2_E: f32 = 1.44269504088896341;
export const MINUS_LN2_HIGH: f32 = -0.693359375;
export const MINUS_LN2_LOW: f32 = 2.12194440e-4;
export const EXP_5: f32 = 1.9875691500e-4;
export const EXP_4: f32 = 1.3981999507e-3;
export const EXP_3: f32 = 8.3334519073e-3;
export const EXP_2: f32 = 4.1665795894e-2;
export const EXP_1: f32 = 1.6666665459e-1;

/** The same for loops, which keep the constants. `p5` .. `p1`: EXP_5 .. EXP_1. */
// @ts-ignore: decorator
@inline export function exp4By(
  x: v128,
  least: v128,
  most: v128,
  log2e: v128,
  round: v128,
  ln2High: v128,
  ln2Low: v128,
  p5: v128,
  p4: v128,
  p3: v128,
  p2: v128,
  p1: v128,
  half: v128,
  one: v128,
  exponentBias: v128,
): v128 {
  const clamped = f32x4.pmin(f32x4.pmax(x, least), most);
  // Its last bits are the nearest integer n; the shift below leaves nothing of the others.
  const moved = f32x4.add(f32x4.mul(clamped, log2e), round);
  const n = f32x4.sub(moved, round);
  let r = madd(n, ln2High, clamped);
  r = madd(n, ln2Low, r);
  let p = madd(p5, r, p4);
  p = madd(p, r, p3);
  p = madd(p, r, p2);
  p = madd(p, r, p1);
  p = madd(p, r, half);
  p = f32x4.add(madd(f32x4.mul(p, r), r, r), one);
  return f32x4.mul(p, i32x4.shl(i32x4.add(moved, exponentBias), 23));
}

/**
 * e^x for x <= 0, cheaper: 2^n * 2^r with n = round(x log2 e) moved into the exponent of 2^r, which is interpolated at the Chebyshev
 * nodes of [-1/2, 1/2] (degree 5, error 2.1e-7). What is below -87 counts as -87. Constants come from the caller's `let` locals;
 * `magic`: ROUND. NaN may give any number.
 */
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
  const clamped = f32x4.pmax(x, least);
  const moved = madd(clamped, log2e, magic);
  const r = madd(clamped, log2e, f32x4.sub(magic, moved));
  let p = madd(c5, r, c4);
  p = madd(p, r, c3);
  p = madd(p, r, c2);
  p = madd(p, r, c1);
  p = madd(p, r, c0);
  return i32x4.add(p, i32x4.shl(moved, 23));
}

export const GELU_CUBE: f32 = 0.044715;
export const GELU_SCALE: f32 = 1.5957691216057308;

/** The tanh form of GELU is x * sigmoid(2u), u = sqrt(2/pi) (x + 0.044715 x^3): 2u. `a`: GELU_CUBE, `b`: GELU_SCALE. */
// @ts-ignore: decorator
@inline export function geluArgument(x: v128, a: v128, b: v128): v128 {
  const cube = f32x4.mul(f32x4.mul(x, x), x);
  return f32x4.mul(f32x4.add(x, f32x4.mul(cube, a)), b);
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

/** The largest lane in all lanes, of numbers: without the branches that a largest f32 takes. */
// @ts-ignore: decorator
@inline export function largestOfAll(v: v128): v128 {
  v = f32x4.pmax(v, i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  return f32x4.pmax(v, i8x16.shuffle(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11));
}

/** The largest lane; NaN where one is. */
// @ts-ignore: decorator
@inline export function largestLane(v: v128): f32 {
  return max(
    max(f32x4.extract_lane(v, 0), f32x4.extract_lane(v, 1)),
    max(f32x4.extract_lane(v, 2), f32x4.extract_lane(v, 3)),
  );
}

export const NEGATIVE: f32 = -Infinity;

/** e^x of one value; x = -infinity gives 0. */
// @ts-ignore: decorator
@inline export function exp1(x: f32): f32 {
  return x == NEGATIVE ? 0 : f32x4.extract_lane(exp4(f32x4.splat(x)), 0);
}
