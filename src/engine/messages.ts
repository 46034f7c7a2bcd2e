// Every type that crosses the border between the server and an engine process. One engine process runs one model.
//
//   server -> engine   load, submit, cancel, shutdown
//   engine -> server   progress, loaded | unloadable, accepted | rejected, tokens, finished | failed, stats

import type { KvCacheType } from '../compute/backend.ts';
import type { Failure } from '../core/errors.ts';
import type { OutputKind } from '../core/generation.ts';
import type { Constraint, SamplingParams } from '../core/sampling.ts';
import type { TokenScore } from '../sampling/scores.ts';

/** Embeddings of an image or a sound, put in place of token embeddings. */
export interface MediaSpan {
  /** Index of its first position in `ids`. */
  readonly at: number;
  readonly length: number;
  /** Names the content for the prefix cache. */
  readonly mediaHash: string;
  /** [length, width] f32. */
  readonly embeddings: Float32Array;
  /** Whether positions inside the span see each other in both directions. */
  readonly bidirectional: boolean;
}

export interface SequenceInput {
  readonly ids: Int32Array;
  readonly spans: readonly MediaSpan[];
  /** Explicit positions (M-RoPE); `undefined` is 0, 1, 2, ... */
  readonly positions?: Int32Array | undefined;
}

export type { TokenScore };
export { kvCacheTypes, type KvCacheType } from '../compute/backend.ts';
export type { LayerState } from '../model/network.ts';

export type DeviceKind = 'wasm' | 'reference';
export type SpeculationMode = 'auto' | 'off';
export type KernelsBuild = 'strict' | 'rel16' | 'vnni';

export interface LoadOptions {
  /** A GGUF file (the first part of a split one). */
  readonly path: string;
  readonly device: DeviceKind;
  /** `auto` takes the best build this machine runs with the right results. */
  readonly kernels: KernelsBuild | 'auto';
  /** Compute workers. */
  readonly threads: number;
  /** Positions a sequence may have; `undefined` is the trained length, at most 8192. */
  readonly contextLength: number | undefined;
  readonly kvCache: KvCacheType;
  /** Sequences that may hold state at once. */
  readonly maxSequences: number;
  /** Most tokens of one forward pass. */
  readonly maxBatchTokens: number;
  /** Requests that may wait; beyond it `rejected` with kind `rate_limit`. */
  readonly maxWaiting: number;
  /** Whether prompts that begin like earlier ones take over what was computed for those; `undefined` is yes. */
  readonly prefixCache?: boolean | undefined;
  /** A folder where the prefix cache outlives the process; the bytes that all files in it may take. */
  readonly prefixCacheFolder?: { readonly path: string; readonly maxBytes: number } | undefined;
  /** Whether each token says when it was sampled, for measurements; `undefined` is no. */
  readonly stampsTokens?: boolean | undefined;
  /** Whether what follows is guessed from what a text said before, where that saves time; `undefined` is `auto`. */
  readonly speculation?: SpeculationMode | undefined;
}

export interface SubmitOptions {
  readonly input: SequenceInput;
  readonly sampling: SamplingParams;
  readonly constraint?: Constraint | undefined;
  /** Independent continuations of the prompt; `undefined` is 1. At most `LoadOptions.maxSequences`. */
  readonly choices?: number | undefined;
  /** For each of them. */
  readonly maxTokens: number;
  /** Ids that end the sequence; they are not delivered. */
  readonly stopIds: readonly number[];
  /** What the answer probably says: it may come faster then, and is the same. At most a context of it is of use. */
  readonly prediction?: Int32Array | undefined;
  /** Scores of the tokens: log probabilities, and those of so many alternatives each, 0..20; `undefined`: none. */
  readonly logprobs?: number | undefined;
  /** Also those of the prompt. Then nothing is taken from the prefix cache. */
  readonly promptLogprobs?: boolean | undefined;
  readonly output: OutputKind;
  readonly adapter?: string | undefined;
  readonly tenant: string;
  readonly traceId?: string | undefined;
  /** Milliseconds from submission. */
  readonly deadlineMs?: number | undefined;
  /** Higher goes first. */
  readonly priority: number;
}

export type ToEngine =
  | { readonly type: 'load'; readonly options: LoadOptions }
  | { readonly type: 'submit'; readonly id: string; readonly options: SubmitOptions }
  /** With a `choice`, that one only: one that has begun and has not ended. */
  | { readonly type: 'cancel'; readonly id: string; readonly choice?: number | undefined }
  | { readonly type: 'shutdown' };

