// Rows of K-quant superblocks -> panels of 8 rows; what a packed superblock holds: format/k.ts.

import { fifthBytes } from './pack';

/** Rows of Q4_K (`fifth` 0) or Q5_K (`fifth` 1): d, dmin f16 | 12 bytes of 6-bit scales and minima | [32 bytes of fifth bits] | nibbles. */
export function packQ45K(source: usize, target: usize, panels: u32, cols: u32, fifth: u32): void {
  const superblocks = <usize>cols >> 8;
  const blockBytes: usize = fifth ? 176 : 144;
  const rowBytes = superblocks * blockBytes;
  const block: usize = fifth ? 176 : 144;
  for (let p: u32 = 0; p < panels; p++) {
    for (let b: usize = 0; b < superblocks; b++) {
      for (let r: usize = 0; r < 8; r++) {
        const from = source + r * rowBytes + b * blockBytes;
        store<u16>(target + (r << 1), load<u16>(from));
        store<u16>(target + (r << 1), load<u16>(from, 2), 16);
        packPairs(from + blockBytes - 128, target + 32 + (r << 2), block);
        if (fifth) packFifth(from + 16, target + 160 + (r << 2), block);
        packScales(from + 4, target + 16 + block + r, block);
      }
      target += 32 + (block << 3);
    }
    source += rowBytes << 3;
  }
}

/** 128 bytes, low nibbles block 2i, high nibbles block 2i + 1 -> 8 blocks of 16 bytes, columns l (low) and l + 16 (high), `block` bytes apart. */
function packPairs(from: usize, to: usize, block: usize): void {
  for (let i: usize = 0; i < 4; i++) {
    for (let g: usize = 0; g < 4; g++) {
      const first = load<u32>(from + (i << 5) + (g << 2));
      const second = load<u32>(from + (i << 5) + (g << 2), 16);
      const at = to + (i << 1) * block + (g << 5);
      store<u32>(at, (first & 0x0f0f0f0f) | ((second & 0x0f0f0f0f) << 4));
      store<u32>(at + block, ((first >> 4) & 0x0f0f0f0f) | (second & 0xf0f0f0f0));
    }
  }
}

/** Bit s of byte l -> the word of block s. */
function packFifth(from: usize, to: usize, block: usize): void {
  for (let s: u32 = 0; s < 8; s++) {
    let bits: u32 = 0;
    for (let l: u32 = 0; l < 32; l++) bits |= ((<u32>load<u8>(from + l) >> s) & 1) << l;
    store<u32>(to + <usize>s * block, fifthBytes(bits));
  }
}

/** 12 bytes -> 8 scales, each with its minimum 8 bytes on. */
function packScales(from: usize, to: usize, block: usize): void {
  for (let s: usize = 0; s < 4; s++) {
    store<u8>(to + s * block, load<u8>(from + s) & 63);
    store<u8>(to + s * block, load<u8>(from + s, 4) & 63, 8);
  }
  for (let s: usize = 4; s < 8; s++) {
    const low = load<u8>(from + s, 4);
    store<u8>(to + s * block, (low & 15) | ((load<u8>(from + s - 4) >> 6) << 4));
    store<u8>(to + s * block, (low >> 4) | ((load<u8>(from + s) >> 6) << 4), 8);
  }
}

/** Rows of Q6_K: 128 bytes of low nibbles | 64 of bit pairs | 16 int8 scales | d f16. */
export function packQ6K(source: usize, target: usize, panels: u32, cols: u32): void {
  const superblocks = <usize>cols >> 8;
  const rowBytes = superblocks * 210;
  for (let p: u32 = 0; p < panels; p++) {
    for (let b: usize = 0; b < superblocks; b++) {
      for (let r: usize = 0; r < 8; r++) {
        const from = source + r * rowBytes + b * 210;
        store<u16>(target + (r << 1), load<u16>(from, 208));
        for (let s: usize = 0; s < 16; s++) {
          const at = target + 16 + (s >> 1) * 208;
          packSix(from, s, at + (s & 1) * 96 + (r << 2));
          store<u8>(at + ((s & 1) << 3) + r, load<u8>(from + s, 192), 192);
        }
      }
      target += 1680;
    }
    source += rowBytes << 3;
  }
}

/**
 * Columns 16 s .. 16 s + 15 of a superblock: three words of 4 columns, with the last 4 columns in the upper bits of their bytes (format/bits.ts).
 * Of each half of a superblock, 64 bytes hold low nibbles of the first two blocks, high ones of the others; 32 bytes two bits of each block.
 */
function packSix(from: usize, s: usize, to: usize): void {
  const block = <u32>(s >> 1) & 3;
  const low = from + ((s >> 3) << 6) + ((s & 3) << 4);
  const pairs = from + 128 + ((s >> 3) << 5) + ((s & 1) << 4);
  const last = six(low + 12, pairs + 12, block);
  store<u32>(to, six(low, pairs, block) | ((last & 0x03030303) << 6));
  store<u32>(to, six(low + 4, pairs + 4, block) | ((last & 0x0c0c0c0c) << 4), 32);
  store<u32>(to, six(low + 8, pairs + 8, block) | ((last & 0x30303030) << 2), 64);
}

/** Four columns of a block. */
// @ts-ignore: decorator
@inline function six(low: usize, pairs: usize, block: u32): u32 {
  const nibbles = (load<u32>(low) >> ((block & 2) << 1)) & 0x0f0f0f0f;
  return nibbles | (((load<u32>(pairs) >> (block << 1)) & 0x03030303) << 4);
}
