// Ternary super-blocks of 256: TQ1_0 packs five digits -1, 0, 1 into a byte, TQ2_0 four.
//
//   TQ1_0  qs[48] | qh[4] | d f16     a byte is a fraction b / 256; digit n is the integer part of 3 (3^n b mod 256) / 256
//   TQ2_0  qs[64] | d f16             two bits per element
//
// Elements go through a run of bytes digit by digit: qs[0..31] gives elements 0..159, qs[32..47] 160..239, qh 240..255.

import { halfAt } from './block.ts';
import type { DecodeBlock } from './block.ts';

export const decodeTQ1_0: DecodeBlock = (bytes, at, out, to) => {
  const d = halfAt(bytes, at + 52);
  decodeDigits(bytes, at, 32, 5, d, out, to);
  decodeDigits(bytes, at + 32, 16, 5, d, out, to + 160);
  decodeDigits(bytes, at + 48, 4, 4, d, out, to + 240);
};

export const decodeTQ2_0: DecodeBlock = (bytes, at, out, to) => {
  const d = halfAt(bytes, at + 64);
  for (let i = 0; i < 256; i++) {
    const q = (bytes[at + 32 * (i >> 7) + (i & 31)] >> (2 * ((i >> 5) & 3))) & 3;
    out[to + i] = d * (q - 1);
  }
};

function decodeDigits(
  bytes: Uint8Array,
  at: number,
  count: number,
  digits: number,
  d: number,
  out: Float32Array,
  to: number,
): void {
  for (let digit = 0; digit < digits; digit++) {
    for (let j = 0; j < count; j++) {
      const rest = (bytes[at + j] * 3 ** digit) & 0xff;
      out[to + count * digit + j] = d * (((rest * 3) >> 8) - 1);
    }
  }
}
