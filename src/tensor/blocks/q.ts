// Blocks of 32 with one scale: Q4_0, Q4_1, Q5_0, Q5_1, Q8_0.
//
//   Q4_0  d f16 | qs[16]               x = d (q - 8)
//   Q4_1  d f16 | m f16 | qs[16]       x = d q + m
//   Q5_0  d f16 | qh u32 | qs[16]      x = d (q - 16)     bit i of qh is bit 4 of element i
//   Q5_1  d f16 | m f16 | qh u32 | qs[16]   x = d q + m
//   Q8_0  d f16 | int8[32]             x = d q
//
// Byte j of qs holds element j in its low nibble and element j + 16 in its high one.

import { halfAt, signedAt, wordAt } from './block.ts';
import type { DecodeBlock } from './block.ts';

export const decodeQ4_0: DecodeBlock = (bytes, at, out, to) => {
  const d = halfAt(bytes, at);
  for (let j = 0; j < 16; j++) {
    const pair = bytes[at + 2 + j];
    out[to + j] = d * ((pair & 15) - 8);
    out[to + j + 16] = d * ((pair >> 4) - 8);
  }
};

export const decodeQ4_1: DecodeBlock = (bytes, at, out, to) => {
  const d = halfAt(bytes, at);
  const m = halfAt(bytes, at + 2);
  for (let j = 0; j < 16; j++) {
    const pair = bytes[at + 4 + j];
    out[to + j] = d * (pair & 15) + m;
    out[to + j + 16] = d * (pair >> 4) + m;
  }
};

export const decodeQ5_0: DecodeBlock = (bytes, at, out, to) => {
  const d = halfAt(bytes, at);
  const high = wordAt(bytes, at + 2);
  for (let j = 0; j < 16; j++) {
    const pair = bytes[at + 6 + j];
    out[to + j] = d * (((pair & 15) | (((high >>> j) & 1) << 4)) - 16);
    out[to + j + 16] = d * (((pair >> 4) | (((high >>> (j + 16)) & 1) << 4)) - 16);
  }
};

export const decodeQ5_1: DecodeBlock = (bytes, at, out, to) => {
  const d = halfAt(bytes, at);
  const m = halfAt(bytes, at + 2);
  const high = wordAt(bytes, at + 4);
  for (let j = 0; j < 16; j++) {
    const pair = bytes[at + 8 + j];
    out[to + j] = d * ((pair & 15) | (((high >>> j) & 1) << 4)) + m;
    out[to + j + 16] = d * ((pair >> 4) | (((high >>> (j + 16)) & 1) << 4)) + m;
  }
};

export const decodeQ8_0: DecodeBlock = (bytes, at, out, to) => {
  const d = halfAt(bytes, at);
  for (let i = 0; i < 32; i++) out[to + i] = d * signedAt(bytes, at + 2 + i);
};
