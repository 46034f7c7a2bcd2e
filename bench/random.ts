// A small seeded generator: the same seed gives the same weights, prompts and mischief.

import { randomBits } from '../src/testing/random.ts';

export interface Random {
  /** 32 bits, as a number from 0 on. */
  readonly word: () => number;
  /** A whole number below `count`. */
  readonly below: (count: number) => number;
  /** One of them. */
  readonly pick: <T>(items: readonly T[]) => T;
}

export function seededRandom(seed: number): Random {
  const word = randomBits(seed);
  const below = (count: number): number => Math.floor((word() / 2 ** 32) * count);
  return { word, below, pick: (items) => items[below(items.length)] };
}
