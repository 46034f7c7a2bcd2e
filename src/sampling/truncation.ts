// Which tokens may be drawn at all. Temperature first, then top_k, top_p over the mass that top_k left, min_p last: the order of
// mistral.rs, whose fields these are. Each keeps a beginning of one order: higher logit first, lower id first among equals.

import type { SamplingParams } from '../core/sampling.ts';

/** What is left, by ascending id. */
export interface Candidates {
  readonly ids: Int32Array;
  /** exp((logit - largest) / temperature) of each; not normalised, the best has 1. */
  readonly weights: Float64Array;
}

/**
 * `largest` is the largest logit and finite; -Infinity marks forbidden tokens. No sort: a selection by counts finds the end of
 * top_k, the same by masses the end of top_p, and exponentials are taken only of what top_k left.
 */
export function truncate(logits: Float32Array, largest: number, params: Omit<SamplingParams, 'seed'>): Candidates {
  const { temperature, topK, topP, minP } = params;
  const lowest = minP > 0 ? largest + temperature * Math.log(minP) : -Infinity;
  // min_p commutes with top_k, but not with top_p: the nucleus is measured against all that top_k left.
  let ids = topP < 1 ? allowed(logits) : atLeast(logits, allowed(logits), lowest);
  if (topK > 0 && topK < ids.length) ids = first(logits, ids, topK);
  if (topP < 1) ids = atLeast(logits, nucleus(logits, ids, weigh(logits, ids, largest, temperature), topP), lowest);
  return { ids, weights: weigh(logits, ids, largest, temperature) };
}

export function sumOf(values: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) sum += values[i];
  return sum;
}

function allowed(logits: Float32Array): Int32Array {
  const ids = new Int32Array(logits.length);
  let count = 0;
  for (let id = 0; id < logits.length; id++) if (logits[id] > -Infinity) ids[count++] = id;
  return ids.subarray(0, count);
}

/** Narrows `ids` in place. */
function atLeast(logits: Float32Array, ids: Int32Array, lowest: number): Int32Array {
  if (lowest === -Infinity) return ids;
  let count = 0;
  for (let i = 0; i < ids.length; i++) if (logits[ids[i]] >= lowest) ids[count++] = ids[i];
  return ids.subarray(0, count);
}

/** Narrows `ids` in place to those up to `last` in the order. */
function upTo(logits: Float32Array, ids: Int32Array, last: number): Int32Array {
  let count = 0;
  for (let i = 0; i < ids.length; i++) if (!comesBefore(logits, last, ids[i])) ids[count++] = ids[i];
  return ids.subarray(0, count);
}

function comesBefore(logits: Float32Array, a: number, b: number): boolean {
  return logits[a] > logits[b] || (logits[a] === logits[b] && a < b);
}

function weigh(logits: Float32Array, ids: Int32Array, largest: number, temperature: number): Float64Array {
  const weights = new Float64Array(ids.length);
  for (let i = 0; i < ids.length; i++) weights[i] = Math.exp((logits[ids[i]] - largest) / temperature);
  return weights;
}

/** The first `count` of the order. */
function first(logits: Float32Array, ids: Int32Array, count: number): Int32Array {
  const likely = atLeast(logits, ids, boundOfRank(logits, ids, count));
  return upTo(logits, likely, lastOf(logits, likely, new Float64Array(likely.length).fill(1), count));
}

/** The shortest beginning of the order that has the share `topP` of the mass, at least one. Narrows both arrays in place. */
function nucleus(logits: Float32Array, ids: Int32Array, weights: Float64Array, topP: number): Int32Array {
  const mass = sumOf(weights);
  // All tokens below this weight together weigh less than what the nucleus may leave out; half of it, for rounding.
  const negligible = ((1 - topP) * mass) / ids.length / 2;
  let count = 0;
  for (let i = 0; i < ids.length; i++) {
    if (weights[i] < negligible) continue;
    ids[count] = ids[i];
    weights[count++] = weights[i];
  }
  const likely = ids.subarray(0, count);
  return upTo(logits, likely, lastOf(logits, likely, weights.subarray(0, count), topP * mass));
}

/**
 * A logit that at least `rank` candidates reach: the rank-th among the maxima of groups. One pass that leaves little more than
 * `rank` candidates of a large vocabulary; nothing is lost when it leaves more.
 */
function boundOfRank(logits: Float32Array, ids: Int32Array, rank: number): number {
  const groupSize = Math.floor(ids.length / (4 * rank));
  if (groupSize < 2) return -Infinity;
  const maxima = new Float32Array(Math.floor(ids.length / groupSize));
  for (let group = 0; group < maxima.length; group++) {
    let largest = -Infinity;
    for (let i = group * groupSize; i < (group + 1) * groupSize; i++) largest = Math.max(largest, logits[ids[i]]);
    maxima[group] = largest;
  }
  return maxima.sort()[maxima.length - rank];
}

/**
 * The last id of the shortest beginning of the order whose measures reach `target`, at least the first: quickselect (Hoare 1961)
 * by measure in place of rank. Linear on average; the order is total, so equal logits do no harm.
 */
function lastOf(logits: Float32Array, candidates: Int32Array, measures: Float64Array, target: number): number {
  const ids = candidates.slice();
  const shares = measures.slice();
  const swap = (i: number, j: number): void => {
    const [id, share] = [ids[i], shares[i]];
    ids[i] = ids[j];
    ids[j] = id;
    shares[i] = shares[j];
    shares[j] = share;
  };
  // ids[start, end) are undecided; all before them belong to the beginning and measure `reached`.
  let [start, end, reached] = [0, ids.length, 0];
  for (;;) {
    swap((start + end) >>> 1, end - 1);
    const pivot = ids[end - 1];
    let [border, before] = [start, 0];
    for (let i = start; i < end - 1; i++) {
      if (!comesBefore(logits, ids[i], pivot)) continue;
      before += shares[i];
      swap(i, border++);
    }
    if (border > start && reached + before >= target) {
      end = border;
      continue;
    }
    const withPivot = reached + before + shares[end - 1];
    // At the end of the order rounding may have kept the sum below the target.
    if (withPivot >= target || border === end - 1) return pivot;
    swap(border, end - 1);
    [start, reached] = [border + 1, withPivot];
  }
}
