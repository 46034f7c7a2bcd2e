// One generation, from the request that any dialect reads to the events that any dialect writes.

import type { Failure } from './errors.ts';
import type { Message, Tool, ToolChoice } from './message.ts';
import type { Constraint, SamplingRequest } from './sampling.ts';

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
export interface TextPrompt extends Gap {
  readonly type: 'text';
  /** Empty: the beginning of a new document. */
  readonly text: string;
  /** Where it stands in the request, for errors: `prompt`, `prompt[3]`. */
  readonly param: string;
}

/** Ids that go to the model as they are. */
export interface TokenPrompt extends Gap {
  readonly type: 'tokens';
  readonly ids: readonly number[];
  readonly param: string;
}

export interface Gap {
  /** What follows the gap that is to be filled; `undefined`: nothing does. */
  readonly suffix?: string | undefined;
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
  readonly sampling: SamplingRequest;
  readonly constraint?: Constraint | undefined;
  /** Strings that end the text; never delivered, not even their beginning. At most 64. */
  readonly stop: readonly string[];
  /** Tokens that end a turn are tokens like others; stop strings and limits still count. */
  readonly ignoreEos?: boolean | undefined;
  /** Most tokens to generate per choice; `undefined` is up to the end of the context. */
  readonly maxTokens: number | undefined;
  /** What the answer probably says: it may come faster then, and is the same. */
  readonly prediction?: string | undefined;
  /** How many independent continuations. */
  readonly choices: number;
  /** Write so many, deliver the `choices` of them with the highest mean log probability per token, best first. Nothing streams then. */
  readonly bestOf?: number | undefined;
  /** Whether events tell the prompt as text, too; with `logprobs`, also those of its tokens. */
  readonly echo?: boolean | undefined;
  /** Alternatives per token, 0..20; `undefined` is no log probabilities at all. */
  readonly logprobs?: number | undefined;
  /**
   * Drop the oldest prompt tokens instead of refusing a prompt that is too long: room for `maxTokens` is left, for one token where
   * that is `undefined`.
   */
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
  /** Part of `completionTokens` that was thought, not said; `undefined` is 0. */
  readonly reasoningTokens?: number | undefined;
  /** Tokens of a predicted text that the answer has, in their order; of each continuation. `undefined`: nothing was predicted. */
  readonly acceptedPredictionTokens?: number | undefined;
  /** Those that it has not. */
  readonly rejectedPredictionTokens?: number | undefined;
}

/** Where the time of a request went, milliseconds. */
export interface Timings {
  /** Until it had a place. */
  readonly queueMs: number;
  /** From there to its first token. */
  readonly promptMs: number;
  /** From there to its last one. */
  readonly generationMs: number;
}

/** One token of an answer or of a prompt. Log probabilities are the model's own: before biases, penalties and temperature. */
export interface TokenLogprob extends TokenCandidate {
  /** As many as asked for (fewer in a smaller vocabulary), likeliest first. */
  readonly top: readonly TokenCandidate[];
}

export interface TokenCandidate {
  readonly id: number;
  /** Its bytes as text; U+FFFD for what is no UTF-8 by itself. */
  readonly text: string;
  /**
   * Those of the tokens of an answer, joined, are the UTF-8 of its text: a token cut by a stop string has those that are delivered, one that is
   * not shown has none.
   */
  readonly bytes: Uint8Array;
  /** Natural logarithm; `undefined` for the first token of a prompt, which nothing precedes. */
  readonly logprob: number | undefined;
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
      /** Oldest tokens of the prompt that were dropped to make it fit. */
      readonly truncatedTokens?: number | undefined;
    }
  /** Only with `echo`, before anything else of its choice. `logprobs`: of every token of the prompt, where they were asked for. */
  | {
      readonly type: 'prompt';
      readonly choice: number;
      readonly text: string;
      readonly logprobs?: readonly TokenLogprob[] | undefined;
    }
  | { readonly type: 'block_start'; readonly choice: number; readonly block: number; readonly kind: BlockKind }
  /** `logprobs`, where they were asked for: of the tokens whose text is complete with this piece. The text may be empty then. */
  | {
      readonly type: 'delta';
      readonly choice: number;
      readonly block: number;
      readonly text: string;
      readonly logprobs?: readonly TokenLogprob[] | undefined;
    }
  | { readonly type: 'block_end'; readonly choice: number; readonly block: number }
  | {
      readonly type: 'finished';
      readonly choice: number;
      readonly reason: FinishReason;
      /** The stop string that ended it, if one did. */
      readonly stop?: string | undefined;
      /** Over all choices so far; with `bestOf` also over those that are not delivered. */
      readonly usage: Usage;
      /** Of the request; with the last choice, when a token was written. */
      readonly timings?: Timings | undefined;
    }
  | { readonly type: 'failed'; readonly error: Failure };

/**
 * Runs a request. Rejections before the engine accepted it (unknown model, prompt too long, full queue) are thrown by the
 * first `next()`, so that a caller can still answer with a plain status; later failures arrive as a `failed` event, last.
 */
export type Generate = (request: GenerationRequest, signal: AbortSignal) => AsyncIterable<GenerationEvent>;
