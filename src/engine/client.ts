// The server's handle on one engine process: starts it, submits to it, hears of its death, starts it again, ends it.
//
//   stopped --start--> loading --loaded--> ready --crash--> restarting --loaded--> ready
//                         '--unloadable, crash--> failed <--attempts used up--'      any --shutdown--> stopped

import { ApiError, invariant } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { startEngineProcess, type EngineProcess } from './engine-process.ts';
import type { EngineStats, FromEngine, LoadedModel, LoadOptions, SubmitOptions } from './messages.ts';
import { noMeter, type EngineMeter } from './meter.ts';
import { Submissions, type Accepted } from './submissions.ts';
import { Watchdog } from './watchdog.ts';

export type { Accepted, EngineEvent } from './submissions.ts';

export type EngineState = 'loading' | 'ready' | 'restarting' | 'failed' | 'stopped';

export type EngineProgress = Extract<FromEngine, { type: 'progress' }>;

export interface RestartPolicy {
  /** Attempts before the engine is given up; counted anew once it was ready for `stableMs`. */
  readonly attempts: number;
  /** Before the second attempt, doubled for each further one up to `longestDelayMs`; the first comes at once. */
  readonly delayMs: number;
  readonly longestDelayMs: number;
  readonly stableMs: number;
  /** How long submissions wait for a restart that is under way: new ones, and those that a crash found waiting. */
  readonly patienceMs: number;
  /** An engine that ends no forward pass for so long, though it has something to do, is killed and started again; 0: never. */
  readonly stuckMs: number;
}

export interface EngineClientOptions {
  /** Path of the file the process runs: the built `engine/host.js`. */
  readonly entry: string;
  readonly log: Log;
  readonly execArgv?: readonly string[] | undefined;
  readonly restart?: Partial<RestartPolicy> | undefined;
  readonly onProgress?: ((progress: EngineProgress) => void) | undefined;
  readonly onState?: ((state: EngineState) => void) | undefined;
  readonly onStats?: ((stats: EngineStats) => void) | undefined;
  readonly meter?: EngineMeter | undefined;
}

/** The engine looked at the model and will not run it; the message is for the operator, perhaps of several lines. */
export class UnloadableError extends Error {
  override readonly name = 'UnloadableError';
  /** `insufficient_memory`, or another `ApiError` code. */
  readonly code: string | undefined;
  constructor(message: string, code: string | undefined) {
    super(message);
    this.code = code;
  }
}

export interface EngineClient {
  readonly state: EngineState;
  /** What is loaded, or was before a crash. */
  readonly model: LoadedModel | undefined;
  /** As the process last told them; zeros while there is none. */
  readonly stats: EngineStats;
  /** Requests that were submitted and are not in the engine's stats yet. */
  readonly unanswered: number;
  /** Successful restarts. */
  readonly restarts: number;
  readonly pid: number | undefined;
  /**
   * Resolves when the model is loaded; rejects with a message for the operator. `execPath`: another Node for the engine than the
   * server's. If the process ends there before it says anything, the server's own is taken, with a warning.
   */
  start(options: LoadOptions, execPath?: string): Promise<LoadedModel>;
  /**
   * Resolves when the engine has accepted the request. Throws `ApiError`: what the engine rejected it with, or `unavailable`
   * while there is no engine. `id` must not be in use.
   */
  submit(id: string, options: SubmitOptions, signal: AbortSignal): Promise<Accepted>;
  /** Lets running requests finish for `graceMs`, then kills the process. Resolves when it is gone. */
  shutdown(graceMs: number): Promise<void>;
}

const defaultRestart: RestartPolicy = {
  attempts: 5,
  delayMs: 500,
  longestDelayMs: 30_000,
  stableMs: 60_000,
  patienceMs: 5_000,
  stuckMs: 120_000,
};

const noStats: EngineStats = {
  running: 0,
  waiting: 0,
  blocksUsed: 0,
  blocksTotal: 0,
  prefixQueries: 0,
  prefixHits: 0,
  prefixDiskQueries: 0,
  prefixDiskHits: 0,
  preemptions: 0,
  drafts: 0,
  draftedTokens: 0,
  acceptedTokens: 0,
};

export function createEngineClient(options: EngineClientOptions): EngineClient {
  return new Client(options);
}

class Client implements EngineClient {
  readonly #options: EngineClientOptions;
  readonly #restart: RestartPolicy;
  readonly #meter: EngineMeter;
  readonly #submissions: Submissions;
  #state: EngineState = 'stopped';
  #load: LoadOptions | undefined;
  #execPath: string | undefined;
  #process: EngineProcess | undefined;
  #model: LoadedModel | undefined;
  #stats = noStats;
  #restarts = 0;
  #attempts = 0;
  #readyAt = 0;
  /** Submissions that wait for a restart. */
  #patient = 0;
  #watchdog: Watchdog | undefined;
  readonly #watchers = new Set<() => void>();

