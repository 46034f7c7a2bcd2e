// Speed of the engine's arithmetic without server and sampling: one sequence, prompt in chunks, then greedy decoding.

import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { blockTokens, type Batch, type Executor } from '../src/compute/backend.ts';
import { createWasmBackend } from '../src/compute/wasm/backend.ts';
import { silentLog } from '../src/core/log.ts';
import { bundledNode } from '../src/engine/bundled-runtime.ts';
import type { KernelsBuild } from '../src/engine/messages.ts';
import { Runtimes } from '../src/engine/runtime.ts';
import { buildModel } from '../src/model/model.ts';
import { openCheckpoint } from '../src/weights/gguf.ts';
import { readArguments, UsageError } from './arguments.ts';
import { formatFacts, rounded } from './table.ts';

const chunkTokens = 512;

export async function benchEngine(args: readonly string[]): Promise<void> {
  const options = readArguments(
    args,
    ['model', 'threads', 'prompt', 'gen', 'depth', 'kv-cache', 'kernels', 'engine-runtime'],
    ['json'],
  );
  const path = options.required('model');
  const kvCache = options.text('kv-cache') ?? 'f16';
  if (kvCache !== 'f32' && kvCache !== 'f16' && kvCache !== 'q8_0')
    throw new UsageError('--kv-cache takes f32, f16 or q8_0');
  const kernels = kernelsOf(options.text('kernels') ?? 'auto');
  const execPath = await nodeOf(options.text('engine-runtime') ?? 'auto', kernels);
  if (execPath !== process.execPath) return runAgain(execPath, args);
  const threads = options.amount('threads', cpus().length);
  const prompt = options.amount('prompt', 512);
  const generated = options.amount('gen', 64);
  const depth = options.count('depth', 0);
  const positions = depth + prompt + generated;

  const started = performance.now();
  const model = buildModel(await openCheckpoint(path), { contextLength: positions });
  const backend = createWasmBackend({ threads, kernels });
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
  // Warm-up: the compiler takes its time over the first passes.
  await run.feed(0, Math.min(64, prompt));
  for (let i = 0; i < 8; i++) await run.feed(i, 1);

  await run.feed(0, depth);
  const prefillMs = await timed(() => run.feed(depth, prompt));
  const decodeMs = await timed(async () => {
    for (let i = 0; i < generated; i++) await run.feed(depth + prompt + i, 1);
  });
  const result = {
    prefill_tok_s: rounded((prompt / prefillMs) * 1000),
    decode_tok_s: rounded((generated / decodeMs) * 1000),
    load_ms: Math.round(loadMs),
    rss_mib: Math.round(process.memoryUsage.rss() / 2 ** 20),
    kernels: executor.build,
    threads,
    kv_cache: kvCache,
    node: process.version,
  };
  await executor.close();
  if (options.flag('json')) process.stdout.write(`${JSON.stringify(result)}\n`);
  else process.stdout.write(formatFacts(result));
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
function runAgain(execPath: string, args: readonly string[]): void {
  const script = fileURLToPath(new URL('./run.js', import.meta.url));
  const { status, error } = spawnSync(execPath, [script, 'engine', ...args, '--engine-runtime', 'system'], {
    stdio: 'inherit',
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${execPath} ended with code ${status}`);
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}

class Run {
  readonly #executor: Executor;
  readonly #vocabulary: number;
  readonly #table: Int32Array;
  #next = 1;

  constructor(executor: Executor, vocabulary: number, table: Int32Array) {
    this.#executor = executor;
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
      const logits = await this.#executor.forward(batch);
      let best = 0;
      for (let id = 1; id < logits.length; id++) if (logits[id] > logits[best]) best = id;
      this.#next = best;
    }
  }
}
