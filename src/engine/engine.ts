// Tokens in, tokens out: schedule -> batch -> forward -> sample -> commit -> emit. No timers, no processes, no files: the message
// loop drives it, `load.ts` gives it its model.

import { blockTokens } from '../compute/backend.ts';
import { invariant, type Failure } from '../core/errors.ts';
import { SamplingError, type Sampled, type Sampler, type TokenSource } from '../sampling/sampler.ts';
import { refuse } from './admission.ts';
import { buildBatch, outputsOf, tokensOf } from './batch.ts';
import { BlockPool } from './block-pool.ts';
import { Restorer, type BlockArchive } from './disk/restorer.ts';
import type { EngineStats, FinishCause, FromEngine, PromptTiming, SubmitOptions, TokenScore } from './messages.ts';
import { Pace, type PromptPace } from './pace.ts';
import type { Chunk } from './pass-time.ts';
import { PrefixCache, PrefixKeys, rootKey } from './prefix-cache.ts';
import type { ModelRunner } from './runner.ts';
import { Scheduler, type Scheduled } from './scheduler.ts';
import { Sequence, type KvStore } from './sequence.ts';
import type { Speculation } from './speculation/speculation.ts';

export interface EngineOptions {
  readonly runner: ModelRunner;
  readonly sampler: Sampler;
  readonly emit: (message: FromEngine) => void;
  /** Positions of a sequence, prompt and answer together. */
  readonly contextLength: number;
  readonly kvBlocks: number;
  readonly maxSequences: number;
  readonly maxBatchTokens: number;
  /** Rows of logits of one pass; left out: one for each sequence. */
  readonly maxOutputs?: number | undefined;
  readonly maxWaiting: number;
  /** Whether blocks are remembered for later prompts; the salt names what decides their bits besides the text. `undefined`: they are not. */
  readonly prefixCache?: { readonly salt: string; readonly disk?: BlockArchive | undefined } | undefined;
  /** As `LoadOptions.stampsTokens`. */
  readonly stampsTokens?: boolean | undefined;
  /** Milliseconds, monotonic. */
  readonly now?: () => number;
  /** Decides how long prompts may make a pass; left out: by the clock. */
  readonly pace?: PromptPace;
  /** Guesses that passes test beside their work; left out: none. */
  readonly speculation?: Speculation | undefined;
}

/** A submission that is not over. */
interface Request {
  readonly options: SubmitOptions;
  readonly arrivedAt: number;
  /** Its choices that are not over; one until the prompt is computed and forked. */
  readonly sequences: Set<Sequence>;
}

