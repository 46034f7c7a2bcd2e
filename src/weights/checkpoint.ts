// A model on disk, as its headers describe it: metadata and where each tensor's bytes are. Nothing is read here but headers.

import type { Metadata } from '../core/metadata.ts';
import type { DType } from '../tensor/dtype.ts';

export interface TensorInfo {
  readonly name: string;
  /** GGUF order: `shape[0]` is the length of a row (the "in" features), fastest varying. 1 to 4 entries. */
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** Path of the file that holds it. */
  readonly file: string;
  /** Absolute byte offset in that file. */
  readonly offset: number;
  readonly bytes: number;
}

/** Of a type that this program cannot even measure: it can be listed, not used. */
export interface UnsupportedTensor extends Omit<TensorInfo, 'dtype' | 'bytes'> {
  /** As the file writes it. */
  readonly typeId: number;
}

export interface Checkpoint {
  /** One path per part, in order. */
  readonly files: readonly string[];
  readonly metadata: Metadata;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Sum over all tensors. */
  readonly tensorBytes: number;
  /** Tensors of unknown type; whoever needs one of them says so (`tensorOf`). */
  readonly unsupported?: ReadonlyMap<string, UnsupportedTensor> | undefined;
}

/** The tensor, or a `CheckpointError` that says why it cannot be had. */
export function tensorOf(checkpoint: Checkpoint, name: string): TensorInfo {
  const tensor = checkpoint.tensors.get(name);
  if (tensor !== undefined) return tensor;
  const unsupported = checkpoint.unsupported?.get(name);
  if (unsupported !== undefined) {
    throw new CheckpointError(
      `${unsupported.file}: tensor ${name} has type ${unsupported.typeId}, which is not supported. Convert the model to another type.`,
    );
  }
  throw new CheckpointError(`${checkpoint.files[0]}: tensor ${name} is missing. Fetch or convert the model anew.`);
}

/** The file is not what it claims to be, or uses what is not supported; the message says which file and what to do. */
export class CheckpointError extends Error {
  override readonly name = 'CheckpointError';
}
