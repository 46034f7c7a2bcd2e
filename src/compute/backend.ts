// Who does the arithmetic: the contract. A model is a list of records over numbered buffers (a `Program`) and a list of weights;
// a backend turns both into an `Executor`, which runs batches. Token counts, positions, block tables and lengths are not in
// the program: they come with each batch.
//
// Shapes: a buffer is [rows, cols] f32, rows = tokens of the batch, or its wanted outputs. A matrix is [rows (out), cols (in)].

import type { DType } from '../tensor/dtype.ts';

export type BufferId = number;
export type WeightId = number;

/** Where the bytes of a weight are: in a file, in its stored type, or made by the host. */
export type WeightSource =
  | { readonly type: 'file'; readonly file: string; readonly offset: number; readonly bytes: number }
  | { readonly type: 'values'; readonly values: Float32Array };

export interface WeightSpec {
  readonly name: string;
  /** `matrix`: used by `linear` and `embed`, kept in its stored type. `vector`: kept as f32 (norms, biases, tables). */
  readonly kind: 'matrix' | 'vector';
  readonly dtype: DType;
  readonly rows: number;
  readonly cols: number;
  /** Layer it belongs to: whole layers share an arena. -1: input side; number of layers: output side. */
  readonly layer: number;
  readonly source: WeightSource;
}

/** The rotation of one pair: `adjacent` rotates (2i, 2i+1), `halves` rotates (i, i + dims/2). */
export type RopeLayout = 'adjacent' | 'halves';

export type Op =
  /** out[t] = scale * table[ids[t]] */
  | { readonly op: 'embed'; readonly table: WeightId; readonly scale: number; readonly out: BufferId }
  /** out = x / sqrt(mean(x^2) + eps) * weight, over groups of `width` columns (the whole row, or one head). */
  | {
      readonly op: 'rmsNorm';
      readonly x: BufferId;
      readonly weight: WeightId;
      readonly width: number;
      readonly eps: number;
      readonly out: BufferId;
    }
  /** out = matrix * x (+ bias) (+ the low-rank update of the batch's adapter in this slot) */
  | {
      readonly op: 'linear';
      readonly x: BufferId;
      readonly weight: WeightId;
      readonly bias: WeightId | undefined;
      /** Number of this projection among those an adapter may change; `undefined`: none may. */
      readonly adapterSlot: number | undefined;
      readonly out: BufferId;
    }
  /** out = x + y */
  | { readonly op: 'add'; readonly x: BufferId; readonly y: BufferId; readonly out: BufferId }
  /** out = activation(gate) * up */
  | {
      readonly op: 'gate';
      readonly activation: 'silu' | 'gelu_tanh';
      readonly gate: BufferId;
      readonly up: BufferId;
      readonly out: BufferId;
    }
  /**
   * Rotates the first `dims` of every head of x in place. `table`: [positions, dims] f32, per pair i cos at 2i and sin at 2i+1;
   * a positive magnitude scale is already in it.
   */
  | {
      readonly op: 'rope';
      readonly x: BufferId;
      readonly heads: number;
      readonly headDim: number;
      readonly dims: number;
      readonly layout: RopeLayout;
      readonly table: WeightId;
    }
  /** Writes this batch's keys and values to the cache of `layer`. k: [tokens, kvHeads*headDim] */
  | { readonly op: 'store'; readonly k: BufferId; readonly v: BufferId; readonly layer: number }
  /** Scaled dot-product attention of each token over the cache of `layer` of its sequence. */
  | {
      readonly op: 'attention';
      readonly q: BufferId;
      readonly layer: number;
      readonly heads: number;
      readonly kvHeads: number;
      readonly headDim: number;
      readonly scale: number;
      readonly causal: boolean;
      /** A query at i sees keys i-window+1 .. i; 0: all. */
      readonly window: number;
      /** s -> c * tanh(s / c) on scores; 0: none. */
      readonly softcap: number;
      /** One extra logit per head in the softmax, whose probability is dropped. */
      readonly sinks: WeightId | undefined;
      /** Whether the batch's bidirectional media spans count. */
      readonly spans: boolean;
      readonly out: BufferId;
    }
  /** out[i] = x[outputs[i]] */
  | { readonly op: 'select'; readonly x: BufferId; readonly out: BufferId };

