// The requests of one engine that are not over: from `submit` over `accepted` to the last event, an abort or a crash. Those that no
// forward pass has touched outlive the process that they were sent to.

import { Channel } from '../core/channel.ts';
import { fromFailure, invariant } from '../core/errors.ts';
import type { FinishCause, FromEngine, PromptTiming, SubmitOptions, TokenScore, ToEngine } from './messages.ts';
import type { EngineMeter, SequenceMeter, SequenceOutcome } from './meter.ts';

export type EngineEvent =
  /** Its turn has come. `cachedTokens`: prompt tokens that the prefix cache answered. At most once, before any token. */
  | { readonly type: 'begun'; readonly cachedTokens: number }
  /** As in `FromEngine`; so are `scores`, `score` and `timing` below. */
  | { readonly type: 'prompt'; readonly at: number; readonly scores: readonly TokenScore[] }
  | {
      readonly type: 'tokens';
      readonly choice: number;
      readonly ids: readonly number[];
      readonly scores?: readonly TokenScore[] | undefined;
      readonly timing?: PromptTiming | undefined;
      /** Only where the engine was asked for it (`LoadOptions.stampsTokens`). */
      readonly sampledAt?: bigint | undefined;
    }
  /** The choice is complete. Once per choice; the last one is the last event. */
  | {
      readonly type: 'finished';
      readonly choice: number;
      readonly cause: FinishCause;
      readonly score?: TokenScore | undefined;
      readonly timing?: PromptTiming | undefined;
    };

export interface Accepted {
  /** Prompt tokens that the prefix cache would have answered when the request came; `begun` says what it did answer. */
  readonly cachedTokens: number;
  /**
   * To be read once. Throws an `ApiError` when the request failed (code `engine_crashed` when the process died), the signal's
   * reason when it was aborted. Who stops reading early has cancelled the request.
   */
  readonly events: AsyncIterable<EngineEvent>;
  /** Ends one choice of which enough was heard. It has no `finished`, though what was on the way may still come. */
  readonly cancel: (choice: number) => void;
}

type Send = (message: ToEngine) => void;

export interface OpenOptions {
  readonly signal: AbortSignal;
  /** Reaches the process that shall run it. */
  readonly send: Send;
  /** As in `SequenceStart`. */
  readonly submittedAt: number;
}

interface Submission {
  readonly options: SubmitOptions;
  readonly openedAt: number;
  readonly events: Channel<EngineEvent>;
  /** Choices that are not over. */
  readonly choices: Set<number>;
  /** One for each choice, once it was accepted for the first time. */
  meters: readonly SequenceMeter[];
  /** Reaches the process that has it, or had it before a crash. */
  send: Send;
  /** Whether that process has said anything of it. */
  isAnswered: boolean;
  /** Whether its stats have come since: they follow an answer by up to 50 ms. */
  isCounted: boolean;
  /** Whether a forward pass has begun. */
  hasBegun: boolean;
  /** Processes that died with it. */
  crashes: number;
  readonly accept: (cachedTokens: number) => void;
  /** Ends it, accepted or not. */
  readonly fail: (error: unknown) => void;
  /** The signal is heard no longer. */
  readonly detach: () => void;
}

/** A request that only waited is hardly why a process died; but nothing is tried for ever. */
const mostCrashes = 2;

export class Submissions {
  /** In order of submission. */
  readonly #open = new Map<string, Submission>();
  readonly #meter: EngineMeter;

  constructor(meter: EngineMeter) {
    this.#meter = meter;
  }

  get size(): number {
    return this.#open.size;
  }

