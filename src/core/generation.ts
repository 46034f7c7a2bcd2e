// One generation, from the request that any dialect reads to the events that any dialect writes.

import type { Failure } from './errors.ts';
import type { Message, Tool, ToolChoice } from './message.ts';
import type { Constraint, SamplingParams } from './sampling.ts';

export type Prompt = ChatPrompt | TextPrompt | TokenPrompt;

export interface ChatPrompt {
  readonly type: 'chat';
  readonly messages: readonly Message[];
  readonly tools: readonly Tool[];
  readonly toolChoice: ToolChoice;
  /** Further variables for the chat template (`chat_template_kwargs`, `enable_thinking`, ...). */
  readonly template: Readonly<Record<string, unknown>>;
  /** Whether the model's turn is opened; it is unless this says no. */
  readonly opensTurn?: boolean | undefined;
}

/** Raw text: special tokens may be written out in it, no template is applied. */
export interface TextPrompt {
  readonly type: 'text';
  /** Empty: the beginning of a new document. */
  readonly text: string;
  /** Where it stands in the request, for errors: `prompt`, `prompt[3]`. */
  readonly param: string;
}

/** Ids that go to the model as they are. */
export interface TokenPrompt {
  readonly type: 'tokens';
  readonly ids: readonly number[];
  readonly param: string;
}

export type Pooling = 'none' | 'mean' | 'cls' | 'last' | 'rank';

export type OutputKind = { readonly type: 'logits' } | { readonly type: 'hidden'; readonly pooling: Pooling };

export interface GenerationRequest {
  readonly id: string;
  /** As the caller wrote it; `undefined` and `default` mean the default model. */
  readonly model: string | undefined;
  /** A LoRA adapter of that model. */
  readonly adapter?: string | undefined;
  /** Whose prompt this is: prefix caches never cross tenants. */
  readonly tenant: string;
  readonly prompt: Prompt;
  readonly sampling: SamplingParams;
  readonly constraint?: Constraint | undefined;
  /** Strings that end the text; never delivered, not even their beginning. */
  readonly stop: readonly string[];
  /** Most tokens to generate per choice; `undefined` is up to the end of the context. */
  readonly maxTokens: number | undefined;
  /** How many independent continuations. */
  readonly choices: number;
  /** Whether events tell the prompt as text, too. */
  readonly echo?: boolean | undefined;
  /** Alternatives per token; `undefined` is no log probabilities at all. */
  readonly logprobs?: number | undefined;
  /** Drop the oldest prompt tokens instead of refusing a prompt that is too long. */
  readonly truncate: boolean;
  readonly output: OutputKind;
  readonly deadlineMs?: number | undefined;
  readonly priority?: number | undefined;
  readonly traceId?: string | undefined;
}

export interface Usage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** Part of `promptTokens` that a prefix cache answered. */
  readonly cachedTokens: number;
}

export type FinishReason = 'stop' | 'length' | 'tool';

export type BlockKind = 'text' | 'reasoning' | 'tool_call' | 'tool_result';

export type GenerationEvent =
  | {
      readonly type: 'started';
      /** The name the answer carries. */
      readonly model: string;
      readonly fingerprint: string;
      /** The seed in use (drawn when the request had none is the caller's business: this is what was used). */
      readonly seed: number;
      readonly usage: Usage;
    }
  /** Only with `echo`, before anything else of its choice. */
  | { readonly type: 'prompt'; readonly choice: number; readonly text: string }
  | { readonly type: 'block_start'; readonly choice: number; readonly block: number; readonly kind: BlockKind }
  | { readonly type: 'delta'; readonly choice: number; readonly block: number; readonly text: string }
  | { readonly type: 'block_end'; readonly choice: number; readonly block: number }
  | {
      readonly type: 'finished';
      readonly choice: number;
      readonly reason: FinishReason;
      /** The stop string that ended it, if one did. */
      readonly stop?: string | undefined;
      /** Over all choices so far. */
      readonly usage: Usage;
    }
  | { readonly type: 'failed'; readonly error: Failure };

/**
 * Runs a request. Rejections before the engine accepted it (unknown model, prompt too long, full queue) are thrown by the
 * first `next()`, so that a caller can still answer with a plain status; later failures arrive as a `failed` event, last.
 */
export type Generate = (request: GenerationRequest, signal: AbortSignal) => AsyncIterable<GenerationEvent>;
