// Stored blocks -> f32: the scalar truth of each format, against which every kernel is measured. One file per family in blocks/.

import { dtypes } from './dtype.ts';
import type { DType } from './dtype.ts';
import type { DecodeBlock } from './blocks/block.ts';
import { decodeBF16, decodeF16, decodeF32 } from './blocks/plain.ts';
import { decodeQ2_K, decodeQ3_K, decodeQ4_K, decodeQ5_K, decodeQ6_K } from './blocks/k.ts';
import { decodeIQ3_S, decodeIQ3_XXS } from './blocks/lattice.ts';
import { decodeQ4_0, decodeQ4_1, decodeQ5_0, decodeQ5_1, decodeQ8_0 } from './blocks/q.ts';
import { decodeIQ4_NL, decodeIQ4_XS, decodeMXFP4, decodeNVFP4 } from './blocks/table.ts';
import { decodeTQ1_0, decodeTQ2_0 } from './blocks/ternary.ts';

/**
 * Decodes whole blocks: `bytes` holds exactly `out.length` elements of `dtype`, rows one after the other.
 * Throws `UnsupportedDTypeError` for a type without a decoder and `RangeError` for lengths that do not fit.
 */
export function dequantizeRow(dtype: DType, bytes: Uint8Array, out: Float32Array): void {
  const decode = decoders[dtype];
  if (decode === undefined) throw new UnsupportedDTypeError(dtype);
  const block = dtypes[dtype];
  const blocks = bytes.length / block.bytes;
  if (!Number.isInteger(blocks) || blocks * block.elements !== out.length) {
    throw new RangeError(`${bytes.length} bytes of ${dtype} are not ${out.length} elements`);
  }
  for (let i = 0; i < blocks; i++) decode(bytes, i * block.bytes, out, i * block.elements);
}

/** The first `elements` elements (a whole number of blocks) as a new array. */
export function dequantize(dtype: DType, bytes: Uint8Array, elements: number): Float32Array {
  const block = dtypes[dtype];
  const out = new Float32Array(elements);
  dequantizeRow(dtype, bytes.subarray(0, (elements / block.elements) * block.bytes), out);
  return out;
}

export function canDequantize(dtype: DType): boolean {
  return decoders[dtype] !== undefined;
}

/** A known storage type that this program cannot compute with. */
export class UnsupportedDTypeError extends Error {
  override readonly name = 'UnsupportedDTypeError';
  readonly dtype: DType;

  constructor(dtype: DType) {
    const supported = Object.keys(decoders).join(', ');
    super(`tensors of type ${dtype} are not supported; convert the model to one of ${supported}`);
    this.dtype = dtype;
  }
}

const decoders: { readonly [type in DType]?: DecodeBlock } = {
  F32: decodeF32,
  F16: decodeF16,
  BF16: decodeBF16,
  Q4_0: decodeQ4_0,
  Q4_1: decodeQ4_1,
  Q5_0: decodeQ5_0,
  Q5_1: decodeQ5_1,
  Q8_0: decodeQ8_0,
  Q2_K: decodeQ2_K,
  Q3_K: decodeQ3_K,
  Q4_K: decodeQ4_K,
  Q5_K: decodeQ5_K,
  Q6_K: decodeQ6_K,
  IQ3_XXS: decodeIQ3_XXS,
  IQ3_S: decodeIQ3_S,
  IQ4_NL: decodeIQ4_NL,
  IQ4_XS: decodeIQ4_XS,
  MXFP4: decodeMXFP4,
  NVFP4: decodeNVFP4,
  TQ1_0: decodeTQ1_0,
  TQ2_0: decodeTQ2_0,
};
