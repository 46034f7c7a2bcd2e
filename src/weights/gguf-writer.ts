// Writes GGUF version 3 files: the header from plain data, then the tensors as a stream, so that a file may be larger than memory.

import { open, rename, rm } from 'node:fs/promises';
import { encodeUtf8 } from '../core/utf8.ts';
import { dtypes, rowBytes } from '../tensor/dtype.ts';
import type { DType } from '../tensor/dtype.ts';
import { valueBytes, valueTypes } from './gguf-values.ts';
import type { ScalarType } from './gguf-values.ts';

/** Everything a file says before its data. Keys and tensors are written in the given order. */
export interface GgufContent {
  readonly metadata: Readonly<Record<string, GgufValue>>;
  readonly tensors: readonly NewTensor[];
}

/** Metadata has types in GGUF: readers insist on `u32` where the specification says so. */
export type GgufValue =
  | { readonly type: ScalarType; readonly value: number | bigint | boolean }
  | { readonly type: 'string'; readonly value: string }
  | { readonly type: 'array'; readonly of: 'string'; readonly value: readonly string[] }
  | { readonly type: 'array'; readonly of: ScalarType; readonly value: readonly (number | bigint | boolean)[] }
  | { readonly type: 'array'; readonly of: 'array'; readonly value: readonly GgufArray[] };

export type GgufArray = Extract<GgufValue, { readonly type: 'array' }>;

export interface NewTensor {
  readonly name: string;
  /** `shape[0]` is the length of a row, a whole number of blocks. */
  readonly shape: readonly number[];
  readonly dtype: DType;
}

export interface PlacedTensor extends NewTensor {
  /** Absolute. */
  readonly offset: number;
  readonly bytes: number;
}

/** The data of one tensor: its stored bytes, in any pieces. */
export type TensorData = (tensor: PlacedTensor) => Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/**
 * Writes beside the target and renames at the end: a reader never sees half a file. Throws `RangeError` when a tensor's pieces do not
 * add up to its bytes, or when a value does not fit its type; the target is then as it was.
 */
export async function writeGguf(path: string, content: GgufContent, data: TensorData): Promise<void> {
  const { header, tensors, fileBytes } = layOut(content);
  const unfinished = `${path}.${process.pid}.part`;
  const handle = await open(unfinished, 'w');
  try {
    let position = 0;
    const append = async (bytes: Uint8Array): Promise<void> => {
      for (let done = 0; done < bytes.length;) {
        const { bytesWritten } = await handle.write(bytes, done, bytes.length - done);
        done += bytesWritten;
      }
      position += bytes.length;
    };
    await append(header);
    for (const tensor of tensors) {
      await append(new Uint8Array(tensor.offset - position));
      for await (const piece of data(tensor)) {
        if (position + piece.length > tensor.offset + tensor.bytes) break;
        await append(piece);
      }
      if (position !== tensor.offset + tensor.bytes) {
        throw new RangeError(`the data of tensor ${tensor.name} is not ${tensor.bytes} bytes long`);
      }
    }
    await append(new Uint8Array(fileBytes - position));
    await handle.close();
    await rename(unfinished, path);
  } catch (error) {
    await handle.close().catch(() => undefined);
    await rm(unfinished, { force: true });
    throw error;
  }
}

export interface GgufLayout {
  /** Up to the first tensor, padding included. */
  readonly header: Uint8Array;
  readonly tensors: readonly PlacedTensor[];
  readonly fileBytes: number;
}

/** Header bytes and places of the tensors. `general.alignment` is honoured when the metadata has it. */
export function layOut({ metadata, tensors }: GgufContent): GgufLayout {
  const { value: alignment } = metadata['general.alignment'] ?? { value: 32 };
  if (typeof alignment !== 'number' || !Number.isInteger(Math.log2(alignment)) || alignment < 8) {
    throw new RangeError('general.alignment must be a power of two, at least 8');
  }
  const align = (at: number): number => Math.ceil(at / alignment) * alignment;
  let end = 0;
  const relative = tensors.map((tensor): PlacedTensor => {
    const offset = end;
    const bytes = bytesOf(tensor);
    end = align(end + bytes);
    return { ...tensor, offset, bytes };
  });
  const unpadded = encodeHeader(metadata, relative);
  const header = new Uint8Array(align(unpadded.length));
  header.set(unpadded);
  const placed = relative.map((tensor) => ({ ...tensor, offset: header.length + tensor.offset }));
  return { header, tensors: placed, fileBytes: header.length + end };
}

