// Where activations lie: each buffer from its first to its last use, first fit. A matrix product of a quantized type also needs the
// int8 form of its input, which lives until the last product that takes it.

import type { BackendPlan, BufferId, Op } from '../backend.ts';
import { matrixFormat } from './formats.ts';

export interface ScratchPlan {
  readonly bytes: number;
  /** Offset of each buffer. */
  readonly buffers: readonly number[];
  /** Offsets of the int8 form of a buffer: quants, then scales. */
  readonly quants: ReadonlyMap<BufferId, { readonly quants: number; readonly scales: number }>;
}

/** Bytes from row to row: columns rounded up to 8 values. */
export function strideOf(cols: number): number {
  return Math.ceil(cols / 8) * 32;
}

interface Life {
  from: number;
  to: number;
  readonly bytes: number;
  at: number;
}

export function planScratch(plan: BackendPlan): ScratchPlan {
  const { ops, buffers, logits } = plan.program;
  const rowsOf = (id: BufferId): number => (buffers[id].rows === 'tokens' ? plan.limits.tokens : plan.limits.outputs);
  const lives: Life[] = buffers.map(({ cols }, id) => ({
    from: ops.length,
    to: -1,
    bytes: rowsOf(id) * strideOf(cols),
    at: 0,
  }));
  const forms = new Map<BufferId, Life>();
  for (const [index, op] of ops.entries()) {
    for (const id of buffersOf(op)) {
      lives[id].from = Math.min(lives[id].from, index);
      lives[id].to = Math.max(lives[id].to, index);
    }
    if (op.op !== 'linear') continue;
    const weight = plan.weights[op.weight];
    if (!matrixFormat(weight.dtype, weight.name).quantizes) continue;
    const form = forms.get(op.x);
    if (form === undefined)
      forms.set(op.x, { from: index, to: index, bytes: formBytes(rowsOf(op.x), weight.cols), at: 0 });
    else form.to = index;
  }
  lives[logits].to = ops.length;

  let bytes = 0;
  const placed: Life[] = [];
  const all = [...lives, ...forms.values()]
    .filter(({ to }) => to >= 0)
    .toSorted((a, b) => b.bytes - a.bytes || a.from - b.from);
  for (const life of all) {
    const neighbours = placed
      .filter(({ from, to }) => from <= life.to && life.from <= to)
      .toSorted((a, b) => a.at - b.at);
    let at = 0;
    for (const other of neighbours) {
      if (at + life.bytes <= other.at) break;
      at = Math.max(at, Math.ceil((other.at + other.bytes) / 64) * 64);
    }
    life.at = at;
    placed.push(life);
    bytes = Math.max(bytes, at + life.bytes);
  }
  return {
    bytes,
    buffers: lives.map(({ at }) => at),
    quants: new Map(
      [...forms].map(([id, { at }]) => [id, { quants: at, scales: at + rowsOf(id) * 2 * buffers[id].cols }]),
    ),
  };
}

/** i16 quants, then per block of 32 a scale and an offset. */
function formBytes(rows: number, cols: number): number {
  return rows * (2 * cols + (cols / 32) * 8);
}

function buffersOf(op: Op): BufferId[] {
  switch (op.op) {
    case 'embed':
      return [op.out];
    case 'rmsNorm':
    case 'linear':
    case 'select':
      return [op.x, op.out];
    case 'add':
      return [op.x, op.y, op.out];
    case 'gate':
      return [op.gate, op.up, op.out];
    case 'rope':
      return [op.x];
    case 'store':
      return [op.k, op.v];
    case 'attention':
      return [op.q, op.out];
  }
}
