// Super-blocks of 256 whose sub-blocks of 16 or 32 have small integer scales: Q2_K .. Q6_K.
//
//   Q2_K  scales[16] | qs[64] | d f16 | dmin f16                     x = d (s & 15) q - dmin (s >> 4)   per 16
//   Q3_K  hmask[32] | qs[64] | scales[12] | d f16                    x = d (s - 32) q                   per 16
//   Q4_K  d f16 | dmin f16 | scales[12] | qs[128]                    x = d s q - dmin m                 per 32
//   Q5_K  d f16 | dmin f16 | scales[12] | qh[32] | qs[128]           x = d s q - dmin m                 per 32
//   Q6_K  ql[128] | qh[64] | int8 scales[16] | d f16                 x = d s (q - 32)                   per 16

import { halfAt, signedAt } from './block.ts';
import type { DecodeBlock } from './block.ts';

export const decodeQ2_K: DecodeBlock = (bytes, at, out, to) => {
  const d = halfAt(bytes, at + 80);
  const dmin = halfAt(bytes, at + 82);
  for (let i = 0; i < 256; i++) {
    const { half, pair, lane } = place(i);
    const scale = bytes[at + (i >> 4)];
    const q = (bytes[at + 16 + 32 * half + lane] >> (2 * pair)) & 3;
    out[to + i] = d * (scale & 15) * q - dmin * (scale >> 4);
  }
};

export const decodeQ3_K: DecodeBlock = (bytes, at, out, to) => {
  const d = halfAt(bytes, at + 108);
  for (let i = 0; i < 256; i++) {
    const { half, pair, lane } = place(i);
    const low = (bytes[at + 32 + 32 * half + lane] >> (2 * pair)) & 3;
    const isHigh = ((bytes[at + lane] >> (4 * half + pair)) & 1) === 1;
    out[to + i] = d * (scaleQ3(bytes, at + 96, i >> 4) - 32) * (isHigh ? low : low - 4);
  }
};

export const decodeQ4_K: DecodeBlock = (bytes, at, out, to) => {
  const d = halfAt(bytes, at);
  const dmin = halfAt(bytes, at + 2);
  for (let group = 0; group < 8; group++) {
    const scale = d * scaleQ4(bytes, at + 4, group);
    const min = dmin * minQ4(bytes, at + 4, group);
    for (let lane = 0; lane < 32; lane++) {
      const pair = bytes[at + 16 + 32 * (group >> 1) + lane];
      const q = (group & 1) === 0 ? pair & 15 : pair >> 4;
      out[to + 32 * group + lane] = scale * q - min;
    }
  }
};

export const decodeQ5_K: DecodeBlock = (bytes, at, out, to) => {
  const d = halfAt(bytes, at);
  const dmin = halfAt(bytes, at + 2);
  for (let group = 0; group < 8; group++) {
    const scale = d * scaleQ4(bytes, at + 4, group);
    const min = dmin * minQ4(bytes, at + 4, group);
    for (let lane = 0; lane < 32; lane++) {
      const pair = bytes[at + 48 + 32 * (group >> 1) + lane];
      const high = (bytes[at + 16 + lane] >> group) & 1;
      const q = ((group & 1) === 0 ? pair & 15 : pair >> 4) | (high << 4);
      out[to + 32 * group + lane] = scale * q - min;
    }
  }
};

export const decodeQ6_K: DecodeBlock = (bytes, at, out, to) => {
  const d = halfAt(bytes, at + 208);
  for (let i = 0; i < 256; i++) {
    const { half, pair, lane } = place(i);
    const byte = bytes[at + 64 * half + 32 * (pair & 1) + lane];
    const low = pair < 2 ? byte & 15 : byte >> 4;
    const high = (bytes[at + 128 + 32 * half + lane] >> (2 * pair)) & 3;
    out[to + i] = d * signedAt(bytes, at + 192 + (i >> 4)) * ((low | (high << 4)) - 32);
  }
};

/** Element i of 256 -> half 0..1, pair of bits 0..3 and lane 0..31 of a 2-bit plane. */
function place(i: number): { readonly half: number; readonly pair: number; readonly lane: number } {
  return { half: i >> 7, pair: (i >> 5) & 3, lane: i & 31 };
}

// Twelve bytes s hold eight 6-bit scales and eight 6-bit minimums. The first four of each are the low six bits of s[0..3] and
// s[4..7]; the last four have their low nibbles in s[8..11] (scale low, minimum high) and their top two bits above the first four.

function scaleQ4(bytes: Uint8Array, at: number, group: number): number {
  if (group < 4) return bytes[at + group] & 63;
  return (bytes[at + group + 4] & 15) | ((bytes[at + group - 4] >> 6) << 4);
}

function minQ4(bytes: Uint8Array, at: number, group: number): number {
  if (group < 4) return bytes[at + group + 4] & 63;
  return (bytes[at + group + 4] >> 4) | ((bytes[at + group] >> 6) << 4);
}

/** Twelve bytes s hold sixteen 6-bit scales: low nibbles in s[0..7] (k and k + 8 share a byte), top pairs of bits in s[8..11]. */
function scaleQ3(bytes: Uint8Array, at: number, k: number): number {
  const low = k < 8 ? bytes[at + k] & 15 : bytes[at + k - 8] >> 4;
  const high = (bytes[at + 8 + (k & 3)] >> (2 * (k >> 2))) & 3;
  return low | (high << 4);
}