function bytesOf({ name, shape, dtype }: NewTensor): number {
  const rows = shape.slice(1).reduce((product, length) => product * length, 1);
  const bytes = rows * rowBytes(dtype, shape[0] ?? 0);
  const isWhole = (shape[0] ?? 0) % dtypes[dtype].elements === 0;
  if (shape.length > 4 || !isWhole || !Number.isSafeInteger(bytes) || bytes <= 0) {
    throw new RangeError(`tensor ${name} of shape [${shape.join(', ')}] cannot be stored as ${dtype}`);
  }
  return bytes;
}

function encodeHeader(metadata: GgufContent['metadata'], tensors: readonly PlacedTensor[]): Uint8Array {
  const out = new ByteSink();
  const entries = Object.entries(metadata);
  out.raw(Buffer.from('GGUF'));
  out.scalar('u32', 3);
  out.scalar('u64', tensors.length);
  out.scalar('u64', entries.length);
  for (const [key, value] of entries) {
    out.string(key);
    out.scalar('u32', valueTypes[value.type]);
    writeValue(out, value);
  }
  for (const { name, shape, dtype, offset } of tensors) {
    out.string(name);
    out.scalar('u32', shape.length);
    for (const length of shape) out.scalar('u64', length);
    out.scalar('u32', dtypes[dtype].id);
    out.scalar('u64', offset);
  }
  return out.bytes();
}

function writeValue(out: ByteSink, value: GgufValue): void {
  if (value.type === 'string') out.string(value.value);
  else if (value.type === 'array') writeArray(out, value);
  else out.scalar(value.type, value.value);
}

function writeArray(out: ByteSink, array: GgufArray): void {
  out.scalar('u32', valueTypes[array.of]);
  out.scalar('u64', array.value.length);
  if (array.of === 'string') for (const text of array.value) out.string(text);
  else if (array.of === 'array') for (const inner of array.value) writeArray(out, inner);
  else for (const element of array.value) out.scalar(array.of, element);
}

/** Little-endian bytes in a buffer that doubles. */
class ByteSink {
  #bytes = new Uint8Array(1024);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  raw(bytes: Uint8Array): void {
    const at = this.#reserve(bytes.length);
    this.#bytes.set(bytes, at);
  }

  string(text: string): void {
    const bytes = encodeUtf8(text);
    this.scalar('u64', bytes.length);
    this.raw(bytes);
  }

  scalar(type: ScalarType, value: number | bigint | boolean): void {
    checkRange(type, value);
    const at = this.#reserve(valueBytes[type]);
    scalarWriters[type](this.#view, at, value);
  }

  #reserve(bytes: number): number {
    const at = this.#length;
    this.#length += bytes;
    if (this.#length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(this.#length, 2 * this.#bytes.length));
      grown.set(this.#bytes.subarray(0, at));
      this.#bytes = grown;
      this.#view = new DataView(grown.buffer);
    }
    return at;
  }
}

type WriteScalar = (view: DataView, at: number, value: number | bigint | boolean) => void;

const scalarWriters: Readonly<Record<ScalarType, WriteScalar>> = {
  u8: (view, at, value) => view.setUint8(at, Number(value)),
  i8: (view, at, value) => view.setInt8(at, Number(value)),
  u16: (view, at, value) => view.setUint16(at, Number(value), true),
  i16: (view, at, value) => view.setInt16(at, Number(value), true),
  u32: (view, at, value) => view.setUint32(at, Number(value), true),
  i32: (view, at, value) => view.setInt32(at, Number(value), true),
  f32: (view, at, value) => view.setFloat32(at, Number(value), true),
  bool: (view, at, value) => view.setUint8(at, Number(value)),
  u64: (view, at, value) => view.setBigUint64(at, BigInt(value), true),
  i64: (view, at, value) => view.setBigInt64(at, BigInt(value), true),
  f64: (view, at, value) => view.setFloat64(at, Number(value), true),
};

/** A value that its type cannot hold would be written as another number. */
function checkRange(type: ScalarType, value: number | bigint | boolean): void {
  if (type === 'f32' || type === 'f64' ? typeof value === 'number' : fitsInteger(type, value)) return;
  throw new RangeError(`${String(value)} is no value of type ${type}`);
}

function fitsInteger(type: Exclude<ScalarType, 'f32' | 'f64'>, value: number | bigint | boolean): boolean {
  if (type === 'bool' || typeof value === 'boolean') return type === 'bool' && typeof value === 'boolean';
  if (typeof value === 'number' && !Number.isSafeInteger(value)) return false;
  const bits = 8 * valueBytes[type];
  const integer = BigInt(value);
  return (type.startsWith('u') ? BigInt.asUintN(bits, integer) : BigInt.asIntN(bits, integer)) === integer;
}
