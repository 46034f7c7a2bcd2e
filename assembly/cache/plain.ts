// A cache of f32 or f16 values. Each cache class answers for one head of a KV block of 64 positions, keys and values apart:
//   keys    [position / 8][dim][position % 8]   so that lanes are positions
//   values  [position][dim]                     so that lanes are dims

import { narrowOne, widenHigh, widenLow } from '../half';
import { madd } from '../simd';

@unmanaged
export class Singles {
  /** Bytes of one position. */
  // @ts-ignore: decorator
  @inline rowBytes(dim: usize): usize { return dim << 2; }
  // @ts-ignore: decorator
  @inline scores(q: usize, keys: usize, dim: usize, scale: f32, out: usize): void { scores<f32>(q, keys, dim, scale, out); }
  // @ts-ignore: decorator
  @inline addValues(values: usize, dim: usize, p: usize, low: i32, high: i32, out: usize): void {
    addValues<f32>(values, dim, p, low, high, out);
  }
  // @ts-ignore: decorator
  @inline store(k: usize, v: usize, keys: usize, values: usize, within: usize, dim: usize, scratch: usize): void {
    const tile = keys + (((within >> 3) * dim * 8 + (within & 7)) << 2);
    for (let d: usize = 0; d < dim; d++) store<f32>(tile + (d << 5), load<f32>(k + (d << 2)));
    memory.copy(values + ((within * dim) << 2), v, dim << 2);
  }
}

@unmanaged
export class Halves {
  // @ts-ignore: decorator
  @inline rowBytes(dim: usize): usize { return dim << 1; }
  // @ts-ignore: decorator
  @inline scores(q: usize, keys: usize, dim: usize, scale: f32, out: usize): void { scores<u16>(q, keys, dim, scale, out); }
  // @ts-ignore: decorator
  @inline addValues(values: usize, dim: usize, p: usize, low: i32, high: i32, out: usize): void {
    addValues<u16>(values, dim, p, low, high, out);
  }
  // @ts-ignore: decorator
  @inline store(k: usize, v: usize, keys: usize, values: usize, within: usize, dim: usize, scratch: usize): void {
    const tile = keys + (((within >> 3) * dim * 8 + (within & 7)) << 1);
    const row = values + ((within * dim) << 1);
    for (let d: usize = 0; d < dim; d++) {
      store<u16>(tile + (d << 4), <u16>narrowOne(load<f32>(k + (d << 2))));
      store<u16>(row + (d << 1), <u16>narrowOne(load<f32>(v + (d << 2))));
    }
  }
}

/** scale * q k of all 64 positions: each lane sums over the dims in order. */
// @ts-ignore: decorator
@inline function scores<T>(q: usize, keys: usize, dim: usize, scale: f32, out: usize): void {
  const tileBytes = (dim << 3) * sizeof<T>();
  let factor = f32x4.splat(scale);
  for (let tile: usize = 0; tile < 8; tile += 2) {
    let a = keys + tile * tileBytes;
    let b = a + tileBytes;
    let s0 = f32x4.splat(0);
    let s1 = f32x4.splat(0);
    let s2 = f32x4.splat(0);
    let s3 = f32x4.splat(0);
    for (let d: usize = 0; d < dim; d++) {
      const x = v128.load32_splat(q + (d << 2));
      if (sizeof<T>() == 4) {
        s0 = madd(x, v128.load(a), s0);
        s1 = madd(x, v128.load(a, 16), s1);
        s2 = madd(x, v128.load(b), s2);
        s3 = madd(x, v128.load(b, 16), s3);
      } else {
        const ka = v128.load(a);
        const kb = v128.load(b);
        s0 = madd(x, widenLow(ka), s0);
        s1 = madd(x, widenHigh(ka), s1);
        s2 = madd(x, widenLow(kb), s2);
        s3 = madd(x, widenHigh(kb), s3);
      }
      a += sizeof<T>() << 3;
      b += sizeof<T>() << 3;
    }
    const at = out + (tile << 5);
    v128.store(at, f32x4.mul(s0, factor));
    v128.store(at, f32x4.mul(s1, factor), 16);
    v128.store(at, f32x4.mul(s2, factor), 32);
    v128.store(at, f32x4.mul(s3, factor), 48);
  }
}

/** out[d] += p[j] * v[j][d] for positions low .. high in order. */
// @ts-ignore: decorator
@inline function addValues<T>(values: usize, dim: usize, p: usize, low: i32, high: i32, out: usize): void {
  const rowBytes = dim * sizeof<T>();
  const wide = dim & ~15;
  const from = values + <usize>low * rowBytes;
  for (let d: usize = 0; d < wide; d += 16) {
    let o0 = v128.load(out + (d << 2));
    let o1 = v128.load(out + (d << 2), 16);
    let o2 = v128.load(out + (d << 2), 32);
    let o3 = v128.load(out + (d << 2), 48);
    let v = from + d * sizeof<T>();
    for (let j = low; j <= high; j++) {
      const weight = v128.load32_splat(p + (<usize>j << 2));
      if (sizeof<T>() == 4) {
        o0 = madd(weight, v128.load(v), o0);
        o1 = madd(weight, v128.load(v, 16), o1);
        o2 = madd(weight, v128.load(v, 32), o2);
        o3 = madd(weight, v128.load(v, 48), o3);
      } else {
        const va = v128.load(v);
        const vb = v128.load(v, 16);
        o0 = madd(weight, widenLow(va), o0);
        o1 = madd(weight, widenHigh(va), o1);
        o2 = madd(weight, widenLow(vb), o2);
        o3 = madd(weight, widenHigh(vb), o3);
      }
      v += rowBytes;
    }
    v128.store(out + (d << 2), o0);
    v128.store(out + (d << 2), o1, 16);
    v128.store(out + (d << 2), o2, 32);
    v128.store(out + (d << 2), o3, 48);
  }
  for (let d = wide; d < dim; d += 4) {
    let o = v128.load(out + (d << 2));
    let v = from + d * sizeof<T>();
    for (let j = low; j <= high; j++) {
      const weight = v128.load32_splat(p + (<usize>j << 2));
      const row = sizeof<T>() == 4 ? v128.load(v) : widenLow(v128.load64_zero(v));
      o = madd(weight, row, o);
      v += rowBytes;
    }
    v128.store(out + (d << 2), o);
  }
}