/** What the engine says of the model it loaded. */
export interface LoadedModel {
  readonly architecture: string;
  readonly parameters: number;
  /** Prevailing type of the matrices, as `Q8_0`. */
  readonly quantization: string;
  readonly vocabularySize: number;
  readonly contextLength: number;
  readonly trainedContextLength: number;
  readonly weightBytes: number;
  readonly kvCacheBytes: number;
  readonly scratchBytes: number;
  readonly device: DeviceKind;
  /** Kernel build and why it was chosen. */
  readonly kernels: string;
  readonly threads: number;
  /** Version of the Node that runs the engine. */
  readonly node: string;
  /** Hash of weights, formats, KV type and kernel build. */
  readonly fingerprint: string;
  readonly loadMs: number;
  /** What the prefix cache found on disk, and what it may take. */
  readonly diskCache?: { readonly path: string; readonly bytes: number; readonly maxBytes: number } | undefined;
}

export interface EngineStats {
  readonly running: number;
  readonly waiting: number;
  /** Held by sequences; what the prefix cache alone keeps is free. */
  readonly blocksUsed: number;
  readonly blocksTotal: number;
  /** Since the process began: prompt tokens looked up in the prefix cache, ... */
  readonly prefixQueries: number;
  /** ... those of them that were found in memory, ... */
  readonly prefixHits: number;
  /** ... those that were not, where there is a disk to look at, ... */
  readonly prefixDiskQueries: number;
  /** ... and were read from it, ... */
  readonly prefixDiskHits: number;
  /** ... and how often a sequence lost its blocks to another and was computed again. */
  readonly preemptions: number;
  /** Guesses of what follows: how often a sequence had some in a pass, how many tokens, ... */
  readonly drafts: number;
  readonly draftedTokens: number;
  /** ... and how many of them came true. */
  readonly acceptedTokens: number;
}

/** How long a request waited for a place, and how long its prompt took from there. */
export interface PromptTiming {
  readonly queueMs: number;
  readonly prefillMs: number;
}

export type FinishCause = 'stop_id' | 'length';

export type FromEngine =
  | {
      readonly type: 'progress';
      readonly phase: 'reading' | 'preparing';
      readonly done: number;
      readonly total: number;
    }
  | { readonly type: 'loaded'; readonly model: LoadedModel }
  /** `code`: of the `ApiError` it was, if it was one, as `insufficient_memory`. */
  | { readonly type: 'unloadable'; readonly message: string; readonly code?: string | undefined }
  /** It has a place in the queue. `cachedTokens`: prompt tokens that the prefix cache would answer now. */
  | { readonly type: 'accepted'; readonly id: string; readonly cachedTokens: number }
  /** Its first forward pass begins. `cachedTokens`: those that the prefix cache did answer. */
  | { readonly type: 'begun'; readonly id: string; readonly cachedTokens: number }
  | { readonly type: 'rejected'; readonly id: string; readonly error: Failure }
  /** `timing` comes with the first of these, or with a `finished` before it. */
  | {
      readonly type: 'tokens';
      readonly id: string;
      readonly choice: number;
      readonly ids: readonly number[];
      /** One for each id, where they were asked for. */
      readonly scores?: readonly TokenScore[] | undefined;
      readonly timing?: PromptTiming | undefined;
      /** With `stampsTokens`: nanoseconds of the clock that all processes share (`process.hrtime`). */
      readonly sampledAt?: bigint | undefined;
    }
  /** Of the prompt's tokens from the one at index `at` on, which is 1 at first: nothing precedes the one at 0. All come before the first token. */
  | { readonly type: 'prompt'; readonly id: string; readonly at: number; readonly scores: readonly TokenScore[] }
  /** The choice is complete; with the last one, so is the request. */
  | {
      readonly type: 'finished';
      readonly id: string;
      readonly choice: number;
      readonly cause: FinishCause;
      /** Of the stop id, where log probabilities were asked for. */
      readonly score?: TokenScore | undefined;
      readonly timing?: PromptTiming | undefined;
    }
  /** All choices end. */
  | { readonly type: 'failed'; readonly id: string; readonly error: Failure }
  /** `passes`: tokens of each forward pass that began since the last one. */
  | { readonly type: 'stats'; readonly stats: EngineStats; readonly passes: readonly number[] };
