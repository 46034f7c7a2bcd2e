// Which buffers of a program may share memory: a slot is free again after the last record that reads it.

import type { BatchLimits, BufferId, Op, Program } from '../backend.ts';

export interface BufferPlan {
  /** Values per slot. */
  readonly slots: readonly number[];
  /** Slot of each buffer. */
  readonly slotOf: readonly number[];
}

export function planBuffers(program: Program, limits: BatchLimits): BufferPlan {
  const lastUse = new Map<BufferId, number>();
  program.ops.forEach((op, at) => {
    for (const id of [...inputsOf(op), ...outputOf(op)]) lastUse.set(id, at);
  });
  lastUse.set(program.logits, program.ops.length);

  const slots: number[] = [];
  const slotOf: number[] = [];
  const free: number[] = [];
  program.ops.forEach((op, at) => {
    for (const id of outputOf(op)) {
      const { rows, cols } = program.buffers[id];
      const values = cols * (rows === 'tokens' ? limits.tokens : limits.outputs);
      // The slot that has to grow, or that is wasted, the least.
      free.sort((a, b) => Math.abs(slots[b] - values) - Math.abs(slots[a] - values));
      const slot = free.pop() ?? slots.push(0) - 1;
      slots[slot] = Math.max(slots[slot], values);
      slotOf[id] = slot;
    }
    for (const id of new Set([...inputsOf(op), ...outputOf(op)])) if (lastUse.get(id) === at) free.push(slotOf[id]);
  });
  return { slots, slotOf };
}

function inputsOf(op: Op): readonly BufferId[] {
  switch (op.op) {
    case 'embed':
      return [];
    case 'rmsNorm':
    case 'linear':
    case 'rope':
    case 'select':
      return [op.x];
    case 'add':
      return [op.x, op.y];
    case 'gate':
      return [op.gate, op.up];
    case 'store':
      return [op.k, op.v];
    case 'attention':
      return [op.q];
    default:
      return op satisfies never;
  }
}

function outputOf(op: Op): readonly BufferId[] {
  return op.op === 'rope' || op.op === 'store' ? [] : [op.out];
}
