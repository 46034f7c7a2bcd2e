// The KV cache. A block is 64 absolute positions of one layer and kv head:
//   keys    [position / 8][dim][position % 8]   so that lanes are positions
//   values  [position][dim]                     so that lanes are dims
// q8_0 has an f16 scale per position and 32 dims: those of 8 positions before 32 dims of keys, one before 32 dims of a row of values.
// Each class names the bytes of one type; `key...` and `value` give four lanes as f32. A scale times an int8 is exact in f32.
// `bits` and `by` are the constants of half.ts, which loops keep in locals.

import { narrowOne, widenHigh, widenHighBy, widenLow, widenLowBy, widenOne } from './half';
import { largest32, quantizeSixteen } from './quantize';

@unmanaged
export class Singles {
  /** Whether attention computes on integers (cache-words.ts). */
  // @ts-ignore: decorator
  @inline integers(): bool { return false; }
  /** Bytes of one position, keys or values. */
  // @ts-ignore: decorator
  @inline rowBytes(dim: usize): usize { return dim << 2; }
  /** Dims that share scales. */
  // @ts-ignore: decorator
  @inline group(dim: usize): usize { return dim; }
  /** Bytes before the keys of a group: scales of 8 positions. */
  // @ts-ignore: decorator
  @inline keyHead(): usize { return 0; }
  // @ts-ignore: decorator
  @inline scaleLow(group: usize): v128 { return i32x4.splat(0); }
  // @ts-ignore: decorator
  @inline scaleHigh(group: usize): v128 { return i32x4.splat(0); }
  /** Bytes of 8 positions of one dim. */
  // @ts-ignore: decorator
  @inline keyStep(): usize { return 32; }
  // @ts-ignore: decorator
  @inline keyLow(at: usize, scale: v128, bits: v128, by: v128): v128 { return v128.load(at); }
  // @ts-ignore: decorator
  @inline keyHigh(at: usize, scale: v128, bits: v128, by: v128): v128 { return v128.load(at, 16); }
  // @ts-ignore: decorator
  @inline elementBytes(): usize { return 4; }
  /** Where a row of values keeps dim `d`, and the scale of its group. */
  // @ts-ignore: decorator
  @inline valueAt(d: usize): usize { return d << 2; }
  // @ts-ignore: decorator
  @inline scaleAt(d: usize): usize { return 0; }
  // @ts-ignore: decorator
  @inline valueScale(at: usize): v128 { return i32x4.splat(0); }
  /** Four dims of one position. */
  // @ts-ignore: decorator
  @inline value(at: usize, scale: v128, bits: v128, by: v128): v128 { return v128.load(at); }
  /** Writes one position, `within` of its block. `scratch`: 32 bytes. */
  // @ts-ignore: decorator
  @inline put(k: usize, v: usize, keys: usize, values: usize, within: usize, dim: usize, scratch: usize): void {
    const tile = keys + (((within >> 3) * dim * 8 + (within & 7)) << 2);
    for (let d: usize = 0; d < dim; d++) store<f32>(tile + (d << 5), load<f32>(k + (d << 2)));
    memory.copy(values + ((within * dim) << 2), v, dim << 2);
  }
}

@unmanaged
export class Halves {
  // @ts-ignore: decorator
  @inline integers(): bool { return false; }
  // @ts-ignore: decorator
  @inline rowBytes(dim: usize): usize { return dim << 1; }
  // @ts-ignore: decorator
  @inline group(dim: usize): usize { return dim; }
  // @ts-ignore: decorator
  @inline keyHead(): usize { return 0; }
  // @ts-ignore: decorator
  @inline scaleLow(group: usize): v128 { return i32x4.splat(0); }
  // @ts-ignore: decorator
  @inline scaleHigh(group: usize): v128 { return i32x4.splat(0); }
  // @ts-ignore: decorator
  @inline keyStep(): usize { return 16; }
  // @ts-ignore: decorator
  @inline keyLow(at: usize, scale: v128, bits: v128, by: v128): v128 { return widenLowBy(v128.load(at), bits, by); }
  // @ts-ignore: decorator
  @inline keyHigh(at: usize, scale: v128, bits: v128, by: v128): v128 { return widenHighBy(v128.load(at), bits, by); }
  // @ts-ignore: decorator
  @inline elementBytes(): usize { return 2; }
  // @ts-ignore: decorator
  @inline valueAt(d: usize): usize { return d << 1; }
  // @ts-ignore: decorator
  @inline scaleAt(d: usize): usize { return 0; }
  // @ts-ignore: decorator
  @inline valueScale(at: usize): v128 { return i32x4.splat(0); }
  // @ts-ignore: decorator
  @inline value(at: usize, scale: v128, bits: v128, by: v128): v128 { return widenLowBy(v128.load64_zero(at), bits, by); }
  // @ts-ignore: decorator
  @inline put(k: usize, v: usize, keys: usize, values: usize, within: usize, dim: usize, scratch: usize): void {
    const tile = keys + (((within >> 3) * dim * 8 + (within & 7)) << 1);
    const row = values + ((within * dim) << 1);
    for (let d: usize = 0; d < dim; d++) {
      store<u16>(tile + (d << 4), <u16>narrowOne(load<f32>(k + (d << 2))));
      store<u16>(row + (d << 1), <u16>narrowOne(load<f32>(v + (d << 2))));
    }
  }
}