  constructor(options: EngineClientOptions) {
    this.#options = options;
    this.#restart = { ...defaultRestart, ...options.restart };
    this.#meter = options.meter ?? noMeter;
    this.#submissions = new Submissions(this.#meter);
  }

  get state(): EngineState {
    return this.#state;
  }

  get model(): LoadedModel | undefined {
    return this.#model;
  }

  get stats(): EngineStats {
    return this.#stats;
  }

  get unanswered(): number {
    return this.#submissions.uncounted + this.#patient;
  }

  get restarts(): number {
    return this.#restarts;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  async start(options: LoadOptions, execPath?: string): Promise<LoadedModel> {
    invariant(this.#load === undefined, 'an engine client is started once');
    this.#load = options;
    this.#execPath = execPath;
    this.#enter('loading');
    try {
      return await this.#launchFirst(options);
    } catch (error) {
      if (this.state === 'loading') this.#enter('failed');
      throw error;
    }
  }

  async submit(id: string, options: SubmitOptions, signal: AbortSignal): Promise<Accepted> {
    signal.throwIfAborted();
    const submittedAt = performance.now();
    if (this.#state === 'restarting') await this.#restarted(options.deadlineMs, signal);
    const engine = this.#process;
    if (this.state !== 'ready') throw unavailable[this.state]();
    invariant(engine !== undefined, 'a ready engine has a process');
    const waitedMs = performance.now() - submittedAt;
    const deadlineMs = options.deadlineMs === undefined ? undefined : Math.max(1, options.deadlineMs - waitedMs);
    return await this.#submissions.open(id, { ...options, deadlineMs }, { signal, send: engine.send, submittedAt });
  }

  async shutdown(graceMs: number): Promise<void> {
    const engine = this.#process;
    this.#enter('stopped');
    if (engine === undefined) return;
    engine.send({ type: 'shutdown' });
    const timer = setTimeout(() => engine.kill(), graceMs);
    while (this.#process === engine) await this.#change();
    clearTimeout(timer);
  }

  /** On the Node that was asked for, or on the server's own if nothing starts there. Restarts stay with what was found. */
  async #launchFirst(options: LoadOptions): Promise<LoadedModel> {
    try {
      return await this.#launch(options);
    } catch (error) {
      const path = this.#execPath;
      const isForeign = path !== undefined && path !== process.execPath;
      if (!(error instanceof StillbornError) || !isForeign || this.state !== 'loading') throw error;
      const warning = `the engine does not start on ${path}, so it runs on Node ${process.versions.node}`;
      this.#options.log.warn(warning, { reason: error.message });
      this.#execPath = undefined;
      return await this.#launch(options);
    }
  }

  /** One process, until it has loaded the model, or is gone again. */
  async #launch(options: LoadOptions): Promise<LoadedModel> {
    const { entry, log, execArgv } = this.#options;
    return await new Promise((resolve, reject) => {
      let refusal: UnloadableError | undefined;
      let isHeard = false;
      const engine = startEngineProcess({
        entry,
        log,
        execPath: this.#execPath,
        execArgv,
        onMessage: (message) => {
          isHeard = true;
          if (message.type === 'loaded') {
            this.#onLoaded(message.model);
            resolve(message.model);
          } else if (message.type === 'unloadable') {
            refusal = new UnloadableError(message.message, message.code);
            engine.kill();
          } else this.#receive(message);
        },
        onGone: (reason) => {
          // Does nothing once the model was loaded.
          const kind = isHeard ? Error : StillbornError;
          reject(refusal ?? new kind(`The engine process died while it loaded the model: ${reason}.`));
          this.#onGone(reason);
        },
      });
      this.#process = engine;
      engine.send({ type: 'load', options });
    });
  }

  #onLoaded(model: LoadedModel): void {
    if (this.#state === 'restarting') this.#restarts++;
    if (this.#state === 'stopped') return;
    const engine = this.#process;
    invariant(engine !== undefined, 'a loaded engine has a process');
    this.#model = model;
    this.#readyAt = performance.now();
    this.#watchdog = this.#watch(engine);
    // Those that were there before the crash go before those that came since.
    this.#submissions.resubmit(engine.send);
    this.#enter('ready');
  }

  #watch(engine: EngineProcess): Watchdog | undefined {
    const { stuckMs: ms } = this.#restart;
    if (ms === 0) return undefined;
    const isExpected = (): boolean => this.#submissions.size > 0;
    const onStuck = (): void => {
      this.#options.log.error('the engine is stuck and will be started again', { enginePid: engine.pid, stuckMs: ms });
      engine.kill();
    };
    return new Watchdog({ ms, isExpected, onStuck });
  }

  #onGone(reason: string): void {
    this.#process = undefined;
    this.#watchdog?.stop();
    this.#tell(noStats);
    if (this.#state === 'stopped') this.#submissions.failAll(unavailable.stopped());
    if (this.#state === 'ready') {
      this.#options.log.error('the engine process is gone', { reason });
      const waiting = this.#submissions.crash(unavailable.crashed());
      void this.#revive();
      if (waiting > 0) void this.#keepWaiting();
    } else this.#notify();
  }

  /** Those that a crash found waiting are told when no new process is there in time. */
  async #keepWaiting(): Promise<void> {
    await this.#whileRestarting(this.#restart.patienceMs);
    if (this.#state !== 'ready') this.#submissions.failAll(unavailable[this.#state]());
  }

  async #revive(): Promise<void> {
    const { attempts, delayMs, longestDelayMs, stableMs } = this.#restart;
    const { log } = this.#options;
    invariant(this.#load !== undefined, 'what was started can be started again');
    if (performance.now() - this.#readyAt >= stableMs) this.#attempts = 0;
    this.#enter('restarting');
    while (this.#attempts < attempts) {
      const attempt = ++this.#attempts;
      if (attempt > 1) await this.#change(Math.min(longestDelayMs, delayMs * 2 ** (attempt - 2)));
      // Shut down meanwhile.
      if (this.state !== 'restarting') return;
      try {
        await this.#launch(this.#load);
        log.info('the engine runs again', { attempt });
        return;
      } catch (error) {
        if (this.state !== 'restarting') return;
        log.error('the engine could not be started again', { attempt, attempts, error });
      }
    }
    if (this.state === 'restarting') this.#enter('failed');
  }

  #receive(message: FromEngine): void {
    if (message.type === 'progress') this.#options.onProgress?.(message);
    else if (message.type === 'stats') {
      if (message.passes.length > 0) this.#watchdog?.heard();
      this.#submissions.countAnswered();
      this.#tell(message.stats);
      for (const tokens of message.passes) this.#meter.pass(tokens);
    } else if ('id' in message) this.#submissions.receive(message);
  }

  #enter(state: EngineState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#options.onState?.(state);
    this.#notify();
  }

