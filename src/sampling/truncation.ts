// Which tokens may be drawn at all. Temperature first, then top_k, top_p over the mass that top_k left, min_p last: the order of
// mistral.rs, whose fields these are. Each keeps a beginning of one order: higher logit first, lower id first among equals.

import type { SamplingParams } from '../core/sampling.ts';
import type { LogitSpace } from './kernels.ts';
import { lastOf, leastLogit, rankBound } from './selection.ts';

export type Truncation = Pick<SamplingParams, 'temperature' | 'topK' | 'topP' | 'minP'>;

/** What is left, by ascending id: views that are valid until the space is used again. */
export interface Kept {
  readonly ids: Int32Array;
  /** As in `Softmax`. */
  readonly weights: Float32Array;
}

export function truncates({ topK, topP, minP }: Truncation, vocabularySize: number): boolean {
  return limitsRank(topK, vocabularySize) || topP < 1 || minP > 0;
}

/** Of the scanned row, whose largest logit is finite. What cannot be kept is looked at once, by the kernels. */
export function truncate(space: LogitSpace, { temperature, topK, topP, minP }: Truncation): Kept {
  const { row, candidates } = space;
  const { largest } = row;
  const size = row.values.length;
  /** A little below every logit that has at least this weight. */
  const reaching = (weight: number): number => {
    const nats = Math.max(Math.log(weight), lightest) - 1e-3;
    return Math.max(leastLogit, largest + temperature * nats - 1e-6 * Math.abs(largest));
  };
  let bound = reaching(0);
  // What the nucleus is a share of.
  let mass: number | undefined;
  if (limitsRank(topK, size)) bound = rankBound(row.maxima, topK);
  else if (topP < 1) {
    mass = row.weigh(largest, temperature).total;
    // Tokens below it together weigh less than what the nucleus may leave out; half of it, for rounding.
    bound = reaching(((1 - topP) * mass) / size / 2);
  }
  // min_p commutes with top_k, but not with top_p: the nucleus is measured against all that top_k left.
  if (topP === 1) bound = Math.max(bound, reaching(minP));
  space.collect(bound);
  if (limitsRank(topK, candidates.values.length))
    space.narrow(upTo(candidates.values, lastOf(candidates.values, topK)));
  const { weights, total } = candidates.weigh(largest, temperature);
  let keeps: Keeps = () => true;
  if (topP < 1) keeps = upTo(candidates.values, lastOf(candidates.values, topP * (mass ?? total), weights));
  let count = 0;
  for (let i = 0; i < weights.length; i++) {
    if (weights[i] < minP || !keeps(i)) continue;
    space.ids[count] = space.ids[i];
    weights[count++] = weights[i];
  }
  return { ids: space.ids.subarray(0, count), weights: weights.subarray(0, count) };
}

/** Whether the candidate with this index stays. */
export type Keeps = (index: number) => boolean;

/** The exponent of the lightest weight that is not 0. */
const lightest = -36.75;

function limitsRank(topK: number, size: number): boolean {
  return topK > 0 && topK < size;
}

/** The beginning of the order that ends with `last`. */
function upTo(values: Float32Array, last: number): Keeps {
  const bound = values[last];
  return (i) => values[i] > bound || (values[i] === bound && i <= last);
}
