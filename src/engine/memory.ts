// Whether a model fits into the memory that is free, and what would: asked of the headers alone, before anything is allocated.

import { blockTokens, type Backend, type MemoryPlan, type WeightSpec } from '../compute/backend.ts';
import { ApiError } from '../core/errors.ts';
import { grouped, mebibytes } from '../core/units.ts';
import { buildModel, defaultContextLength } from '../model/model.ts';
import type { Checkpoint } from '../weights/checkpoint.ts';
import { describeCheckpoint } from '../weights/describe.ts';
import { freeMemory, type FreeMemory } from './free-memory.ts';
import type { LoadOptions } from './messages.ts';
import { kvPoolBytes, planBackend, type PlanOptions } from './plan.ts';

export interface MemoryVerdict {
  /** `tight`: other programs would be swapped out for it. */
  readonly verdict: 'fits' | 'tight' | 'too_large';
  readonly contextLength: number;
  /** With one whole context: less it cannot run with. */
  readonly need: MemoryPlan;
  readonly free: FreeMemory;
  /** For the KV pool beyond one context. */
  readonly poolBytes: number;
  /** What would fit, as `--ctx 4096 (2.0 GiB)`; empty when it fits. */
  readonly remedies: readonly string[];
}

export type MemoryOptions = PlanOptions & Pick<LoadOptions, 'contextLength'>;

/** Throws an `ApiError` of code `insufficient_memory` for what no memory could hold. */
export function judgeMemory(
  checkpoint: Checkpoint,
  backend: Backend,
  options: MemoryOptions,
  free: FreeMemory = freeMemory(),
): MemoryVerdict {
  const { at, trainedContextLength } = memoryByContext(checkpoint, backend, options);
  const contextLength = options.contextLength ?? Math.min(trainedContextLength, defaultContextLength);
  const need = at(contextLength);
  const bytes = totalOf(need);
  const verdict = bytes <= free.freeBytes ? 'fits' : bytes <= free.limitBytes ? 'tight' : 'too_large';
  // Half of what remains is left to others.
  const poolBytes = Math.max(0, Math.min(kvPoolBytes, (free.freeBytes - need.weightBytes - need.scratchBytes) / 2));
  const remedies = verdict === 'fits' ? [] : remediesFor(checkpoint, backend, options, { at, contextLength, free });
  return { verdict, contextLength, need, free, poolBytes, remedies };
}

export function totalOf({ weightBytes, kvCacheBytes, scratchBytes }: MemoryPlan): number {
  return weightBytes + kvCacheBytes + scratchBytes;
}

/** What happened, then what to do: for exit code 4, or for a warning. */
export function describeMemory({ contextLength, need, free, remedies, verdict }: MemoryVerdict): {
  readonly what: string;
  readonly remedy: string;
} {
  const { weightBytes, kvCacheBytes, scratchBytes } = need;
  const parts = `weights ${mebibytes(weightBytes)}, cache ${mebibytes(kvCacheBytes)} for a context of ${grouped(contextLength)}, scratch ${mebibytes(scratchBytes)}`;
  const there = verdict === 'too_large' ? free.limitBytes : free.freeBytes;
  return {
    what: `the model needs ${mebibytes(totalOf(need))} of memory, ${mebibytes(there)} are free (${parts})`,
    remedy: `use ${remedies.join(', or ')}`,
  };
}

interface MemoryByContext {
  /** Throws an `ApiError` of code `insufficient_memory` for what no memory could hold. */
  readonly at: (contextLength: number) => MemoryPlan;
  readonly trainedContextLength: number;
}

/**
 * Measured on the model with a short context, whose numbers are then stretched: what depends on the context are the cache and the
 * tables with a row for each position, and tables of a GiB are not made only to be measured.
 */
function memoryByContext(checkpoint: Checkpoint, backend: Backend, options: PlanOptions): MemoryByContext {
  const short = buildModel(checkpoint, { contextLength: blockTokens });
  const stretch = (weight: WeightSpec, rows: number): WeightSpec => {
    return weight.source.type === 'values' && weight.rows === blockTokens ? { ...weight, rows } : weight;
  };
  return {
    at: (contextLength) => {
      const weights = short.weights.map((weight) => stretch(weight, contextLength));
      return backend.measure(planBackend({ ...short, contextLength, weights }, options, 0));
    },
    trainedContextLength: short.config.trainedContextLength,
  };
}

interface Problem {
  readonly at: MemoryByContext['at'];
  readonly contextLength: number;
  readonly free: FreeMemory;
}

/** Shorter contexts are not worth running. */
const leastContext = 512;

function remediesFor(
  checkpoint: Checkpoint,
  backend: Backend,
  options: PlanOptions,
  { at, contextLength, free }: Problem,
): string[] {
  const remedies: string[] = [];
  const offer = (words: string, at: MemoryByContext['at'], length: number): boolean => {
    const bytes = bytesAt(at, length);
    if (bytes > free.freeBytes) return false;
    remedies.push(`${words} (${mebibytes(bytes)})`);
    return true;
  };
  for (let shorter = 2 ** Math.ceil(Math.log2(contextLength) - 1); shorter >= leastContext; shorter /= 2) {
    if (offer(`--ctx ${shorter}`, at, shorter)) break;
  }
  if (options.kvCache === 'f32') {
    const half = memoryByContext(checkpoint, backend, { ...options, kvCache: 'i16' });
    offer('--kv-cache i16', half.at, contextLength);
  }
  if (remedies.length > 0) return remedies;
  const { parameters, bitsPerWeight, quantization } = describeCheckpoint(checkpoint);
  const q4Bytes = (parameters * 4.5) / 8;
  return bitsPerWeight > 5
    ? [`a quantization with fewer bits than ${quantization}: Q4_0 has ${mebibytes(q4Bytes)} of weights`]
    : ['a smaller model'];
}

function bytesAt(at: MemoryByContext['at'], contextLength: number): number {
  try {
    return totalOf(at(contextLength));
  } catch (error) {
    if (error instanceof ApiError && error.code === 'insufficient_memory') return Infinity;
    throw error;
  }
}
