// How much of prompts a forward pass may hold, from how long passes take on this machine: a budget of milliseconds, from which each prompt
// takes what its tokens cost at their depth. Chunks decide nothing but time: a token's bits do not depend on them, so a clock may choose
// them. (Bounding what a chunk adds to the latency of running streams: Sarathi-Serve, OSDI 2024; there the budget is tokens, set by hand.)

import { loadOf, PassTime, type Chunk } from './pass-time.ts';

/**
 * Beside running streams a pass lasts at most so many times what they would cost alone at the beginning of their texts: what they look
 * back at grows while a long prompt is read, and is not to be stretched, too. So they wait less than four times as long as before ...
 */
const stretch = 3.5;
/** ... or twice as long as now, when their texts are long ... */
const leastStretch = 2;
/** ... or so long: 20 tokens a second are faster than anybody reads. */
const unnoticedMs = 50;
/**
 * From this depth on a pass may last longer, in proportion: each one looks back at all that was read, and in short ones that is most of
 * the work. A prompt of 8,000 tokens would take six times as long as alone.
 */
const far = 4096;
/** Where a prompt comes to its end a pass may last so many times as long: once in a prompt, and its answer begins sooner. */
const endPart = 2;
/** So many passes with prompts, and one without is due: to know what they are compared with while machine and streams change. */
const comparedAfter = 10;
/** Of those the last ones; the shorter counts, so that one that was held up does not. */
const remembered = 2;
/** A pass without streams: a cancelled request ends with the pass that it is in. */
const longestMs = 1000;
/** Before a pass was measured. */
const firstTokens = 64;
/** Whatever they cost: reading goes on at any depth. */
const leastTokens = 2;

/** What a pass has left for prompts. */
export interface PromptBudget {
  /** Takes the time for as many of a prompt's next tokens as there is time for, `most` at most; with that many it `ends`. How many these are. */
  take(depth: number, most: number, ends: boolean): number;
}

export interface PromptPace {
  /** For a pass with these decoding sequences. */
  budget(decoding: readonly Chunk[]): PromptBudget;
  /** What a pass lasted. */
  learn(pass: { readonly ms: number; readonly decoding: readonly Chunk[]; readonly prompts: readonly Chunk[] }): void;
}

export class Pace implements PromptPace {
  /** Of passes with prompts. */
  readonly #time = new PassTime();
  /** Milliseconds of the last ones that only decode: they are fewer tokens, for which there are other kernels. */
  readonly #decodeMs: number[] = [];
  #sinceCompared = 0;

  budget(decoding: readonly Chunk[]): PromptBudget {
    if (!this.#time.isKnown) return tokenBudget(firstTokens);
    const streams = loadOf(decoding);
    const withoutPrompts = this.#time.expect(streams);
    if (decoding.length === 0) return timeBudget(this.#time, longestMs - withoutPrompts, 0, 0);
    if (this.#sinceCompared >= comparedAfter) return tokenBudget(0);
    const usual = this.#decodeMs.length > 0 ? Math.min(...this.#decodeMs) : withoutPrompts;
    const lookingBack = this.#time.added({ tokens: 0, positions: streams.positions });
    const limit = Math.max(stretch * (usual - lookingBack), leastStretch * usual, unnoticedMs);
    return timeBudget(this.#time, limit - withoutPrompts, (endPart - 1) * limit, limit);
  }

  learn({ ms, decoding, prompts }: Parameters<PromptPace['learn']>[0]): void {
    if (prompts.length > 0) {
      this.#time.learn(loadOf([...decoding, ...prompts]), ms);
      this.#sinceCompared++;
      return;
    }
    this.#decodeMs.push(ms);
    this.#decodeMs.splice(0, this.#decodeMs.length - remembered);
    this.#sinceCompared = 0;
  }
}

/** Milliseconds: `more` for the end of a prompt, `again` each time that its depth reaches `far` once more. */
function timeBudget(time: PassTime, ms: number, more: number, again: number): PromptBudget {
  let left = ms;
  let least = leastTokens;
  const cost = (depth: number, count: number): number => time.added(loadOf([{ depth, count }]));
  return {
    take: (depth, most, ends) => {
      const room = left + again * Math.max(0, depth / far - 1);
      const within = ends && cost(depth, most) <= room + more ? most : time.tokensWithin(room, depth);
      const count = Math.min(most, Math.max(least, within));
      if (count > 0) left -= cost(depth, count);
      least = 0;
      return count;
    },
  };
}

/** So many, whatever they cost. */
export function tokenBudget(tokens: number): PromptBudget {
  let left = tokens;
  return {
    take: (_, most) => {
      const count = Math.min(most, left);
      left -= count;
      return count;
    },
  };
}
