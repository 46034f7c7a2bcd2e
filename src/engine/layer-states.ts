// What the engine may do with sequences of a model, given what its layers keep of them. All of it rests on two moves: `commit`, positions are
// final, and `rollback`, the last ones are taken back.

import type { LayerState, Model } from '../model/model.ts';
import type { LoadOptions } from './messages.ts';

interface Abilities {
  /** Whether its last positions can be taken back. */
  readonly rollback: boolean;
  /** Whether it exists in the middle of a text, for others to go on from there. */
  readonly resume: boolean;
}

const abilities: Readonly<Record<LayerState['kind'], Abilities>> = {
  /** Keys and values by position, in blocks: what lies behind the last position is never read, and written again. */
  paged: { rollback: true, resume: true },
  /** Kept like `paged`, read only within the window: positions that rollback brings into it again are still there. */
  window: { rollback: true, resume: true },
  /** One state, at the end; every token overwrites it. */
  recurrent: { rollback: false, resume: false },
  /** As the layer whose state it reads, which is asked itself. */
  sharedWith: { rollback: true, resume: true },
};

/** Whether blocks are worth remembering for later prompts. */
export function canRemember(
  { states }: Pick<Model, 'states'>,
  { prefixCache = true }: Pick<LoadOptions, 'prefixCache'>,
): boolean {
  return prefixCache && states.every(({ kind }) => abilities[kind].resume);
}

/** Whether guesses can be tested: those that fail are rolled back. */
export function canSpeculate(
  { states }: Pick<Model, 'states'>,
  { speculation = 'auto' }: Pick<LoadOptions, 'speculation'>,
): boolean {
  return speculation === 'auto' && states.every(({ kind }) => abilities[kind].rollback);
}
