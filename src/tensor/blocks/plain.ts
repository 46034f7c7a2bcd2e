// Elements without a block: F32, F16, BF16.

import { bf16ToF32, f16ToF32 } from '../half.ts';
import type { DecodeBlock } from './block.ts';

const word = new DataView(new ArrayBuffer(4));

export const decodeF32: DecodeBlock = (bytes, at, out, to) => {
  for (let i = 0; i < 4; i++) word.setUint8(i, bytes[at + i]);
  out[to] = word.getFloat32(0, true);
};

export const decodeF16: DecodeBlock = (bytes, at, out, to) => {
  out[to] = f16ToF32(bytes[at] | (bytes[at + 1] << 8));
};

export const decodeBF16: DecodeBlock = (bytes, at, out, to) => {
  out[to] = bf16ToF32(bytes[at] | (bytes[at + 1] << 8));
};
