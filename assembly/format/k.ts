// Panels of 8 rows of the K-quants' 256-column superblocks (packing: pack-k.ts). Q4_K and Q5_K have a scale and a minimum per 32 columns;
// Q6_K has a scale per 16: two parts. The questions are those of simple.ts.

import { bytes4, fifth, nibbles, signed4, sixBits, superScales } from './bits';

/** 8 x 128 bytes of nibbles as in Q4_0 | 8 x 8 scales | 8 x 8 minima | 8 f16 d | 8 f16 dmin */
@unmanaged
export class Q4_K {
  // @ts-ignore: decorator
  @inline moreBits(): u8 { return 0; }
  // @ts-ignore: decorator
  @inline bytes(): usize { return 1184; }
  // @ts-ignore: decorator
  @inline subs(): usize { return 8; }
  // @ts-ignore: decorator
  @inline parts(): usize { return 1; }
  // @ts-ignore: decorator
  @inline bias(): i32 { return 0; }
  // @ts-ignore: decorator
  @inline hasOffset(): bool { return true; }
  // @ts-ignore: decorator
  @inline isUnpacked(): bool { return false; }
  // @ts-ignore: decorator
  @inline unpacks(): usize { return 8; }
  // @ts-ignore: decorator
  @inline shares(): bool { return true; }
  // @ts-ignore: decorator
  @inline raw(p: usize, sub: usize, high: usize, g: usize, half: usize): v128 { return v128.load(p + (sub << 7) + (g << 5) + half); }
  // @ts-ignore: decorator
  @inline word(raw: v128, p: usize, sub: usize, high: usize, g: usize, half: usize, m: v128, more: v128): v128 {
    return nibbles(raw, high, m);
  }
  // @ts-ignore: decorator
  @inline prepare(p: usize, ready: usize, bits: v128, by: v128): void {
    v128.store(ready, superScales(p + 1152, 0));
    v128.store(ready, superScales(p + 1152, 16), 16);
    v128.store(ready, f32x4.neg(superScales(p + 1168, 0)), 32);
    v128.store(ready, f32x4.neg(superScales(p + 1168, 16)), 48);
  }
  // @ts-ignore: decorator
  @inline scale(p: usize, sub: usize, part: usize, half: usize, ready: usize, bits: v128, by: v128): v128 {
    return f32x4.mul(v128.load(ready + half), bytes4(p + 1024 + (sub << 3) + (half >> 2)));
  }
  // @ts-ignore: decorator
  @inline offset(p: usize, sub: usize, part: usize, half: usize, ready: usize, bits: v128, by: v128): v128 {
    return f32x4.mul(v128.load(ready + half, 32), bytes4(p + 1088 + (sub << 3) + (half >> 2)));
  }
}

/** 8 x 128 bytes of nibbles | 8 x 32 bytes of fifth bits | 8 x 8 scales | 8 x 8 minima | 8 f16 d | 8 f16 dmin */
@unmanaged
export class Q5_K {
  // @ts-ignore: decorator
  @inline moreBits(): u8 { return 16; }
  // @ts-ignore: decorator
  @inline bytes(): usize { return 1440; }
  // @ts-ignore: decorator
  @inline subs(): usize { return 8; }
  // @ts-ignore: decorator
  @inline parts(): usize { return 1; }
  // @ts-ignore: decorator
  @inline bias(): i32 { return 0; }
  // @ts-ignore: decorator
  @inline hasOffset(): bool { return true; }
  // @ts-ignore: decorator
  @inline isUnpacked(): bool { return false; }
  // @ts-ignore: decorator
  @inline unpacks(): usize { return 8; }
  // @ts-ignore: decorator
  @inline shares(): bool { return true; }
  // @ts-ignore: decorator
  @inline raw(p: usize, sub: usize, high: usize, g: usize, half: usize): v128 { return v128.load(p + (sub << 7) + (g << 5) + half); }
  // @ts-ignore: decorator
  @inline word(raw: v128, p: usize, sub: usize, high: usize, g: usize, half: usize, m: v128, more: v128): v128 {
    return v128.or(nibbles(raw, high, m), fifth(v128.load(p + 1024 + (sub << 5) + half), high, g, more));
  }
  // @ts-ignore: decorator
  @inline prepare(p: usize, ready: usize, bits: v128, by: v128): void {
    v128.store(ready, superScales(p + 1408, 0));
    v128.store(ready, superScales(p + 1408, 16), 16);
    v128.store(ready, f32x4.neg(superScales(p + 1424, 0)), 32);
    v128.store(ready, f32x4.neg(superScales(p + 1424, 16)), 48);
  }
  // @ts-ignore: decorator
  @inline scale(p: usize, sub: usize, part: usize, half: usize, ready: usize, bits: v128, by: v128): v128 {
    return f32x4.mul(v128.load(ready + half), bytes4(p + 1280 + (sub << 3) + (half >> 2)));
  }
  // @ts-ignore: decorator
  @inline offset(p: usize, sub: usize, part: usize, half: usize, ready: usize, bits: v128, by: v128): v128 {
    return f32x4.mul(v128.load(ready + half, 32), bytes4(p + 1344 + (sub << 3) + (half >> 2)));
  }
}

/** 16 x 96 bytes of six bits (`sixBits`), each 16 columns | 16 x 8 int8 scales | 8 f16 d */
@unmanaged
export class Q6_K {
  // @ts-ignore: decorator
  @inline moreBits(): u8 { return 0xc0; }
  // @ts-ignore: decorator
  @inline bytes(): usize { return 1680; }
  // @ts-ignore: decorator
  @inline subs(): usize { return 8; }
  // @ts-ignore: decorator
  @inline parts(): usize { return 2; }
  // @ts-ignore: decorator
  @inline bias(): i32 { return 32; }
  // @ts-ignore: decorator
  @inline hasOffset(): bool { return false; }
  // @ts-ignore: decorator
  @inline isUnpacked(): bool { return false; }
  // @ts-ignore: decorator
  @inline unpacks(): usize { return 8; }
  // @ts-ignore: decorator
  @inline shares(): bool { return false; }
  // @ts-ignore: decorator
  @inline raw(p: usize, sub: usize, high: usize, g: usize, half: usize): v128 { return i32x4.splat(0); }
  // @ts-ignore: decorator
  @inline word(raw: v128, p: usize, sub: usize, high: usize, g: usize, half: usize, m: v128, more: v128): v128 {
    return sixBits(p + sub * 192 + high * 24 + half, g, more);
  }
  // @ts-ignore: decorator
  @inline prepare(p: usize, ready: usize, bits: v128, by: v128): void {
    v128.store(ready, superScales(p + 1664, 0));
    v128.store(ready, superScales(p + 1664, 16), 16);
  }
  // @ts-ignore: decorator
  @inline scale(p: usize, sub: usize, part: usize, half: usize, ready: usize, bits: v128, by: v128): v128 {
    return f32x4.mul(v128.load(ready + half), signed4(p + 1536 + (((sub << 1) + part) << 3) + (half >> 2)));
  }
  // @ts-ignore: decorator
  @inline offset(p: usize, sub: usize, part: usize, half: usize, ready: usize, bits: v128, by: v128): v128 {
    return i32x4.splat(0);
  }
}
