// Types whose nibbles name one of 16 levels. `table`: the levels as bytes, bias added.
//   IQ4_NL  18 bytes: d f16 | 16 of nibbles                                          32 columns
//   IQ4_XS  136 bytes: d f16 | u16 of upper scale bits | 4 of nibbles | 128 of nibbles   256 columns, a 6-bit scale per 32
//   MXFP4   17 bytes: exponent | 16 of nibbles                                       32 columns
//   NVFP4   36 bytes: 4 UE4M3 scales | 4 x 8 of nibbles                              64 columns, a scale per 16
// The levels of FP4 (E2M1) are doubled, to be integers: its scales are halved.

import { widenOne } from '../half';
import { spread } from './panel';

@unmanaged
export class IQ4_NL {
  // @ts-ignore: decorator
  @inline parts(): usize { return 1; }
  // @ts-ignore: decorator
  @inline bytes(): usize { return 18; }
  // @ts-ignore: decorator
  @inline subs(): usize { return 1; }
  // @ts-ignore: decorator
  @inline bias(): i32 { return 128; }
  // @ts-ignore: decorator
  @inline hasOffset(): bool { return false; }
  // @ts-ignore: decorator
  @inline levels(table: usize): v128 { return v128.load(table); }
  // @ts-ignore: decorator
  @inline columns(p: usize, sub: usize, half: usize, table: usize, levels: v128): v128 {
    return i8x16.swizzle(levels, nibbles(v128.load(p, 2), half));
  }
  // @ts-ignore: decorator
  @inline scales(p: usize, out: usize, step: usize): void { store<f32>(out, widenOne(load<u16>(p))); }
}

@unmanaged
export class IQ4_XS {
  // @ts-ignore: decorator
  @inline parts(): usize { return 1; }
  // @ts-ignore: decorator
  @inline bytes(): usize { return 136; }
  // @ts-ignore: decorator
  @inline subs(): usize { return 8; }
  // @ts-ignore: decorator
  @inline bias(): i32 { return 128; }
  // @ts-ignore: decorator
  @inline hasOffset(): bool { return false; }
  // @ts-ignore: decorator
  @inline levels(table: usize): v128 { return v128.load(table); }
  // @ts-ignore: decorator
  @inline columns(p: usize, sub: usize, half: usize, table: usize, levels: v128): v128 {
    return i8x16.swizzle(levels, nibbles(v128.load(p + (sub << 4), 8), half));
  }
  // @ts-ignore: decorator
  @inline scales(p: usize, out: usize, step: usize): void {
    const d = widenOne(load<u16>(p));
    let high = <u32>load<u16>(p, 2) << 4;
    let low = load<u32>(p, 4);
    for (let sub = 0; sub < 8; sub++) {
      store<f32>(out, d * <f32>(<i32>((low & 15) | (high & 48)) - 32));
      low >>= 4;
      high >>= 2;
      out += step;
    }
  }
}

@unmanaged
export class MXFP4 {
  // @ts-ignore: decorator
  @inline parts(): usize { return 1; }
  // @ts-ignore: decorator
  @inline bytes(): usize { return 17; }
  // @ts-ignore: decorator
  @inline subs(): usize { return 1; }
  // @ts-ignore: decorator
  @inline bias(): i32 { return 12; }
  // @ts-ignore: decorator
  @inline hasOffset(): bool { return false; }
  // @ts-ignore: decorator
  @inline levels(table: usize): v128 { return v128.load(table); }
  // @ts-ignore: decorator
  @inline columns(p: usize, sub: usize, half: usize, table: usize, levels: v128): v128 {
    return i8x16.swizzle(levels, nibbles(v128.load(p, 1), half));
  }
  /** 2^(e - 128); the two smallest are subnormal. */
  // @ts-ignore: decorator
  @inline scales(p: usize, out: usize, step: usize): void {
    const e = <u32>load<u8>(p);
    store<u32>(out, e < 2 ? 0x00200000 << e : (e - 1) << 23);
  }
}

@unmanaged
export class NVFP4 {
  // @ts-ignore: decorator
  @inline parts(): usize { return 2; }
  // @ts-ignore: decorator
  @inline bytes(): usize { return 36; }
  // @ts-ignore: decorator
  @inline subs(): usize { return 2; }
  // @ts-ignore: decorator
  @inline bias(): i32 { return 12; }
  // @ts-ignore: decorator
  @inline hasOffset(): bool { return false; }
  // @ts-ignore: decorator
  @inline levels(table: usize): v128 { return v128.load(table); }
  /** Byte j of 8 holds columns j and j + 8. */
  // @ts-ignore: decorator
  @inline columns(p: usize, sub: usize, half: usize, table: usize, levels: v128): v128 {
    const pairs = v128.load64_zero(p + (sub << 4) + (half << 3), 4);
    const high = i16x8.shr_u(pairs, 4);
    const both = i8x16.shuffle(pairs, high, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
    return i8x16.swizzle(levels, v128.and(both, i8x16.splat(15)));
  }
  /** Moved into the fields of an f32, a UE4M3 code is its value times 2^-120, subnormals too. 0x7f stands for 0. */
  // @ts-ignore: decorator
  @inline scales(p: usize, out: usize, step: usize): void {
    const bytes = i16x8.extend_low_i8x16_u(v128.load32_zero(p));
    const codes = v128.and(i32x4.extend_low_i16x8_u(bytes), i32x4.splat(0x7f));
    const values = f32x4.mul(i32x4.shl(codes, 20), f32x4.splat(reinterpret<f32>((119 + 127) << 23)));
    spread(v128.andnot(values, i32x4.eq(codes, i32x4.splat(0x7f))), out, step);
  }
}

/** 16 columns of nibbles: the low ones or the high ones. */
// @ts-ignore: decorator
@inline function nibbles(pairs: v128, half: usize): v128 {
  return v128.and(i16x8.shr_u(pairs, <i32>(half << 2)), i8x16.splat(15));
}
