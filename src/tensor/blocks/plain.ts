// Elements without a block: F32, F16, BF16.

import { bf16ToF32 } from '../half.ts';
import { halfAt, wordAt } from './block.ts';
import type { DecodeBlock } from './block.ts';

const bits = new Uint32Array(1);
const float = new Float32Array(bits.buffer);

export const decodeF32: DecodeBlock = (bytes, at, out, to) => {
  bits[0] = wordAt(bytes, at);
  out[to] = float[0];
};

export const decodeF16: DecodeBlock = (bytes, at, out, to) => {
  out[to] = halfAt(bytes, at);
};

export const decodeBF16: DecodeBlock = (bytes, at, out, to) => {
  out[to] = bf16ToF32(bytes[at] | (bytes[at + 1] << 8));
};
