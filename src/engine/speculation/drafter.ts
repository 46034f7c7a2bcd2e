// Guesses what a sequence says next by copying from itself: prompt-lookup decoding (Saxena 2023; Yang et al., "Inference with Reference",
// 2023). The place that is copied from is followed as long as it proves right; after an edit the copy is taken up again behind it.

import { Acceptance, type Likeness } from './acceptance.ts';
import { NgramIndex } from './ngram-index.ts';

export interface Guess {
  readonly id: number;
  /** That this one and all before it come true, 0..1. */
  readonly odds: number;
}

/** More agreement says no more. */
const mostAgreed = 32;
/** How far behind the last source an edit may have moved the text. */
const resumeWithin = 16;
/** Ids that may differ before the last source is given up. */
const mostDiffering = 8;

/** What a caller says comes next is taken to be as good as a copy of so many ids. */
const agreedOfPrediction = 6;

/** Copies from here on: `at` is the index of the next id. */
interface Source extends Likeness {
  readonly at: number;
}

export class Drafter {
  readonly #acceptance = new Acceptance();
  readonly #indexes = [new NgramIndex(3), new NgramIndex(2), new NgramIndex(1)] as const;
  #ids = new Int32Array(256);
  #length = 0;
  #source: Source | undefined;
  /** Where copying failed last, and how many ids ago. */
  #lost: { readonly at: number; readonly ago: number } | undefined;

  /** What is copied from and does not belong to the sequence: ids of a prediction. */
  readonly #predicted: number;

  /** A sequence that has a prompt and no answer yet. `prediction`: what the answer will probably be. */
  constructor(prompt: Int32Array, prediction: Int32Array = new Int32Array()) {
    this.#predicted = prediction.length;
    this.#append(prediction);
    this.#append(prompt);
    this.#extend(this.#length - 1);
    this.#search();
    this.#extend(this.#length);
    if (prediction.length > 0) this.#source = { at: 0, agreed: agreedOfPrediction, isResumed: true };
  }

  /** Ids of the sequence that it knows. */
  get length(): number {
    return this.#length - this.#predicted;
  }

  /** The sequence goes on with these; what would have been guessed is compared. */
  follow(ids: Int32Array): void {
    for (const id of ids) {
      this.#compare(id);
      this.#append([id]);
      if (this.#source === undefined) this.#search();
      this.#extend(this.#length);
    }
  }

  /** At most `most`, the next one first. */
  guess(most: number): Guess[] {
    const guesses: Guess[] = [];
    let odds = 1;
    if (this.#source === undefined) return guesses;
    let { at, agreed } = this.#source;
    const { isResumed } = this.#source;
    for (; guesses.length < most; at++, agreed++) {
      odds *= this.#acceptance.expect({ agreed, isResumed });
      // A text that repeats itself is copied from what was just guessed.
      const id = at < this.#length ? this.#ids[at] : guesses[at - this.#length].id;
      guesses.push({ id, odds });
    }
    return guesses;
  }

  #compare(id: number): void {
    if (this.#lost !== undefined) {
      const { at, ago } = this.#lost;
      this.#lost = ago === mostDiffering ? undefined : { at, ago: ago + 1 };
    }
    if (this.#source === undefined) return;
    const { at, agreed, isResumed } = this.#source;
    const isHit = this.#ids[at] === id;
    this.#acceptance.learn(this.#source, isHit);
    if (isHit) this.#source = { at: at + 1, agreed: agreed + 1, isResumed };
    else {
      // What was copied for a while goes on; what happened to look alike does not.
      if (agreed >= 3) this.#lost = { at, ago: 0 };
      this.#source = undefined;
    }
  }

  /** The place with the best odds; among equals the one that agrees most, then the latest. */
  #search(): void {
    let best: Source | undefined;
    let bestOdds = 0;
    for (const place of [...this.#resumed(), ...this.#alike()]) {
      const odds = this.#acceptance.expect(place);
      if (best !== undefined && (odds < bestOdds || (odds === bestOdds && place.agreed <= best.agreed))) continue;
      [best, bestOdds] = [place, odds];
    }
    this.#source = best;
  }

  /** Where the last ids have stood before; of shorter n-grams only when there is none of longer ones. */
  #alike(): Source[] {
    for (const index of this.#indexes) {
      const ends = index.find(this.#ids, this.#length);
      if (ends.length > 0) return ends.map((at) => ({ at, agreed: this.#agreed(at), isResumed: false }));
    }
    return [];
  }

  /** Behind the place that was copied last: some ids were left out or put in, or as many were replaced. */
  #resumed(): Source[] {
    if (this.#lost === undefined) return [];
    const { at: from, ago } = this.#lost;
    const replaced = from + ago + 1;
    const places: Source[] = [];
    for (let at = from; at < Math.min(from + resumeWithin, this.#length); at++) {
      const agreed = this.#agreed(at);
      if (agreed > 0 || at === replaced) places.push({ at, agreed, isResumed: true });
    }
    return places;
  }

  /** How many ids before `at` are those before the end. */
  #agreed(at: number): number {
    let count = 0;
    const most = Math.min(mostAgreed, at);
    while (count < most && this.#ids[at - 1 - count] === this.#ids[this.#length - 1 - count]) count++;
    return count;
  }

  #append(ids: ArrayLike<number>): void {
    const length = this.#length + ids.length;
    if (length > this.#ids.length) {
      const grown = new Int32Array(2 ** Math.ceil(Math.log2(length)));
      grown.set(this.#ids.subarray(0, this.#length));
      this.#ids = grown;
    }
    this.#ids.set(ids, this.#length);
    this.#length = length;
  }

  #extend(length: number): void {
    for (const index of this.#indexes) index.extend(this.#ids, length);
  }
}
