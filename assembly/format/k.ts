// Panels of 8 rows of the K-quants' 256-column superblocks (layouts: pack-k.ts). Q4_K and Q5_K have a scale and a minimum per 32 columns;
// Q6_K has a scale per 16: two parts.

import { widenHigh, widenLow } from '../half';

// @ts-ignore: decorator
@inline function halves(at: usize, half: usize): v128 { return half ? widenHigh(v128.load(at)) : widenLow(v128.load(at)); }

/** Four unsigned bytes -> f32. */
// @ts-ignore: decorator
@inline function bytes4(at: usize): v128 {
  return f32x4.convert_i32x4_u(i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(at))));
}

/** Four signed bytes -> f32. */
// @ts-ignore: decorator
@inline function signed4(at: usize): v128 {
  return f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(v128.load32_zero(at))));
}

/** 4 x 256 bytes: nibbles of blocks 2i (low) and 2i+1 (high) | 8 x 8 scales | 8 x 8 minima | 8 f16 d | 8 f16 dmin */
@unmanaged
export class Q4_K {
  // @ts-ignore: decorator
  @inline unpacks(): bool { return true; }
  // @ts-ignore: decorator
  @inline parts(): usize { return 1; }
  // @ts-ignore: decorator
  @inline bytes(): usize { return 1184; }
  // @ts-ignore: decorator
  @inline subs(): usize { return 8; }
  // @ts-ignore: decorator
  @inline bias(): i32 { return 0; }
  // @ts-ignore: decorator
  @inline hasOffset(): bool { return true; }
  // @ts-ignore: decorator
  @inline word(p: usize, sub: usize, high: usize, g: usize, half: usize): v128 { return nibbles(p, sub, high + g, half); }
  // @ts-ignore: decorator
  @inline scale(p: usize, sub: usize, part: usize, half: usize): v128 {
    return f32x4.mul(halves(p + 1152, half), bytes4(p + 1024 + (sub << 3) + (half >> 2)));
  }
  // @ts-ignore: decorator
  @inline offset(p: usize, sub: usize, part: usize, half: usize): v128 {
    return f32x4.neg(f32x4.mul(halves(p + 1168, half), bytes4(p + 1088 + (sub << 3) + (half >> 2))));
  }
}

/** As Q4_K, with 8 x 32 bytes of fifth bits (a word of 32 bits per row and block) behind the nibbles */
@unmanaged
export class Q5_K {
  // @ts-ignore: decorator
  @inline unpacks(): bool { return true; }
  // @ts-ignore: decorator
  @inline parts(): usize { return 1; }
  // @ts-ignore: decorator
  @inline bytes(): usize { return 1440; }
  // @ts-ignore: decorator
  @inline subs(): usize { return 8; }
  // @ts-ignore: decorator
  @inline bias(): i32 { return 0; }
  // @ts-ignore: decorator
  @inline hasOffset(): bool { return true; }
  // @ts-ignore: decorator
  @inline word(p: usize, sub: usize, high: usize, g: usize, half: usize): v128 {
    const four = i32x4.shr_u(v128.load(p + 1024 + (sub << 5) + half), <i32>((high + g) << 2));
    const lane = i8x16.shuffle(four, four, 0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12);
    const fifth = v128.and(i8x16.ne(v128.and(lane, i32x4.splat(0x08040201)), i8x16.splat(0)), i8x16.splat(16));
    return v128.or(nibbles(p, sub, high + g, half), fifth);
  }
  // @ts-ignore: decorator
  @inline scale(p: usize, sub: usize, part: usize, half: usize): v128 {
    return f32x4.mul(halves(p + 1408, half), bytes4(p + 1280 + (sub << 3) + (half >> 2)));
  }
  // @ts-ignore: decorator
  @inline offset(p: usize, sub: usize, part: usize, half: usize): v128 {
    return f32x4.neg(f32x4.mul(halves(p + 1424, half), bytes4(p + 1344 + (sub << 3) + (half >> 2))));
  }
}

/** 4 x 256 bytes of low nibbles as in Q4_K | 2 x 256 bytes of upper bit pairs (byte: blocks 4i .. 4i+3) | 16 x 8 int8 scales | 8 f16 d */
@unmanaged
export class Q6_K {
  // @ts-ignore: decorator
  @inline unpacks(): bool { return true; }
  // @ts-ignore: decorator
  @inline parts(): usize { return 2; }
  // @ts-ignore: decorator
  @inline bytes(): usize { return 1680; }
  // @ts-ignore: decorator
  @inline subs(): usize { return 8; }
  // @ts-ignore: decorator
  @inline bias(): i32 { return 32; }
  // @ts-ignore: decorator
  @inline hasOffset(): bool { return false; }
  // @ts-ignore: decorator
  @inline word(p: usize, sub: usize, high: usize, g: usize, half: usize): v128 {
    const pairs = v128.load(p + 1024 + ((sub >> 2) << 8) + ((high + g) << 5) + half);
    const two = v128.and(i16x8.shr_u(pairs, <i32>((sub & 3) << 1)), i8x16.splat(3));
    return v128.or(nibbles(p, sub, high + g, half), i16x8.shl(two, 4));
  }
  // @ts-ignore: decorator
  @inline scale(p: usize, sub: usize, part: usize, half: usize): v128 {
    return f32x4.mul(halves(p + 1664, half), signed4(p + 1536 + (((sub << 1) + part) << 3) + (half >> 2)));
  }
  // @ts-ignore: decorator
  @inline offset(p: usize, sub: usize, part: usize, half: usize): v128 { return i32x4.splat(0); }
}

// @ts-ignore: decorator
@inline function nibbles(p: usize, sub: usize, g: usize, half: usize): v128 {
  return v128.and(
    i16x8.shr_u(v128.load(p + ((sub >> 1) << 8) + (g << 5) + half), <i32>((sub & 1) << 2)),
    i8x16.splat(15),
  );
}
