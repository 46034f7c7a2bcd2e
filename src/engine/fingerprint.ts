// What decides the numbers a model computes, as one short name: equal fingerprints give equal tokens for equal requests.

import { createHash, type Hash } from 'node:crypto';
import { open, type FileHandle } from 'node:fs/promises';
import type { WeightSpec } from '../compute/backend.ts';
import type { Metadata, MetadataValue } from '../core/metadata.ts';
import { CheckpointError, type Checkpoint, type TensorInfo } from '../weights/checkpoint.ts';

export interface FingerprintOptions {
  /** As the model built them: tables made by the host depend on more than the file, such as the length of the context. */
  readonly weights: readonly WeightSpec[];
  readonly kvCache: string;
  /** `Executor.numerics`. */
  readonly numerics: string;
}

/**
 * SHA-256 over all metadata, every tensor's name, shape, type and size, a sample of every tensor's bytes, the beginnings of tables
 * made by the host, the type of the KV cache and the numerics of the kernels; the first 64 bits as `fp_` and 16 hex digits. The sample: small tensors whole, of larger ones 16
 * evenly spread pieces of 4 KiB with the first and the last. That reads some 20 MB of any model; a file in which only bytes between the
 * pieces differ has the same fingerprint, which a quantization or a training step never makes.
 */
export async function fingerprint(
  checkpoint: Checkpoint,
  { weights, kvCache, numerics }: FingerprintOptions,
): Promise<string> {
  const hash = createHash('sha256');
  feed(hash, 'tramontane fingerprint 1', kvCache, numerics);
  feedMetadata(hash, checkpoint.metadata);
  for (const { name, source } of weights) {
    // The beginning only: rotation tables grow with the context, and a longer one gives the same tokens as long as it lasts.
    if (source.type === 'values') feed(hash, name, ...source.values.subarray(0, pieceBytes / 4));
  }
  const files = new Map<string, FileHandle>();
  try {
    for (const tensor of [...checkpoint.tensors.values()].sort((a, b) => (a.name < b.name ? -1 : 1))) {
      feed(hash, tensor.name, tensor.dtype, tensor.bytes, ...tensor.shape);
      const file = files.get(tensor.file) ?? (await open(tensor.file, 'r'));
      files.set(tensor.file, file);
      await feedSample(hash, file, tensor);
    }
  } finally {
    for (const file of files.values()) await file.close();
  }
  return `fp_${hash.digest('hex').slice(0, 16)}`;
}

const pieceBytes = 4096;
const pieces = 16;

async function feedSample(
  hash: Hash,
  file: FileHandle,
  { bytes, offset, file: path, name }: TensorInfo,
): Promise<void> {
  const isSmall = bytes <= pieces * pieceBytes;
  const size = isSmall ? bytes : pieceBytes;
  const buffer = new Uint8Array(size);
  for (let piece = 0; piece < (isSmall ? 1 : pieces); piece++) {
    const at = isSmall ? 0 : Math.floor(((bytes - pieceBytes) * piece) / (pieces - 1));
    const { bytesRead } = await file.read(buffer, 0, size, offset + at);
    if (bytesRead !== size)
      throw new CheckpointError(`${path} ended while ${name} was read: the file changed or was cut.`);
    hash.update(buffer);
  }
}

function feedMetadata(hash: Hash, metadata: Metadata): void {
  for (const key of Object.keys(metadata).sort()) {
    feed(hash, key);
    feedValue(hash, metadata[key]);
  }
}

function feedValue(hash: Hash, value: MetadataValue): void {
  if (typeof value !== 'object') return feed(hash, value);
  feed(hash, 'list', value.length);
  for (const item of value) feedValue(hash, item);
}

/** Each value with its type and length, so that no two lists of values run together into the same bytes. */
function feed(hash: Hash, ...values: readonly (string | number | bigint | boolean)[]): void {
  for (const value of values) {
    const text = String(value);
    hash.update(`${typeof value}:${text.length}:${text};`);
  }
}
