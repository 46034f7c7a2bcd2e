// Which tokens may be drawn at all. Temperature first, then top_k, top_p over the mass that top_k left, min_p last: the order of
// mistral.rs, whose fields these are. Each keeps a beginning of one order: higher logit first, lower id first among equals.

import type { SamplingParams } from '../core/sampling.ts';
import type { Logits, LogitSpace } from './kernels.ts';
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

/** Of the scanned row, whose largest logit is finite. What cannot be kept is looked at by the kernels alone. */
export function truncate(space: LogitSpace, { temperature, topK, topP, minP }: Truncation): Kept {
  const { row, candidates, ids } = space;
  const { largest } = row;
  const byRank = limitsRank(topK, row.values.length);
  const border = topP < 1 && !byRank ? borderOfNucleus(row, temperature, topP) : undefined;
  // min_p commutes with top_k, but not with top_p: the nucleus is measured against all that top_k left.
  const lightest = topP < 1 ? 0 : minP;
  const bounds = [reaching(lightest, largest, temperature), byRank ? rankBound(row.maxima, topK) : leastLogit];
  space.collect(border?.low ?? Math.max(...bounds));
  if (limitsRank(topK, candidates.values.length))
    space.narrow(endAt(candidates.values, lastOf(candidates.values, topK)));
  const { values } = candidates;
  const { weights, total } = candidates.weigh(largest, temperature);
  let end: End = { value: leastLogit, index: Infinity };
  if (border !== undefined) end = endWithin(border, values, weights);
  else if (topP < 1) end = endAt(values, lastOf(values, topP * total, weights));
  let count = 0;
  for (let i = 0; i < values.length; i++) {
    if (weights[i] < minP || values[i] < end.value || (values[i] === end.value && i > end.index)) continue;
    ids[count] = ids[i];
    weights[count++] = weights[i];
  }
  return { ids: ids.subarray(0, count), weights: weights.subarray(0, count) };
}

/** Where a beginning of the order ends: the value and the index of its last. */
export interface End {
  readonly value: number;
  readonly index: number;
}

function endAt(values: Float32Array, index: number): End {
  return { value: values[index], index };
}

function limitsRank(topK: number, size: number): boolean {
  return topK > 0 && topK < size;
}

/** A little below every logit that has at least this weight; what is lighter than 2^-53 has none. */
function reaching(weight: number, largest: number, temperature: number): number {
  const nats = Math.max(Math.log(weight), -36.75) - 1e-3;
  return Math.max(leastLogit, largest + temperature * nats - 1e-6 * Math.abs(largest));
}

/** Logits between which the nucleus ends. */
interface Border {
  /** Those from here on have its mass, ... */
  readonly low: number;
  /** ... those from here on have not, ... */
  readonly high: number;
  /** ... and so much of it is missing. */
  readonly missing: number;
}

/** By halves, until few logits are left in between: each question costs as much as there are likely tokens. */
function borderOfNucleus(row: Logits, temperature: number, topP: number): Border {
  const { largest } = row;
  const target = topP * row.weigh(largest, temperature).total;
  const floor = Math.fround(reaching(0, largest, temperature));
  let [low, high, mass] = [largest, Infinity, 0];
  for (let width = temperature; ; width *= 2) {
    low = Math.fround(Math.max(floor, largest - width));
    const reached = row.massFrom(low);
    if (reached >= target || low <= floor) break;
    [high, mass] = [low, reached];
  }
  while (Math.min(high, largest) - low > temperature / 64) {
    const middle = Math.fround((low + Math.min(high, largest)) / 2);
    // Neighbours of f32: nothing is in between.
    if (middle <= low || middle >= high) break;
    const reached = row.massFrom(middle);
    if (reached >= target) low = middle;
    else [high, mass] = [middle, reached];
  }
  return { low, high, missing: target - mass };
}

/** `values`: all from the low end on. */
function endWithin({ high, missing }: Border, values: Float32Array, weights: Float32Array): End {
  const between: number[] = [];
  for (let i = 0; i < values.length; i++) if (values[i] < high) between.push(i);
  const place = (all: Float32Array): Float32Array => Float32Array.from(between, (i) => all[i]);
  return endAt(values, between[lastOf(place(values), missing, place(weights))]);
}
