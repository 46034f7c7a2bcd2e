// Seeded random numbers for tests (mulberry32).

/** Each call gives the next 32 bits, as a number from 0 to 2^32 - 1. */
export function randomBits(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return (x ^ (x >>> 14)) >>> 0;
  };
}

/** [count] in -scale .. scale */
export function randoms(count: number, seed: number, scale = 1): Float32Array {
  const random = randomBits(seed);
  return Float32Array.from({ length: count }, () => (random() / 2 ** 31 - 1) * scale);
}
