// Log probabilities: the model's own, before biases, penalties and temperature.

import type { LogitRow } from './kernels.ts';
import { endOfRank, reaching } from './truncation.ts';

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

/** `top`: alternatives, fewer where fewer have a chance. */
export function scoreRow(row: LogitRow, top: number): RowScores {
  const { largest } = row;
  const logOfSum = Math.log(row.weigh(1, reaching(row, 0, 1)));
  const logprobOf = (logit: number): number => Math.max(-9999, Math.fround(logit - largest - logOfSum));
  if (top === 0) return { logprobOf, topIds: [], topLogprobs: [] };
  const { ids, values } = row.collect(endOfRank(row, top));
  const best = Array.from(values.keys()).sort((a, b) => values[b] - values[a] || a - b);
  return {
    logprobOf,
    topIds: best.map((i) => ids[i]),
    topLogprobs: best.map((i) => logprobOf(values[i])),
  };
}
