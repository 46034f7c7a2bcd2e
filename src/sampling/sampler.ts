// Logits -> token, in the documented order: bias, DRY, frequency, presence, repetition; temperature, top_k, top_p, min_p; draw. A function of
// the logits, the parameters, the text so far and one random number: the same wherever and whenever it runs.

import type { SamplingParams } from '../core/sampling.ts';
import { groupSize, LogitRow } from './kernels.ts';
import { TextPenalties } from './penalties.ts';
import { uniform } from './random.ts';
import { scoreRow, type RowScores, type TokenScore } from './scores.ts';
import { weighKept, type Truncation } from './truncation.ts';

export type { TokenScore } from './scores.ts';

/** The logits name no distribution: this request fails, its neighbours do not. */
export class SamplingError extends Error {
  override readonly name = 'SamplingError';
}

export interface Sampled {
  readonly id: number;
  /** Where scores were asked for. */
  readonly score?: TokenScore | undefined;
}

/** One continuation of a prompt, on its way. */
export interface TokenSource {
  /** The token after those pushed so far; changes nothing. @throws SamplingError for NaN, Infinity or no token at all. */
  next(logits: Float32Array): Sampled;
  /** Its next token is this one. */
  push(id: number): void;
}

export interface SourceOptions {
  readonly sampling: SamplingParams;
  /** Log probabilities, with so many alternatives; `undefined`: none. */
  readonly logprobs?: number | undefined;
  readonly prompt: Int32Array;
  /** Which of several continuations of one prompt; choice 0 of any number of them is the only choice of one. */
  readonly choice: number;
}

/** What the engine asks of a sampler. Logits are [vocabulary]; -Infinity marks tokens that are not allowed. */
export interface Sampler {
  begin(options: SourceOptions): TokenSource;
  /** What the model says of a token that it did not choose. @throws SamplingError */
  score(logits: Float32Array, id: number, top: number): TokenScore;
}

/** Its memory is for one row at a time, as are its calls. */
export function createSampler(vocabularySize: number): Sampler {
  const row = new LogitRow(vocabularySize);
  return {
    begin: (options) => new Source(row, options),
    score: (logits, id, top) => {
      load(row, logits);
      return scoreOf(scoreRow(row, top), logits[id]);
    },
  };
}

class Source implements TokenSource {
  readonly #row: LogitRow;
  readonly #options: SourceOptions;
  readonly #penalties: TextPenalties;
  #generated = 0;

  constructor(row: LogitRow, options: SourceOptions) {
    this.#row = row;
    this.#options = options;
    this.#penalties = new TextPenalties(options.sampling, options.prompt);
  }

  next(logits: Float32Array): Sampled {
    const { sampling, logprobs, choice } = this.#options;
    const row = this.#row;
    load(row, logits);
    const scores = logprobs === undefined ? undefined : scoreRow(row, logprobs);
    if (this.#penalties.isNeeded) {
      this.#penalties.apply(row.values);
      row.scan();
      check(row.largest);
    }
    const isGreedy = sampling.temperature === 0 || sampling.topK === 1;
    const id = isGreedy ? row.indexOfLargest : draw(row, sampling, uniform(sampling.seed, this.#generated, choice));
    return scores === undefined ? { id } : { id, score: scoreOf(scores, logits[id]) };
  }

  push(id: number): void {
    this.#generated++;
    this.#penalties.push(id);
  }
}

function scoreOf({ logprobOf, topIds, topLogprobs }: RowScores, logit: number): TokenScore {
  return { logprob: logprobOf(logit), topIds, topLogprobs };
}

function load(row: LogitRow, logits: Float32Array): void {
  row.load(logits);
  row.scan();
  check(row.largest);
}

function check(largest: number): void {
  if (Number.isFinite(largest)) return;
  if (largest === -Infinity) throw new SamplingError('No token is allowed: every logit is -Infinity.');
  throw new SamplingError(Number.isNaN(largest) ? 'A logit is not a number.' : 'A logit is infinite.');
}

/**
 * Inverts the distribution function over ascending ids: a truncation that removes nothing changes no draw. Weights may underflow
 * to 0; such a token is never drawn, as the strict comparison sees to.
 */
function draw(row: LogitRow, params: Truncation, random: number): number {
  const total = weighKept(row, params);
  const { sums, weights } = row;
  let left = random * total;
  // Rounding may leave more than there is: then it is the last group that has anything.
  let [group, target] = [0, 0];
  for (let i = 0; i < sums.length; i++) {
    if (sums[i] === 0) continue;
    [group, target] = [i, left];
    if (left < sums[i]) break;
    left -= sums[i];
  }
  const from = group * groupSize;
  return from + place(weights.subarray(from, from + groupSize), target);
}

/** Where the running sum passes the target; the last that has any weight, where rounding keeps it below. */
function place(weights: Float32Array, target: number): number {
  let [cumulative, last] = [0, -1];
  for (let i = 0; i < weights.length; i++) {
    if (weights[i] === 0) continue;
    last = i;
    cumulative += weights[i];
    if (cumulative > target) return last;
  }
  return last;
}
