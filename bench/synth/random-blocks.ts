// Stored blocks with random quants under constant scales, so that the weights have the standard deviation 1 / sqrt(cols) and products
// keep the size of their input. No quantizer: speed does not depend on the values.

import { dtypes } from '../../src/tensor/dtype.ts';
import { f32ToF16 } from '../../src/tensor/half.ts';
import type { Random } from '../random.ts';
import type { RecipeDType } from './recipes.ts';

/** The stored bytes of a matrix [rows, cols], in pieces of about 4 MiB. */
export function* randomMatrix(
  dtype: RecipeDType,
  { cols, rows }: { readonly cols: number; readonly rows: number },
  random: Random,
): Generator<Uint8Array> {
  const { elements, bytes } = dtypes[dtype];
  const perRow = (cols / elements) * bytes;
  const step = Math.max(1, Math.floor(2 ** 22 / perRow));
  const setScales = scalers[dtype](1 / Math.sqrt(cols));
  for (let row = 0; row < rows; row += step) {
    const length = Math.min(step, rows - row) * perRow;
    const words = new Uint32Array(Math.ceil(length / 4));
    for (let i = 0; i < words.length; i++) words[i] = random.word();
    const view = new DataView(words.buffer, 0, length);
    for (let at = 0; at < length; at += bytes) setScales(view, at);
    yield new Uint8Array(words.buffer, 0, length);
  }
}

/** Overwrites the scales of the block at `at`, whose other bytes are random. */
type SetScales = (view: DataView, at: number) => void;

/** Scale of sub-blocks: small enough that a super-block's own scale is a normal f16, with a bit in both halves of a packed one. */
const subScale = 17;

/** By type, for weights of the given standard deviation. The layouts are those of src/tensor/blocks. */
const scalers: Readonly<Record<RecipeDType, (deviation: number) => SetScales>> = {
  // Uniform bytes as numbers around 0 instead of random half precision, which has NaN among its bits.
  F16: (deviation) => (view, at) =>
    view.setUint16(at, f32ToF16((view.getUint8(at) - 127.5) * (deviation / uniform(256))), true),
  Q8_0: (deviation) => oneScale(0, deviation / uniform(256)),
  Q4_0: (deviation) => oneScale(0, deviation / uniform(16)),
  Q5_0: (deviation) => oneScale(0, deviation / uniform(32)),
  Q4_K: (deviation) => {
    const d = deviation / (subScale * uniform(16));
    const packed = packScales(subScale, subScale);
    return (view, at) => {
      view.setUint16(at, f32ToF16(d), true);
      // The minimum takes the middle of 0..15 to 0.
      view.setUint16(at + 2, f32ToF16(7.5 * d), true);
      for (let i = 0; i < packed.length; i++) view.setUint8(at + 4 + i, packed[i]);
    };
  },
  Q6_K: (deviation) => {
    const setScale = oneScale(208, deviation / (subScale * uniform(64)));
    return (view, at) => {
      for (let i = 0; i < 16; i++) view.setInt8(at + 192 + i, subScale);
      setScale(view, at);
    };
  },
};

/** Standard deviation of 0, 1, .. count - 1, all equally often. */
function uniform(count: number): number {
  return Math.sqrt((count * count - 1) / 12);
}

function oneScale(offset: number, d: number): SetScales {
  const half = f32ToF16(d);
  return (view, at) => view.setUint16(at + offset, half, true);
}

/** The twelve bytes of eight equal 6-bit scales and eight equal 6-bit minimums. */
function packScales(scale: number, min: number): Uint8Array {
  const bytes = new Uint8Array(12);
  for (let i = 0; i < 4; i++) {
    bytes[i] = scale | ((scale >> 4) << 6);
    bytes[i + 4] = min | ((min >> 4) << 6);
    bytes[i + 8] = (scale & 15) | ((min & 15) << 4);
  }
  return bytes;
}
