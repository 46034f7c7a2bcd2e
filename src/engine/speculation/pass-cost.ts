// How long a forward pass of so many tokens lasts, from those that were run. Kernels compute tokens in tiles and small batches wait for
// memory, so that no formula fits: sizes are remembered one by one, and those between them are interpolated.

/** The last passes of a size; the middle one counts, so that a descheduled thread does not. */
const remembered = 5;
/** A size is relied on as the usual case from so many passes on, one of them among the last 96: caches fill, machines get busy. */
const reliable = 3;
const usualFor = 96;
/** Passes after which a size counts as unknown: what once was too slow is tried again. */
const knownFor = 512;
/** What a further token is taken to cost while one size alone is known, in parts of one of its tokens: little enough to be tried, ... */
const untriedShare = 0.3;
/** ... and beyond the largest of several, in parts of what the tokens up to there have cost. */
const untriedSlope = 0.8;

interface Size {
  readonly recent: number[];
  ms: number;
  /** Number of the last pass. */
  at: number;
}

export class PassCost {
  readonly #sizes = new Map<number, Size>();
  #passes = 0;

  learn(tokens: number, ms: number): void {
    this.#passes++;
    const size = this.#sizes.get(tokens) ?? { recent: [], ms: 0, at: 0 };
    // After a while without it, the new pass says more than the old ones.
    const kept = this.#passes - size.at > usualFor ? reliable : remembered;
    size.recent.push(ms);
    size.recent.splice(0, size.recent.length - kept);
    size.ms = size.recent.toSorted((a, b) => a - b)[size.recent.length >> 1];
    size.at = this.#passes;
    this.#sizes.set(tokens, size);
  }

  /** `undefined` when passes of this size were not run often enough of late. */
  usual(tokens: number): number | undefined {
    const size = this.#sizes.get(tokens);
    if (size === undefined || size.recent.length < reliable) return undefined;
    return this.#passes - size.at <= usualFor ? size.ms : undefined;
  }

  /** Milliseconds of passes of `least` tokens, and of up to `more` more; `least` must be usual. Never falling. */
  estimate(least: number, more: number): number[] {
    const known = [least];
    for (let tokens = least + 1; tokens <= least + more; tokens++) {
      if (this.#known(tokens) !== undefined) known.push(tokens);
    }
    const ms = (tokens: number): number => this.#known(tokens)?.ms ?? 0;
    const largest = known[known.length - 1];
    const slope =
      largest === least
        ? (untriedShare * ms(least)) / least
        : (untriedSlope * Math.max(0, ms(largest) - ms(least))) / (largest - least);
    const costs: number[] = [];
    for (let tokens = least; tokens <= least + more; tokens++) {
      const below = known.findLast((size) => size <= tokens) ?? least;
      const above = known.find((size) => size >= tokens);
      const cost =
        above === undefined
          ? ms(below) + slope * (tokens - below)
          : above === below
            ? ms(below)
            : ms(below) + ((ms(above) - ms(below)) * (tokens - below)) / (above - below);
      costs.push(Math.max(cost, costs.at(-1) ?? 0));
    }
    return costs;
  }

  #known(tokens: number): Size | undefined {
    const size = this.#sizes.get(tokens);
    return size !== undefined && this.#passes - size.at <= knownFor ? size : undefined;
  }
}
