// Scheduled sequences -> one Batch of the compute contract.

import type { Batch } from '../compute/backend.ts';
import type { Scheduled } from './scheduler.ts';

/** A sequence's logits are wanted when the pass reaches the end of what is known of it. */
export function wantsLogits({ sequence, count }: Scheduled): boolean {
  return sequence.pending === count;
}

/** Rows of logits that a sequence gets: one for each id of its prompt that is scored, then for its last known id and for each guess. */
export interface Outputs {
  readonly scores: number;
  readonly next: number;
}

export function outputsOf(scheduled: Scheduled): Outputs {
  const { sequence, count } = scheduled;
  return { scores: sequence.scoring(count).count, next: wantsLogits(scheduled) ? 1 + sequence.guesses : 0 };
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
    const { scores, next } = outputsOf(scheduled);
    ids.set(sequence.next(count), at);
    sequences.fill(row, at, at + count);
    for (let i = 0; i < count; i++) positions[at + i] = sequence.computed + i;
    const first = at + sequence.scoring(scheduled.count).at - 1 - sequence.computed;
    for (let i = 0; i < scores; i++) outputs.push(first + i);
    at += count;
    for (let left = next; left > 0; left--) outputs.push(at - left);
  }
  return {
    ids,
    positions,
    sequences,
    blockTables: work.map(({ sequence }) => sequence.blockTable),
    outputs: Int32Array.from(outputs),
  };
}
