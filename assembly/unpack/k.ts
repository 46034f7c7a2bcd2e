// Q2_K and Q3_K: superblocks of 256 columns in two-bit planes, a scale per 16 columns.
//   Q2_K  84 bytes: 16 scales (low nibble) and minima (high) | 64 of bit pairs | d f16 | dmin f16
//   Q3_K  110 bytes: 32 of third bits | 64 of bit pairs | 12 of 6-bit scales | d f16
// Byte 32h + l of the pairs holds column l of blocks 4h .. 4h+3, lowest pair first.

import { widenOne } from '../half';
import { spread } from './panel';

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
  @inline scales(p: usize, out: usize, step: usize): void {
    const bytes = v128.load(p);
    sixteen(v128.and(bytes, i8x16.splat(15)), widenOne(load<u16>(p, 80)), out, step);
    sixteen(v128.and(i16x8.shr_u(bytes, 4), i8x16.splat(15)), -widenOne(load<u16>(p, 82)), out + 64, step);
  }
}

/** Without its third bit a value is 4 less. Scale k: nibble k of 16 (low ones first) and pair k of 16 (byte k mod 4). */
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
  @inline scales(p: usize, out: usize, step: usize): void {
    const lower = v128.load64_zero(p, 96);
    const nibbles = i8x16.shuffle(lower, i16x8.shr_u(lower, 4), 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
    const upper = i32x4.mul(v128.load32_splat(p, 104), i32x4(64, 16, 4, 1));
    const pairs = i32x4.shr_u(v128.and(upper, i8x16.splat(<i8>0xc0)), 2);
    const six = v128.or(v128.and(nibbles, i8x16.splat(15)), pairs);
    sixteen(i8x16.sub(six, i8x16.splat(32)), widenOne(load<u16>(p, 108)), out, step);
  }
}

/** 16 columns out of planes of bit pairs. */
// @ts-ignore: decorator
@inline export function bitPairs(pairs: usize, sub: usize, half: usize): v128 {
  const bytes = v128.load(pairs + ((sub >> 2) << 5) + (half << 4));
  return v128.and(i16x8.shr_u(bytes, <i32>((sub & 3) << 1)), i8x16.splat(3));
}

/** Signed bytes times `d`: scales of two parts of each block, `step` bytes from block to block. */
function sixteen(bytes: v128, d: f32, out: usize, step: usize): void {
  const low = i16x8.extend_low_i8x16_s(bytes);
  const high = i16x8.extend_high_i8x16_s(bytes);
  const factor = f32x4.splat(d);
  spread(f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(low)), factor), out, step);
  spread(f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(low)), factor), out + 2 * step, step);
  spread(f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(high)), factor), out + 4 * step, step);
  spread(f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(high)), factor), out + 6 * step, step);
}
