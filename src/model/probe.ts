// One sequence on one executor, without an engine: for checking tools, benchmarks and tests.

import type { Backend, BackendPlan, Executor } from '../compute/backend.ts';
import { blockTokens } from '../compute/backend.ts';
import type { Model } from './model.ts';

export interface ProbeOptions {
  readonly kvCache: BackendPlan['kvCache'];
  /** Most tokens of one forward pass. */
  readonly batchTokens: number;
  readonly progress?: (done: number, total: number) => void;
}

export class Probe {
  readonly model: Model;
  readonly executor: Executor;
  readonly #batchTokens: number;
  readonly #table: Int32Array;
  #length = 0;

  static async load(model: Model, backend: Backend, options: ProbeOptions): Promise<Probe> {
    const plan = planProbe(model, options);
    const executor = await backend.load(plan, options.progress ?? (() => undefined));
    return new Probe(model, executor, plan.limits);
  }

  private constructor(model: Model, executor: Executor, { tokens, blocksPerSequence }: BackendPlan['limits']) {
    this.model = model;
    this.executor = executor;
    this.#batchTokens = tokens;
    this.#table = Int32Array.from({ length: blocksPerSequence }, (_, block) => block);
  }

  /** Positions so far. */
  get length(): number {
    return this.#length;
  }

  /** Appends tokens; the logits after each token whose index in `ids` is wanted, as copies. */
  async feed(ids: readonly number[], wanted: readonly number[]): Promise<Float32Array[]> {
    const rows = new Map<number, Float32Array>();
    for (let start = 0; start < ids.length; start += this.#batchTokens) {
      const part = ids.slice(start, start + this.#batchTokens);
      const outputs = [...part.keys()].filter((i) => wanted.includes(start + i));
      const logits = await this.executor.forward({
        ids: Int32Array.from(part),
        positions: Int32Array.from(part, (_, i) => this.#length + i),
        sequences: new Int32Array(part.length),
        blockTables: [this.#table],
        outputs: Int32Array.from(outputs),
      });
      const width = this.model.config.vocabularySize;
      outputs.forEach((i, row) => rows.set(start + i, logits.slice(row * width, (row + 1) * width)));
      this.#length += part.length;
    }
    return wanted.map((index) => rows.get(index) ?? unreachable(index));
  }

  /** Forgets all positions from `length` on. */
  rewind(length: number): void {
    this.#length = Math.min(this.#length, length);
  }

  async close(): Promise<void> {
    await this.executor.close();
  }
}

/** What `Probe.load` asks of a backend. */
export function planProbe(model: Model, options: Pick<ProbeOptions, 'kvCache' | 'batchTokens'>): BackendPlan {
  const { weights, program, layers, kvLayers, contextLength } = model;
  const blocks = Math.ceil(contextLength / blockTokens);
  const tokens = Math.min(options.batchTokens, contextLength);
  const limits = { tokens, sequences: 1, outputs: tokens, blocksPerSequence: blocks };
  return { weights, program, layers, kvLayers, kvCache: options.kvCache, kvBlocks: blocks, limits };
}

function unreachable(index: number): never {
  throw new RangeError(`there is no token ${index} whose logits could be wanted`);
}
