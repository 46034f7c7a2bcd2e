// The memory plan of a model: which arena holds which layers, and where every weight, cache, buffer and header lies. Whole layers
// share an arena; small vectors are repeated in every arena that uses them; activations lie at the same offset in all arenas.

import { ApiError, invariant } from '../../core/errors.ts';
import { blockTokens, type BackendPlan, type MemoryPlan, type Op, type WeightId } from '../backend.ts';
import { ArenaPlan, arenaLimit, maxCounters } from './arena.ts';
import type { KernelBuild } from './builds.ts';
import { cacheTypes } from './cache.ts';
import { filePanelBytes, matrixFormat, panelBytes, panelCount } from './formats.ts';
import { mostStages } from './link.ts';
import { recordBytes } from './records.ts';
import { planScratch, type ScratchPlan } from './scratch.ts';

export interface CacheLayout {
  readonly arena: number;
  readonly keys: number;
  readonly values: number;
}

export interface Layout {
  readonly arenas: readonly ArenaPlan[];
  /** Arena of each matrix. */
  readonly home: ReadonlyMap<WeightId, number>;
  /** Where a weight lies in an arena: key `arena:weight`. */
  readonly pointers: ReadonlyMap<string, number>;
  /** Where an arena keeps the tables of the types of its matrices, once each. */
  readonly tables: readonly ReadonlyMap<Uint8Array, number>[];
  readonly caches: ReadonlyMap<number, CacheLayout>;
  /** The same offsets in every arena. */
  readonly records: number;
  readonly header: number;
  readonly headerBytes: number;
  /** Each thread's own bytes: attention scores, an unpacked panel. */
  readonly threadScratch: number;
  readonly threadScratchBytes: number;
  /** Where splits of attention leave their partial results. */
  readonly partials: number;
  /** Most splits of one token's context; 1: never split. */
  readonly maxSplits: number;
  readonly staging: number;
  readonly stagingBytes: number;
  readonly activations: number;
  readonly scratch: ScratchPlan;
  readonly memory: MemoryPlan;
}

/** Rows are read and packed in pieces of about this size. */
const stagingTarget = 1 << 20;

const minThreadScratch = 16384;

/** Bytes in front of an unpacked panel: the sums of a tile (assembly/matmul/linear.ts). */
const tileBytes = 512;

/** Positions of a split of attention (assembly/merge.ts), and the most tokens of a batch whose attention may be split. */
export const splitPositions = 512;
export const splitTokens = 4;

