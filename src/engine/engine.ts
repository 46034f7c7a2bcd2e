// Tokens in, tokens out: schedule -> batch -> forward -> sample -> commit -> emit. No timers, no processes, no files: the message
// loop drives it, `load.ts` gives it its model.

import { blockTokens } from '../compute/backend.ts';
import { invariant, type Failure } from '../core/errors.ts';
import type { SamplingParams } from '../core/sampling.ts';
import { SamplingError } from '../sampling/sampler.ts';
import { refuse } from './admission.ts';
import { buildBatch, wantsLogits } from './batch.ts';
import { BlockPool } from './block-pool.ts';
import type { EngineStats, FinishCause, FromEngine, PromptTiming, SubmitOptions } from './messages.ts';
import type { ModelRunner } from './runner.ts';
import { Scheduler } from './scheduler.ts';
import { Sequence } from './sequence.ts';

/** Token number `index` of an answer, from logits [vocabulary] and nothing else. Throws `SamplingError` for NaN and the like. */
export type Sample = (logits: Float32Array, sampling: SamplingParams, index: number) => number;

export interface EngineOptions {
  readonly runner: ModelRunner;
  readonly sample: Sample;
  readonly emit: (message: FromEngine) => void;
  /** Positions of a sequence, prompt and answer together. */
  readonly contextLength: number;
  readonly kvBlocks: number;
  readonly maxSequences: number;
  readonly maxBatchTokens: number;
  readonly maxWaiting: number;
  /** Milliseconds, monotonic. */
  readonly now?: () => number;
}

export class Engine {
  readonly #options: EngineOptions;
  readonly #now: () => number;
  readonly #pool: BlockPool;
  readonly #scheduler: Scheduler;
  /** Those that somebody still wants; one that is cancelled during a forward pass leaves the scheduler after it. */
  readonly #sequences = new Map<string, Sequence>();
  /** Sequences whose blocks a forward pass is using right now. */
  #inFlight: ReadonlySet<Sequence> = new Set();
  #arrivals = 0;
  /** Moving average from submission to finish, for `Retry-After`. */
  #averageMs = 1000;

