// The header of one GGUF file: versions 2 and 3, https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
//
//   "GGUF" | version u32 | tensor count u64 | key count u64 | keys: name, type, value | tensors: name, dims, type, offset | padding | data
//
// The file may be anything: whatever it counts or measures is compared with its size and with a cap before it is believed.

import type { Metadata, MetadataValue } from '../core/metadata.ts';
import { dtypeOfId, dtypes } from '../tensor/dtype.ts';
import type { DType } from '../tensor/dtype.ts';
import { CheckpointError } from './checkpoint.ts';
import { ValueError, ValueReader } from './gguf-values.ts';
import type { TypeLabel } from './gguf-values.ts';
import { quote } from './quote.ts';
import { ByteWindow } from './window.ts';
import type { ByteSource } from './window.ts';

export interface GgufTensor {
  readonly name: string;
  /** `shape[0]` is the length of a row. */
  readonly shape: readonly number[];
  readonly typeId: number;
  /** `undefined`: a type id this program does not know; such a tensor can be listed, not used. */
  readonly dtype: DType | undefined;
  /** Absolute. */
  readonly offset: number;
  /** `undefined` with an unknown type. */
  readonly bytes: number | undefined;
}

export interface GgufHeader {
  readonly version: number;
  readonly alignment: number;
  readonly metadata: Metadata;
  readonly metadataTypes: ReadonlyMap<string, TypeLabel>;
  /** In the order of the file. */
  readonly tensors: readonly GgufTensor[];
  /** Absolute byte where the header ends and where tensor data begins. */
  readonly headerBytes: number;
  readonly dataOffset: number;
}

// Caps. The largest published models have some 2,000 tensors per file and fewer than 100 keys.
const maxTensors = 131_072;
const maxKeys = 65_536;
const maxKeyBytes = 65_535; // by the specification
const maxTensorNameBytes = 512; // the specification says 64
const maxAlignment = 65_536;
/** Least bytes of a key with its value, and of a tensor info with one dimension. */
const leastKeyBytes = 13;
const leastTensorBytes = 32;

/** Throws `CheckpointError`, whatever the bytes are. */
export async function readHeader(source: ByteSource): Promise<GgufHeader> {
  const window = new ByteWindow(source);
  try {
    return await parse(window, source);
  } catch (error) {
    if (error instanceof ValueError) throw damaged(source, error.message);
    throw error;
  }
}

async function parse(window: ByteWindow, source: ByteSource): Promise<GgufHeader> {
  const version = await readVersion(window, source);
  await window.ensure(16);
  const tensorCount = checkCount(window.size(), 'tensors', maxTensors, leastTensorBytes, window, source);
  const keyCount = checkCount(window.size(), 'keys', maxKeys, leastKeyBytes, window, source);
  const { metadata, metadataTypes } = await readMetadata(window, keyCount, source);
  const alignment = readAlignment(metadata, metadataTypes, source);
  const infos = await readTensorInfos(window, tensorCount, source);
  const headerBytes = window.position;
  const dataOffset = Math.ceil(headerBytes / alignment) * alignment;
  const tensors = placeTensors(infos, dataOffset, alignment, source);
  return { version, alignment, metadata, metadataTypes, tensors, headerBytes, dataOffset };
}

async function readVersion(window: ByteWindow, source: ByteSource): Promise<number> {
  if (source.size < 4) throw await notGguf(window, source);
  await window.ensure(4);
  // "GGUF", first byte lowest.
  if (window.u32() !== 0x4655_4747) throw await notGguf(new ByteWindow(source), source);
  await window.ensure(4);
  const version = window.u32();
  if (version === 2 || version === 3) return version;
  if (version !== 0 && (version & 0xffff) === 0) {
    throw new CheckpointError(
      `${source.name} is a big-endian GGUF file, made for another kind of machine. Fetch the little-endian file or convert it.`,
    );
  }
  const advice =
    version === 1 ? 'Convert the model anew: version 1 was in use for a few days only' : 'Update this program';
  throw new CheckpointError(`${source.name} is GGUF version ${version}; versions 2 and 3 are supported. ${advice}.`);
}

/** What people really pass instead of a model. */
async function notGguf(window: ByteWindow, source: ByteSource): Promise<CheckpointError> {
  const length = Math.min(source.size, 64);
  await window.ensure(length);
  const start = window.text(length);
  const guess =
    start === ''
      ? 'it is empty: the download failed. Fetch it again.'
      : start.startsWith('version https://git-lfs')
        ? 'it is a Git LFS pointer, not the model itself. Run "git lfs pull", or download the file.'
        : start.startsWith('<')
          ? 'it looks like a web page. Download the file itself, not the page about it.'
          : start.startsWith('PK')
            ? 'it looks like a zip archive, such as a PyTorch checkpoint. Convert the model to GGUF.'
            : start.startsWith('{"', 8)
              ? 'it looks like a safetensors file. Convert the model to GGUF.'
              : ['tjgg', 'fmgg', 'lmgg'].includes(start.slice(0, 4))
                ? 'it has the format that GGUF replaced in 2023. Convert the model to GGUF.'
                : 'it does not begin with "GGUF". Give the path of a GGUF model.';
  return new CheckpointError(`${source.name} is not a GGUF file: ${guess}`);
}

