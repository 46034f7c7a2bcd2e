// Logits -> token. A pure function of the logits, the parameters and one random number: the same wherever and whenever it runs.

import type { SamplingParams } from '../core/sampling.ts';
import { uniform } from './random.ts';
import type { Candidates } from './truncation.ts';
import { sumOf, truncate } from './truncation.ts';

/** The logits name no distribution: this request fails, its neighbours do not. */
export class SamplingError extends Error {
  override readonly name = 'SamplingError';
}

/**
 * The token of a sequence's step `index` (tokens generated before it), with the draw that belongs to seed, index and choice (which of
 * several continuations of one prompt; choice 0 of any number of them is the only choice of one).
 *
 * @throws SamplingError
 */
export function sampleAt(logits: Float32Array, params: SamplingParams, index: number, choice = 0): number {
  return sample(logits, params, uniform(params.seed, index, choice));
}

/** `random` in [0, 1). -Infinity marks tokens that are not allowed. @throws SamplingError for NaN, Infinity or no token at all. */
export function sample(logits: Float32Array, params: Omit<SamplingParams, 'seed'>, random: number): number {
  const best = bestToken(logits);
  if (params.temperature === 0 || params.topK === 1) return best;
  return draw(truncate(logits, logits[best], params), random);
}

/** The largest logit, the lowest id among equals. @throws SamplingError */
export function bestToken(logits: Float32Array): number {
  let [best, largest] = [-1, -Infinity];
  for (let id = 0; id < logits.length; id++) {
    const logit = logits[id];
    if (logit > largest) [best, largest] = [id, logit];
    else if (Number.isNaN(logit)) throw new SamplingError(`The logit of token ${id} is not a number.`);
  }
  if (best === -1) throw new SamplingError('No token is allowed: every logit is -Infinity.');
  if (largest === Infinity) throw new SamplingError(`The logit of token ${best} is infinite.`);
  return best;
}

/**
 * Inverts the distribution function over ascending ids: a truncation that removes nothing changes no draw. Weights may underflow
 * to 0; such a token is never drawn, as the strict comparison sees to.
 */
function draw({ ids, weights }: Candidates, random: number): number {
  const target = random * sumOf(weights);
  let [cumulative, last] = [0, -1];
  for (let i = 0; i < ids.length; i++) {
    if (weights[i] === 0) continue;
    last = ids[i];
    cumulative += weights[i];
    if (cumulative > target) return last;
  }
  return last;
}
