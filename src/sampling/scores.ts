// Log probabilities: the model's own, before biases, penalties and temperature.

import type { LogitSpace } from './kernels.ts';
import { rankBound } from './selection.ts';

/** Natural logarithms, rounded to f32: what is beyond that digit is the arithmetic's, not the model's. */
export interface TokenScore {
  /** Of the token itself; -Infinity is never one: it is -9999, as published, where the model gives no chance at all. */
  readonly logprob: number;
  /** The likeliest tokens, best first, lower ids first among equals, ... */
  readonly topIds: readonly number[];
  /** ... and theirs. */
  readonly topLogprobs: readonly number[];
}

/** What the scanned row says of every token, before anything changes it. */
export interface RowScores extends Pick<TokenScore, 'topIds' | 'topLogprobs'> {
  readonly logprobOf: (logit: number) => number;
}

/** `top`: alternatives, fewer where fewer have a chance. The candidates of the space are used. */
export function scoreRow(space: LogitSpace, top: number): RowScores {
  const { row, candidates, ids } = space;
  const { largest } = row;
  const logOfSum = Math.log(row.weigh(largest, 1).total);
  const logprobOf = (logit: number): number => Math.max(-9999, Math.fround(logit - largest - logOfSum));
  if (top === 0) return { logprobOf, topIds: [], topLogprobs: [] };
  space.collect(rankBound(row.maxima, top));
  const { values } = candidates;
  const best = Array.from(values.keys())
    .sort((a, b) => values[b] - values[a] || a - b)
    .slice(0, top);
  return {
    logprobOf,
    topIds: best.map((i) => ids[i]),
    topLogprobs: best.map((i) => logprobOf(values[i])),
  };
}