/** `arenaBytes`: most bytes of one arena. */
export function planLayout(
  plan: BackendPlan,
  threads: number,
  build: KernelBuild,
  arenaBytes: number = arenaLimit,
): Layout {
  const { limits } = plan;
  const scratch = planScratch(plan, build);
  const recordCount = plan.program.ops.length * 3;
  invariant(threads * mostStages <= maxCounters, 'the chunk counters of a phase fit the control page');
  const headerBytes = 64 + 4 * (3 * limits.tokens + limits.outputs + limits.sequences * limits.blocksPerSequence);
  let stagingBytes = stagingTarget;
  let threadScratchBytes = minThreadScratch;
  for (const weight of plan.weights) {
    if (weight.kind !== 'matrix') continue;
    const { unpackedBytes = 0 } = matrixFormat(weight.dtype, weight.name);
    stagingBytes = Math.max(stagingBytes, filePanelBytes(weight.dtype, weight.cols));
    threadScratchBytes = Math.max(threadScratchBytes, tileBytes + (unpackedBytes * weight.cols) / 32);
  }

  const common = new ArenaPlan();
  const records = common.reserve(recordCount * recordBytes);
  const header = common.reserve(headerBytes);
  const threadScratch = common.reserve(threads * threadScratchBytes);
  const maxSplits = threads > 1 ? Math.ceil((limits.blocksPerSequence * blockTokens) / splitPositions) : 1;
  const partials = common.reserve(maxSplits > 1 ? splitTokens * maxSplits * partialBytes(plan) : 0);
  // The staging area of loading and the activations of running are never in use together.
  const activations = common.reserve(Math.max(scratch.bytes, threads * stagingBytes));
  const fixedBytes = common.bytes;

  const keyBytes = new Map(
    plan.kvLayers.map(({ layer, kvHeads, headDim }) => {
      return [layer, plan.kvBlocks * blockTokens * kvHeads * cacheTypes[plan.kvCache].rowBytes(headDim)];
    }),
  );
  const users = vectorUsers(plan);
  const arenas: ArenaPlan[] = [];
  const home = new Map<WeightId, number>();
  const pointers = new Map<string, number>();
  const tables: Map<Uint8Array, number>[] = [];
  const caches = new Map<number, CacheLayout>();
  let weightBytes = 0;
  let kvCacheBytes = 0;

  let arena = -1;
  let current = new ArenaPlan();
  const open = (): void => {
    current = new ArenaPlan();
    const start = current.reserve(0);
    current.reserve(fixedBytes - start, 1);
    arenas.push(current);
    tables.push(new Map());
    arena++;
  };
  open();
  for (let layer = -1; layer <= plan.layers; layer++) {
    const matrices = [...plan.weights.entries()].filter(
      ([, weight]) => weight.kind === 'matrix' && weight.layer === layer,
    );
    const vectors = [...(users.get(layer) ?? [])];
    const used = new Set(matrices.flatMap(([, { dtype, name }]) => matrixFormat(dtype, name).table ?? []));
    const cache = keyBytes.get(layer) ?? 0;
    const needed =
      matrices.reduce((sum, [, w]) => sum + panelCount(w.rows) * panelBytes(w.dtype, w.cols) + 64, 0) +
      vectors.reduce((sum, id) => sum + vectorBytes(plan, id) + 64, 0) +
      [...used].reduce((sum, table) => sum + table.length + 64, 0) +
      2 * cache +
      128;
    if (current.bytes + needed > arenaBytes) {
      if (fixedBytes + needed > arenaBytes) {
        throw new ApiError(
          'invalid_request',
          `layer ${layer} needs ${(needed / 2 ** 30).toFixed(1)} GiB and does not fit one arena (4 GiB)\nuse a shorter context (--ctx), or a cache of half the size (--kv-cache f16)`,
          { code: 'insufficient_memory' },
        );
      }
      open();
    }
    for (const [id, weight] of matrices) {
      const bytes = panelCount(weight.rows) * panelBytes(weight.dtype, weight.cols);
      home.set(id, arena);
      pointers.set(`${arena}:${id}`, current.reserve(bytes));
      weightBytes += bytes;
    }
    for (const table of used) {
      if (tables[arena].has(table)) continue;
      tables[arena].set(table, current.reserve(table.length));
      weightBytes += table.length;
    }
    for (const id of vectors) {
      const key = `${arena}:${id}`;
      if (pointers.has(key)) continue;
      pointers.set(key, current.reserve(vectorBytes(plan, id)));
      weightBytes += vectorBytes(plan, id);
    }
    if (cache > 0) {
      caches.set(layer, { arena, keys: current.reserve(cache), values: current.reserve(cache) });
      kvCacheBytes += 2 * cache;
    }
  }
  return {
    arenas,
    home,
    pointers,
    tables,
    caches,
    records,
    header,
    headerBytes,
    threadScratch,
    threadScratchBytes,
    partials,
    maxSplits,
    staging: activations,
    stagingBytes,
    activations,
    scratch,
    memory: { weightBytes, kvCacheBytes, scratchBytes: fixedBytes * arenas.length },
  };
}

/** Partial results of all heads of a token, in the layer that has most: [peak, total, 2 unused, head]. */
function partialBytes(plan: BackendPlan): number {
  const perLayer = plan.program.ops.map((op) => (op.op === 'attention' ? op.heads * (16 + 4 * op.headDim) : 0));
  return Math.max(0, ...perLayer);
}

/** A vector is padded like a row of activations, zeros behind. */
export function vectorBytes(plan: BackendPlan, id: WeightId): number {
  const { rows, cols } = plan.weights[id];
  return Math.ceil((rows * cols) / 8) * 32;
}

/** Layer -> vectors that its operations use. An operation stands where the last matrix or cache before it stands. */
function vectorUsers(plan: BackendPlan): Map<number, Set<WeightId>> {
  const users = new Map<number, Set<WeightId>>();
  let layer = -1;
  for (const op of plan.program.ops) {
    layer = placeOf(plan, op) ?? layer;
    const set = users.get(layer) ?? new Set();
    for (const id of vectorsOf(op)) set.add(id);
    users.set(layer, set);
  }
  return users;
}

/** Layer whose arena an operation must run in, if it touches a matrix or a cache. */
export function placeOf(plan: BackendPlan, op: Op): number | undefined {
  if (op.op === 'embed') return plan.weights[op.table].layer;
  if (op.op === 'linear') return plan.weights[op.weight].layer;
  if (op.op === 'store' || op.op === 'attention') return op.layer;
  return undefined;
}

function vectorsOf(op: Op): WeightId[] {
  switch (op.op) {
    case 'rmsNorm':
      return [op.weight];
    case 'linear':
      return op.bias === undefined ? [] : [op.bias];
    case 'rope':
      return [op.table];
    case 'attention':
      return op.sinks === undefined ? [] : [op.sinks];
    case 'embed':
    case 'add':
    case 'gate':
    case 'store':
    case 'select':
      return [];
  }
}
