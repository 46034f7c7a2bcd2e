// A cache of int8 values with an f16 scale per position and 32 dims (34 bytes where f16 takes 64), methods as in plain.ts.
//   keys    [position / 8][dim / 32]: 32 x 8 int8 [dim][position % 8] | 8 f16 scales
//   values  [position][dim / 32]: f16 scale | 32 int8
// Integers are widened to f32 on the way: queries and weights keep their precision.

import { narrowOne, widenHigh, widenLow, widenOne } from '../half';
import { largest32, quantizeSixteen } from '../quantize';
import { madd } from '../simd';

const TILE: usize = 272;
const ROW: usize = 34;

@unmanaged
export class Quants {
  // @ts-ignore: decorator
  @inline rowBytes(dim: usize): usize { return (dim >> 5) * ROW; }

  /** Each lane sums over 32 dims in order; then the scaled sums in order. */
  // @ts-ignore: decorator
  @inline scores(q: usize, keys: usize, dim: usize, scale: f32, out: usize): void {
    const tileBytes = (dim >> 5) * TILE;
    let factor = f32x4.splat(scale);
    for (let tile: usize = 0; tile < 8; tile += 2) {
      let a = keys + tile * tileBytes;
      let x = q;
      let s0 = f32x4.splat(0);
      let s1 = f32x4.splat(0);
      let s2 = f32x4.splat(0);
      let s3 = f32x4.splat(0);
      for (let group: usize = 0; group < dim; group += 32) {
        let t0 = f32x4.splat(0);
        let t1 = f32x4.splat(0);
        let t2 = f32x4.splat(0);
        let t3 = f32x4.splat(0);
        let b = a + tileBytes;
        for (let d: usize = 0; d < 256; d += 8) {
          const query = v128.load32_splat(x);
          const ka = v128.load_ext<i8>(a + d);
          const kb = v128.load_ext<i8>(b + d);
          t0 = madd(query, lowFour(ka), t0);
          t1 = madd(query, highFour(ka), t1);
          t2 = madd(query, lowFour(kb), t2);
          t3 = madd(query, highFour(kb), t3);
          x += 4;
        }
        const da = v128.load(a, 256);
        const db = v128.load(b, 256);
        s0 = madd(t0, widenLow(da), s0);
        s1 = madd(t1, widenHigh(da), s1);
        s2 = madd(t2, widenLow(db), s2);
        s3 = madd(t3, widenHigh(db), s3);
        a += TILE;
      }
      const at = out + (tile << 5);
      v128.store(at, f32x4.mul(s0, factor));
      v128.store(at, f32x4.mul(s1, factor), 16);
      v128.store(at, f32x4.mul(s2, factor), 32);
      v128.store(at, f32x4.mul(s3, factor), 48);
    }
  }

  /** out[d] += (p[j] * scale) * v[j][d] */
  // @ts-ignore: decorator
  @inline addValues(values: usize, dim: usize, p: usize, low: i32, high: i32, out: usize): void {
    const rowBytes = (dim >> 5) * ROW;
    let from = values + <usize>low * rowBytes;
    for (let d: usize = 0; d < dim << 2; d += 64) {
      // 16 dims: half a group.
      const half = (d >> 6) & 1;
      let o0 = v128.load(out + d);
      let o1 = v128.load(out + d, 16);
      let o2 = v128.load(out + d, 32);
      let o3 = v128.load(out + d, 48);
      let v = from;
      for (let j = low; j <= high; j++) {
        const weight = f32x4.splat(load<f32>(p + (<usize>j << 2)) * widenOne(load<u16>(v)));
        const row = v + (half << 4);
        const va = v128.load_ext<i8>(row, 2);
        const vb = v128.load_ext<i8>(row, 10);
        o0 = madd(weight, lowFour(va), o0);
        o1 = madd(weight, highFour(va), o1);
        o2 = madd(weight, lowFour(vb), o2);
        o3 = madd(weight, highFour(vb), o3);
        v += rowBytes;
      }
      v128.store(out + d, o0);
      v128.store(out + d, o1, 16);
      v128.store(out + d, o2, 32);
      v128.store(out + d, o3, 48);
      if (half) from += ROW;
    }
  }

  /** `scratch`: 32 bytes. */
  // @ts-ignore: decorator
  @inline store(k: usize, v: usize, keys: usize, values: usize, within: usize, dim: usize, scratch: usize): void {
    const lane = within & 7;
    let tile = keys + (within >> 3) * (dim >> 5) * TILE;
    let row = values + within * (dim >> 5) * ROW;
    for (let d: usize = 0; d < dim << 2; d += 128) {
      store<u16>(tile + (lane << 1), <u16>quantizeGroup(k + d, scratch), 256);
      for (let i: usize = 0; i < 32; i++) store<u8>(tile + (i << 3) + lane, load<u8>(scratch + i));
      store<u16>(row, <u16>quantizeGroup(v + d, row + 2));
      tile += TILE;
      row += ROW;
    }
  }
}

/** 32 values -> int8, q = round(x * 127 / max|x|); returns the scale as f16. */
function quantizeGroup(x: usize, q: usize): u32 {
  const most = largest32(x);
  const inverse: f32 = most > 0 ? <f32>127.0 / most : 0;
  quantizeSixteen(x, q, inverse, false);
  quantizeSixteen(x + 64, q + 16, inverse, false);
  return narrowOne(most / <f32>127.0);
}

// @ts-ignore: decorator
@inline function lowFour(eight: v128): v128 { return f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(eight)); }
// @ts-ignore: decorator
@inline function highFour(eight: v128): v128 { return f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(eight)); }
