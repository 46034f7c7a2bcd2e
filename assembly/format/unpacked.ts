// A panel unpacked into a thread's scratch: bytes and f32 scales, so that the tiles of many tokens need not decode again.
//   U32   256 bytes | 8 f32 scales | 8 f32 offsets                      per block of 32 columns
//   U16   256 bytes | 2 x 8 f32 scales | 2 x 8 f32 offsets              scales per 16 columns
// The integer offset of the type (`bias`) travels as an argument of the tiles.

@unmanaged
export class U32 {
  // @ts-ignore: decorator
  @inline moreBits(): u8 { return 0; }
  // @ts-ignore: decorator
  @inline parts(): usize { return 1; }
  // @ts-ignore: decorator
  @inline bytes(): usize { return 320; }
  // @ts-ignore: decorator
  @inline subs(): usize { return 1; }
  // @ts-ignore: decorator
  @inline unpacks(): usize { return 0; }
  // @ts-ignore: decorator
  @inline shares(): bool { return false; }
  // @ts-ignore: decorator
  @inline raw(p: usize, sub: usize, high: usize, g: usize, half: usize): v128 { return v128.load(p + ((high + g) << 5) + half); }
  // @ts-ignore: decorator
  @inline word(raw: v128, p: usize, sub: usize, high: usize, g: usize, half: usize, m: v128, more: v128): v128 { return raw; }
  // @ts-ignore: decorator
  @inline prepare(p: usize, ready: usize, bits: v128, by: v128): void {}
  // @ts-ignore: decorator
  @inline scale(p: usize, sub: usize, part: usize, half: usize, ready: usize, bits: v128, by: v128): v128 { return v128.load(p + half, 256); }
  // @ts-ignore: decorator
  @inline offset(p: usize, sub: usize, part: usize, half: usize, ready: usize, bits: v128, by: v128): v128 { return v128.load(p + half, 288); }
}

@unmanaged
export class U16 {
  // @ts-ignore: decorator
  @inline moreBits(): u8 { return 0; }
  // @ts-ignore: decorator
  @inline parts(): usize { return 2; }
  // @ts-ignore: decorator
  @inline bytes(): usize { return 384; }
  // @ts-ignore: decorator
  @inline subs(): usize { return 1; }
  // @ts-ignore: decorator
  @inline unpacks(): usize { return 0; }
  // @ts-ignore: decorator
  @inline shares(): bool { return false; }
  // @ts-ignore: decorator
  @inline raw(p: usize, sub: usize, high: usize, g: usize, half: usize): v128 { return v128.load(p + ((high + g) << 5) + half); }
  // @ts-ignore: decorator
  @inline word(raw: v128, p: usize, sub: usize, high: usize, g: usize, half: usize, m: v128, more: v128): v128 { return raw; }
  // @ts-ignore: decorator
  @inline prepare(p: usize, ready: usize, bits: v128, by: v128): void {}
  // @ts-ignore: decorator
  @inline scale(p: usize, sub: usize, part: usize, half: usize, ready: usize, bits: v128, by: v128): v128 { return v128.load(p + (part << 5) + half, 256); }
  // @ts-ignore: decorator
  @inline offset(p: usize, sub: usize, part: usize, half: usize, ready: usize, bits: v128, by: v128): v128 { return v128.load(p + (part << 5) + half, 320); }
}
