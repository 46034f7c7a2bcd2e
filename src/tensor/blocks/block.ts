// What every block format of this folder offers, and how blocks read their scales.

import { f16ToF32 } from '../half.ts';

/**
 * Writes the elements of the block that starts at `bytes[at]` to `out[to]` and following.
 *
 * Arithmetic is in f64 with one rounding at the store. In every format here all steps but the last are exact in f32 as well (a scale
 * has 11 bits, sub-scales and codes at most 8 each), so this gives the bits of arithmetic in f32.
 */
export type DecodeBlock = (bytes: Uint8Array, at: number, out: Float32Array, to: number) => void;

/** Little-endian f16 at `bytes[at]`. */
export function halfAt(bytes: Uint8Array, at: number): number {
  return f16ToF32(bytes[at] | (bytes[at + 1] << 8));
}

/** Little-endian u32 at `bytes[at]`. */
export function wordAt(bytes: Uint8Array, at: number): number {
  return (bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24)) >>> 0;
}

/** Two's complement i8 at `bytes[at]`. */
export function signedAt(bytes: Uint8Array, at: number): number {
  return (bytes[at] << 24) >> 24;
}
