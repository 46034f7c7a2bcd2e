// The requests of one engine that are not over: from `submit` over `accepted` to the last event, an abort or a crash. Those that no
// forward pass has touched outlive the process that they were sent to.

import { Channel } from '../core/channel.ts';
import { fromFailure, invariant } from '../core/errors.ts';
import type { FinishCause, FromEngine, SubmitOptions, ToEngine } from './messages.ts';

export type EngineEvent =
  /** Its turn has come. `cachedTokens`: prompt tokens that the prefix cache answered. At most once, before any token. */
  | { readonly type: 'begun'; readonly cachedTokens: number }
  | { readonly type: 'tokens'; readonly choice: number; readonly ids: readonly number[] }
  /** The choice is complete. Once per choice; the last one is the last event. */
  | { readonly type: 'finished'; readonly choice: number; readonly cause: FinishCause };

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

interface Submission {
  readonly options: SubmitOptions;
  readonly submittedAt: number;
  readonly events: Channel<EngineEvent>;
  /** Choices that are not over. */
  readonly choices: Set<number>;
  /** Reaches the process that has it, or had it before a crash. */
  send: Send;
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

  get size(): number {
    return this.#open.size;
  }

  /** Resolves at `accepted`; throws what it was rejected with. `send` reaches the process that shall run it. */
  async open(id: string, options: SubmitOptions, signal: AbortSignal, send: Send): Promise<Accepted> {
    invariant(!this.#open.has(id), `request ${id} is submitted once`);
    return await new Promise((resolve, reject) => {
      const cancel = (): void => {
        if (this.#open.get(id) !== submission) return;
        this.#close(id);
        submission.send({ type: 'cancel', id });
      };
      const { choices = 1, maxTokens } = options;
      // Its beginning, and per choice at most one event per token and the finish; see `tokens` below for an engine that says more.
      const events = new Channel<EngineEvent>(1 + choices * (maxTokens + 1), cancel);
      const onAbort = (): void => {
        cancel();
        submission.fail(signal.reason);
      };
      const cancelChoice = (choice: number): void => {
        if (this.#open.get(id) !== submission || !submission.choices.delete(choice)) return;
        submission.send({ type: 'cancel', id, choice });
        this.#closeIfOver(id, submission);
      };
      const submission: Submission = {
        options,
        submittedAt: performance.now(),
        events,
        choices: new Set(Array.from({ length: choices }, (_, choice) => choice)),
        send,
        hasBegun: false,
        crashes: 0,
        accept: (cachedTokens) => resolve({ cachedTokens, events, cancel: cancelChoice }),
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
    const submission = this.#open.get(message.id);
    if (submission === undefined) return;
    const { events, choices, accept, fail } = submission;
    switch (message.type) {
      case 'accepted':
        // The second time after a crash, and then nobody listens any more.
        return accept(message.cachedTokens);
      case 'begun':
        submission.hasBegun = true;
        return this.#push(message.id, submission, { type: 'begun', cachedTokens: message.cachedTokens });
      case 'tokens':
        if (!choices.has(message.choice)) return;
        return this.#push(message.id, submission, { type: 'tokens', choice: message.choice, ids: message.ids });
      case 'finished':
        if (!choices.delete(message.choice)) return;
        events.push({ type: 'finished', choice: message.choice, cause: message.cause });
        return this.#closeIfOver(message.id, submission);
      case 'rejected':
      case 'failed':
        this.#close(message.id);
        return fail(fromFailure(message.error));
      default:
        message satisfies never;
    }
  }

  /** The process is gone. What it had begun fails with `error`; the rest waits for `resubmit` or `failAll`. The answer: how many wait. */
  crash(error: unknown): number {
    for (const [id, submission] of this.#open) {
      if (submission.hasBegun || ++submission.crashes >= mostCrashes) this.#fail(id, submission, error);
    }
    return this.#open.size;
  }

  /** A new process is there: what waits is sent to it in order. */
  resubmit(send: Send): void {
    for (const [id, submission] of this.#open) {
      const { options, submittedAt } = submission;
      const waitedMs = performance.now() - submittedAt;
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
    this.#close(id);
    submission.fail(error);
  }

  #closeIfOver(id: string, { choices, events }: Submission): void {
    if (choices.size > 0) return;
    this.#close(id);
    events.close();
  }

  #close(id: string): void {
    this.#open.get(id)?.detach();
    this.#open.delete(id);
  }
}
