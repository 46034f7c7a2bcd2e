// Panels of 8 rows of the 32-blocks. Every class answers the same questions about block `sub` of the storage block at `p`:
//   word(p, sub, high, g, half)   columns 4(high+g) .. +3 of rows 0-3 (half 0) or 4-7 (half 16), as unsigned bytes; high is a literal
//                                 0 or 4, g 0 to 3: so that shifts by it are constants
//   scale, offset                 f32 of 4 rows: weight = scale * (byte - bias) + offset, for part `part` of the block
// and `bytes` / `subs`: size of a storage block and how many blocks of 32 columns it holds; `parts`: scales per block, one for 32
// columns or two for 16 each. Layouts: pack.ts.

import { widenHigh, widenLow } from '../half';

// @ts-ignore: decorator
@inline function halves(at: usize, half: usize): v128 { return half ? widenHigh(v128.load(at)) : widenLow(v128.load(at)); }

/** 256 bytes q + 128 | 8 f16 scales */
@unmanaged
export class Q8_0 {
  // @ts-ignore: decorator
  @inline unpacks(): bool { return false; }
  // @ts-ignore: decorator
  @inline parts(): usize { return 1; }
  // @ts-ignore: decorator
  @inline bytes(): usize { return 272; }
  // @ts-ignore: decorator
  @inline subs(): usize { return 1; }
  // @ts-ignore: decorator
  @inline bias(): i32 { return 128; }
  // @ts-ignore: decorator
  @inline hasOffset(): bool { return false; }
  // @ts-ignore: decorator
  @inline word(p: usize, sub: usize, high: usize, g: usize, half: usize): v128 { return v128.load(p + ((high + g) << 5) + half); }
  // @ts-ignore: decorator
  @inline scale(p: usize, sub: usize, part: usize, half: usize): v128 { return halves(p + 256, half); }
  // @ts-ignore: decorator
  @inline offset(p: usize, sub: usize, part: usize, half: usize): v128 { return i32x4.splat(0); }
}

/** 128 bytes of nibbles (low: columns 0-15, high: 16-31) | 8 f16 scales */
@unmanaged
export class Q4_0 {
  // @ts-ignore: decorator
  @inline unpacks(): bool { return false; }
  // @ts-ignore: decorator
  @inline parts(): usize { return 1; }
  // @ts-ignore: decorator
  @inline bytes(): usize { return 144; }
  // @ts-ignore: decorator
  @inline subs(): usize { return 1; }
  // @ts-ignore: decorator
  @inline bias(): i32 { return 8; }
  // @ts-ignore: decorator
  @inline hasOffset(): bool { return false; }
  // @ts-ignore: decorator
  @inline word(p: usize, sub: usize, high: usize, g: usize, half: usize): v128 { return nibbles(p, high, g, half); }
  // @ts-ignore: decorator
  @inline scale(p: usize, sub: usize, part: usize, half: usize): v128 { return halves(p + 128, half); }
  // @ts-ignore: decorator
  @inline offset(p: usize, sub: usize, part: usize, half: usize): v128 { return i32x4.splat(0); }
}

/** 128 bytes of nibbles | 8 f16 scales | 8 f16 minima */
@unmanaged
export class Q4_1 {
  // @ts-ignore: decorator
  @inline unpacks(): bool { return true; }
  // @ts-ignore: decorator
  @inline parts(): usize { return 1; }
  // @ts-ignore: decorator
  @inline bytes(): usize { return 160; }
  // @ts-ignore: decorator
  @inline subs(): usize { return 1; }
  // @ts-ignore: decorator
  @inline bias(): i32 { return 0; }
  // @ts-ignore: decorator
  @inline hasOffset(): bool { return true; }
  // @ts-ignore: decorator
  @inline word(p: usize, sub: usize, high: usize, g: usize, half: usize): v128 { return nibbles(p, high, g, half); }
  // @ts-ignore: decorator
  @inline scale(p: usize, sub: usize, part: usize, half: usize): v128 { return halves(p + 128, half); }
  // @ts-ignore: decorator
  @inline offset(p: usize, sub: usize, part: usize, half: usize): v128 { return halves(p + 144, half); }
}

/** 128 bytes of nibbles | 8 words of fifth bits | 8 f16 scales */
@unmanaged
export class Q5_0 {
  // @ts-ignore: decorator
  @inline unpacks(): bool { return true; }
  // @ts-ignore: decorator
  @inline parts(): usize { return 1; }
  // @ts-ignore: decorator
  @inline bytes(): usize { return 176; }
  // @ts-ignore: decorator
  @inline subs(): usize { return 1; }
  // @ts-ignore: decorator
  @inline bias(): i32 { return 16; }
  // @ts-ignore: decorator
  @inline hasOffset(): bool { return false; }
  // @ts-ignore: decorator
  @inline word(p: usize, sub: usize, high: usize, g: usize, half: usize): v128 {
    return v128.or(nibbles(p, high, g, half), fifthBits(v128.load(p + 128 + half), high + g));
  }
  // @ts-ignore: decorator
  @inline scale(p: usize, sub: usize, part: usize, half: usize): v128 { return halves(p + 160, half); }
  // @ts-ignore: decorator
  @inline offset(p: usize, sub: usize, part: usize, half: usize): v128 { return i32x4.splat(0); }
}

/** 128 bytes of nibbles | 8 words of fifth bits | 8 f16 scales | 8 f16 minima */
@unmanaged
export class Q5_1 {
  // @ts-ignore: decorator
  @inline unpacks(): bool { return true; }
  // @ts-ignore: decorator
  @inline parts(): usize { return 1; }
  // @ts-ignore: decorator
  @inline bytes(): usize { return 192; }
  // @ts-ignore: decorator
  @inline subs(): usize { return 1; }
  // @ts-ignore: decorator
  @inline bias(): i32 { return 0; }
  // @ts-ignore: decorator
  @inline hasOffset(): bool { return true; }
  // @ts-ignore: decorator
  @inline word(p: usize, sub: usize, high: usize, g: usize, half: usize): v128 {
    return v128.or(nibbles(p, high, g, half), fifthBits(v128.load(p + 128 + half), high + g));
  }
  // @ts-ignore: decorator
  @inline scale(p: usize, sub: usize, part: usize, half: usize): v128 { return halves(p + 160, half); }
  // @ts-ignore: decorator
  @inline offset(p: usize, sub: usize, part: usize, half: usize): v128 { return halves(p + 176, half); }
}

// @ts-ignore: decorator
@inline function nibbles(p: usize, high: usize, g: usize, half: usize): v128 {
  return v128.and(i16x8.shr_u(v128.load(p + (g << 5) + half), <i32>high), i8x16.splat(15));
}

/** Bit 4g + j of a lane's word -> bit 4 of its byte j. */
// @ts-ignore: decorator
@inline export function fifthBits(bits: v128, g: usize): v128 {
  const four = i32x4.shr_u(bits, <i32>(g << 2));
  const lane = i8x16.shuffle(four, four, 0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12);
  const chosen = v128.and(lane, i32x4.splat(0x08040201));
  return v128.and(i8x16.ne(chosen, i8x16.splat(0)), i8x16.splat(16));
}
