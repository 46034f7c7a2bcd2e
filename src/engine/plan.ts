// What a backend is to hold for a model: its weights, its KV pool, room for one batch.

import { blockTokens, type BackendPlan } from '../compute/backend.ts';
import { ModelError } from '../model/error.ts';
import type { Model } from '../model/model.ts';
import type { KvCacheType, LoadOptions } from './messages.ts';
import { canSpeculate } from './layer-states.ts';
import { outputsForGuesses } from './speculation/speculation.ts';

export type PlanOptions = Pick<LoadOptions, 'kvCache' | 'maxSequences' | 'maxBatchTokens' | 'speculation'>;

/** What is short of all sequences at full length is shared by pre-emption. */
export const kvPoolBytes = 1 << 30;

/** `poolBytes`: the pool may have so much beyond one whole context, which it always holds. */
export function planBackend(model: Model, options: PlanOptions, poolBytes = kvPoolBytes): BackendPlan {
  if (model.states.some(({ kind }) => kind === 'recurrent')) {
    throw new ModelError('Models with recurrent layers are not supported yet.');
  }
  const { kvCache, maxSequences, maxBatchTokens } = options;
  const { layers, kvLayers, weights, program } = model;
  const blocksPerSequence = Math.ceil(model.contextLength / blockTokens);
  const values = kvLayers.reduce((sum, { kvHeads, headDim }) => sum + 2 * kvHeads * headDim, 0);
  const affordable = Math.floor(poolBytes / (blockTokens * values * bytesPerValue[kvCache]));
  const kvBlocks = Math.min(maxSequences * blocksPerSequence, Math.max(blocksPerSequence, affordable));
  const guesses = canSpeculate(model, options) ? outputsForGuesses : 1;
  const outputs = Math.min(maxBatchTokens, Math.max(maxSequences, guesses));
  const limits = { tokens: maxBatchTokens, sequences: maxSequences, outputs, blocksPerSequence };
  return { weights, program, layers, kvLayers, kvCache, kvBlocks, limits };
}

/** About: i16 has a scale per head beside. */
const bytesPerValue: Record<KvCacheType, number> = { f32: 4, f16: 2, i16: 2, q8_0: 34 / 32 };
