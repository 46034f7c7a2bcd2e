// Matrices of every stored type, made of random blocks: between their scales all bytes are valid. No fixtures, no quantizers.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { WeightSpec } from '../compute/backend.ts';
import { canDequantize, dequantize } from '../tensor/dequantize.ts';
import { dtypes, rowBytes, type DType } from '../tensor/dtype.ts';
import { f32ToF16 } from '../tensor/half.ts';
import { randomBits } from './random.ts';

/** Types of weights that can be decoded. */
export const storedTypes: readonly DType[] = (Object.keys(dtypes) as DType[]).filter(canDequantize);

/** `mild`: about 1 / 100 and now and then subnormal, as in a model. `wild`: anything finite, zeros and subnormals among them. */
export type Scales = 'mild' | 'wild';

export interface StoredMatrix {
  readonly dtype: DType;
  readonly spec: WeightSpec;
  /** First of its own rows. */
  readonly first: number;
  /** [ownRows, cols], its own rows decoded. */
  readonly exact: Float32Array;
}

/** Columns of the matrices: two blocks of the longest. */
export const storedCols = 512;

/**
 * One matrix per stored type, all of one shape. Each has `ownRows` rows of random blocks where the others are zero, so that sums of
 * lookups or of products hold the results of every type side by side. Written to files in `folder`.
 */
export function storedMatrices(folder: string, ownRows: number, scales: Scales): StoredMatrix[] {
  const rows = storedTypes.length * ownRows;
  return storedTypes.map((dtype, index) => {
    const first = index * ownRows;
    const own = randomBlocks(dtype, (ownRows * storedCols) / dtypes[dtype].elements, index + 1, scales);
    const bytes = new Uint8Array(rows * rowBytes(dtype, storedCols));
    bytes.set(own, first * rowBytes(dtype, storedCols));
    const file = join(folder, `${dtype}-${scales}`);
    const offset = 96;
    writeFileSync(file, Buffer.concat([Buffer.alloc(offset, 0xff), bytes, Buffer.alloc(7, 0xff)]));
    const source = { type: 'file', file, offset, bytes: bytes.length } as const;
    const spec = { name: dtype, kind: 'matrix', dtype, rows, cols: storedCols, layer: 0, source } as const;
    return { dtype, spec, first, exact: dequantize(dtype, own, ownRows * storedCols) };
  });
}

/** Bytes of whole blocks. */
function randomBlocks(dtype: DType, blocks: number, seed: number, scales: Scales): Uint8Array {
  const { bytes, elements } = dtypes[dtype];
  const random = randomBits(seed);
  const out = Uint8Array.from({ length: blocks * bytes }, () => random() >>> 24);
  const view = new DataView(out.buffer);
  for (let at = 0; at < out.length; at += bytes) {
    if (dtype === 'F32') view.setFloat32(at, (random() / 2 ** 31 - 1) * (scales === 'mild' ? 1 : 1e30), true);
    for (const half of halves[dtype] ?? []) {
      view.setUint16(at + half, scales === 'mild' ? mildHalf(random()) : finiteHalf(random()), true);
    }
    // The exponents of the two types that have no half: of a power of two, and of an 8-bit float.
    if (dtype === 'MXFP4' && scales === 'mild') out[at] = 116 + (random() % 4);
    if (dtype === 'NVFP4' && scales === 'mild') for (let i = 0; i < elements / 16; i++) out[at + i] %= 16;
    if (dtype === 'BF16') out[at + 1] = (out[at + 1] & 0x80) | (scales === 'mild' ? 0x3f : out[at + 1] & 0x3f);
  }
  return out;
}

function mildHalf(bits: number): number {
  if ((bits & 0x1c00) === 0) return (bits >>> 16) & 0x83ff;
  const magnitude = (1 + (bits & 0xff) / 256) / 128;
  return f32ToF16((bits & 0x300) === 0 ? -magnitude : magnitude);
}

/** An exponent of all ones is no number. */
function finiteHalf(bits: number): number {
  return bits & ((bits & 0x7c00) === 0x7c00 ? 0xbfff : 0xffff);
}

/** Where a block keeps its f16 values (the layouts: tensor/blocks/). */
const halves: Partial<Record<DType, readonly number[]>> = {
  F16: [0],
  Q4_0: [0],
  Q4_1: [0, 2],
  Q5_0: [0],
  Q5_1: [0, 2],
  Q8_0: [0],
  Q2_K: [80, 82],
  Q3_K: [108],
  Q4_K: [0, 2],
  Q5_K: [0, 2],
  Q6_K: [208],
  IQ3_XXS: [0],
  IQ3_S: [0],
  IQ4_NL: [0],
  IQ4_XS: [0],
  TQ1_0: [52],
  TQ2_0: [64],
};
