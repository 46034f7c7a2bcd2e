// Panels of 8 rows of the 32-blocks. Every class answers the same questions about block `sub` of the storage block at `p`:
//   raw(p, sub, high, g, half)    the bytes that hold columns 4(high + g) .. +3 of rows 0-3 (half 0) or 4-7 (half 16); if `shares`, the same
//                                 bytes for high 0 and 4
//   word(raw, ...)                those columns as unsigned bytes; where high and g are literals, so are all shifts. `m` is i8x16.splat(15),
//                                 `more` i8x16.splat(moreBits()): constants come from the caller (half.ts says why)
//   prepare                       what the blocks of a superblock share, stored at `ready`
//   scale, offset                 f32 of 4 rows: weight = scale * (byte - bias) + offset, for part `part` of the block
// and `bytes` / `subs`: size of a storage block and how many blocks of 32 columns it holds; `parts`: scales per block, one for 32
// columns or two for 16 each; `unpacks`: from how many tokens on an unpacked panel serves better in strict and rel16
// (measured). Layouts: pack.ts.

import { fifth, halves, nibbles } from './bits';

/** 256 bytes q + 128 | 8 f16 scales */
@unmanaged
export class Q8_0 {
  // @ts-ignore: decorator
  @inline moreBits(): u8 { return 0; }
  // @ts-ignore: decorator
  @inline bytes(): usize { return 272; }
  // @ts-ignore: decorator
  @inline subs(): usize { return 1; }
  // @ts-ignore: decorator
  @inline parts(): usize { return 1; }
  // @ts-ignore: decorator
  @inline bias(): i32 { return 128; }
  // @ts-ignore: decorator
  @inline hasOffset(): bool { return false; }
  // @ts-ignore: decorator
  @inline isUnpacked(): bool { return false; }
  // @ts-ignore: decorator
  @inline unpacks(): usize { return 32; }
  // @ts-ignore: decorator
  @inline shares(): bool { return false; }
  // @ts-ignore: decorator
  @inline raw(p: usize, sub: usize, high: usize, g: usize, half: usize): v128 { return v128.load(p + ((high + g) << 5) + half); }
  // @ts-ignore: decorator
  @inline word(raw: v128, p: usize, sub: usize, high: usize, g: usize, half: usize, m: v128, more: v128): v128 {
    return raw;
  }
  // @ts-ignore: decorator
  @inline prepare(p: usize, ready: usize, bits: v128, by: v128): void {}
  // @ts-ignore: decorator
  @inline scale(p: usize, sub: usize, part: usize, half: usize, ready: usize, bits: v128, by: v128): v128 {
    return halves(p + 256, half, bits, by);
  }
  // @ts-ignore: decorator
  @inline offset(p: usize, sub: usize, part: usize, half: usize, ready: usize, bits: v128, by: v128): v128 {
    return i32x4.splat(0);
  }
}

/** 128 bytes of nibbles (low: columns 0-15, high: 16-31) | 8 f16 scales */
@unmanaged
export class Q4_0 {
  // @ts-ignore: decorator
  @inline moreBits(): u8 { return 0; }
  // @ts-ignore: decorator
  @inline bytes(): usize { return 144; }
  // @ts-ignore: decorator
  @inline subs(): usize { return 1; }
  // @ts-ignore: decorator
  @inline parts(): usize { return 1; }
  // @ts-ignore: decorator
  @inline bias(): i32 { return 8; }
  // @ts-ignore: decorator
  @inline hasOffset(): bool { return false; }
  // @ts-ignore: decorator
  @inline isUnpacked(): bool { return false; }
  // @ts-ignore: decorator
  @inline unpacks(): usize { return 16; }
  // @ts-ignore: decorator
  @inline shares(): bool { return true; }
  // @ts-ignore: decorator
  @inline raw(p: usize, sub: usize, high: usize, g: usize, half: usize): v128 { return v128.load(p + (g << 5) + half); }
  // @ts-ignore: decorator
  @inline word(raw: v128, p: usize, sub: usize, high: usize, g: usize, half: usize, m: v128, more: v128): v128 {
    return nibbles(raw, high, m);
  }
  // @ts-ignore: decorator
  @inline prepare(p: usize, ready: usize, bits: v128, by: v128): void {}
  // @ts-ignore: decorator
  @inline scale(p: usize, sub: usize, part: usize, half: usize, ready: usize, bits: v128, by: v128): v128 {
    return halves(p + 128, half, bits, by);
  }
  // @ts-ignore: decorator
  @inline offset(p: usize, sub: usize, part: usize, half: usize, ready: usize, bits: v128, by: v128): v128 {
    return i32x4.splat(0);
  }
}

