// How long a forward pass lasts, learned from those that were run: for itself (weights are read), for each token, and for each position
// that a token looks back at. The logarithms of these costs are the state of an extended Kalman filter: costs stay positive, errors
// are relative, and a machine that becomes slower adds the same to all three.

/** Tokens of one sequence in a pass, behind `depth` others of it. */
export interface Chunk {
  readonly depth: number;
  readonly count: number;
}

/** What the time of a pass depends on. */
export interface Load {
  readonly tokens: number;
  /** Looked back at, over all tokens; a chunk also fetches those before it once. */
  readonly positions: number;
}

/** Taken for true before passes have told them apart, in parts of what a token costs: a pass, a token, a position. */
const prior = [6, 1, 1 / 4000] as const;
/** Fetching a position, in parts of looking back at it (Qwen3-0.6B at depth 4,000, two cores, 2026-11-20: 1.4). */
const fetched = 1.5;
/** By what part a measured pass is off, as a rule, and at most: one that was held up for longer says no more than that. */
const noise = 0.15;
const mostNoise = 0.4;
/** By what part all costs change together from pass to pass, since others use the machine, and each for itself. */
const commonDrift = 0.02;
const ownDrift = 0.01;
/** The former after a pass that was off by more than that: rather the machine is another now than a part of its costs. */
const commonJump = 0.2;
/** Nothing is less certain than this, however long it was not seen. */
const leastCertain = 1;

export class PassTime {
  /** Milliseconds for a pass, a token, a position. */
  #costs: readonly number[] = [];
  /** How uncertain their logarithms are, and together with which: the covariance. */
  #covariance: readonly (readonly number[])[] = prior.map((_, i) => prior.map((__, j) => (i === j ? leastCertain : 0)));

  get isKnown(): boolean {
    return this.#costs.length > 0;
  }

  /** Of a pass. */
  expect(load: Load): number {
    return dot(this.#costs, factors(load));
  }

  /** What a load adds to a pass. */
  added({ tokens, positions }: Load): number {
    return dot(this.#costs, [0, tokens, positions]);
  }

  /** Tokens behind `depth` others that add `ms` to a pass, rounded down. */
  tokensWithin(ms: number, depth: number): number {
    const [, perToken, perPosition] = this.#costs;
    const left = ms - perPosition * depth * fetched;
    if (left <= 0) return 0;
    // perPosition/2 n^2 + first n = left, in the form that stays exact for small perPosition.
    const first = perToken + perPosition * (depth + 0.5);
    return Math.floor((2 * left) / (first + Math.sqrt(first * first + 2 * perPosition * left)));
  }

  learn(load: Load, measuredMs: number): void {
    const x = factors(load);
    // A coarse clock says 0, which has no logarithm.
    const ms = Math.max(measuredMs, 1e-3);
    if (!this.isKnown) this.#costs = prior.map((part) => (part * ms) / dot(prior, x));
    const expected = this.expect(load);
    const error = Math.min(mostNoise, Math.max(-mostNoise, Math.log(ms / expected)));
    const common = Math.abs(error) < mostNoise ? commonDrift : commonJump;
    const drifted = this.#covariance.map((row, i) =>
      row.map(
        (each, j) => each + (i === j ? Math.min(ownDrift ** 2, Math.max(0, leastCertain - each)) : 0) + common ** 2,
      ),
    );
    // What each cost has of the pass is also what the pass says of it.
    const shares = this.#costs.map((cost, i) => (cost * x[i]) / expected);
    const seen = drifted.map((row) => dot(row, shares));
    const variance = dot(seen, shares) + noise ** 2;
    this.#costs = this.#costs.map((cost, i) => cost * Math.exp((seen[i] / variance) * error));
    this.#covariance = drifted.map((row, i) => row.map((each, j) => each - (seen[i] * seen[j]) / variance));
  }
}

export function loadOf(chunks: readonly Chunk[]): Load {
  let tokens = 0;
  let positions = 0;
  for (const { depth, count } of chunks) {
    tokens += count;
    positions += depth * (count + fetched) + (count * (count + 1)) / 2;
  }
  return { tokens, positions };
}

function factors({ tokens, positions }: Load): readonly number[] {
  return [1, tokens, positions];
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + value * b[i], 0);
}
