// IQ3_XXS and IQ3_S: a code names the magnitudes of four columns, a bit of each column its sign.
//   IQ3_XXS  98 bytes: d f16 | 64 codes | 8 words: scale in the upper 4 bits, four masks of 7 signs; the eighth evens their number
//   IQ3_S    110 bytes: d f16 | 64 codes | 8 of ninth bits of codes | 32 of signs | 4 of nibbles: scales
// `table`: the four magnitudes of every code, as bytes.

import { widenOne } from '../half';

/** Magnitudes to 62. */
@unmanaged
export class IQ3_XXS {
  // @ts-ignore: decorator
  @inline parts(): usize { return 1; }
  // @ts-ignore: decorator
  @inline bytes(): usize { return 98; }
  // @ts-ignore: decorator
  @inline subs(): usize { return 8; }
  // @ts-ignore: decorator
  @inline bias(): i32 { return 64; }
  // @ts-ignore: decorator
  @inline hasOffset(): bool { return false; }
  // @ts-ignore: decorator
  @inline levels(table: usize): v128 { return i32x4.splat(0); }
  // @ts-ignore: decorator
  @inline columns(p: usize, sub: usize, half: usize, table: usize, levels: v128): v128 {
    const codes = load<u32>(p + (sub << 3) + (half << 2), 2);
    let points = v128.load32_zero(table + ((codes & 255) << 2));
    points = v128.load32_lane(table + ((codes >> 6) & 1020), points, 1);
    points = v128.load32_lane(table + ((codes >> 14) & 1020), points, 2);
    points = v128.load32_lane(table + ((codes >> 22) & 1020), points, 3);
    const masks = load<u32>(p + (sub << 2), 66) >> <u32>(half * 14);
    return signed(points, evenly(masks & 127) | (evenly((masks >> 7) & 127) << 8), i8x16.splat(64));
  }
  // @ts-ignore: decorator
  @inline scales(p: usize, out: usize, step: usize): void {
    const d = widenOne(load<u16>(p)) * <f32>0.5;
    for (let sub: usize = 0; sub < 8; sub++) {
      store<f32>(out, d * (<f32>(load<u32>(p + (sub << 2), 66) >> 28) + <f32>0.5));
      out += step;
    }
  }
}

/** Magnitudes to 15. */
@unmanaged
export class IQ3_S {
  // @ts-ignore: decorator
  @inline parts(): usize { return 1; }
  // @ts-ignore: decorator
  @inline bytes(): usize { return 110; }
  // @ts-ignore: decorator
  @inline subs(): usize { return 8; }
  // @ts-ignore: decorator
  @inline bias(): i32 { return 16; }
  // @ts-ignore: decorator
  @inline hasOffset(): bool { return false; }
  // @ts-ignore: decorator
  @inline levels(table: usize): v128 { return i32x4.splat(0); }
  // @ts-ignore: decorator
  @inline columns(p: usize, sub: usize, half: usize, table: usize, levels: v128): v128 {
    const codes = load<u32>(p + (sub << 3) + (half << 2), 2);
    const ninth = <u32>load<u8>(p + sub, 66) >> <u32>(half << 2);
    let points = v128.load32_zero(table + (((codes & 255) | ((ninth & 1) << 8)) << 2));
    points = v128.load32_lane(table + ((((codes >> 8) & 255) | ((ninth & 2) << 7)) << 2), points, 1);
    points = v128.load32_lane(table + ((((codes >> 16) & 255) | ((ninth & 4) << 6)) << 2), points, 2);
    points = v128.load32_lane(table + (((codes >> 24) | ((ninth & 8) << 5)) << 2), points, 3);
    return signed(points, load<u16>(p + (sub << 2) + (half << 1), 74), i8x16.splat(16));
  }
  // @ts-ignore: decorator
  @inline scales(p: usize, out: usize, step: usize): void {
    const d = widenOne(load<u16>(p));
    let nibbles = load<u32>(p, 106);
    for (let sub = 0; sub < 8; sub++) {
      store<f32>(out, d * <f32>(((nibbles & 15) << 1) | 1));
      nibbles >>= 4;
      out += step;
    }
  }
}

/** 7 bits and an eighth, so that the number of ones is even. */
// @ts-ignore: decorator
@inline function evenly(seven: u32): u32 { return seven | ((popcnt<u32>(seven) & 1) << 7); }

/** bias + magnitude, or bias - magnitude where the column's bit is set. */
// @ts-ignore: decorator
@inline function signed(magnitudes: v128, signs: u32, bias: v128): v128 {
  const both = i16x8.splat(<i16>signs);
  const bytes = i8x16.shuffle(both, both, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
  const column = i64x2.splat(<i64>0x8040201008040201);
  const negative = i8x16.eq(v128.and(bytes, column), column);
  return i8x16.add(i8x16.sub(v128.xor(magnitudes, negative), negative), bias);
}
