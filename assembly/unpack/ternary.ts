// TQ1_0 and TQ2_0: superblocks of 256 columns of -1, 0 or 1 with one scale.
//   TQ1_0  54 bytes: 48 + 4 of digits | d f16    a byte b is a fraction b / 256; its digit n is the integer part of 3 (3^n b mod 256) / 256
//   TQ2_0  66 bytes: 64 of bit pairs, in planes as in Q2_K | d f16
// Columns go through a run of bytes digit by digit: bytes 0-31 hold columns 0-159, 32-47 hold 160-239, 48-51 hold 240-255.

import { widenOne } from '../half';
import { bitPairs } from './k';

@unmanaged
export class TQ1_0 {
  // @ts-ignore: decorator
  @inline parts(): usize { return 1; }
  // @ts-ignore: decorator
  @inline bytes(): usize { return 54; }
  // @ts-ignore: decorator
  @inline subs(): usize { return 8; }
  // @ts-ignore: decorator
  @inline bias(): i32 { return 1; }
  // @ts-ignore: decorator
  @inline hasOffset(): bool { return false; }
  // @ts-ignore: decorator
  @inline levels(table: usize): v128 { return i32x4.splat(0); }
  // @ts-ignore: decorator
  @inline columns(p: usize, sub: usize, half: usize, table: usize, levels: v128): v128 {
    const run = (sub << 1) + half;
    if (run < 10) return digits(times(v128.load(p + (half << 4)), power(<u32>sub)));
    if (run < 15) return digits(times(v128.load(p, 32), power(<u32>run - 10)));
    const last = v128.load32_splat(p, 48);
    const first = i8x16.shuffle(last, times(last, 3), 0, 1, 2, 3, 16, 17, 18, 19, 0, 1, 2, 3, 16, 17, 18, 19);
    const ninefold = times(first, 9);
    return digits(i8x16.shuffle(first, ninefold, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23));
  }
  // @ts-ignore: decorator
  @inline scales(p: usize, out: usize, step: usize): void { repeat(widenOne(load<u16>(p, 52)), out, step); }
}

@unmanaged
export class TQ2_0 {
  // @ts-ignore: decorator
  @inline parts(): usize { return 1; }
  // @ts-ignore: decorator
  @inline bytes(): usize { return 66; }
  // @ts-ignore: decorator
  @inline subs(): usize { return 8; }
  // @ts-ignore: decorator
  @inline bias(): i32 { return 1; }
  // @ts-ignore: decorator
  @inline hasOffset(): bool { return false; }
  // @ts-ignore: decorator
  @inline levels(table: usize): v128 { return i32x4.splat(0); }
  // @ts-ignore: decorator
  @inline columns(p: usize, sub: usize, half: usize, table: usize, levels: v128): v128 {
    return bitPairs(p, sub, half);
  }
  // @ts-ignore: decorator
  @inline scales(p: usize, out: usize, step: usize): void { repeat(widenOne(load<u16>(p, 64)), out, step); }
}

/** One scale for all 8 blocks. */
// @ts-ignore: decorator
@inline function repeat(d: f32, out: usize, step: usize): void {
  for (let sub = 0; sub < 8; sub++) {
    store<f32>(out, d);
    out += step;
  }
}

/** 3^n for n up to 4. */
// @ts-ignore: decorator
@inline function power(n: u32): i32 { return <i32>(<u64>0x511b090301 >> (n << 3)) & 255; }

/** Every byte times `factor`, modulo 256. */
// @ts-ignore: decorator
@inline function times(bytes: v128, factor: i32): v128 {
  const f = i16x8.splat(<i16>factor);
  const even = v128.and(i16x8.mul(bytes, f), i16x8.splat(255));
  return v128.or(even, i16x8.shl(i16x8.mul(i16x8.shr_u(bytes, 8), f), 8));
}

/** floor(3 b / 256), which is 1 from 86 on and 2 from 171 on. */
// @ts-ignore: decorator
@inline function digits(fractions: v128): v128 {
  const one = i8x16.ge_u(fractions, i8x16.splat(86));
  const two = i8x16.ge_u(fractions, i8x16.splat(<i8>171));
  return i8x16.neg(i8x16.add(one, two));
}
