// Weights in memory: matrices as the file stores them, decoded row by row when used (a model takes its file's size, not four
// times that); vectors as f32.

import type { FileHandle } from 'node:fs/promises';
import { open } from 'node:fs/promises';
import type { WeightId, WeightSpec } from '../backend.ts';
import { BackendError } from '../error.ts';
import { canDequantize, dequantize, dequantizeRow, UnsupportedDTypeError } from '../../tensor/dequantize.ts';
import type { DType } from '../../tensor/dtype.ts';
import { dtypes, rowBytes } from '../../tensor/dtype.ts';

export class Matrix {
  readonly kind = 'matrix';
  readonly rows: number;
  readonly cols: number;
  readonly bytes: Uint8Array;
  readonly #dtype: DType;
  readonly #rowBytes: number;

  constructor({ dtype, rows, cols }: WeightSpec, bytes: Uint8Array) {
    this.rows = rows;
    this.cols = cols;
    this.bytes = bytes;
    this.#dtype = dtype;
    this.#rowBytes = rowBytes(dtype, cols);
  }

  /** out: [cols] */
  row(row: number, out: Float32Array): void {
    const start = row * this.#rowBytes;
    dequantizeRow(this.#dtype, this.bytes.subarray(start, start + this.#rowBytes), out);
  }
}

export interface Vector {
  readonly kind: 'vector';
  /** [rows * cols] */
  readonly values: Float32Array;
}

export type Weights = Map<WeightId, Matrix | Vector>;

/** @throws BackendError for a type that cannot be decoded, and for a file that cannot be read. */
export async function loadWeights(
  specs: readonly WeightSpec[],
  progress: (done: number, total: number) => void,
): Promise<Weights> {
  for (const spec of specs) check(spec);
  const total = specs.reduce((sum, { source }) => sum + (source.type === 'file' ? source.bytes : 0), 0);
  let done = 0;
  progress(done, total);
  const weights: Weights = new Map();
  const files = new Files();
  try {
    for (const [id, spec] of specs.entries()) {
      const bytes = await files.read(spec, (count) => progress((done += count), total));
      weights.set(id, spec.kind === 'matrix' ? new Matrix(spec, bytes) : vector(spec, bytes));
    }
  } finally {
    await files.close();
  }
  return weights;
}

function vector({ source, dtype, rows, cols }: WeightSpec, bytes: Uint8Array): Vector {
  const values = source.type === 'values' ? source.values : dequantize(dtype, bytes, rows * cols);
  return { kind: 'vector', values };
}

export function weightBytes(specs: readonly WeightSpec[]): number {
  return specs.reduce((sum, { kind, dtype, rows, cols }) => {
    return sum + rows * (kind === 'matrix' ? rowBytes(dtype, cols) : 4 * cols);
  }, 0);
}

function check({ name, dtype, rows, cols, source }: WeightSpec): void {
  if (!canDequantize(dtype)) {
    const cause = new UnsupportedDTypeError(dtype);
    throw new BackendError(`Weight ${name}: ${cause.message}.`, { cause });
  }
  const bytes = source.type === 'file' ? source.bytes : source.values.byteLength;
  if (cols % dtypes[dtype].elements !== 0 || bytes !== rows * rowBytes(dtype, cols)) {
    throw new BackendError(`Weight ${name} has ${bytes} bytes, which are not ${rows} rows of ${cols} ${dtype} values.`);
  }
}

/** Bytes per read: a progress report each, and far below what one read call can do. */
const chunkBytes = 16 * 2 ** 20;

class Files {
  readonly #handles = new Map<string, FileHandle>();

  async read({ name, source }: WeightSpec, onBytes: (count: number) => void): Promise<Uint8Array> {
    if (source.type === 'values') {
      const { buffer, byteOffset, byteLength } = source.values;
      return new Uint8Array(buffer, byteOffset, byteLength);
    }
    const out = new Uint8Array(source.bytes);
    try {
      const handle = await this.#open(source.file);
      for (let done = 0; done < out.length;) {
        const length = Math.min(chunkBytes, out.length - done);
        const { bytesRead } = await handle.read(out, done, length, source.offset + done);
        if (bytesRead === 0) throw new Error('the file ends before the weight does');
        done += bytesRead;
        onBytes(bytesRead);
      }
    } catch (cause) {
      throw new BackendError(`Weight ${name} could not be read from ${source.file}.`, { cause });
    }
    return out;
  }

  async close(): Promise<void> {
    for (const handle of this.#handles.values()) await handle.close();
  }

  async #open(file: string): Promise<FileHandle> {
    const handle = this.#handles.get(file) ?? (await open(file, 'r'));
    this.#handles.set(file, handle);
    return handle;
  }
}
