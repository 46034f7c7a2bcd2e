// Which tokens may be drawn at all. Temperature first, then top_k, top_p over the mass that top_k left, min_p last: the order of
// mistral.rs, whose fields these are. Each keeps a beginning of one order: higher logit first, lower id first among equals.

import type { SamplingParams } from '../core/sampling.ts';
import { leastTemperature, type End, type LogitRow } from './kernels.ts';
import { endOf, lastId, wholeOrder } from './order.ts';
import { leastLogit, nextUp, rankBound } from './selection.ts';

export type Truncation = Pick<SamplingParams, 'temperature' | 'topK' | 'topP' | 'minP'>;

/** Weighs the scanned row, whose largest logit is finite; what may not be drawn has no weight. Returns the sum of the weights. */
export function weighKept(row: LogitRow, { temperature, topK, topP, minP }: Truncation): number {
  const ofRank = topK > 0 ? endOfRank(row, topK) : wholeOrder;
  // min_p commutes with top_k, but not with top_p: the nucleus is measured against all that top_k left.
  const floor = reaching(row, topP < 1 ? 0 : minP, temperature);
  const within = ofRank.value < floor ? { value: floor, id: lastId } : ofRank;
  const total = row.weigh(temperature, within.value);
  const lightest = atLeast(minP);
  if (topP >= 1) return ofRank === wholeOrder && minP === 0 ? total : row.keep(within, lightest);
  const mass = ofRank === wholeOrder ? total : row.keep(within, 0);
  return row.keep(endOf(row, { target: Math.max(topP * mass, Number.MIN_VALUE), within, mass }), lightest);
}

/** Of the so many best, or of all that are not forbidden where they are fewer. */
export function endOfRank(row: LogitRow, rank: number): End {
  if (rank >= row.values.length) return wholeOrder;
  return endOf(row, { target: rank, within: { value: rankBound(row.maxima, rank), id: lastId } });
}

/** Little below every logit that has at least this weight; what is lighter than 2^-53 has none. */
export function reaching({ largest }: LogitRow, weight: number, temperature: number): number {
  const nats = Math.max(Math.log(weight), -36.75) - 1e-3;
  const value = largest + Math.max(temperature, leastTemperature) * nats - 1e-6 * Math.abs(largest);
  return Math.fround(Math.max(leastLogit, value));
}

/** The least f32 that is not below. */
function atLeast(value: number): number {
  const near = Math.fround(value);
  return near < value ? nextUp(near) : near;
}
