// Where activations lie: each buffer from its first to its last use, first fit. A matrix product of a quantized type also needs the
// int8 form of its input, which lives until the last product that takes it.

import type { BackendPlan, BufferId, Op } from '../backend.ts';
import type { KernelBuild } from './builds.ts';
import { matrixFormat, quantForm } from './formats.ts';
import { stepsOf } from './link.ts';

export interface ScratchPlan {
  readonly bytes: number;
  /** Offset of each buffer. */
  readonly buffers: readonly number[];
  /** Offsets of the quantized forms of a buffer, key `buffer:form`. */
  readonly quants: ReadonlyMap<string, { readonly quants: number; readonly records: number }>;
}

/** Bytes of the numbers beside a block of 32 quants (assembly/activation.ts). */
const quantRecordBytes = 16;

/**
 * Bytes from row to row: columns rounded up to 8 values. Long rows lie a cache line apart from a power of two: products write the same
 * columns of all rows one after the other, and at a distance of whole pages these would share a few sets of the cache.
 */
export function strideOf(cols: number): number {
  const bytes = Math.ceil(cols / 8) * 32;
  return bytes % 1024 === 0 ? bytes + 64 : bytes;
}

interface Life {
  from: number;
  to: number;
  readonly bytes: number;
  at: number;
}

interface Form extends Life {
  readonly key: string;
  readonly quantBytes: number;
}

export function planScratch(plan: BackendPlan, build: KernelBuild): ScratchPlan {
  const { ops, buffers, logits } = plan.program;
  const rowsOf = (id: BufferId): number => (buffers[id].rows === 'tokens' ? plan.limits.tokens : plan.limits.outputs);
  const lives: Life[] = buffers.map(({ cols }, id) => ({
    from: Infinity,
    to: -1,
    bytes: rowsOf(id) * strideOf(cols),
    at: 0,
  }));
  const forms = new Map<string, Form>();
  const steps = stepsOf(ops);
  const end = steps.at(-1)?.last ?? 0;
  for (const [index, op] of ops.entries()) {
    const { first, last } = steps[index];
    for (const id of buffersOf(op)) {
      lives[id].from = Math.min(lives[id].from, first);
      lives[id].to = Math.max(lives[id].to, last);
    }
    if (op.op !== 'linear') continue;
    const weight = plan.weights[op.weight];
    const form = quantForm(matrixFormat(weight.dtype, weight.name), build);
    if (form === undefined) continue;
    const key = `${op.x}:${form}`;
    const known = forms.get(key);
    if (known === undefined) {
      const quantBytes = rowsOf(op.x) * weight.cols * (form === 'i16' ? 2 : 1);
      const bytes = quantBytes + rowsOf(op.x) * (weight.cols / 32) * quantRecordBytes;
      forms.set(key, { key, quantBytes, from: first, to: last, bytes, at: 0 });
    } else {
      known.to = last;
    }
  }
  lives[logits].to = end + 1;

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
      [...forms.values()].map(({ key, at, quantBytes }) => [key, { quants: at, records: at + quantBytes }]),
    ),
  };
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