/** 128 bytes of nibbles | 8 f16 scales | 8 f16 minima */
@unmanaged
export class Q4_1 {
  // @ts-ignore: decorator
  @inline moreBits(): u8 { return 0; }
  // @ts-ignore: decorator
  @inline bytes(): usize { return 160; }
  // @ts-ignore: decorator
  @inline subs(): usize { return 1; }
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
  @inline raw(p: usize, sub: usize, high: usize, g: usize, half: usize): v128 { return v128.load(p + (g << 5) + half); }
  // @ts-ignore: decorator
  @inline word(raw: v128, p: usize, sub: usize, high: usize, g: usize, half: usize, m: v128, more: v128): v128 {
    return nibbles(raw, high, m);
  }
  // @ts-ignore: decorator
  @inline prepare(p: usize, ready: usize, bits: v128, by: v128): void {}
  // @ts-ignore: decorator
  @inline scale(p: usize, sub: usize, part: usize, half: usize, ready: usize, bits: v128, by: v128): v128 {
    return halves(p + 128, half, bits, by);
  }
  // @ts-ignore: decorator
  @inline offset(p: usize, sub: usize, part: usize, half: usize, ready: usize, bits: v128, by: v128): v128 {
    return halves(p + 144, half, bits, by);
  }
}

/** 128 bytes of nibbles | 8 words of fifth bits | 8 f16 scales */
@unmanaged
export class Q5_0 {
  // @ts-ignore: decorator
  @inline moreBits(): u8 { return 16; }
  // @ts-ignore: decorator
  @inline bytes(): usize { return 176; }
  // @ts-ignore: decorator
  @inline subs(): usize { return 1; }
  // @ts-ignore: decorator
  @inline parts(): usize { return 1; }
  // @ts-ignore: decorator
  @inline bias(): i32 { return 16; }
  // @ts-ignore: decorator
  @inline hasOffset(): bool { return false; }
  // @ts-ignore: decorator
  @inline isUnpacked(): bool { return false; }
  // @ts-ignore: decorator
  @inline unpacks(): usize { return 8; }
  // @ts-ignore: decorator
  @inline shares(): bool { return true; }
  // @ts-ignore: decorator
  @inline raw(p: usize, sub: usize, high: usize, g: usize, half: usize): v128 { return v128.load(p + (g << 5) + half); }
  // @ts-ignore: decorator
  @inline word(raw: v128, p: usize, sub: usize, high: usize, g: usize, half: usize, m: v128, more: v128): v128 {
    return v128.or(nibbles(raw, high, m), fifth(v128.load(p + 128 + half), high, g, more));
  }
  // @ts-ignore: decorator
  @inline prepare(p: usize, ready: usize, bits: v128, by: v128): void {}
  // @ts-ignore: decorator
  @inline scale(p: usize, sub: usize, part: usize, half: usize, ready: usize, bits: v128, by: v128): v128 {
    return halves(p + 160, half, bits, by);
  }
  // @ts-ignore: decorator
  @inline offset(p: usize, sub: usize, part: usize, half: usize, ready: usize, bits: v128, by: v128): v128 {
    return i32x4.splat(0);
  }
}

/** 128 bytes of nibbles | 8 words of fifth bits | 8 f16 scales | 8 f16 minima */
@unmanaged
export class Q5_1 {
  // @ts-ignore: decorator
  @inline moreBits(): u8 { return 16; }
  // @ts-ignore: decorator
  @inline bytes(): usize { return 192; }
  // @ts-ignore: decorator
  @inline subs(): usize { return 1; }
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
  @inline raw(p: usize, sub: usize, high: usize, g: usize, half: usize): v128 { return v128.load(p + (g << 5) + half); }
  // @ts-ignore: decorator
  @inline word(raw: v128, p: usize, sub: usize, high: usize, g: usize, half: usize, m: v128, more: v128): v128 {
    return v128.or(nibbles(raw, high, m), fifth(v128.load(p + 128 + half), high, g, more));
  }
  // @ts-ignore: decorator
  @inline prepare(p: usize, ready: usize, bits: v128, by: v128): void {}
  // @ts-ignore: decorator
  @inline scale(p: usize, sub: usize, part: usize, half: usize, ready: usize, bits: v128, by: v128): v128 {
    return halves(p + 160, half, bits, by);
  }
  // @ts-ignore: decorator
  @inline offset(p: usize, sub: usize, part: usize, half: usize, ready: usize, bits: v128, by: v128): v128 {
    return halves(p + 176, half, bits, by);
  }
}
