// The reference backend: the program, record by record, in plain scalar TypeScript with float64 sums. Oracle of the contract
// suite and last resort where nothing faster runs. Slow, and meant to be right on sight.

import type { Backend, BackendPlan, Batch, Executor, KvBlocks, MemoryPlan, Op } from '../backend.ts';
import { blockTokens } from '../backend.ts';
import { BackendError } from '../error.ts';
import { invariant } from '../../core/errors.ts';
import { attend } from './attention.ts';
import { checkBatch } from './batch.ts';
import type { BufferPlan } from './buffers.ts';
import { planBuffers } from './buffers.ts';
import { cacheBytes, KvCache } from './kv-cache.ts';
import { add, embed, gate, linear, rmsNorm, rope, select } from './operations.ts';
import type { Matrix, Vector, Weights } from './weights.ts';
import { loadWeights, weightBytes } from './weights.ts';

export function createReferenceBackend(): Backend {
  return {
    measure,
    async load(plan, progress) {
      for (const op of plan.program.ops) refuseUnsupported(op);
      // All memory first: a plan that does not fit fails before the file is read.
      const state = allocate(plan);
      return new ReferenceExecutor(plan, state, await loadWeights(plan.weights, progress));
    },
  };
}

interface State {
  readonly buffers: BufferPlan;
  /** Memory of the buffers' slots. */
  readonly slots: readonly Float32Array[];
  readonly cache: KvCache;
}

function measure(plan: BackendPlan): MemoryPlan {
  const { slots } = planBuffers(plan.program, plan.limits);
  return {
    weightBytes: weightBytes(plan.weights),
    kvCacheBytes: cacheBytes(plan),
    // Besides the buffers: one float64 score per position that attention may see.
    scratchBytes: slots.reduce((sum, values) => sum + 4 * values, 0) + 8 * plan.limits.blocksPerSequence * blockTokens,
  };
}

function allocate(plan: BackendPlan): State {
  const buffers = planBuffers(plan.program, plan.limits);
  try {
    const cache = new KvCache(plan);
    return { buffers, cache, slots: buffers.slots.map((values) => new Float32Array(values)) };
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new BackendError('There is not enough memory for the cache of this context; a shorter one needs less.', {
      cause,
    });
  }
}

/** How long the event loop may wait for arithmetic before a pause between two records. */
const turnMs = 20;

class ReferenceExecutor implements Executor {
  readonly build = 'reference';
  readonly numerics = 'reference';
  readonly memory: MemoryPlan;
  readonly #plan: BackendPlan;
  readonly #weights: Weights;
  readonly #buffers: BufferPlan;
  readonly #cache: KvCache;
  #slots: readonly Float32Array[];
  #isBusy = false;
  #isClosed = false;

  constructor(plan: BackendPlan, { buffers, slots, cache }: State, weights: Weights) {
    this.#plan = plan;
    this.#weights = weights;
    this.#buffers = buffers;
    this.#slots = slots;
    this.#cache = cache;
    this.memory = measure(plan);
  }

  get blocks(): KvBlocks {
    return this.#cache;
  }

  async forward(batch: Batch): Promise<Float32Array> {
    invariant(!this.#isClosed, 'no forward pass after close');
    invariant(!this.#isBusy, 'forward passes never overlap');
    checkBatch(this.#plan, batch);
    this.#isBusy = true;
    try {
      let turnEnds = performance.now() + turnMs;
      for (const op of this.#plan.program.ops) {
        this.#run(op, batch);
        if (performance.now() < turnEnds) continue;
        await new Promise((resolve) => setImmediate(resolve));
        turnEnds = performance.now() + turnMs;
      }
    } finally {
      this.#isBusy = false;
    }
    return this.#buffer(this.#plan.program.logits, batch);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#slots = [];
    this.#cache.clear();
    this.#weights.clear();
  }

  #run(op: Op, batch: Batch): void {
    switch (op.op) {
      case 'embed':
        return embed(this.#matrix(op.table), batch.ids, op.scale, this.#buffer(op.out, batch));
      case 'rmsNorm':
        return rmsNorm(this.#buffer(op.x, batch), this.#vector(op.weight), op, this.#buffer(op.out, batch));
      case 'linear': {
        const bias = op.bias === undefined ? undefined : this.#vector(op.bias);
        return linear(this.#buffer(op.x, batch), this.#matrix(op.weight), bias, this.#buffer(op.out, batch));
      }
      case 'add':
        return add(this.#buffer(op.x, batch), this.#buffer(op.y, batch), this.#buffer(op.out, batch));
      case 'gate': {
        const out = this.#buffer(op.out, batch);
        return gate(op.activation, this.#buffer(op.gate, batch), this.#buffer(op.up, batch), out);
      }
      case 'rope':
        return rope(this.#buffer(op.x, batch), this.#vector(op.table), batch.positions, op);
      case 'store':
        return this.#cache.store(op.layer, this.#buffer(op.k, batch), this.#buffer(op.v, batch), batch);
      case 'attention': {
        const sinks = op.sinks === undefined ? undefined : this.#vector(op.sinks);
        return attend(this.#buffer(op.q, batch), this.#cache, sinks, batch, op, this.#buffer(op.out, batch));
      }
      case 'select':
        return select(this.#buffer(op.x, batch), batch.outputs, this.#buffer(op.out, batch));
      default:
        return op satisfies never;
    }
  }

  /** The rows that this batch uses. [rows, cols] */
  #buffer(id: number, batch: Batch): Float32Array {
    const { rows, cols } = this.#plan.program.buffers[id];
    const count = rows === 'tokens' ? batch.ids.length : batch.outputs.length;
    return this.#slots[this.#buffers.slotOf[id]].subarray(0, count * cols);
  }

  #matrix(id: number): Matrix {
    const weight = this.#weights.get(id);
    invariant(weight?.kind === 'matrix', `weight ${id} is a matrix`);
    return weight;
  }

  #vector(id: number): Vector {
    const weight = this.#weights.get(id);
    invariant(weight?.kind === 'vector', `weight ${id} is a vector`);
    return weight;
  }
}

function refuseUnsupported(op: Op): void {
  if (op.op !== 'attention') return;
  if (op.spans) throw new BackendError('The reference backend does not support media spans in attention.');
  if (!op.causal && op.window > 0) {
    throw new BackendError('The reference backend supports a window in causal attention only.');
  }
}
