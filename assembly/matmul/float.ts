// y = W x for F32, F16 and BF16 weights (panels of pack.ts) and f32 activations: every output sums its columns in ascending order,
// one at a time.

import { madd } from '../simd';
import { halfBits, halfScale, widenHighBy, widenLowBy } from '../half';

/** Columns of 8 values, one of each row. */
@unmanaged
export class F32 {
  // @ts-ignore: decorator
  @inline bytes(): usize { return 32; }
  // @ts-ignore: decorator
  @inline low(at: usize, bits: v128, by: v128): v128 { return v128.load(at); }
  // @ts-ignore: decorator
  @inline high(at: usize, bits: v128, by: v128): v128 { return v128.load(at, 16); }
}

@unmanaged
export class F16 {
  // @ts-ignore: decorator
  @inline bytes(): usize { return 16; }
  // @ts-ignore: decorator
  @inline low(at: usize, bits: v128, by: v128): v128 { return widenLowBy(v128.load(at), bits, by); }
  // @ts-ignore: decorator
  @inline high(at: usize, bits: v128, by: v128): v128 { return widenHighBy(v128.load(at), bits, by); }
}

/** The upper half of an f32. */
@unmanaged
export class BF16 {
  // @ts-ignore: decorator
  @inline bytes(): usize { return 16; }
  // @ts-ignore: decorator
  @inline low(at: usize, bits: v128, by: v128): v128 { return i32x4.shl(i32x4.extend_low_i16x8_u(v128.load(at)), 16); }
  // @ts-ignore: decorator
  @inline high(at: usize, bits: v128, by: v128): v128 { return i32x4.shl(i32x4.extend_high_i16x8_u(v128.load(at)), 16); }
}

/** 8 rows x 1 token. */
export function float1<F>(w: usize, x: usize, cols: usize, y: usize): void {
  const bytes = changetype<F>(0).bytes();
  let bits = halfBits();
  let by = halfScale();
  let a = f32x4.splat(0);
  let b = f32x4.splat(0);
  for (let k: usize = 0; k < cols; k++) {
    const v = v128.load32_splat(x);
    a = madd(changetype<F>(0).low(w, bits, by), v, a);
    b = madd(changetype<F>(0).high(w, bits, by), v, b);
    w += bytes;
    x += 4;
  }
  v128.store(y, a);
  v128.store(y, b, 16);
}

/** Two panels (at `w` and `v`, results to `y` and `z`) x 1 token: four sums at once hide the latency of each addition. */
export function floatTwin<F>(w: usize, v: usize, x: usize, cols: usize, y: usize, z: usize): void {
  const bytes = changetype<F>(0).bytes();
  let bits = halfBits();
  let by = halfScale();
  let a = f32x4.splat(0);
  let b = f32x4.splat(0);
  let c = f32x4.splat(0);
  let d = f32x4.splat(0);
  for (let k: usize = 0; k < cols; k++) {
    const one = v128.load32_splat(x);
    a = madd(changetype<F>(0).low(w, bits, by), one, a);
    b = madd(changetype<F>(0).high(w, bits, by), one, b);
    c = madd(changetype<F>(0).low(v, bits, by), one, c);
    d = madd(changetype<F>(0).high(v, bits, by), one, d);
    w += bytes;
    v += bytes;
    x += 4;
  }
  v128.store(y, a);
  v128.store(y, b, 16);
  v128.store(z, c);
  v128.store(z, d, 16);
}

/** 8 rows x 4 tokens. */
export function float4<F>(w: usize, x0: usize, stride: usize, cols: usize, y0: usize, outStride: usize): void {
  const bytes = changetype<F>(0).bytes();
  let bits = halfBits();
  let by = halfScale();
  const x1 = x0 + stride;
  const x2 = x1 + stride;
  const x3 = x2 + stride;
  let a0 = f32x4.splat(0);
  let b0 = f32x4.splat(0);
  let a1 = f32x4.splat(0);
  let b1 = f32x4.splat(0);
  let a2 = f32x4.splat(0);
  let b2 = f32x4.splat(0);
  let a3 = f32x4.splat(0);
  let b3 = f32x4.splat(0);
  for (let k: usize = 0; k < cols << 2; k += 4) {
    const low = changetype<F>(0).low(w, bits, by);
    const high = changetype<F>(0).high(w, bits, by);
    let v = v128.load32_splat(x0 + k);
    a0 = madd(low, v, a0);
    b0 = madd(high, v, b0);
    v = v128.load32_splat(x1 + k);
    a1 = madd(low, v, a1);
    b1 = madd(high, v, b1);
    v = v128.load32_splat(x2 + k);
    a2 = madd(low, v, a2);
    b2 = madd(high, v, b2);
    v = v128.load32_splat(x3 + k);
    a3 = madd(low, v, a3);
    b3 = madd(high, v, b3);
    w += bytes;
  }
  const y1 = y0 + outStride;
  const y2 = y1 + outStride;
  const y3 = y2 + outStride;
  v128.store(y0, a0);
  v128.store(y0, b0, 16);
  v128.store(y1, a1);
  v128.store(y1, b1, 16);
  v128.store(y2, a2);
  v128.store(y2, b2, 16);
  v128.store(y3, a3);
  v128.store(y3, b3, 16);
}
