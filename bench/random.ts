// A small seeded generator: the same seed gives the same weights, prompts and mischief.

export interface Random {
  /** A word of 32 bits. */
  readonly word: () => number;
  /** A whole number below `count`. */
  readonly below: (count: number) => number;
  /** One of them. */
  readonly pick: <T>(items: readonly T[]) => T;
}

/** xorshift32 (Marsaglia 2003), its seed stirred so that neighbours differ from the first word on. */
export function seededRandom(seed: number): Random {
  let state = Math.imul(seed + 0x9e3779b9, 0x85ebca6b) ^ (seed >>> 15) || 1;
  const word = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
  const below = (count: number): number => Math.floor((word() / 2 ** 32) * count);
  return { word, below, pick: (items) => items[below(items.length)] };
}
