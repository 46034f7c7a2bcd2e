// Panels of 8 rows of the K-quants' 256-column superblocks (packing: pack-k.ts). Q4_K and Q5_K have a scale and a minimum per 32 columns;
// Q6_K has a scale per 16: two parts. The questions are those of simple.ts. Bytes lie in the order in which a product
// reads them: fetched out of turn they cost an eighth to a quarter of the speed from memory.

import { bytes4, fifth, nibbles, signed4, sixBits, superScales } from './bits';

/** 8 f16 d | 8 f16 dmin | 8 blocks: 128 bytes of nibbles as in Q4_0, 8 scales, 8 minima */
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
  @inline raw(p: usize, sub: usize, high: usize, g: usize, half: usize): v128 { return v128.load(p + 32 + sub * 144 + (g << 5) + half); }
  // @ts-ignore: decorator
  @inline word(raw: v128, p: usize, sub: usize, high: usize, g: usize, half: usize, m: v128, more: v128): v128 {
    return nibbles(raw, high, m);
  }
  // @ts-ignore: decorator
  @inline prepare(p: usize, ready: usize, bits: v128, by: v128): void {
    v128.store(ready, superScales(p, 0));
    v128.store(ready, superScales(p, 16), 16);
    v128.store(ready, f32x4.neg(superScales(p + 16, 0)), 32);
    v128.store(ready, f32x4.neg(superScales(p + 16, 16)), 48);
  }
  // @ts-ignore: decorator
  @inline scale(p: usize, sub: usize, part: usize, half: usize, ready: usize, bits: v128, by: v128): v128 {
    return f32x4.mul(v128.load(ready + half), bytes4(p + 160 + sub * 144 + (half >> 2)));
  }
  // @ts-ignore: decorator
  @inline offset(p: usize, sub: usize, part: usize, half: usize, ready: usize, bits: v128, by: v128): v128 {
    return f32x4.mul(v128.load(ready + half, 32), bytes4(p + 168 + sub * 144 + (half >> 2)));
  }
}

/** 8 f16 d | 8 f16 dmin | 8 blocks: 128 bytes of nibbles, 32 of fifth bits, 8 scales, 8 minima */
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
  @inline raw(p: usize, sub: usize, high: usize, g: usize, half: usize): v128 { return v128.load(p + 32 + sub * 176 + (g << 5) + half); }
  // @ts-ignore: decorator
  @inline word(raw: v128, p: usize, sub: usize, high: usize, g: usize, half: usize, m: v128, more: v128): v128 {
    return v128.or(nibbles(raw, high, m), fifth(v128.load(p + 160 + sub * 176 + half), high, g, more));
  }
  // @ts-ignore: decorator
  @inline prepare(p: usize, ready: usize, bits: v128, by: v128): void {
    v128.store(ready, superScales(p, 0));
    v128.store(ready, superScales(p, 16), 16);
    v128.store(ready, f32x4.neg(superScales(p + 16, 0)), 32);
    v128.store(ready, f32x4.neg(superScales(p + 16, 16)), 48);
  }
  // @ts-ignore: decorator
  @inline scale(p: usize, sub: usize, part: usize, half: usize, ready: usize, bits: v128, by: v128): v128 {
    return f32x4.mul(v128.load(ready + half), bytes4(p + 192 + sub * 176 + (half >> 2)));
  }
  // @ts-ignore: decorator
  @inline offset(p: usize, sub: usize, part: usize, half: usize, ready: usize, bits: v128, by: v128): v128 {
    return f32x4.mul(v128.load(ready + half, 32), bytes4(p + 200 + sub * 176 + (half >> 2)));
  }
}

/** 8 f16 d | 8 blocks: 2 x 96 bytes of six bits (`sixBits`), each 16 columns, 2 x 8 int8 scales */
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
    return sixBits(p + 16 + sub * 208 + high * 24 + half, g, more);
  }
  // @ts-ignore: decorator
  @inline prepare(p: usize, ready: usize, bits: v128, by: v128): void {
    v128.store(ready, superScales(p, 0));
    v128.store(ready, superScales(p, 16), 16);
  }
  // @ts-ignore: decorator
  @inline scale(p: usize, sub: usize, part: usize, half: usize, ready: usize, bits: v128, by: v128): v128 {
    return f32x4.mul(v128.load(ready + half), signed4(p + 208 + sub * 208 + (part << 3) + (half >> 2)));
  }
  // @ts-ignore: decorator
  @inline offset(p: usize, sub: usize, part: usize, half: usize, ready: usize, bits: v128, by: v128): v128 {
    return i32x4.splat(0);
  }
}
