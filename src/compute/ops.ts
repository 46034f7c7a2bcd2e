// Model code looks eager: it calls `Ops` as if each call computed something; each call appends one record to the program.

import type { BackendPlan, BufferId, BufferSpec, Op, Program, RopeLayout, WeightId, WeightSpec } from './backend.ts';
import { invariant } from '../core/errors.ts';

/** A buffer while a program is being written. */
export interface Activation extends BufferSpec {
  readonly id: BufferId;
}

/** A weight while a program is being written. */
export interface Weight {
  readonly id: WeightId;
  readonly rows: number;
  readonly cols: number;
}

export interface AttentionOptions {
  readonly layer: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly scale: number;
  readonly causal?: boolean;
  readonly window?: number;
  readonly softcap?: number;
  readonly sinks?: Weight;
  readonly spans?: boolean;
}

export interface RopeOptions {
  readonly heads: number;
  readonly headDim: number;
  readonly dims: number;
  readonly layout: RopeLayout;
  readonly table: Weight;
}

export class Ops {
  readonly #ops: Op[] = [];
  readonly #buffers: BufferSpec[] = [];
  readonly #weights: WeightSpec[] = [];

  weight(spec: WeightSpec): Weight {
    this.#weights.push(spec);
    return { id: this.#weights.length - 1, rows: spec.rows, cols: spec.cols };
  }

  embed(table: Weight, scale = 1): Activation {
    const out = this.#buffer('tokens', table.cols);
    this.#ops.push({ op: 'embed', table: table.id, scale, out: out.id });
    return out;
  }

  /** `width`: columns normalised together; by default the whole row. */
  rmsNorm(x: Activation, weight: Weight, eps: number, width: number = x.cols): Activation {
    invariant(weight.cols * weight.rows === width && x.cols % width === 0, 'a norm weight has one value per column');
    const out = this.#buffer(x.rows, x.cols);
    this.#ops.push({ op: 'rmsNorm', x: x.id, weight: weight.id, width, eps, out: out.id });
    return out;
  }

  linear(
    x: Activation,
    weight: Weight,
    options: { readonly bias?: Weight | undefined; readonly adapterSlot?: number } = {},
  ): Activation {
    invariant(weight.cols === x.cols, `a matrix of ${weight.cols} columns cannot take rows of ${x.cols}`);
    const out = this.#buffer(x.rows, weight.rows);
    this.#ops.push({
      op: 'linear',
      x: x.id,
      weight: weight.id,
      bias: options.bias?.id,
      adapterSlot: options.adapterSlot,
      out: out.id,
    });
    return out;
  }

  add(x: Activation, y: Activation): Activation {
    invariant(x.cols === y.cols && x.rows === y.rows, 'only equal shapes are added');
    const out = this.#buffer(x.rows, x.cols);
    this.#ops.push({ op: 'add', x: x.id, y: y.id, out: out.id });
    return out;
  }

  gate(activation: 'silu' | 'gelu_tanh', gate: Activation, up: Activation): Activation {
    invariant(gate.cols === up.cols && gate.rows === up.rows, 'gate and up have equal shapes');
    const out = this.#buffer(up.rows, up.cols);
    this.#ops.push({ op: 'gate', activation, gate: gate.id, up: up.id, out: out.id });
    return out;
  }

  /** Rotates in place: `x` itself changes. */
  rope(x: Activation, options: RopeOptions): void {
    invariant(x.cols === options.heads * options.headDim, 'rope sees whole heads');
    this.#ops.push({
      op: 'rope',
      x: x.id,
      heads: options.heads,
      headDim: options.headDim,
      dims: options.dims,
      layout: options.layout,
      table: options.table.id,
    });
  }

  store(k: Activation, v: Activation, layer: number): void {
    this.#ops.push({ op: 'store', k: k.id, v: v.id, layer });
  }

  attention(q: Activation, options: AttentionOptions): Activation {
    const out = this.#buffer('tokens', options.heads * options.headDim);
    this.#ops.push({
      op: 'attention',
      q: q.id,
      layer: options.layer,
      heads: options.heads,
      kvHeads: options.kvHeads,
      headDim: options.headDim,
      scale: options.scale,
      causal: options.causal ?? true,
      window: options.window ?? 0,
      softcap: options.softcap ?? 0,
      sinks: options.sinks?.id,
      spans: options.spans ?? false,
      out: out.id,
    });
    return out;
  }

  /** Keeps the rows whose logits are wanted. */
  select(x: Activation): Activation {
    const out = this.#buffer('outputs', x.cols);
    this.#ops.push({ op: 'select', x: x.id, out: out.id });
    return out;
  }

  finish(logits: Activation): Pick<BackendPlan, 'weights' | 'program'> {
    invariant(logits.rows === 'outputs', 'logits are made of selected rows');
    const program: Program = { ops: this.#ops, buffers: this.#buffers, logits: logits.id };
    return { weights: this.#weights, program };
  }

  #buffer(rows: 'tokens' | 'outputs', cols: number): Activation {
    this.#buffers.push({ rows, cols });
    return { id: this.#buffers.length - 1, rows, cols };
  }
}
