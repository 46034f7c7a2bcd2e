// What a batch must keep to, checked before anything is computed: an index out of range would otherwise read zeros or another
// sequence's cache without a word.

import type { BackendPlan, Batch } from '../backend.ts';
import { blockTokens } from '../backend.ts';
import { BackendError } from '../error.ts';

export function checkBatch(plan: BackendPlan, batch: Batch): void {
  const { ids, positions, sequences, blockTables, outputs } = batch;
  const { limits } = plan;
  within('tokens', ids.length, limits.tokens);
  within('sequences', blockTables.length, limits.sequences);
  within('outputs', outputs.length, limits.outputs);
  for (const table of blockTables) within('blocks of a sequence', table.length, limits.blocksPerSequence);
  if (positions.length !== ids.length || sequences.length !== ids.length) {
    throw new BackendError(`${ids.length} ids need as many positions and sequences.`);
  }
  const vocabulary = vocabularyOf(plan);
  const longest = longestPosition(plan);
  for (let t = 0; t < ids.length; t++) {
    below('id', ids[t], vocabulary);
    below('sequence', sequences[t], blockTables.length);
    below('position', positions[t], Math.min(longest, blockTables[sequences[t]].length * blockTokens));
  }
  outputs.forEach((output, i) => {
    below('output', output, ids.length);
    if (i > 0 && output <= outputs[i - 1]) throw new BackendError('The outputs of a batch are ascending.');
  });
}

/** Rows of the smallest embedding table. */
function vocabularyOf({ program, weights }: BackendPlan): number {
  return program.ops.reduce(
    (least, op) => (op.op === 'embed' ? Math.min(least, weights[op.table].rows) : least),
    Infinity,
  );
}

/** Rows of the smallest rotation table. */
function longestPosition({ program, weights }: BackendPlan): number {
  return program.ops.reduce(
    (least, op) => (op.op === 'rope' ? Math.min(least, weights[op.table].rows) : least),
    Infinity,
  );
}

function within(what: string, count: number, limit: number): void {
  if (count > limit) throw new BackendError(`A batch of ${count} ${what} exceeds the plan's ${limit}.`);
}

function below(what: string, value: number, limit: number): void {
  if (value < 0 || value >= limit) throw new BackendError(`A batch's ${what} is ${value}; it must be below ${limit}.`);
}
