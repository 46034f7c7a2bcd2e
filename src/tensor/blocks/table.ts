// Formats whose 4-bit codes index a table of values: IQ4_NL, IQ4_XS, MXFP4, NVFP4.
//
//   IQ4_NL  d f16 | qs[16]                                        x = d NL[q]               32 elements
//   IQ4_XS  d f16 | scales_h u16 | scales_l[4] | qs[128]          x = d (s - 32) NL[q]      256 elements, s per 32
//   MXFP4   e u8 | qs[16]                                         x = 2^(e-127) FP4[q]      32 elements   (OCP MX v1.0)
//   NVFP4   s u8[4] | qs[32]                                      x = s FP4[q]              64 elements, s per 16, UE4M3

import { halfAt } from './block.ts';
import type { DecodeBlock } from './block.ts';

/** The 16 levels of the "non-linear" 4-bit types. */
export const nonLinearLevels: readonly number[] = [
  -127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113,
];

/** E2M1; code 8 is minus zero. */
export const fp4Values: readonly number[] = [0, 0.5, 1, 1.5, 2, 3, 4, 6, -0, -0.5, -1, -1.5, -2, -3, -4, -6];

export const decodeIQ4_NL: DecodeBlock = (bytes, at, out, to) => {
  decodeNibbles(bytes, at + 2, 16, nonLinearLevels, halfAt(bytes, at), out, to);
};

export const decodeIQ4_XS: DecodeBlock = (bytes, at, out, to) => {
  const d = halfAt(bytes, at);
  const high = bytes[at + 2] | (bytes[at + 3] << 8);
  for (let group = 0; group < 8; group++) {
    const low = (bytes[at + 4 + (group >> 1)] >> (4 * (group & 1))) & 15;
    const scale = low | (((high >> (2 * group)) & 3) << 4);
    decodeNibbles(bytes, at + 8 + 16 * group, 16, nonLinearLevels, d * (scale - 32), out, to + 32 * group);
  }
};

export const decodeMXFP4: DecodeBlock = (bytes, at, out, to) => {
  decodeNibbles(bytes, at + 1, 16, fp4Values, 2 ** (bytes[at] - 127), out, to);
};

export const decodeNVFP4: DecodeBlock = (bytes, at, out, to) => {
  for (let sub = 0; sub < 4; sub++) {
    decodeNibbles(bytes, at + 4 + 8 * sub, 8, fp4Values, ue4m3(bytes[at + sub]), out, to + 16 * sub);
  }
};

/** `count` bytes: low nibbles are elements 0.., high nibbles elements `count`... */
function decodeNibbles(
  bytes: Uint8Array,
  at: number,
  count: number,
  values: readonly number[],
  scale: number,
  out: Float32Array,
  to: number,
): void {
  for (let j = 0; j < count; j++) {
    const pair = bytes[at + j];
    out[to + j] = scale * values[pair & 15];
    out[to + j + count] = scale * values[pair >> 4];
  }
}

/** Unsigned 8-bit float of 4 exponent and 3 mantissa bits, the sign bit ignored; 0x7F stands for 0. */
function ue4m3(byte: number): number {
  const code = byte & 0x7f;
  if (code === 0x7f) return 0;
  const exponent = code >> 3;
  const mantissa = code & 7;
  return exponent === 0 ? mantissa * 2 ** -9 : (1 + mantissa / 8) * 2 ** (exponent - 7);
}
