// How many prompt tokens a forward pass may hold, from how long passes take on this machine. Chunks decide nothing but time: a token's
// bits do not depend on them, so a clock may choose them. (Bounding what a chunk adds to the latency of running streams: Sarathi-Serve,
// OSDI 2024; there the budget is set by hand.)

/** A pass with running streams lasts at most so many times what it would last without prompts ... */
const stretch = 3;
/** ... or so long: 20 tokens a second are faster than anybody reads. */
const unnoticedMs = 50;
/** A pass without streams: a cancelled request ends with the pass that it is in. */
const longestMs = 1000;
/** Before a pass was measured, and at least: less would read the weights for next to nothing. */
const firstTokens = 64;
const leastTokens = 16;

export interface PromptPace {
  /** Tokens of prompts that a pass may hold beside `decoding` sequences that write. */
  promptBudget(decoding: number): number;
  /** What a pass with so many decoding sequences and tokens of prompts lasted. */
  learn(pass: { readonly ms: number; readonly decoding: number; readonly prompt: number }): void;
}

export class Pace implements PromptPace {
  /** Of a pass that only decodes. */
  readonly #decodeMs = new Average();
  readonly #promptTokenMs = new Average();

  promptBudget(decoding: number): number {
    const perToken = this.#promptTokenMs.value;
    if (perToken === undefined) return firstTokens;
    const limit = decoding === 0 ? longestMs : this.#besideStreams();
    return Math.max(leastTokens, Math.floor(limit / perToken));
  }

  learn({ ms, decoding, prompt }: Parameters<PromptPace['learn']>[0]): void {
    if (prompt === 0) this.#decodeMs.add(ms);
    // The part of the pass that the streams would have cost alone is not the prompt's.
    else this.#promptTokenMs.add(Math.max(ms / 10, ms - (decoding > 0 ? (this.#decodeMs.value ?? 0) : 0)) / prompt);
  }

  #besideStreams(): number {
    const alone = this.#decodeMs.value ?? 0;
    return Math.max(unnoticedMs, stretch * alone) - alone;
  }
}

/** Exponential; the last five count for two thirds. */
class Average {
  value: number | undefined;

  add(sample: number): void {
    this.value = this.value === undefined ? sample : this.value + 0.2 * (sample - this.value);
  }
}