  constructor(options: EngineOptions) {
    invariant(options.kvBlocks * blockTokens >= options.contextLength, 'one sequence fits into the KV cache alone');
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#pool = new BlockPool(options.kvBlocks);
    this.#scheduler = new Scheduler(
      { batchTokens: options.maxBatchTokens, sequences: options.maxSequences, waiting: options.maxWaiting },
      this.#pool,
    );
  }

  /**
   * One forward pass and what follows from it; `onPass` hears the number of its tokens before it begins. Throws only when the executor is
   * broken: then the process must end.
   */
  async step(onPass: (tokens: number) => void = () => undefined): Promise<void> {
    this.#expire();
    const work = this.#scheduler.schedule();
    if (work.length === 0) return;
    const now = this.#now();
    for (const { sequence } of work) sequence.startedAt ??= now;
    onPass(work.reduce((sum, { count }) => sum + count, 0));
    this.#inFlight = new Set(work.map(({ sequence }) => sequence));
    const rows = await this.#options.runner.forward(buildBatch(work));
    this.#inFlight = new Set();
    let row = 0;
    for (const scheduled of work) {
      const { sequence, count } = scheduled;
      const logits = wantsLogits(scheduled) ? rows[row++] : undefined;
      sequence.commit(count);
      if (!this.#isWanted(sequence)) this.#scheduler.remove(sequence);
      else if (logits !== undefined) this.#advance(sequence, logits);
    }
  }

  /** Answers `accepted` or `rejected` before it returns; everything later comes from `step`. */
  submit(id: string, options: SubmitOptions): void {
    const { contextLength, emit, runner } = this.#options;
    const refusal = this.#sequences.has(id)
      ? ({ kind: 'conflict', message: `A request with the id "${id}" is running.`, code: 'duplicate_id' } as const)
      : refuse(options, { contextLength, vocabularySize: runner.vocabularySize });
    if (refusal !== undefined) return emit({ type: 'rejected', id, error: refusal });
    if (options.maxTokens === 0) {
      emit({ type: 'accepted', id, cachedTokens: 0 });
      return emit({ type: 'finished', id, cause: 'length' });
    }
    if (!this.#scheduler.hasRoom) return emit({ type: 'rejected', id, error: this.#queueFull() });
    const limit = Math.min(contextLength, options.input.ids.length + options.maxTokens);
    const now = this.#now();
    const sequence = new Sequence(id, options, { order: this.#arrivals++, at: now, limit });
    this.#sequences.set(id, sequence);
    this.#scheduler.add(sequence);
    emit({ type: 'accepted', id, cachedTokens: 0 });
  }

  /** Nothing more is said of this id. Its blocks are free at once, or after the pass that is using them. */
  cancel(id: string): void {
    const sequence = this.#sequences.get(id);
    if (sequence !== undefined) this.#drop(sequence);
  }

  get isIdle(): boolean {
    return this.#scheduler.running + this.#scheduler.waiting === 0;
  }

  get stats(): EngineStats {
    const { running, waiting, preemptions } = this.#scheduler;
    return { running, waiting, blocksUsed: this.#pool.used, blocksTotal: this.#pool.total, preemptions };
  }

  #advance(sequence: Sequence, logits: Float32Array): void {
    const { id, options } = sequence;
    const token = this.#choose(sequence, logits);
    if (token === undefined) return this.#fail(sequence, unusableLogits);
    const timing = sequence.generated === 0 ? this.#timing(sequence) : undefined;
    if (options.stopIds.includes(token)) return this.#finish(sequence, 'stop_id', timing);
    sequence.append(token);
    this.#options.emit({ type: 'tokens', id, ids: [token], ...(timing !== undefined && { timing }) });
    if (sequence.isFull) this.#finish(sequence, 'length');
  }

  /** `undefined`: the logits name no distribution, which is the end of this request and of no other. */
  #choose({ options, generated }: Sequence, logits: Float32Array): number | undefined {
    try {
      return this.#options.sample(logits, options.sampling, generated);
    } catch (error) {
      if (error instanceof SamplingError) return undefined;
      throw error;
    }
  }

  #finish(sequence: Sequence, cause: FinishCause, timing?: PromptTiming): void {
    this.#averageMs += 0.2 * (this.#now() - sequence.arrivedAt - this.#averageMs);
    this.#drop(sequence);
    this.#options.emit({ type: 'finished', id: sequence.id, cause, ...(timing !== undefined && { timing }) });
  }

  #timing({ arrivedAt, startedAt = arrivedAt }: Sequence): PromptTiming {
    return { queueMs: startedAt - arrivedAt, prefillMs: this.#now() - startedAt };
  }

  #fail(sequence: Sequence, error: Failure): void {
    this.#drop(sequence);
    this.#options.emit({ type: 'failed', id: sequence.id, error });
  }

  #drop(sequence: Sequence): void {
    this.#sequences.delete(sequence.id);
    if (!this.#inFlight.has(sequence)) this.#scheduler.remove(sequence);
  }

  /** An id may have been cancelled and given to another sequence during one pass. */
  #isWanted(sequence: Sequence): boolean {
    return this.#sequences.get(sequence.id) === sequence;
  }

  #expire(): void {
    const now = this.#now();
    for (const sequence of this.#sequences.values()) {
      if (sequence.arrivedAt + (sequence.options.deadlineMs ?? Infinity) <= now)
        this.#fail(sequence, deadlineExceeded(sequence));
    }
  }

  /** A place becomes free every (time in the house / requests in the house): Little's law. */
  #queueFull(): Failure {
    const { running, waiting } = this.#scheduler;
    const seconds = Math.ceil(this.#averageMs / 1000 / (running + waiting));
    return {
      kind: 'rate_limit',
      message: `The model is busy: ${running} requests are running and ${waiting} are waiting. Repeat the request later.`,
      code: 'queue_full',
      retryAfterSeconds: Math.min(60, Math.max(1, seconds)),
    };
  }
}

const unusableLogits: Failure = {
  kind: 'internal',
  message: 'The model computed values that are not numbers for this request; it was stopped.',
  code: 'invalid_logits',
};

function deadlineExceeded({ generated, options }: Sequence): Failure {
  return {
    kind: 'timeout',
    message: `The request had ${options.deadlineMs} ms and ran out of them after ${generated} tokens.`,
    code: 'deadline_exceeded',
  };
}
