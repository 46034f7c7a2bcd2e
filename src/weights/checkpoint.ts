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

export interface Checkpoint {
  /** One path per part, in order. */
  readonly files: readonly string[];
  readonly metadata: Metadata;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Sum over all tensors. */
  readonly tensorBytes: number;
}

/** The file is not what it claims to be, or uses what is not supported; the message says which file and what to do. */
export class CheckpointError extends Error {
  override readonly name = 'CheckpointError';
}
