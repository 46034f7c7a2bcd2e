// Q2_K and Q3_K: superblocks of 256 columns in two-bit planes, a scale per 16 columns.
//   Q2_K  84 bytes: 16 scales (low nibble) and minima (high) | 64 of bit pairs | d f16 | dmin f16
//   Q3_K  110 bytes: 32 of third bits | 64 of bit pairs | 12 of 6-bit scales | d f16
// Byte 32h + l of the pairs holds column l of blocks 4h .. 4h+3, lowest pair first.

import { widenOne } from '../half';

@unmanaged
export class Q2_K {
  // @ts-ignore: decorator
  @inline parts(): usize { return 2; }
  // @ts-ignore: decorator
  @inline bytes(): usize { return 84; }
  // @ts-ignore: decorator
  @inline subs(): usize { return 8; }
  // @ts-ignore: decorator
  @inline bias(): i32 { return 0; }
  // @ts-ignore: decorator
  @inline hasOffset(): bool { return true; }
  // @ts-ignore: decorator
  @inline levels(table: usize): v128 { return i32x4.splat(0); }
  // @ts-ignore: decorator
  @inline columns(p: usize, sub: usize, half: usize, table: usize, levels: v128): v128 {
    return bitPairs(p + 16, sub, half);
  }
  // @ts-ignore: decorator
  @inline scale(p: usize, sub: usize, part: usize): f32 {
    return widenOne(load<u16>(p, 80)) * <f32>(load<u8>(p + (sub << 1) + part) & 15);
  }
  // @ts-ignore: decorator
  @inline offset(p: usize, sub: usize, part: usize): f32 {
    return -widenOne(load<u16>(p, 82)) * <f32>(load<u8>(p + (sub << 1) + part) >> 4);
  }
}

/** Without its third bit a value is 4 less. */
@unmanaged
export class Q3_K {
  // @ts-ignore: decorator
  @inline parts(): usize { return 2; }
  // @ts-ignore: decorator
  @inline bytes(): usize { return 110; }
  // @ts-ignore: decorator
  @inline subs(): usize { return 8; }
  // @ts-ignore: decorator
  @inline bias(): i32 { return 4; }
  // @ts-ignore: decorator
  @inline hasOffset(): bool { return false; }
  // @ts-ignore: decorator
  @inline levels(table: usize): v128 { return i32x4.splat(0); }
  // @ts-ignore: decorator
  @inline columns(p: usize, sub: usize, half: usize, table: usize, levels: v128): v128 {
    const third = v128.and(i16x8.shr_u(v128.load(p + (half << 4)), <i32>sub), i8x16.splat(1));
    return v128.or(bitPairs(p + 32, sub, half), i16x8.shl(third, 2));
  }
  // @ts-ignore: decorator
  @inline scale(p: usize, sub: usize, part: usize): f32 {
    const k = (sub << 1) + part;
    const low = (<u32>load<u8>(p + (k & 7), 96) >> <u32>((k >> 3) << 2)) & 15;
    const high = (<u32>load<u8>(p + (k & 3), 104) >> <u32>((k >> 2) << 1)) & 3;
    return widenOne(load<u16>(p, 108)) * <f32>(<i32>(low | (high << 4)) - 32);
  }
  // @ts-ignore: decorator
  @inline offset(p: usize, sub: usize, part: usize): f32 { return 0; }
}

/** 16 columns out of planes of bit pairs. */
// @ts-ignore: decorator
@inline export function bitPairs(pairs: usize, sub: usize, half: usize): v128 {
  const bytes = v128.load(pairs + ((sub >> 2) << 5) + (half << 4));
  return v128.and(i16x8.shr_u(bytes, <i32>((sub & 3) << 1)), i8x16.splat(3));
}
