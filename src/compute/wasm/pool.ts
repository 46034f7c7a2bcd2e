// The compute threads: started once, asleep between runs, ended by `close`. Only this file, worker.ts and the kernels touch Atomics.

import { SHARE_ENV, Worker } from 'node:worker_threads';
import { invariant } from '../../core/errors.ts';
import { control } from './arena.ts';
import type { LoadJob } from './load.ts';
import type { Transfer } from './program.ts';
import type { Link } from './records.ts';

/** A segment with its records already in the arena's memory. */
export interface PlacedSegment {
  readonly arena: number;
  readonly transfers: readonly Transfer[];
  readonly records: number;
  readonly count: number;
  /** Number of its first record in the whole program. */
  readonly first: number;
  /** What follows each record. */
  readonly links: readonly Link[];
}

export interface WorkerSetup {
  readonly module: WebAssembly.Module;
  readonly memories: readonly WebAssembly.Memory[];
  readonly thread: number;
  readonly threads: number;
  readonly segments: readonly PlacedSegment[];
  readonly header: number;
  /** Each thread's own bytes. */
  readonly scratch: number;
  readonly scratchBytes: number;
  readonly staging: number;
  readonly stagingBytes: number;
  /** Where threads note their times: [threads][records][2] f64, ms of work and ms of waiting for the others. */
  readonly times?: SharedArrayBuffer;
}

export type ToWorker = { readonly type: 'load'; readonly jobs: readonly LoadJob[] } | { readonly type: 'compute' };
export type FromWorker =
  { readonly type: 'ready' } | { readonly type: 'loaded' } | { readonly type: 'failed'; readonly message: string };

/** How often the main thread looks at the progress of loading. */
const progressMs = 50;

export class ThreadPool {
  readonly #workers: readonly Worker[];
  readonly #words: Int32Array;
  #run = 0;
  #failure: Error | undefined;
  #fail: ((error: Error) => void) | undefined;
  #closing = false;

  constructor(setup: Omit<WorkerSetup, 'thread'>) {
    this.#words = new Int32Array(setup.memories[0].buffer, 0, 1024);
    this.#workers = Array.from({ length: setup.threads }, (_, thread) => {
      const workerData: WorkerSetup = { ...setup, thread };
      const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData, execArgv: [], env: SHARE_ENV });
      worker.on('error', (error: Error) => this.#failed(error));
      worker.on('exit', (code) => {
        if (!this.#closing) this.#failed(new Error(`a compute thread ended with code ${code}`));
      });
      return worker;
    });
  }

  /** Reads and packs all weights, shared out among the threads; `progress` counts bytes. */
  async load(jobs: readonly LoadJob[], total: number, progress: (done: number, total: number) => void): Promise<void> {
    const report = (): void =>
      progress(Math.min(total, Atomics.load(this.#words, control.loadedKib / 4) * 1024), total);
    const timer = setInterval(report, progressMs);
    try {
      await this.#ask({ type: 'load', jobs }, 'loaded');
      progress(total, total);
    } finally {
      clearInterval(timer);
    }
    for (const worker of this.#workers) worker.postMessage({ type: 'compute' } satisfies ToWorker);
  }

  /** Runs the program once over the batch header that lies in the arenas. */
  async run(): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure;
    const done = control.done / 4;
    const run = ++this.#run;
    Atomics.store(this.#words, control.go / 4, run);
    Atomics.notify(this.#words, control.go / 4);
    for (;;) {
      const seen = Atomics.load(this.#words, done);
      if (seen === run) return;
      const waiting = Atomics.waitAsync(this.#words, done, seen);
      if (!waiting.async) continue;
      await Promise.race([waiting.value, this.#broken()]);
    }
  }

  async close(): Promise<void> {
    this.#closing = true;
    await Promise.all(this.#workers.map((worker) => worker.terminate()));
  }

  /** Sends to every worker and waits for the same answer of all. */
  async #ask(message: ToWorker, answer: FromWorker['type']): Promise<void> {
    const answers = this.#workers.map(
      (worker) =>
        new Promise<void>((resolve, reject) => {
          worker.once('message', (received: FromWorker) => {
            if (received.type === 'failed') reject(new Error(received.message));
            else {
              invariant(received.type === answer, `a worker answers ${answer}`);
              resolve();
            }
          });
          worker.postMessage(message);
        }),
    );
    await Promise.race([Promise.all(answers), this.#broken()]);
  }

  /** Rejects when a thread dies; never resolves. */
  #broken(): Promise<never> {
    return new Promise((_, reject) => {
      if (this.#failure === undefined) this.#fail = reject;
      else reject(this.#failure);
    });
  }

  #failed(error: Error): void {
    this.#failure ??= error;
    this.#fail?.(this.#failure);
  }
}
