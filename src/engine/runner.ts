// Batch -> rows of logits, through the executor of a loaded model. The seam that tests replace.

import type { Batch, Executor, KvBlocks } from '../compute/backend.ts';
import { invariant } from '../core/errors.ts';

export interface ModelRunner {
  readonly vocabularySize: number;
  /** What is in the pool's blocks. */
  readonly blocks: KvBlocks;
  /** One row of [vocabulary] per wanted output, in order; valid until the next call. Calls never overlap. */
  forward(batch: Batch): Promise<readonly Float32Array[]>;
  close(): Promise<void>;
}

export function runModel(executor: Executor, vocabularySize: number): ModelRunner {
  let isBusy = false;
  return {
    vocabularySize,
    blocks: executor.blocks,
    forward: async (batch) => {
      invariant(!isBusy, 'forward passes never overlap');
      isBusy = true;
      try {
        const logits = await executor.forward(batch);
        invariant(logits.length >= batch.outputs.length * vocabularySize, 'every wanted output has a row of logits');
        return Array.from(batch.outputs, (_, row) => logits.subarray(row * vocabularySize, (row + 1) * vocabularySize));
      } finally {
        isBusy = false;
      }
    },
    close: () => executor.close(),
  };
}
