// Guesses of what the fake model says next, mostly right: for tests of what the engine does with right and wrong ones.

import type { Sequence } from '../engine/sequence.ts';
import type { Speculation } from '../engine/speculation/speculation.ts';
import { expectedTokens, fakeVocabularySize } from './fake-model.ts';

/** `next`: says how many are guessed, and which of them are wrong; `contextLength`: of the engine. */
export function createOracle(next: (below: number) => number, contextLength: number): Speculation {
  const futures = new WeakMap<Sequence, readonly number[]>();
  return {
    propose: (sequences, room) => {
      const drafts = new Map<Sequence, Int32Array>();
      let left = room;
      for (const sequence of sequences) {
        const { options, choice, generated } = sequence;
        const future = futures.get(sequence) ?? expectedTokens({ ...options, stopIds: [] }, contextLength, choice);
        futures.set(sequence, future);
        const count = Math.min(next(9), left, sequence.room - 1);
        if (count <= 0) continue;
        left -= count;
        const right = future.slice(generated, generated + count);
        // Whatever is wrong may be any id, also one whose logits are not numbers.
        const ids = Int32Array.from({ length: count }, (_, i) => (next(6) === 0 ? next(fakeVocabularySize) : right[i]));
        drafts.set(sequence, ids);
      }
      return drafts;
    },
    learn: () => undefined,
  };
}