/** Keys [position / 8][dim / 32]: 8 f16 | 32 x 8 int8. Values [position][dim / 32]: f16 | 32 int8. */
@unmanaged
export class Quants {
  // @ts-ignore: decorator
  @inline integers(): bool { return false; }
  // @ts-ignore: decorator
  @inline rowBytes(dim: usize): usize { return (dim >> 5) * 34; }
  // @ts-ignore: decorator
  @inline group(dim: usize): usize { return 32; }
  // @ts-ignore: decorator
  @inline keyHead(): usize { return 16; }
  // @ts-ignore: decorator
  @inline scaleLow(group: usize): v128 { return widenLow(v128.load(group)); }
  // @ts-ignore: decorator
  @inline scaleHigh(group: usize): v128 { return widenHigh(v128.load(group)); }
  // @ts-ignore: decorator
  @inline keyStep(): usize { return 8; }
  // @ts-ignore: decorator
  @inline keyLow(at: usize, scale: v128, bits: v128, by: v128): v128 {
    return f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(v128.load_ext<i8>(at))), scale);
  }
  // @ts-ignore: decorator
  @inline keyHigh(at: usize, scale: v128, bits: v128, by: v128): v128 {
    return f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(v128.load_ext<i8>(at))), scale);
  }
  // @ts-ignore: decorator
  @inline elementBytes(): usize { return 1; }
  // @ts-ignore: decorator
  @inline valueAt(d: usize): usize { return (d >> 5) * 34 + 2 + (d & 31); }
  // @ts-ignore: decorator
  @inline scaleAt(d: usize): usize { return (d >> 5) * 34; }
  // @ts-ignore: decorator
  @inline valueScale(at: usize): v128 { return f32x4.splat(widenOne(load<u16>(at))); }
  // @ts-ignore: decorator
  @inline value(at: usize, scale: v128, bits: v128, by: v128): v128 {
    const words = i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(v128.load32_zero(at)));
    return f32x4.mul(f32x4.convert_i32x4_s(words), scale);
  }
  // @ts-ignore: decorator
  @inline put(k: usize, v: usize, keys: usize, values: usize, within: usize, dim: usize, scratch: usize): void {
    const lane = within & 7;
    let group = keys + (within >> 3) * (dim >> 5) * 272;
    let row = values + within * (dim >> 5) * 34;
    for (let d: usize = 0; d < dim << 2; d += 128) {
      store<u16>(group + (lane << 1), <u16>quantizeGroup(k + d, scratch));
      for (let i: usize = 0; i < 32; i++) store<u8>(group + (i << 3) + lane, load<u8>(scratch + i), 16);
      store<u16>(row, <u16>quantizeGroup(v + d, row + 2));
      group += 272;
      row += 34;
    }
  }
}

/** 32 values -> int8, q = round(x * 127 / max|x|); returns the scale as f16. */
function quantizeGroup(x: usize, q: usize): u32 {
  const most = largest32(x);
  const inverse: f32 = most > 0 ? <f32>127.0 / most : 0;
  quantizeSixteen(x, q, inverse);
  quantizeSixteen(x + 64, q + 16, inverse);
  return narrowOne(most / <f32>127.0);
}
