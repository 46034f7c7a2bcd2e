// Whether and how far to guess ahead. A pass computes the pending token of each decoding sequence and, behind it, guesses of what follows;
// those that sampling then confirms are tokens for which no pass of their own was needed. What is sampled does not depend on it, so
// that clocks may decide: guesses are added, the likeliest first, as long as they bring more tokens per millisecond.
// (Speculative decoding: Leviathan, Kalman, Matias, ICML 2023; here nothing is drawn anew, since draws belong to positions.)

import type { Sequence } from '../sequence.ts';
import { Drafter, type Guess } from './drafter.ts';
import { PassCost } from './pass-cost.ts';

/** Rows of logits that a pass should have room for, so that a lone sequence can guess far enough ahead. */
export const outputsForGuesses = 16;
/** Guesses of one pass, all sequences together. */
const mostGuesses = outputsForGuesses - 1;

/** What must be gained before it is done: estimates are rough. */
const leastGain = 1.05;
/** Streams without guesses may become slower by so much for the sake of others. */
const mostDelay = 1.25;
/** Guesses less likely than that never pay. */
const leastOdds = 0.05;

export interface Speculation {
  /** For some of the decoding sequences what may follow their pending id; `room`: for all together. */
  propose(sequences: readonly Sequence[], room: number): Map<Sequence, Int32Array>;
  /** How long a pass without prompts lasted. */
  learn(tokens: number, ms: number): void;
}

export class PromptLookup implements Speculation {
  readonly #cost: Pick<PassCost, 'learn' | 'usual' | 'estimate'>;
  readonly #drafters = new WeakMap<Sequence, Drafter>();

  constructor(cost: Pick<PassCost, 'learn' | 'usual' | 'estimate'> = new PassCost()) {
    this.#cost = cost;
  }

  learn(tokens: number, ms: number): void {
    this.#cost.learn(tokens, ms);
  }

  propose(sequences: readonly Sequence[], room: number): Map<Sequence, Int32Array> {
    const most = Math.min(room, mostGuesses);
    if (most <= 0 || this.#cost.usual(sequences.length) === undefined) return new Map();
    const costs = this.#cost.estimate(sequences.length, most);
    if (!canPay(sequences.length, costs)) return new Map();
    const drafts = sequences.map((sequence) => this.#draft(sequence, most));
    const counts = worthwhile(drafts, costs);
    const taken = sequences.map((sequence, i) => {
      const ids = drafts[i].slice(0, counts[i]).map(({ id }) => id);
      return [sequence, Int32Array.from(ids)] as const;
    });
    return new Map(taken.filter(([, { length }]) => length > 0));
  }

  #draft(sequence: Sequence, most: number): Guess[] {
    const { known, promptTokens, room, options } = sequence;
    let drafter = this.#drafters.get(sequence);
    if (drafter === undefined) {
      drafter = new Drafter(known.subarray(0, promptTokens), options.prediction);
      this.#drafters.set(sequence, drafter);
    }
    drafter.follow(known.subarray(drafter.length));
    // Of the last id nobody asks what comes next.
    return drafter.guess(Math.min(most, room - 1)).filter(({ odds }) => odds >= leastOdds);
  }
}

/** Whether guesses that are sure to come true would gain enough: else there is nothing to look for. */
function canPay(sequences: number, costs: readonly number[]): boolean {
  return costs.some((cost, guesses) => (sequences + guesses) / cost > (leastGain * sequences) / costs[0]);
}

/** How many of each draft to test. `costs`: of a pass with 0, 1, 2, ... guesses. */
function worthwhile(drafts: readonly (readonly Guess[])[], costs: readonly number[]): number[] {
  // Odds fall within a draft, so that this order never takes a guess before one on which it depends.
  const all = drafts.flatMap((draft, row) => draft.map(({ odds }) => ({ row, odds })));
  all.sort((a, b) => b.odds - a.odds);
  const counts = drafts.map(() => 0);
  let best = [...counts];
  const expected = drafts.map(() => 1);
  let tokens = drafts.length;
  let bestRate = (leastGain * tokens) / costs[0];
  for (const [i, { row, odds }] of all.slice(0, costs.length - 1).entries()) {
    counts[row]++;
    expected[row] += odds;
    tokens += odds;
    const cost = costs[i + 1];
    const isFair = cost <= mostDelay * costs[0] * Math.min(...expected);
    if (!isFair || tokens / cost <= bestRate) continue;
    bestRate = tokens / cost;
    best = [...counts];
  }
  return best;
}
