// Scheduled sequences -> one Batch of the compute contract.

import type { Batch } from '../compute/backend.ts';
import type { Scheduled } from './scheduler.ts';

/** A sequence's logits are wanted when the pass reaches the end of what is known of it. */
export function wantsLogits({ sequence, count }: Scheduled): boolean {
  return sequence.pending === count;
}

/** Tokens of one sequence stand together; `outputs` follow the order of `work`. */
export function buildBatch(work: readonly Scheduled[]): Batch {
  const tokens = work.reduce((sum, { count }) => sum + count, 0);
  const ids = new Int32Array(tokens);
  const positions = new Int32Array(tokens);
  const sequences = new Int32Array(tokens);
  const outputs: number[] = [];
  let at = 0;
  for (const [row, scheduled] of work.entries()) {
    const { sequence, count } = scheduled;
    ids.set(sequence.next(count), at);
    sequences.fill(row, at, at + count);
    for (let i = 0; i < count; i++) positions[at + i] = sequence.computed + i;
    at += count;
    if (wantsLogits(scheduled)) outputs.push(at - 1);
  }
  return {
    ids,
    positions,
    sequences,
    blockTables: work.map(({ sequence }) => sequence.blockTable),
    outputs: Int32Array.from(outputs),
  };
}
