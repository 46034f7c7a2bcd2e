// What biases, and the text so far, do to the logits of the next token. The text is counted as it grows: a token costs as much as there are
// different ones, however long the text is.

import type { Penalties } from '../core/sampling.ts';
import { DryMatches } from './dry.ts';

/** Prompt and answer of one sequence, as far as its parameters ask for them. */
export class TextPenalties {
  readonly #penalties: Penalties;
  readonly #dry: DryMatches | undefined;
  /** Different tokens, in order of their first occurrence, ... */
  readonly #seen: number[] = [];
  /** ... how often the answer holds each, ... */
  readonly #counts: number[] = [];
  /** ... and the index of each in both. */
  readonly #indices = new Map<number, number>();

  constructor(penalties: Penalties, prompt: Int32Array) {
    const { dry, repetitionPenalty = 1 } = penalties;
    this.#penalties = penalties;
    this.#dry = dry === undefined || dry.multiplier === 0 ? undefined : new DryMatches(dry, prompt);
    if (repetitionPenalty !== 1) for (const id of prompt) this.#count(id, 0);
  }

  /** Whether there is anything to do at all. */
  get isNeeded(): boolean {
    return this.#dry !== undefined || this.#countsTokens || (this.#penalties.logitBias ?? []).length > 0;
  }

  /** A token of the answer. */
  push(id: number): void {
    this.#dry?.push(id);
    if (this.#countsTokens) this.#count(id, 1);
  }

  /** The order is the documented one: bias, DRY, frequency and presence, repetition. */
  apply(logits: Float32Array): void {
    const { logitBias = [], frequencyPenalty = 0, presencePenalty = 0, repetitionPenalty = 1 } = this.#penalties;
    for (const { id, bias } of logitBias) logits[id] += bias;
    this.#dry?.apply(logits);
    for (let i = 0; i < this.#seen.length; i++) {
      const id = this.#seen[i];
      const count = this.#counts[i];
      let logit = logits[id];
      if (count > 0) logit -= count * frequencyPenalty + presencePenalty;
      logits[id] = logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty;
    }
  }

  get #countsTokens(): boolean {
    const { frequencyPenalty = 0, presencePenalty = 0, repetitionPenalty = 1 } = this.#penalties;
    return frequencyPenalty !== 0 || presencePenalty !== 0 || repetitionPenalty !== 1;
  }

  #count(id: number, times: number): void {
    const index = this.#indices.get(id);
    if (index !== undefined) {
      this.#counts[index] += times;
      return;
    }
    this.#indices.set(id, this.#seen.length);
    this.#seen.push(id);
    this.#counts.push(times);
  }
}
