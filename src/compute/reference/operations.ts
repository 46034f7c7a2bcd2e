// The records of a program but for attention and the cache: one function each, formula first. Sums in float64, one rounding to f32
// at the end, the same order for every token: a row's bits depend on nothing but that row.

import type { Op } from '../backend.ts';
import type { Matrix, Vector } from './weights.ts';

/** out[t] = scale * table[ids[t]] */
export function embed(table: Matrix, ids: Int32Array, scale: number, out: Float32Array): void {
  const { cols } = table;
  ids.forEach((id, t) => {
    const row = out.subarray(t * cols, (t + 1) * cols);
    table.row(id, row);
    if (scale !== 1) for (let i = 0; i < cols; i++) row[i] *= scale;
  });
}

/** out = x / sqrt(mean(x^2) + eps) * weight, per `width` values */
export function rmsNorm(
  x: Float32Array,
  weight: Vector,
  { width, eps }: { readonly width: number; readonly eps: number },
  out: Float32Array,
): void {
  for (let at = 0; at < x.length; at += width) {
    let squares = 0;
    for (let i = 0; i < width; i++) squares += x[at + i] * x[at + i];
    const factor = 1 / Math.sqrt(squares / width + eps);
    for (let i = 0; i < width; i++) out[at + i] = x[at + i] * factor * weight.values[i];
  }
}

/** out[t][r] = sum over c of matrix[r][c] * x[t][c], + bias[r]. x: [tokens, cols], out: [tokens, rows] */
export function linear(x: Float32Array, matrix: Matrix, bias: Vector | undefined, out: Float32Array): void {
  const { rows, cols } = matrix;
  const tokens = x.length / cols;
  if (tokens === 0) return;
  const row = new Float32Array(cols);
  for (let r = 0; r < rows; r++) {
    matrix.row(r, row);
    for (let t = 0; t < tokens; t++) {
      let sum = bias?.values[r] ?? 0;
      for (let c = 0, at = t * cols; c < cols; c++, at++) sum += row[c] * x[at];
      out[t * rows + r] = sum;
    }
  }
}

export function add(x: Float32Array, y: Float32Array, out: Float32Array): void {
  for (let i = 0; i < out.length; i++) out[i] = x[i] + y[i];
}

/** out = activation(gate) * up */
export function gate(activation: 'silu' | 'gelu_tanh', gates: Float32Array, up: Float32Array, out: Float32Array): void {
  const activate = activation === 'silu' ? silu : geluTanh;
  for (let i = 0; i < out.length; i++) out[i] = activate(gates[i]) * up[i];
}

function silu(x: number): number {
  return x / (1 + Math.exp(-x));
}

/** The tanh form of GELU (Hendrycks & Gimpel 2016). */
function geluTanh(x: number): number {
  return 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x)));
}

/** (a, b) -> (a cos - b sin, a sin + b cos) for each pair of the first `dims` values of each head, in place. */
export function rope(
  x: Float32Array,
  table: Vector,
  positions: Int32Array,
  { heads, headDim, dims, layout }: Op & { readonly op: 'rope' },
): void {
  const step = layout === 'adjacent' ? 1 : dims / 2;
  const stride = layout === 'adjacent' ? 2 : 1;
  for (let t = 0; t < positions.length; t++) {
    for (let head = 0; head < heads; head++) {
      const start = (t * heads + head) * headDim;
      for (let pair = 0; pair < dims / 2; pair++) {
        const cos = table.values[positions[t] * dims + 2 * pair];
        const sin = table.values[positions[t] * dims + 2 * pair + 1];
        const first = start + pair * stride;
        const a = x[first];
        const b = x[first + step];
        x[first] = a * cos - b * sin;
        x[first + step] = a * sin + b * cos;
      }
    }
  }
}

/** out[i] = x[outputs[i]] */
export function select(x: Float32Array, outputs: Int32Array, out: Float32Array): void {
  const cols = outputs.length === 0 ? 0 : out.length / outputs.length;
  outputs.forEach((token, i) => out.set(x.subarray(token * cols, (token + 1) * cols), i * cols));
}