  /** Those that are not in the engine's stats yet. */
  get uncounted(): number {
    let count = 0;
    for (const { isCounted } of this.#open.values()) if (!isCounted) count++;
    return count;
  }

  /** Stats came: what was answered before is in them. */
  countAnswered(): void {
    for (const submission of this.#open.values()) submission.isCounted = submission.isAnswered;
  }

  /** Resolves at `accepted`; throws what it was rejected with. */
  async open(id: string, options: SubmitOptions, { signal, send, submittedAt }: OpenOptions): Promise<Accepted> {
    invariant(!this.#open.has(id), `request ${id} is submitted once`);
    return await new Promise((resolve, reject) => {
      const isOpen = (): boolean => this.#open.get(id) === submission;
      const cancel = (): void => {
        if (!isOpen()) return;
        // Who stops reading without being aborted has all that was wanted.
        this.#close(id, submission, signal.aborted ? 'abort' : 'stop');
        submission.send({ type: 'cancel', id });
      };
      const cancelChoice = (choice: number): void => {
        if (!isOpen() || !submission.choices.has(choice)) return;
        submission.send({ type: 'cancel', id, choice });
        this.#end(id, submission, choice, 'stop');
      };
      const onAbort = (): void => {
        cancel();
        submission.fail(signal.reason);
      };
      const { choices = 1, maxTokens, input, promptLogprobs = false } = options;
      // Its beginning, what is said of the prompt, and per choice at most one event per token and the finish; see `#push` for an engine
      // that says more.
      const ofPrompt = promptLogprobs ? input.ids.length : 0;
      const events = new Channel<EngineEvent>(1 + ofPrompt + choices * (maxTokens + 1), cancel);
      const numbers = Array.from({ length: choices }, (_, choice) => choice);
      const submission: Submission = {
        options,
        openedAt: performance.now(),
        events,
        choices: new Set(numbers),
        meters: [],
        send,
        isAnswered: false,
        isCounted: false,
        hasBegun: false,
        crashes: 0,
        accept: (cachedTokens) => {
          const start = { promptTokens: input.ids.length, cachedTokens, maxTokens, submittedAt };
          submission.meters = numbers.map(() => this.#meter.sequence(start));
          resolve({ cachedTokens, events, cancel: cancelChoice });
        },
        fail: (error) => {
          reject(error);
          events.fail(error);
        },
        detach: () => signal.removeEventListener('abort', onAbort),
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#open.set(id, submission);
      send({ type: 'submit', id, options });
    });
  }

  /** What the engine says of a request. Those cancelled meanwhile are no longer known. */
  receive(message: Extract<FromEngine, { id: string }>): void {
    const { id } = message;
    const submission = this.#open.get(id);
    if (submission === undefined) return;
    submission.isAnswered = true;
    switch (message.type) {
      case 'accepted':
        // A second time after a crash, which is nobody's business.
        if (submission.meters.length === 0) submission.accept(message.cachedTokens);
        return;
      case 'begun':
        submission.hasBegun = true;
        return this.#push(id, submission, { type: 'begun', cachedTokens: message.cachedTokens });
      case 'prompt':
        return this.#push(id, submission, { type: 'prompt', at: message.at, scores: message.scores });
      case 'tokens': {
        const { choice, ids, scores, timing, sampledAt } = message;
        if (!submission.choices.has(choice)) return;
        submission.meters[choice]?.tokens(ids.length, timing);
        return this.#push(id, submission, {
          type: 'tokens',
          choice,
          ids,
          ...(scores !== undefined && { scores }),
          ...(timing !== undefined && { timing }),
          ...(sampledAt !== undefined && { sampledAt }),
        });
      }
      case 'finished': {
        const { choice, cause, score, timing } = message;
        if (!submission.choices.has(choice)) return;
        submission.meters[choice]?.ended(cause === 'length' ? 'length' : 'stop', timing);
        submission.events.push({
          type: 'finished',
          choice,
          cause,
          ...(score !== undefined && { score }),
          ...(timing !== undefined && { timing }),
        });
        return this.#end(id, submission, choice);
      }
      case 'rejected':
      case 'failed':
        return this.#fail(id, submission, fromFailure(message.error));
      default:
        message satisfies never;
    }
  }

  /** The process is gone. What it had begun fails with `error`; the rest waits for `resubmit` or `failAll`. The answer: how many wait. */
  crash(error: unknown): number {
    for (const [id, submission] of this.#open) {
      submission.isAnswered = false;
      submission.isCounted = false;
      if (submission.hasBegun || ++submission.crashes >= mostCrashes) this.#fail(id, submission, error);
    }
    return this.#open.size;
  }

  /** A new process is there: what waits is sent to it in order. */
  resubmit(send: Send): void {
    for (const [id, submission] of this.#open) {
      const { options, openedAt } = submission;
      const waitedMs = performance.now() - openedAt;
      const deadlineMs = options.deadlineMs === undefined ? undefined : Math.max(1, options.deadlineMs - waitedMs);
      submission.send = send;
      send({ type: 'submit', id, options: { ...options, deadlineMs } });
    }
  }

  failAll(error: unknown): void {
    for (const [id, submission] of this.#open) this.#fail(id, submission, error);
  }

  #push(id: string, submission: Submission, event: EngineEvent): void {
    if (submission.events.push(event)) return;
    this.#fail(id, submission, new Error(`broken invariant: request ${id} got more tokens than it asked for`));
  }

  #fail(id: string, submission: Submission, error: unknown): void {
    this.#close(id, submission, 'error');
    submission.fail(error);
  }

  /** One choice is over. `outcome`: unless its meter knows already. */
  #end(id: string, submission: Submission, choice: number, outcome?: SequenceOutcome): void {
    submission.choices.delete(choice);
    if (outcome !== undefined) submission.meters[choice]?.ended(outcome);
    if (submission.choices.size > 0) return;
    this.#close(id, submission, 'stop');
    submission.events.close();
  }

  /** Nothing more is heard of it. `outcome`: of the choices that are not over. */
  #close(id: string, { choices, meters, detach }: Submission, outcome: SequenceOutcome): void {
    for (const choice of choices) meters[choice]?.ended(outcome);
    choices.clear();
    detach();
    this.#open.delete(id);
  }
}
