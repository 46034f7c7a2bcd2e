// The WASM backend: plans the arenas, loads the weights into them, and runs batches on its threads. The calling thread only writes the
// batch header and waits; it never computes.

import { openSync, closeSync, readSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { ApiError, invariant } from '../../core/errors.ts';
import { dequantize } from '../../tensor/dequantize.ts';
import type { Backend, BackendPlan, Batch, Executor, KvBlocks, MemoryPlan, WeightSpec } from '../backend.ts';
import { control } from './arena.ts';
import { numericsOf, type KernelBuild } from './builds.ts';
import { cacheTypes } from './cache.ts';
import { ArenaBlocks } from './kv-blocks.ts';
import { chooseBuild, type ChosenBuild } from './kernels.ts';
import { planLayout, splitPositions, splitTokens, type Layout } from './layout.ts';
import { planJobs } from './load.ts';
import { ThreadPool, type PlacedSegment } from './pool.ts';
import { encodeProgram, type Segment } from './program.ts';
import { links, recordBytes, writeRecord, type ProgramRecord } from './records.ts';
import { strideOf } from './scratch.ts';

export interface WasmOptions {
  readonly threads: number;
  /** `auto` or the name of a build. */
  readonly kernels: string;
  /** Most bytes of one arena, by default what a WASM memory can have; tests force many small ones. */
  readonly arenaBytes?: number;
  /** Notes the time of every operation, see `WasmExecutor.profile`. */
  readonly profile?: boolean;
}

/** What one stage of the program has taken since the last look; times are sums over the threads, in ms. */
export interface OperationTime {
  /** The operations; of a matrix product its name, type and size. */
  readonly label: string;
  /** Of a matrix product: bytes of the matrix, and multiplications per row of its input. */
  readonly weightBytes: number;
  readonly multiplications: number;
  readonly work: number;
  /** Time at the barrier behind it. */
  readonly wait: number;
}

export type WasmBackend = Omit<Backend, 'load'> & {
  readonly build: ChosenBuild;
  load(...parameters: Parameters<Backend['load']>): Promise<WasmExecutor>;
};

export function createWasmBackend(options: WasmOptions): WasmBackend {
  const build = chooseBuild(options.kernels);
  return {
    build,
    measure: (plan) => planLayout(plan, options.threads, build.name, options.arenaBytes).memory,
    async load(plan, progress) {
      refuseUnsupported(plan);
      const layout = planLayout(plan, options.threads, build.name, options.arenaBytes);
      const memories = layout.arenas.map((arena) => arena.create());
      for (const { buffer } of memories) new Int32Array(buffer, control.spins, 1)[0] = spinsFor(options.threads);
      writeVectors(plan, layout, memories);
      const { segments, logitsArena } = encodeProgram(plan, layout, options.threads, build.name);
      const records = segments.flatMap((segment) => segment.records);
      const times = options.profile === true ? new SharedArrayBuffer(16 * options.threads * records.length) : undefined;
      const pool = new ThreadPool({
        module: build.module,
        memories,
        threads: options.threads,
        segments: placeRecords(segments, layout, memories),
        header: layout.header,
        scratch: layout.threadScratch,
        scratchBytes: layout.threadScratchBytes,
        staging: layout.staging,
        stagingBytes: layout.stagingBytes,
        times,
      });
      try {
        const jobs = planJobs(plan, layout);
        const total = plan.weights.reduce((sum, { kind, source }) => {
          return kind === 'matrix' && source.type === 'file' ? sum + source.bytes : sum;
        }, 0);
        await pool.load(jobs, total, progress);
      } catch (error) {
        await pool.close();
        throw error;
      }
      return new WasmExecutor(build.name, plan, layout, memories, pool, logitsArena, options.threads, {
        records,
        times,
      });
    },
  };
}

/** Some 30 us of looking before a thread sleeps; with more threads than cores, looking only keeps the others from working. */
function spinsFor(threads: number): number {
  return threads <= availableParallelism() ? 30_000 : 0;
}

function refuseUnsupported(plan: BackendPlan): void {
  const refuse = (what: string): never => {
    throw new ApiError('not_implemented', `the WASM backend has no ${what}`, { code: 'unsupported_model' });
  };
  const { dims } = cacheTypes[plan.kvCache];
  for (const { layer, headDim } of plan.kvLayers) {
    if (headDim % dims === 0) continue;
    refuse(
      `${plan.kvCache} cache for heads of ${headDim} (layer ${layer}): it needs a multiple of ${dims}; use f16 or f32`,
    );
  }
  for (const op of plan.program.ops) {
    if (op.op === 'attention' && !op.causal) refuse('attention without causal mask');
    if (op.op === 'attention' && op.spans) refuse('bidirectional media spans');
    if (op.op === 'attention' && (op.headDim % 4 !== 0 || op.headDim > 512)) {
      refuse(`head size ${op.headDim}: it must be a multiple of 4 and at most 512`);
    }
    if (op.op === 'rope' && op.dims % 2 !== 0) refuse(`rotation of ${op.dims} dimensions: it must be even`);
  }
  for (const weight of plan.weights) {
    if (weight.kind === 'matrix' && weight.source.type === 'values' && weight.dtype !== 'F32')
      refuse(`host-made matrix of ${weight.dtype}`);
  }
}

/** Norms, biases and rotations, as f32, and the tables of stored types, into every arena that uses them. */
function writeVectors(plan: BackendPlan, layout: Layout, memories: readonly WebAssembly.Memory[]): void {
  for (const [key, pointer] of layout.pointers) {
    const [arena, id] = key.split(':').map(Number);
    const weight = plan.weights[id];
    if (weight.kind === 'matrix') continue;
    new Float32Array(memories[arena].buffer, pointer, weight.rows * weight.cols).set(readVector(weight));
  }
  for (const [arena, tables] of layout.tables.entries()) {
    for (const [table, pointer] of tables) new Uint8Array(memories[arena].buffer, pointer, table.length).set(table);
  }
}

function readVector({ name, dtype, rows, cols, source }: WeightSpec): Float32Array {
  if (source.type === 'values') return source.values;
  const bytes = new Uint8Array(source.bytes);
  const file = openSync(source.file, 'r');
  try {
    for (let done = 0; done < bytes.length;) {
      const read = readSync(file, bytes, done, bytes.length - done, source.offset + done);
      if (read === 0) throw new Error(`${source.file} ended while ${name} was read: the file changed or was cut`);
      done += read;
    }
  } finally {
    closeSync(file);
  }
  return dequantize(dtype, bytes, rows * cols);
}

function placeRecords(
  segments: readonly Segment[],
  layout: Layout,
  memories: readonly WebAssembly.Memory[],
): PlacedSegment[] {
  let index = 0;
  return segments.map(({ arena, transfers, records }) => {
    const first = index;
    const words = new Uint32Array(memories[arena].buffer, layout.records);
    for (const record of records) writeRecord(words, index++, record);
    return {
      arena,
      transfers,
      records: layout.records + first * recordBytes,
      count: records.length,
      first,
      links: records.map(({ link = links.barrier }) => link),
    };
  });
}

export class WasmExecutor implements Executor {
  readonly build: string;
  readonly numerics: string;
  readonly memory: MemoryPlan;
  readonly blocks: KvBlocks;
  readonly #plan: BackendPlan;
  readonly #layout: Layout;
  readonly #memories: readonly WebAssembly.Memory[];
  readonly #pool: ThreadPool;
  readonly #logitsArena: number;
  readonly #threads: number;
  /** Fewest key and value heads of a layer: what attention of one token can be shared out by. */
  readonly #heads: number;
  /** Rows of the smallest table that ids are looked up in. */
  readonly #vocabulary: number;
  readonly #timing: { readonly records: readonly ProgramRecord[]; readonly times: SharedArrayBuffer | undefined };
  #busy = false;

  constructor(
    build: KernelBuild,
    plan: BackendPlan,
    layout: Layout,
    memories: readonly WebAssembly.Memory[],
    pool: ThreadPool,
    logitsArena: number,
    threads: number,
    timing: { readonly records: readonly ProgramRecord[]; readonly times: SharedArrayBuffer | undefined },
  ) {
    this.#timing = timing;
    this.build = `wasm-${build}`;
    this.numerics = `wasm-${numericsOf(build)}`;
    this.memory = layout.memory;
    this.#plan = plan;
    this.#layout = layout;
    this.#memories = memories;
    this.blocks = new ArenaBlocks(plan, layout, memories);
    this.#pool = pool;
    this.#logitsArena = logitsArena;
    this.#threads = threads;
    this.#heads = Math.min(...plan.kvLayers.map(({ kvHeads }) => kvHeads));
    const tables = plan.program.ops.flatMap((op) => (op.op === 'embed' ? [plan.weights[op.table].rows] : []));
    this.#vocabulary = Math.min(...tables);
  }

  async forward(batch: Batch): Promise<Float32Array> {
    invariant(!this.#busy, 'forward passes do not overlap');
    this.#busy = true;
    try {
      this.#writeHeader(batch);
      await this.#pool.run();
      return this.#logits(batch.outputs.length);
    } finally {
      this.#busy = false;
    }
  }

  /** Times since the last call, by stage of the program (link.ts), in its order. Empty without the option `profile`. */
  profile(): OperationTime[] {
    const { records, times } = this.#timing;
    if (times === undefined) return [];
    const notes = new Float64Array(times);
    const found: OperationTime[] = [];
    for (let first = 0, index = 0; index < records.length; index++) {
      if (records[index].link === links.joined) continue;
      const label = records
        .slice(first, index + 1)
        .map((record) => record.label)
        .join(' ');
      const { weightBytes, multiplications } = records[first];
      let work = 0;
      let wait = 0;
      for (let thread = 0; thread < this.#threads; thread++) {
        work += notes[2 * (thread * records.length + first)];
        wait += notes[2 * (thread * records.length + first) + 1];
      }
      found.push({ label, weightBytes, multiplications, work, wait });
      first = index + 1;
    }
    notes.fill(0);
    return found;
  }

  async close(): Promise<void> {
    await this.#pool.close();
  }

  #writeHeader(batch: Batch): void {
    const { limits, kvBlocks } = this.#plan;
    const tokens = batch.ids.length;
    invariant(tokens >= 1 && tokens <= limits.tokens, `a batch has 1 to ${limits.tokens} tokens`);
    invariant(batch.positions.length === tokens && batch.sequences.length === tokens, 'one position and row per token');
    invariant(batch.outputs.length <= limits.outputs, `a batch has at most ${limits.outputs} outputs`);
    invariant(batch.blockTables.length <= limits.sequences, `a batch has at most ${limits.sequences} sequences`);
    invariant(
      batch.ids.every((id) => id >= 0 && id < this.#vocabulary),
      `ids are below ${this.#vocabulary}`,
    );
    invariant(
      batch.outputs.every((output) => output >= 0 && output < tokens),
      'outputs are tokens of the batch',
    );
    const tables = new Int32Array(limits.sequences * limits.blocksPerSequence);
    for (const [row, table] of batch.blockTables.entries()) {
      invariant(table.length <= limits.blocksPerSequence, 'a block table fits its row');
      invariant(
        table.every((block) => block >= 0 && block < kvBlocks),
        'block tables name blocks of the pool',
      );
      tables.set(table, row * limits.blocksPerSequence);
    }
    for (let i = 0; i < tokens; i++) {
      const table = batch.blockTables[batch.sequences[i]];
      invariant(table !== undefined && batch.positions[i] >>> 6 < table.length, 'every position has its block');
    }
    const splits = this.#splits(batch);
    const { header } = this.#layout;
    const positions = header + 64;
    const sequences = positions + 4 * limits.tokens;
    const ids = sequences + 4 * limits.tokens;
    const outputs = ids + 4 * limits.tokens;
    const blockTables = outputs + 4 * limits.outputs;
    for (const { buffer } of this.#memories) {
      new Uint32Array(buffer, header, 9).set([
        tokens,
        batch.outputs.length,
        blockTables,
        limits.blocksPerSequence,
        positions,
        sequences,
        outputs,
        ids,
        splits,
      ]);
      new Int32Array(buffer, positions, tokens).set(batch.positions);
      new Int32Array(buffer, sequences, tokens).set(batch.sequences);
      new Int32Array(buffer, ids, tokens).set(batch.ids);
      new Int32Array(buffer, outputs, batch.outputs.length).set(batch.outputs);
      new Int32Array(buffer, blockTables, tables.length).set(tables);
    }
  }

  /** A long context is shared among the threads when tokens and heads alone give them too little to do. Bits do not depend on it. */
  #splits(batch: Batch): number {
    const { maxSplits } = this.#layout;
    if (maxSplits === 1 || batch.ids.length > splitTokens || this.#heads * batch.ids.length >= 4 * this.#threads)
      return 1;
    return Math.min(maxSplits, Math.floor(Math.max(...batch.positions) / splitPositions) + 1);
  }

  #logits(outputs: number): Float32Array {
    const { program } = this.#plan;
    const { cols } = program.buffers[program.logits];
    const stride = strideOf(cols) / 4;
    const at = this.#layout.activations + this.#layout.scratch.buffers[program.logits];
    const rows = new Float32Array(this.#memories[this.#logitsArena].buffer, at, outputs * stride);
    if (stride === cols) return rows;
    const dense = new Float32Array(outputs * cols);
    for (let row = 0; row < outputs; row++) dense.set(rows.subarray(row * stride, row * stride + cols), row * cols);
    return dense;
  }
}