export class Engine {
  readonly #options: EngineOptions;
  readonly #now: () => number;
  readonly #store: KvStore;
  readonly #restorer: Restorer | undefined;
  readonly #scheduler: Scheduler;
  readonly #pace: PromptPace;
  /** Those that somebody still wants; a sequence that is cancelled during a forward pass leaves the scheduler after it. */
  readonly #requests = new Map<string, Request>();
  /** Sequences whose blocks a forward pass is using right now. */
  #inFlight: ReadonlySet<Sequence> = new Set();
  #arrivals = 0;
  /** Moving average from submission to finish, for `Retry-After`. */
  #averageMs = 1000;
  readonly #counts = {
    prefixQueries: 0,
    prefixHits: 0,
    prefixDiskQueries: 0,
    prefixDiskHits: 0,
    drafts: 0,
    draftedTokens: 0,
    acceptedTokens: 0,
  };

  constructor(options: EngineOptions) {
    invariant(options.kvBlocks * blockTokens >= options.contextLength, 'one sequence fits into the KV cache alone');
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#pace = options.pace ?? new Pace();
    const pool = new BlockPool(options.kvBlocks, (block) => cache?.forget(block));
    const { prefixCache } = options;
    const onKeep = (key: string, block: number): void => this.#restorer?.keep(key, block);
    const cache = prefixCache === undefined ? undefined : new PrefixCache(pool, onKeep);
    const memory: KvStore = { pool, blocks: options.runner.blocks, cache, lower: undefined };
    this.#restorer = prefixCache?.disk === undefined ? undefined : new Restorer(prefixCache.disk, memory, this.#now);
    this.#store = { ...memory, lower: this.#restorer };
    const { maxBatchTokens: batchTokens, maxSequences: sequences, maxWaiting: waiting, speculation } = options;
    const outputs = options.maxOutputs ?? sequences;
    this.#scheduler = new Scheduler({ batchTokens, outputs, sequences, waiting }, this.#store, speculation);
  }

  /**
   * One forward pass and what follows from it; `onPass` hears the number of its tokens before it begins. Throws only when the executor is
   * broken: then the process must end.
   */
  async step(onPass: (tokens: number) => void = () => undefined): Promise<void> {
    this.#expire();
    const work = this.#scheduler.schedule((decoding) =>
      this.#pace.budget(decoding.map(({ computed }) => ({ depth: computed, count: 1 }))),
    );
    if (work.length === 0) return this.isIdle ? undefined : await this.#restorer?.progress();
    for (const { sequence } of work) this.#begin(sequence);
    onPass(work.reduce((sum, scheduled) => sum + tokensOf(scheduled), 0));
    const outputs = work.map(outputsOf);
    const rows = await this.#forward(work);
    let row = 0;
    for (const [i, { sequence, count }] of work.entries()) {
      const scored = rows.slice(row, (row += outputs[i].scores));
      const next = rows.slice(row, (row += outputs[i].next));
      // It ended with another choice of its request.
      if (sequence.status === 'done') continue;
      const { at } = sequence.scoring(count);
      sequence.commit(count, this.#store);
      if (!this.#isWanted(sequence)) this.#scheduler.remove(sequence);
      else if (this.#tellScores(sequence, at, scored)) this.#advance(sequence, next);
    }
  }

  /** Answers `accepted` or `rejected` before it returns; everything later comes from `step`. */
  submit(id: string, options: SubmitOptions): void {
    const { contextLength, emit, runner, maxSequences, prefixCache } = this.#options;
    const limits = { contextLength, vocabularySize: runner.vocabularySize, maxSequences };
    const refusal = this.#requests.has(id)
      ? ({ kind: 'conflict', message: `A request with the id "${id}" is running.`, code: 'duplicate_id' } as const)
      : refuse(options, limits);
    if (refusal !== undefined) return emit({ type: 'rejected', id, error: refusal });
    const { choices = 1, maxTokens, input, tenant, adapter } = options;
    // Nothing to compute, unless the prompt itself is what is asked about.
    if (maxTokens === 0 && (options.promptLogprobs !== true || input.ids.length === 1)) {
      emit({ type: 'accepted', id, cachedTokens: 0 });
      for (let choice = 0; choice < choices; choice++) emit({ type: 'finished', id, choice, cause: 'length' });
      return;
    }
    if (!this.#scheduler.hasRoom(choices, tenant)) return emit({ type: 'rejected', id, error: this.#queueFull() });
    const at = this.#now();
    const sequence = new Sequence(id, options, {
      order: this.#arrivals++,
      at,
      limit: Math.min(contextLength, input.ids.length + maxTokens),
      keys: new PrefixKeys([rootKey({ salt: prefixCache?.salt ?? '', tenant, adapter })], input.spans),
    });
    this.#requests.set(id, { options, arrivedAt: at, sequences: new Set([sequence]) });
    this.#scheduler.add(sequence);
    emit({ type: 'accepted', id, cachedTokens: sequence.cachedNow(this.#store) });
  }

  /** Nothing more is said of this id, or of one of its choices. Its blocks are free at once, or after the pass that is using them. */
  cancel(id: string, choice?: number): void {
    const request = this.#requests.get(id);
    for (const sequence of request?.sequences ?? []) {
      // Nobody can have seen anything of a choice that is not forked yet.
      if (choice === undefined || (sequence.choice === choice && sequence.unforked === 0)) this.#drop(sequence);
    }
  }

  get isIdle(): boolean {
    return this.#scheduler.running + this.#scheduler.waiting === 0;
  }

  get stats(): EngineStats {
    const { running, waiting, preemptions } = this.#scheduler;
    const { used, total } = this.#store.pool;
    return { running, waiting, blocksUsed: used, blocksTotal: total, ...this.#counts, preemptions };
  }

  #begin(sequence: Sequence): void {
    if (!sequence.begin(this.#now())) return;
    const { id, promptTokens, cachedTokens = 0, filledTokens } = sequence;
    const found = cachedTokens - filledTokens;
    if (this.#store.cache !== undefined) {
      this.#counts.prefixQueries += promptTokens;
      this.#counts.prefixHits += found;
    }
    if (this.#restorer !== undefined) {
      this.#counts.prefixDiskQueries += promptTokens - found;
      this.#counts.prefixDiskHits += filledTokens;
    }
    this.#options.emit({ type: 'begun', id, cachedTokens });
  }

  async #forward(work: readonly Scheduled[]): Promise<readonly Float32Array[]> {
    this.#inFlight = new Set(work.map(({ sequence }) => sequence));
    const decoding: Chunk[] = [];
    const prompts: Chunk[] = [];
    for (const { sequence, count } of work) {
      (count === 1 && sequence.generated > 0 ? decoding : prompts).push({ depth: sequence.computed, count });
    }
    const batch = buildBatch(work);
    const from = this.#now();
    const rows = await this.#options.runner.forward(batch);
    const ms = this.#now() - from;
    // A pass with guesses lasts longer and writes more: streams beside a prompt are to compare with those that get one token per pass.
    if (work.every(({ sequence }) => sequence.guesses === 0)) this.#pace.learn({ ms, decoding, prompts });
    if (prompts.length === 0) this.#options.speculation?.learn(batch.ids.length, ms);
    this.#inFlight = new Set();
    return rows;
  }

  /** What the model makes of its prompt, from the id at index `at` on. `false`: the logits name no distribution, and the request has ended. */
  #tellScores(sequence: Sequence, at: number, rows: readonly Float32Array[]): boolean {
    if (rows.length === 0) return true;
    const { id, options, known } = sequence;
    const { sampler, emit } = this.#options;
    try {
      const scores = rows.map((logits, i) => sampler.score(logits, known[at + i], options.logprobs ?? 0));
      sequence.told(rows.length);
      emit({ type: 'prompt', id, at, scores });
      return true;
    } catch (error) {
      if (!(error instanceof SamplingError)) throw error;
      this.#fail(id, unusableLogits);
      return false;
    }
  }

  /** `rows`: logits of its last known id, then of each guess; those after a wrong guess belong to another text. */
  #advance(sequence: Sequence, rows: readonly Float32Array[]): void {
    if (rows.length > 0 && sequence.isFull) return this.#finishAll(sequence);
    const { guesses } = sequence;
    let accepted = 0;
    for (const logits of rows) {
      const isGuessed = this.#continue(sequence, logits);
      if (isGuessed) accepted++;
      if (!isGuessed || !this.#isWanted(sequence)) break;
      sequence.commit(1, this.#store);
    }
    if (guesses === 0) return;
    if (this.#isWanted(sequence)) sequence.rollback(sequence.computed, this.#store.pool);
    this.#counts.drafts++;
    this.#counts.draftedTokens += guesses;
    this.#counts.acceptedTokens += accepted;
  }

  /** The logits say which token comes next; those of a prompt say it for all choices. Whether it was guessed. */
  #continue(sequence: Sequence, logits: Float32Array): boolean {
    const { id, choice, unforked } = sequence;
    const choices = [choice, ...Array.from({ length: unforked }, (_, i) => i + 1)];
    const sources = choices.map((each) => (each === choice && sequence.source) || this.#begins(sequence, each));
    sequence.source = sources[0];
    const tokens = this.#choose(sources, logits);
    if (tokens === undefined) {
      this.#fail(id, unusableLogits);
      return false;
    }
    for (const [i, source] of sources.entries()) source.push(tokens[i].id);
    // Forked before anything ends: a parent that ends gives its blocks back.
    const forks = choices.slice(1).map((each, i) => sequence.fork(each, tokens[i + 1].id, this.#store));
    for (const [i, fork] of forks.entries()) {
      fork.source = sources[i + 1];
      this.#requests.get(id)?.sequences.add(fork);
      this.#scheduler.addFork(fork);
    }
    const isGuessed = sequence.append(tokens[0].id);
    for (const [i, each] of [sequence, ...forks].entries()) this.#deliver(each, tokens[i]);
    return isGuessed;
  }

  /** The token is the sequence's last one. */
  #deliver(sequence: Sequence, { id: token, score }: Sampled): void {
    const { id, choice, options } = sequence;
    const timing = choice === 0 && sequence.generated === 1 ? this.#timing(sequence) : undefined;
    if (options.stopIds.includes(token)) return this.#finish(sequence, 'stop_id', { timing, score });
    const sampledAt = this.#options.stampsTokens === true ? process.hrtime.bigint() : undefined;
    this.#options.emit({
      type: 'tokens',
      id,
      choice,
      ids: [token],
      ...(score !== undefined && { scores: [score] }),
      ...(timing !== undefined && { timing }),
      ...(sampledAt !== undefined && { sampledAt }),
    });
    if (sequence.isFull) this.#finish(sequence, 'length');
  }

  #begins({ options, promptTokens, known }: Sequence, choice: number): TokenSource {
    const { sampling, logprobs } = options;
    return this.#options.sampler.begin({ sampling, logprobs, prompt: known.subarray(0, promptTokens), choice });
  }

  /** `undefined`: the logits name no distribution, which is the end of this request and of no other. */
  #choose(sources: readonly TokenSource[], logits: Float32Array): Sampled[] | undefined {
    try {
      return sources.map((source) => source.next(logits));
    } catch (error) {
      if (error instanceof SamplingError) return undefined;
      throw error;
    }
  }

  #finish(sequence: Sequence, cause: FinishCause, { timing, score }: LastWords = {}): void {
    const { id, choice, start } = sequence;
    this.#averageMs += 0.2 * (this.#now() - start.at - this.#averageMs);
    this.#drop(sequence);
    this.#options.emit({
      type: 'finished',
      id,
      choice,
      cause,
      ...(score !== undefined && { score }),
      ...(timing !== undefined && { timing }),
    });
  }

  /** A prompt of which nothing but its scores was asked. */
  #finishAll(sequence: Sequence): void {
    const { id, unforked } = sequence;
    this.#finish(sequence, 'length');
    for (let choice = 1; choice <= unforked; choice++) {
      this.#options.emit({ type: 'finished', id, choice, cause: 'length' });
    }
  }

  #timing({ start, startedAt = start.at }: Sequence): PromptTiming {
    return { queueMs: startedAt - start.at, prefillMs: this.#now() - startedAt };
  }

  #fail(id: string, error: Failure): void {
    for (const sequence of this.#requests.get(id)?.sequences ?? []) this.#drop(sequence);
    this.#options.emit({ type: 'failed', id, error });
  }

  #drop(sequence: Sequence): void {
    const sequences = this.#requests.get(sequence.id)?.sequences;
    sequences?.delete(sequence);
    if (sequences?.size === 0) this.#requests.delete(sequence.id);
    if (!this.#inFlight.has(sequence)) this.#scheduler.remove(sequence);
  }

  /** An id may have been cancelled and given to another request during one pass. */
  #isWanted(sequence: Sequence): boolean {
    return this.#requests.get(sequence.id)?.sequences.has(sequence) === true;
  }

  #expire(): void {
    const now = this.#now();
    for (const [id, request] of this.#requests) {
      if (request.arrivedAt + (request.options.deadlineMs ?? Infinity) <= now)
        this.#fail(id, deadlineExceeded(request));
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

interface LastWords {
  readonly timing?: PromptTiming | undefined;
  readonly score?: TokenScore | undefined;
}

const unusableLogits: Failure = {
  kind: 'internal',
  message: 'The model computed values that are not numbers for this request; it was stopped.',
  code: 'invalid_logits',
};

function deadlineExceeded({ options, sequences }: Request): Failure {
  const generated = [...sequences].reduce((sum, sequence) => sum + sequence.generated, 0);
  return {
    kind: 'timeout',
    message: `The request had ${options.deadlineMs} ms and ran out of them after ${generated} tokens.`,
    code: 'deadline_exceeded',
  };
}
