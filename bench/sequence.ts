// One sequence on the engine's arithmetic alone, without server and sampling: what `engine` and `profile` measure.

import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { blockTokens, kvCacheTypes, type Batch, type KvCacheType } from '../src/compute/backend.ts';
import { createWasmBackend, type WasmExecutor } from '../src/compute/wasm/backend.ts';
import { silentLog } from '../src/core/log.ts';
import { bundledNode } from '../src/engine/bundled-runtime.ts';
import type { KernelsBuild } from '../src/engine/messages.ts';
import { Runtimes } from '../src/engine/runtime.ts';
import { buildModel } from '../src/model/model.ts';
import { openCheckpoint } from '../src/weights/gguf.ts';
import { UsageError, type Arguments } from './arguments.ts';

const chunkTokens = 512;

/** Flags of every command that runs one sequence. */
export const runFlags = [
  'model',
  'threads',
  'prompt',
  'gen',
  'depth',
  'kv-cache',
  'kernels',
  'engine-runtime',
] as const;

export interface RunOptions {
  readonly path: string;
  readonly kvCache: KvCacheType;
  readonly kernels: KernelsBuild | 'auto';
  readonly runtime: string;
  readonly threads: number;
  readonly prompt: number;
  readonly generated: number;
  readonly depth: number;
}

export function readRunOptions(options: Arguments): RunOptions {
  const wanted = options.text('kv-cache') ?? 'i16';
  const kvCache = kvCacheTypes.find((type) => type === wanted);
  if (kvCache === undefined) throw new UsageError(`--kv-cache takes one of ${kvCacheTypes.join(', ')}`);
  return {
    path: options.required('model'),
    kvCache,
    kernels: kernelsOf(options.text('kernels') ?? 'auto'),
    runtime: options.text('engine-runtime') ?? 'auto',
    threads: options.amount('threads', cpus().length),
    prompt: options.amount('prompt', 512),
    generated: options.amount('gen', 64),
    depth: options.count('depth', 0),
  };
}

/** Whether this process measures; else the same command has run on the Node that was asked for. */
export async function runsHere(command: string, args: readonly string[], options: RunOptions): Promise<boolean> {
  const execPath = await nodeOf(options.runtime, options.kernels);
  if (execPath === process.execPath) return true;
  runAgain(execPath, command, args);
  return false;
}

/** Loads the model and warms the kernels up: the compiler takes its time over the first passes. */
export async function loadRun(options: RunOptions, profile = false): Promise<{ run: Run; loadMs: number }> {
  const { kvCache, threads, kernels, depth, prompt, generated } = options;
  const positions = depth + Math.max(prompt, generated);
  const started = performance.now();
  const model = buildModel(await openCheckpoint(options.path), { contextLength: positions });
  const backend = createWasmBackend({ threads, kernels, profile });
  const blocks = Math.ceil(positions / blockTokens);
  const executor = await backend.load(
    {
      weights: model.weights,
      program: model.program,
      layers: model.layers,
      kvLayers: model.kvLayers,
      kvCache,
      kvBlocks: blocks,
      limits: { tokens: chunkTokens, sequences: 1, outputs: 1, blocksPerSequence: blocks },
    },
    () => undefined,
  );
  const loadMs = performance.now() - started;
  const run = new Run(
    executor,
    model.config.vocabularySize,
    Int32Array.from({ length: blocks }, (_, block) => block),
  );
  await run.feed(0, Math.min(64, prompt));
  for (let i = 0; i < 8; i++) await run.feed(i, 1);
  await run.feed(0, depth);
  return { run, loadMs };
}

/** The executable. Unlike the server, which must run somehow, a measurement on another Node than the one asked for is an error. */
async function nodeOf(runtime: string, kernels: KernelsBuild | 'auto'): Promise<string> {
  if (runtime === 'system') return process.execPath;
  const runtimes = new Runtimes({ log: { ...silentLog, warn: (line) => process.stderr.write(`${line}\n`) } });
  if (runtime === 'auto') return (await runtimes.choose({ runtime, kernels, device: 'wasm' })).execPath;
  const path = runtime === 'bundled' ? bundledNode() : runtime;
  try {
    await runtimes.report(path);
    return path;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const remedy = runtime === 'bundled' ? '; npm run build:runtime installs it' : '';
    throw new UsageError(`the engine cannot run on ${path}: ${reason}${remedy}`);
  }
}

function kernelsOf(text: string): KernelsBuild | 'auto' {
  if (text === 'auto' || text === 'strict' || text === 'rel16' || text === 'vnni') return text;
  throw new UsageError('--kernels takes auto, strict, rel16 or vnni');
}

/** The same on another Node. */
function runAgain(execPath: string, command: string, args: readonly string[]): void {
  const script = fileURLToPath(new URL('./run.js', import.meta.url));
  const { status, error } = spawnSync(execPath, [script, command, ...args, '--engine-runtime', 'system'], {
    stdio: 'inherit',
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${execPath} ended with code ${status}`);
}

export class Run {
  readonly executor: WasmExecutor;
  readonly #vocabulary: number;
  readonly #table: Int32Array;
  #next = 1;

  constructor(executor: WasmExecutor, vocabulary: number, table: Int32Array) {
    this.executor = executor;
    this.#vocabulary = vocabulary;
    this.#table = table;
  }

  /** Feeds `count` tokens from position `from`; the next one is the best of the last logits. */
  async feed(from: number, count: number): Promise<void> {
    for (let done = 0; done < count; done += chunkTokens) {
      const tokens = Math.min(chunkTokens, count - done);
      const batch: Batch = {
        ids: Int32Array.from({ length: tokens }, (_, i) => (this.#next + i * 7919) % this.#vocabulary),
        positions: Int32Array.from({ length: tokens }, (_, i) => from + done + i),
        sequences: new Int32Array(tokens),
        blockTables: [this.#table],
        outputs: Int32Array.of(tokens - 1),
      };
      const logits = await this.executor.forward(batch);
      let best = 0;
      for (let id = 1; id < logits.length; id++) if (logits[id] > logits[best]) best = id;
      this.#next = best;
    }
  }
}