export interface BufferSpec {
  readonly rows: 'tokens' | 'outputs';
  readonly cols: number;
}

export interface Program {
  readonly ops: readonly Op[];
  readonly buffers: readonly BufferSpec[];
  /** [outputs, vocabulary] */
  readonly logits: BufferId;
}

/** Cached keys and values of one layer: [positions, kvHeads, headDim] each, in blocks of `blockTokens` absolute positions. */
export interface KvLayer {
  readonly layer: number;
  readonly kvHeads: number;
  readonly headDim: number;
}

/** `i16`: 16-bit integers with a scale per head and position; `q8_0`: 8-bit ones with a scale per 32 dims. */
export const kvCacheTypes = ['f32', 'f16', 'i16', 'q8_0'] as const;
export type KvCacheType = (typeof kvCacheTypes)[number];

/** A KV block is 64 absolute positions = one softmax block = one unit of sharing. */
export const blockTokens = 64;

export interface BackendPlan {
  readonly weights: readonly WeightSpec[];
  readonly program: Program;
  readonly layers: number;
  readonly kvLayers: readonly KvLayer[];
  readonly kvCache: KvCacheType;
  /** Blocks of the pool; every layer has this many. */
  readonly kvBlocks: number;
  readonly limits: BatchLimits;
}

export interface BatchLimits {
  readonly tokens: number;
  readonly sequences: number;
  /** Rows of logits. */
  readonly outputs: number;
  readonly blocksPerSequence: number;
}

/** One forward pass: tokens of one or several sequences; those of one sequence stand together, in order. */
export interface Batch {
  /** [tokens] */
  readonly ids: Int32Array;
  /** [tokens] absolute position in its sequence. */
  readonly positions: Int32Array;
  /** [tokens] row of `blockTables`. */
  readonly sequences: Int32Array;
  /** Per sequence: the pool's block for positions 0..63, 64..127, ... */
  readonly blockTables: readonly Int32Array[];
  /** Indices of the tokens whose logits are wanted, ascending. */
  readonly outputs: Int32Array;
}

export interface MemoryPlan {
  readonly weightBytes: number;
  readonly kvCacheBytes: number;
  readonly scratchBytes: number;
}

/**
 * The blocks of the KV pool from outside, each with its 64 positions of all layers. Also during a forward pass, but for blocks that the
 * pass writes. What is read can be written by executors of equal weights, numerics, type of the cache and `layout`, to any block.
 */
export interface KvBlocks {
  /** Of one block. */
  readonly bytes: number;
  /** Names what the bytes mean; another name when that changes. */
  readonly layout: string;
  /** `out`: [bytes] */
  read(block: number, out: Uint8Array): void;
  /** `content`: [bytes], as `read` gave them. */
  write(block: number, content: Uint8Array): void;
  copy(from: number, to: number): void;
}

export interface Executor {
  /** `wasm` with its build, or `reference`: for people. */
  readonly build: string;
  /** Names the bits: executors of equal numerics give equal logits for equal plans and batches. Part of the fingerprint. */
  readonly numerics: string;
  readonly memory: MemoryPlan;
  readonly blocks: KvBlocks;
  /** Logits [outputs, vocabulary]; the view is valid until the next call. Calls never overlap. */
  forward(batch: Batch): Promise<Float32Array>;
  close(): Promise<void>;
}

export interface Backend {
  /** What `load` would take, without taking it. Throws what it would refuse in the plan's types and sizes. */
  measure(plan: BackendPlan): MemoryPlan;
  /** Plans all memory, then reads the weights. `progress` in bytes. */
  load(plan: BackendPlan, progress: (done: number, total: number) => void): Promise<Executor>;
}