  /** A restart usually takes less than a client's patience. Bounded like the engine's own queue. */
  async #restarted(deadlineMs: number | undefined, signal: AbortSignal): Promise<void> {
    invariant(this.#load !== undefined, 'only what was started is restarted');
    if (this.#patient >= this.#load.maxWaiting) return;
    this.#patient++;
    try {
      await this.#whileRestarting(Math.min(this.#restart.patienceMs, deadlineMs ?? Infinity), signal);
    } finally {
      this.#patient--;
    }
  }

  /** Until the state is another one, or for so long. Throws the reason of the signal. */
  async #whileRestarting(ms: number, signal?: AbortSignal): Promise<void> {
    const until = performance.now() + ms;
    while (this.#state === 'restarting' && performance.now() < until) {
      await this.#change(until - performance.now(), signal);
      signal?.throwIfAborted();
    }
  }

  /** Resolves at the next change of state or of the process, after `ms`, or when the signal fires. */
  #change(ms?: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', wake);
        this.#watchers.delete(wake);
        resolve();
      };
      const timer = ms === undefined ? undefined : setTimeout(wake, ms);
      signal?.addEventListener('abort', wake, { once: true });
      this.#watchers.add(wake);
    });
  }

  #tell(stats: EngineStats): void {
    this.#stats = stats;
    this.#meter.stats(stats);
    this.#options.onStats?.(stats);
  }

  #notify(): void {
    for (const wake of this.#watchers) wake();
  }
}

/** The process ended before it said anything: not the model, but what runs the process is at fault. */
class StillbornError extends Error {}

/** Why there is no engine for a request, by state. */
const unavailable = {
  loading: () => refusal('The model is still being loaded.', 'model_loading', 2),
  restarting: () => refusal('The engine is being restarted.', 'engine_restarting', 2),
  failed: () => refusal('The engine of this model does not run; see the log of the server.', 'engine_failed', 60),
  stopped: () => refusal('The engine of this model is stopped.', 'engine_stopped', 5),
  crashed: () =>
    refusal('The engine stopped while it worked on this request. Repeat the request.', 'engine_crashed', 1),
} as const;

function refusal(message: string, code: string, retryAfterSeconds: number): ApiError {
  return new ApiError('unavailable', message, { code, retryAfterSeconds });
}
