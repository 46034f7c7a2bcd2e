// Scheduled sequences -> one Batch of the compute contract.

import type { Batch } from '../compute/backend.ts';
import type { Scheduled } from './scheduler.ts';

/** A sequence's logits are wanted when the pass reaches the end of what is known of it. */
export function wantsLogits({ sequence, count }: Scheduled): boolean {
  return sequence.pending === count;
}

/** Rows of logits that a sequence gets: for its last known id, and for each guess. */
export function outputsOf(scheduled: Scheduled): number {
  return wantsLogits(scheduled) ? 1 + scheduled.sequence.guesses : 0;
}

/** Tokens of a sequence in the pass, guesses included. */
export function tokensOf({ sequence, count }: Scheduled): number {
  return count + sequence.guesses;
}

/** Tokens of one sequence stand together; `outputs` follow the order of `work`. */
export function buildBatch(work: readonly Scheduled[]): Batch {
  const tokens = work.reduce((sum, scheduled) => sum + tokensOf(scheduled), 0);
  const ids = new Int32Array(tokens);
  const positions = new Int32Array(tokens);
  const sequences = new Int32Array(tokens);
  const outputs: number[] = [];
  let at = 0;
  for (const [row, scheduled] of work.entries()) {
    const { sequence } = scheduled;
    const count = tokensOf(scheduled);
    ids.set(sequence.next(count), at);
    sequences.fill(row, at, at + count);
    for (let i = 0; i < count; i++) positions[at + i] = sequence.computed + i;
    at += count;
    for (let left = outputsOf(scheduled); left > 0; left--) outputs.push(at - left);
  }
  return {
    ids,
    positions,
    sequences,
    blockTables: work.map(({ sequence }) => sequence.blockTable),
    outputs: Int32Array.from(outputs),
  };
}
