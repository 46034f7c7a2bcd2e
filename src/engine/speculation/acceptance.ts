// How often a guess comes true, by how much of the text before it agrees with the place it is copied from. Learned from every token of a
// sequence, also from those for which nothing was guessed: comparing costs no pass.

/** What the source of a guess is like. */
export interface Likeness {
  /** Ids before the guess that agree with those before its source. */
  readonly agreed: number;
  /** Whether the source lies just behind the one that was copied last: text that goes on after an edit. */
  readonly isResumed: boolean;
}

/** Least `agreed` of each class, and the share of guesses expected before any was seen: of two, so that a few surprises change it. */
const classes = [
  { from: 0, expected: 0.1, resumed: 0.3 },
  { from: 1, expected: 0.1, resumed: 0.4 },
  { from: 2, expected: 0.3, resumed: 0.6 },
  { from: 3, expected: 0.5, resumed: 0.7 },
  { from: 4, expected: 0.65, resumed: 0.8 },
  { from: 6, expected: 0.75, resumed: 0.85 },
  { from: 10, expected: 0.85, resumed: 0.9 },
  { from: 16, expected: 0.92, resumed: 0.92 },
] as const;

const expectedWeight = 2;
/** Weight of what was seen, per newer observation of its class: some thirty count. */
const fading = 0.97;

export class Acceptance {
  readonly #hits = new Float64Array(2 * classes.length);
  readonly #trials = new Float64Array(2 * classes.length);

  learn(likeness: Likeness, isHit: boolean): void {
    const index = indexOf(likeness);
    this.#hits[index] = this.#hits[index] * fading + (isHit ? 1 : 0);
    this.#trials[index] = this.#trials[index] * fading + 1;
  }

  /** 0..1 */
  expect(likeness: Likeness): number {
    const index = indexOf(likeness);
    const { expected, resumed } = classes[index >> 1];
    const prior = expectedWeight * (likeness.isResumed ? resumed : expected);
    return (this.#hits[index] + prior) / (this.#trials[index] + expectedWeight);
  }
}

function indexOf({ agreed, isResumed }: Likeness): number {
  let index = classes.length - 1;
  while (classes[index].from > agreed) index--;
  return 2 * index + (isResumed ? 1 : 0);
}
