// f32 -> stored blocks, for files written here: F32, F16, BF16, Q8_0, Q4_0. The rules are those of the GGUF reference quantizers.

import { dtypes } from './dtype.ts';
import { f32ToBf16, f32ToF16 } from './half.ts';

export type WritableDType = 'F32' | 'F16' | 'BF16' | 'Q8_0' | 'Q4_0';

/** Whole blocks of `values`, rows one after the other. Throws `RangeError` when `values` is not a whole number of blocks. */
export function quantize(dtype: WritableDType, values: Float32Array): Uint8Array {
  const { elements, bytes } = dtypes[dtype];
  if (values.length % elements !== 0) {
    throw new RangeError(`${values.length} values are not a whole number of ${dtype} blocks of ${elements}`);
  }
  const out = new Uint8Array((values.length / elements) * bytes);
  const view = new DataView(out.buffer);
  const encode = encoders[dtype];
  for (let i = 0; i * elements < values.length; i++) {
    encode(values.subarray(i * elements, (i + 1) * elements), view, i * bytes);
  }
  return out;
}

type EncodeBlock = (x: Float32Array, out: DataView, at: number) => void;

const encoders: Readonly<Record<WritableDType, EncodeBlock>> = {
  F32: (x, out, at) => out.setFloat32(at, x[0], true),
  F16: (x, out, at) => out.setUint16(at, f32ToF16(x[0]), true),
  BF16: (x, out, at) => out.setUint16(at, f32ToBf16(x[0]), true),
  Q8_0: encodeQ8_0,
  Q4_0: encodeQ4_0,
};

/** d = max |x| / 127, q = round(x / d), halves away from zero; the quotient uses the unrounded d. */
function encodeQ8_0(x: Float32Array, out: DataView, at: number): void {
  let largest = 0;
  for (const value of x) largest = Math.max(largest, Math.abs(value));
  const d = Math.fround(largest / 127);
  const inverse = d === 0 ? 0 : Math.fround(1 / d);
  out.setUint16(at, f32ToF16(d), true);
  for (let i = 0; i < 32; i++) {
    const scaled = Math.fround(x[i] * inverse);
    out.setInt8(at + 2 + i, Math.sign(scaled) * Math.floor(Math.abs(scaled) + 0.5));
  }
}

/** d = m / -8 for the value m of largest magnitude, q = min(15, floor(x / d + 8.5)). */
function encodeQ4_0(x: Float32Array, out: DataView, at: number): void {
  let extreme = 0;
  for (const value of x) if (Math.abs(value) > Math.abs(extreme)) extreme = value;
  const d = Math.fround(extreme / -8);
  const inverse = d === 0 ? 0 : Math.fround(1 / d);
  out.setUint16(at, f32ToF16(d), true);
  const code = (value: number): number => Math.min(15, Math.floor(Math.fround(Math.fround(value * inverse) + 8.5)));
  for (let j = 0; j < 16; j++) out.setUint8(at + 2 + j, code(x[j]) | (code(x[j + 16]) << 4));
}
