// The requests of one engine that are not over: from `submit` over `accepted` to the last event, an abort or a crash.

import { Channel } from '../core/channel.ts';
import { fromFailure, invariant } from '../core/errors.ts';
import type { FinishCause, FromEngine, SubmitOptions, ToEngine } from './messages.ts';
import type { EngineMeter, SequenceMeter } from './meter.ts';

export type EngineEvent =
  | { readonly type: 'tokens'; readonly ids: readonly number[] }
  /** Always the last. */
  | { readonly type: 'finished'; readonly cause: FinishCause };

export interface Accepted {
  /** Prompt tokens that a prefix cache answered. */
  readonly cachedTokens: number;
  /**
   * To be read once. Throws an `ApiError` when the request failed (code `engine_crashed` when the process died), the signal's
   * reason when it was aborted. Who stops reading early has cancelled the request.
   */
  readonly events: AsyncIterable<EngineEvent>;
}

export interface OpenOptions {
  readonly signal: AbortSignal;
  /** Reaches the process that shall run it. */
  readonly send: (message: ToEngine) => void;
  /** As in `SequenceStart`. */
  readonly submittedAt: number;
}

interface Submission {
  readonly events: Channel<EngineEvent>;
  /** Once it was accepted. */
  meter: SequenceMeter | undefined;
  readonly accept: (cachedTokens: number) => void;
  /** Ends it, accepted or not. */
  readonly fail: (error: unknown) => void;
  /** The signal is heard no longer. */
  readonly detach: () => void;
}

export class Submissions {
  readonly #open = new Map<string, Submission>();
  readonly #meter: EngineMeter;

  constructor(meter: EngineMeter) {
    this.#meter = meter;
  }

  /** Those that the engine has not answered yet. */
  get unanswered(): number {
    let count = 0;
    for (const { meter } of this.#open.values()) if (meter === undefined) count++;
    return count;
  }

  /** Resolves at `accepted`; throws what it was rejected with. */
  async open(id: string, options: SubmitOptions, { signal, send, submittedAt }: OpenOptions): Promise<Accepted> {
    invariant(!this.#open.has(id), `request ${id} is submitted once`);
    return await new Promise((resolve, reject) => {
      const cancel = (): void => {
        if (this.#open.get(id) !== submission) return;
        this.#close(id);
        // Who stops reading without being aborted has all that was wanted.
        submission.meter?.ended(signal.aborted ? 'abort' : 'stop');
        send({ type: 'cancel', id });
      };
      // At most one event per token and the finish; see `tokens` below for an engine that says more.
      const events = new Channel<EngineEvent>(options.maxTokens + 1, cancel);
      const onAbort = (): void => {
        cancel();
        submission.fail(signal.reason);
      };
      const submission: Submission = {
        events,
        meter: undefined,
        accept: (cachedTokens) => {
          const { input, maxTokens } = options;
          const start = { promptTokens: input.ids.length, cachedTokens, maxTokens, submittedAt };
          submission.meter = this.#meter.sequence(start);
          resolve({ cachedTokens, events });
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
    const submission = this.#open.get(message.id);
    if (submission === undefined) return;
    const { events, accept, fail, meter } = submission;
    switch (message.type) {
      case 'accepted':
        return accept(message.cachedTokens);
      case 'tokens':
        meter?.tokens(message.ids.length, message.timing);
        if (events.push({ type: 'tokens', ids: message.ids })) return;
        this.#close(message.id);
        meter?.ended('error');
        return fail(new Error(`broken invariant: request ${message.id} got more tokens than it asked for`));
      case 'finished':
        this.#close(message.id);
        meter?.ended(message.cause === 'length' ? 'length' : 'stop', message.timing);
        events.push({ type: 'finished', cause: message.cause });
        return events.close();
      case 'rejected':
      case 'failed':
        this.#close(message.id);
        meter?.ended('error');
        return fail(fromFailure(message.error));
      default:
        message satisfies never;
    }
  }

  failAll(error: unknown): void {
    for (const [id, { fail, meter }] of this.#open) {
      this.#close(id);
      meter?.ended('error');
      fail(error);
    }
  }

  #close(id: string): void {
    this.#open.get(id)?.detach();
    this.#open.delete(id);
  }
}
