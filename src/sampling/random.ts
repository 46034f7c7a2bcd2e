// Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", SC 2011): a block cipher over a
// counter. A draw is a pure function of seed and index: no state to keep, share, roll back or lose.

/**
 * The draw number `index` of the generator with this seed, uniform in [0, 1), 53 bits. Both are integers of at most 53 bits. Each
 * `stream` (32 bits) of a seed is a generator of its own: the seed is the cipher's key, index and stream are its counter.
 */
export function uniform(seed: number, index: number, stream = 0): number {
  const [a, b] = philox([...words(index), stream], words(seed));
  return ((a >>> 5) * 2 ** 26 + (b >>> 6)) * 2 ** -53;
}

/** Ten rounds over a counter of 128 bits with a key of 64 bits, all as 32-bit words, lowest first. */
export function philox(counter: readonly number[], key: readonly number[]): readonly number[] {
  let [a, b, c = 0, d = 0] = counter;
  let [k, l] = key;
  for (let round = 0; round < 10; round++) {
    const highOfA = multiplyHigh(a, 0xd2511f53);
    const highOfC = multiplyHigh(c, 0xcd9e8d57);
    [a, b, c, d] = [highOfC ^ b ^ k, Math.imul(c, 0xcd9e8d57), highOfA ^ d ^ l, Math.imul(a, 0xd2511f53)];
    k = (k + 0x9e3779b9) | 0;
    l = (l + 0xbb67ae85) | 0;
  }
  return [a >>> 0, b >>> 0, c >>> 0, d >>> 0];
}

/** Two's complement words of an integer, so that negative seeds are seeds of their own. */
function words(integer: number): readonly number[] {
  return [(integer % 2 ** 32) | 0, Math.floor(integer / 2 ** 32) | 0];
}

/** The upper 32 bits of the 64-bit product. */
function multiplyHigh(x: number, y: number): number {
  const [xLow, xHigh, yLow, yHigh] = [x & 0xffff, x >>> 16, y & 0xffff, y >>> 16];
  const middle = xHigh * yLow + ((xLow * yLow) >>> 16);
  const carry = (middle & 0xffff) + xLow * yHigh;
  return (xHigh * yHigh + Math.floor(middle / 2 ** 16) + Math.floor(carry / 2 ** 16)) | 0;
}