async function readMetadata(
  window: ByteWindow,
  count: number,
  source: ByteSource,
): Promise<Pick<GgufHeader, 'metadata' | 'metadataTypes'>> {
  const values = new ValueReader(window);
  // No prototype: a key may be called "__proto__".
  const metadata = Object.create(null) as Record<string, MetadataValue>;
  const metadataTypes = new Map<string, TypeLabel>();
  for (let i = 0; i < count; i++) {
    const key = await values.string(maxKeyBytes, `the name of key ${i + 1}`);
    if (metadataTypes.has(key)) throw damaged(source, `the key ${quote(key)} occurs twice`);
    try {
      const { type, value } = await values.typed();
      metadata[key] = value;
      metadataTypes.set(key, type);
    } catch (error) {
      if (error instanceof ValueError) throw damaged(source, `the value of ${quote(key)} is wrong: ${error.message}`);
      throw error;
    }
  }
  return { metadata, metadataTypes };
}

function readAlignment(metadata: Metadata, types: GgufHeader['metadataTypes'], source: ByteSource): number {
  const alignment = metadata['general.alignment'] ?? 32;
  const isPowerOfTwo = typeof alignment === 'number' && alignment > 0 && Number.isInteger(Math.log2(alignment));
  const type = types.get('general.alignment') ?? 'u32';
  if (type !== 'u32' || !isPowerOfTwo || alignment < 8 || alignment > maxAlignment) {
    throw damaged(source, `general.alignment is no u32 that is a power of two from 8 to ${maxAlignment}`);
  }
  return alignment;
}

interface RawTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly elements: number;
  readonly typeId: number;
  /** From the start of the data. */
  readonly offset: number;
}

async function readTensorInfos(window: ByteWindow, count: number, source: ByteSource): Promise<RawTensor[]> {
  const values = new ValueReader(window);
  const names = new Set<string>();
  const tensors: RawTensor[] = [];
  for (let i = 0; i < count; i++) {
    const name = await values.string(maxTensorNameBytes, `the name of tensor ${i + 1}`);
    if (names.has(name)) throw damaged(source, `the tensor ${quote(name)} occurs twice`);
    names.add(name);
    await window.ensure(4);
    const dimensions = window.u32();
    if (dimensions < 1 || dimensions > 4) throw damaged(source, `tensor ${quote(name)} has ${dimensions} dimensions`);
    await window.ensure(8 * dimensions + 12);
    const shape: number[] = [];
    let elements = 1;
    for (let d = 0; d < dimensions; d++) {
      const length = window.size() ?? Infinity;
      shape.push(length);
      elements *= length;
    }
    if (elements === 0 || !Number.isSafeInteger(elements)) {
      throw damaged(source, `tensor ${quote(name)} has the impossible shape [${shape.join(', ')}]`);
    }
    const typeId = window.u32();
    const offset = window.size();
    if (offset === undefined) throw damaged(source, `tensor ${quote(name)} begins beyond byte 2^53`);
    tensors.push({ name, shape, elements, typeId, offset });
  }
  return tensors;
}

function placeTensors(
  raw: readonly RawTensor[],
  dataOffset: number,
  alignment: number,
  source: ByteSource,
): GgufTensor[] {
  const tensors = raw.map(({ name, shape, elements, typeId, offset }): GgufTensor => {
    if (offset % alignment !== 0) {
      throw damaged(source, `tensor ${quote(name)} begins at ${offset}, no multiple of the alignment ${alignment}`);
    }
    const dtype = dtypeOfId(typeId);
    const block = dtype === undefined ? undefined : dtypes[dtype];
    if (block !== undefined && shape[0] % block.elements !== 0) {
      throw damaged(source, `rows of tensor ${quote(name)}, ${shape[0]} long, are no whole number of ${dtype} blocks`);
    }
    const bytes = block === undefined ? undefined : (elements / block.elements) * block.bytes;
    const end = dataOffset + offset + (bytes ?? 0);
    if (!Number.isSafeInteger(end)) throw damaged(source, `tensor ${quote(name)} ends beyond byte 2^53`);
    return { name, shape, typeId, dtype, offset: dataOffset + offset, bytes };
  });
  refuseOverlap(tensors, source);
  const promised = tensors.reduce((end, { offset, bytes }) => Math.max(end, offset + (bytes ?? 0)), 0);
  if (promised > source.size) {
    throw new CheckpointError(
      `${source.name} ends after ${source.size} bytes, its header promises ${promised}: the download was cut. Fetch the file again.`,
    );
  }
  return tensors;
}

function refuseOverlap(tensors: readonly GgufTensor[], source: ByteSource): void {
  const ordered = [...tensors].sort((a, b) => a.offset - b.offset);
  for (let i = 1; i < ordered.length; i++) {
    const before = ordered[i - 1];
    // A tensor of unknown type has an unknown length, of at least a byte.
    if (before.offset + (before.bytes ?? 1) > ordered[i].offset) {
      throw damaged(source, `the tensors ${quote(before.name)} and ${quote(ordered[i].name)} overlap`);
    }
  }
}

function checkCount(
  count: number | undefined,
  of: string,
  cap: number,
  leastBytes: number,
  window: ByteWindow,
  source: ByteSource,
): number {
  if (count === undefined || count > cap || count * leastBytes > window.remaining) {
    throw damaged(
      source,
      `it claims ${count ?? 'over 2^53'} ${of}, more than its ${source.size} bytes can hold or than the ${cap} that are read`,
    );
  }
  return count;
}

function damaged(source: ByteSource, problem: string): CheckpointError {
  return new CheckpointError(
    `${source.name} is damaged or no proper GGUF file: ${problem}. Fetch the file again or convert the model anew.`,
  );
}
