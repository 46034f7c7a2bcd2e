// Super-blocks of 256 that code four magnitudes at once as a point of a lattice: IQ3_XXS, IQ3_S.
//
//   IQ3_XXS  d f16 | qs[64] | w u32[8]     per 32: eight points qs[8g..]; w = scale << 28 | four 7-bit sign masks
//            x = +- d (scale + 1/2) / 2 * point     the eighth sign of a mask makes the number of minus signs even
//   IQ3_S    d f16 | qs[64] | qh[8] | signs[32] | scales[4]     bit j of qh[g] is bit 8 of the j-th point of group g
//            x = +- d (2 scale + 1) * point
//
// A code book is the ascending list of those of the 8^4 points (c0 + 8 c1 + 64 c2 + 512 c3, c0 first in memory) whose bit is set.

import { halfAt, wordAt } from './block.ts';
import type { DecodeBlock } from './block.ts';

/** [256, 4] magnitudes. */
export const iq3xxsPoints: Uint8Array = codeBook(
  'FYoFAgQAACgKBSIFAhAAARUCBYoAggAgggUgAAAAAAEACACAEIAAKIIAAAQABAAAAAAAIAAAEAAAUQAACAACAAoFChWAAQAABQIF' +
    'AAAAAAAKBQIBAAAABAUAAQJAAEAAIgAAAAABAAAAABEAQAAAAiAAAAAAAAAAAAAEAAEAAAAFCkUCBAAAACoFAgEAAIgBBYIFgAEg' +
    'AAACEQAAAAAAEQAAACAACAAACACAAAIAABAAAAAAAAAAAApAAAAgAAAAAgUKAAABIAQFAAECUAAAAAoBIAAABAAEAAIACAAAAAAA' +
    'AAABgAAABEEABAAAIAAAABAAQAAACAAAAAAIAAABABCAAKAAiAAAAAAAAAAAABAAAAGAAQBBAIAAAAAgAAAAEAAAAAACEAAAACAA' +
    'CAAAAQAAAAAAAAAAIAUAAQAAAAAABAAAAgAAAUEAQAAAIAAAABAABAAAAAQEAAAAAAgAAAABiAAAAAAEBAAAAgAAAAAAAAAAAAEA' +
    'AAAAEAAEAAAAAAAQAFAAEAAAAAIAAAACAACAAAAAABAAAAAAQQAAAAAAAAAAEAAAACAAAAAABAAAAAAACAAAAAAIAAIAAAAAAKgB' +
    'AAQABAAAAABAAAEAAAAABAAAIAQAAAEgAAgAAAEAAAACAAIAAAAFABAAAAAAAAAAAAEAAAAAAAAAAAAAAAA=',
  [4, 12, 20, 28, 36, 44, 52, 62],
);

/** [512, 4] magnitudes. */
export const iq3sPoints: Uint8Array = codeBook(
  'p1cjCKUKBZIXI4kiEAAiBKNJIhGkCgAJCCIFShAFgCIBiBIECQIAARQARQiiAEAIQAoAAgAEAAIVAEUIABEAABerBVIAUAIESxEC' +
    'CQIFAEEBpBEECSABBJIJghECAAQBKBQACkQRAAACCQIFAAIAAAAAkQBQAAAACgUCIAIABAGrVYoFKgWAKQWJJBIEAgAAkgAKgQKI' +
    'ABIlAhQKBAFAAIIACSQCAAAkEAIEgAEIAAGFAAIAACACACACQAEIAQAABKoEKpQCCAIqEAoAAQABRAEEARQAAQAAAhGKAYogAAgI' +
    'QgQCAAQRAAIFIAQQQAAIAEAAAAIAAAAKAAUgAAAAABEEkQQCAQABhAoEIQgiAAAKIQIIAYAEARAKBSIAAAAABQAQgAEAAAKgAAIA' +
    'AAAEAAAIABAAAAEAACEAAQgCAAAEEQQAkQRAECoEAgQAAAAEAQIIQQAIAACEAYAAEAIgCBIAAQRAAAAAAARAAAAKAAAAAAAABAAA' +
    'ABQABAAAAAAAACoACgAAAQABAIEAAAAQAAAEABAEIAQBARACAAEAAAAAACAACAAEAAkAABAAAAEAIAAAAAEAAAAACgAAAAAAAJEA' +
    'BUABEAQABAIQACgAAAASQQIBAAIAAAQAACQACAAAIggBAAABAAAAAAQABAAAAAQAAAIAAAAAAQAAAAAAAAA=',
  [1, 3, 5, 7, 9, 11, 13, 15],
);

export const decodeIQ3_XXS: DecodeBlock = (bytes, at, out, to) => {
  const d = halfAt(bytes, at);
  for (let group = 0; group < 8; group++) {
    const word = wordAt(bytes, at + 66 + 4 * group);
    const scale = (d * ((word >>> 28) + 0.5)) / 2;
    for (let l = 0; l < 4; l++) {
      const signs = withEvenParity((word >>> (7 * l)) & 127);
      for (let j = 0; j < 8; j++) {
        const point = bytes[at + 2 + 8 * group + 2 * l + (j >> 2)];
        const magnitude = scale * iq3xxsPoints[4 * point + (j & 3)];
        out[to + 32 * group + 8 * l + j] = ((signs >> j) & 1) === 1 ? -magnitude : magnitude;
      }
    }
  }
};

export const decodeIQ3_S: DecodeBlock = (bytes, at, out, to) => {
  const d = halfAt(bytes, at);
  for (let group = 0; group < 8; group++) {
    const scale = d * (2 * ((bytes[at + 106 + (group >> 1)] >> (4 * (group & 1))) & 15) + 1);
    for (let i = 0; i < 32; i++) {
      const j = i >> 2;
      const point = bytes[at + 2 + 8 * group + j] | (((bytes[at + 66 + group] >> j) & 1) << 8);
      const magnitude = scale * iq3sPoints[4 * point + (i & 3)];
      const isNegative = ((bytes[at + 74 + 4 * group + (i >> 3)] >> (i & 7)) & 1) === 1;
      out[to + 32 * group + i] = isNegative ? -magnitude : magnitude;
    }
  }
};

/** Seven bits -> eight bits with an even number of ones. */
function withEvenParity(seven: number): number {
  let parity = seven ^ (seven >> 4);
  parity ^= parity >> 2;
  parity ^= parity >> 1;
  return seven | ((parity & 1) << 7);
}

/** `members`: base64 of 8^4 bits, lowest bit of a byte first. `magnitudes`: what the coordinates 0..7 stand for. */
function codeBook(members: string, magnitudes: readonly number[]): Uint8Array {
  const bits = Buffer.from(members, 'base64');
  const points: number[] = [];
  for (let point = 0; point < 4096; point++) {
    if (((bits[point >> 3] >> (point & 7)) & 1) === 0) continue;
    for (let k = 0; k < 4; k++) points.push(magnitudes[(point >> (3 * k)) & 7]);
  }
  return Uint8Array.from(points);
}
