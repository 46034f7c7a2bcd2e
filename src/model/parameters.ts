// The weights of one model while its program is written: looked up in the checkpoint by name, checked against the shape that the
// network needs, declared to the backend once each. Names are GGUF's.

import { closeSync, openSync, readSync } from 'node:fs';
import type { Ops, Weight } from '../compute/ops.ts';
import type { DType } from '../tensor/dtype.ts';
import { dtypes } from '../tensor/dtype.ts';
import { dequantize } from '../tensor/dequantize.ts';
import type { Checkpoint, TensorInfo } from '../weights/checkpoint.ts';
import { ModelError } from './error.ts';

/** Types in which converters store norms, biases and factors. */
const vectorTypes: readonly DType[] = ['F32', 'F16', 'BF16'];

export class Parameters {
  readonly #checkpoint: Checkpoint;
  readonly #ops: Ops;
  /** Declared weights by name: a matrix that serves twice (tied embeddings) is one weight. */
  readonly #declared = new Map<string, Weight>();
  readonly #seen = new Set<string>();
  readonly #adapterSlots: string[] = [];

  constructor(checkpoint: Checkpoint, ops: Ops) {
    this.#checkpoint = checkpoint;
    this.#ops = ops;
  }

  has(name: string): boolean {
    return this.#checkpoint.tensors.has(name) || this.#checkpoint.unsupported?.has(name) === true;
  }

  /** A matrix [rows, cols] (out, in), kept in its stored type. */
  matrix(name: string, rows: number, cols: number, layer: number): Weight {
    return this.#declare(name, 'matrix', rows, cols, layer);
  }

  /** A vector of `length` values: a norm, a bias. */
  vector(name: string, length: number, layer: number): Weight {
    return this.#declare(name, 'vector', 1, length, layer);
  }

  optionalVector(name: string, length: number, layer: number): Weight | undefined {
    return this.has(name) ? this.vector(name, length, layer) : undefined;
  }

  /** A table [rows, cols] that the host computed. */
  table(name: string, rows: number, cols: number, values: Float32Array): Weight {
    const source = { type: 'values', values } as const;
    return this.#ops.weight({ name, kind: 'vector', dtype: 'F32', rows, cols, layer: -1, source });
  }

  /** The values of a small vector, now: for tables that are computed from it. */
  read(name: string, length: number): Float32Array {
    const info = this.#find(name, [length], vectorTypes);
    return dequantize(info.dtype, readBytes(info), length);
  }

  /** Number of this projection among those that an adapter may change. */
  adapterSlot(name: string): number {
    return this.#adapterSlots.push(name) - 1;
  }

  /** Matrix name (without `.weight`) of each adapter slot. */
  get adapterSlots(): readonly string[] {
    return this.#adapterSlots;
  }

  /** A tensor that no block asked for means that the file holds another network than the one its metadata names. */
  refuseUnused(architecture: string): void {
    const { tensors, unsupported } = this.#checkpoint;
    for (const name of [...tensors.keys(), ...(unsupported?.keys() ?? [])]) {
      if (this.#seen.has(name)) continue;
      throw new ModelError(`Tensor ${name} has no place in architecture ${architecture} as it is supported here.`);
    }
  }

  #declare(name: string, kind: 'matrix' | 'vector', rows: number, cols: number, layer: number): Weight {
    const known = this.#declared.get(name);
    const info = this.#find(
      name,
      kind === 'vector' ? [cols] : [cols, rows],
      kind === 'vector' ? vectorTypes : undefined,
    );
    if (known !== undefined) return known;
    const { dtype, file, offset, bytes } = info;
    const source = { type: 'file', file, offset, bytes } as const;
    const weight = this.#ops.weight({ name, kind, dtype, rows, cols, layer, source });
    this.#declared.set(name, weight);
    return weight;
  }

  #find(name: string, shape: readonly number[], types: readonly DType[] | undefined): TensorInfo {
    const info = this.#checkpoint.tensors.get(name);
    if (info === undefined) throw this.#missing(name, shape);
    if (!sameShape(info.shape, shape)) {
      throw new ModelError(
        `Tensor ${name} has shape [${info.shape.join(', ')}]; the metadata say [${shape.join(', ')}].`,
      );
    }
    if (types !== undefined && !types.includes(info.dtype)) {
      throw new ModelError(`Tensor ${name} is stored as ${info.dtype}; supported for vectors: ${types.join(', ')}.`);
    }
    if (shape[0] % dtypes[info.dtype].elements !== 0) {
      throw new ModelError(
        `Tensor ${name} has rows of ${shape[0]} values, which are no whole blocks of ${info.dtype}.`,
      );
    }
    this.#seen.add(name);
    return info;
  }

  #missing(name: string, shape: readonly number[]): ModelError {
    const unsupported = this.#checkpoint.unsupported?.get(name);
    if (unsupported === undefined) {
      return new ModelError(`Tensor ${name} is missing; its shape would be [${shape.join(', ')}].`);
    }
    return new ModelError(`Tensor ${name} is stored as type ${unsupported.typeId}, which is not supported.`);
  }
}

/** Equal but for trailing dimensions of 1, which some writers add. */
function sameShape(stored: readonly number[], wanted: readonly number[]): boolean {
  const length = Math.max(stored.length, wanted.length);
  for (let i = 0; i < length; i++) if ((stored[i] ?? 1) !== (wanted[i] ?? 1)) return false;
  return true;
}

/** A few hundred values at most: not worth a promise. */
function readBytes({ name, file, offset, bytes }: TensorInfo): Uint8Array {
  const out = new Uint8Array(bytes);
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, 'r');
    if (readSync(descriptor, out, 0, bytes, offset) === bytes) return out;
  } catch (cause) {
    throw new ModelError(`Tensor ${name} could not be read from ${file}.`, { cause });
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
  throw new ModelError(`Tensor ${name} ends beyond the end of ${file}.`);
}
