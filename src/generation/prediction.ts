// What a caller expects of an answer, and how much of it came true. That is counted on the answers alone, never on what the engine
// happened to test: the same request gets the same count.

import { ApiError } from '../core/errors.ts';
import type { GenerationRequest } from '../core/generation.ts';
import type { ModelParts } from './models.ts';

/** Its ids, as a model would write them: nothing in it is special. `undefined`: nothing is predicted. Throws an `ApiError` for more than fits. */
export function predictionIds(
  { prediction }: Pick<GenerationRequest, 'prediction'>,
  { tokenizer, contextLength, longestToken }: Pick<ModelParts, 'tokenizer' | 'contextLength' | 'longestToken'>,
): Int32Array | undefined {
  if (prediction === undefined || prediction === '') return undefined;
  // Tokenizers run on the server's only thread: what cannot come true is refused before they see it.
  const least = Math.ceil(prediction.length / longestToken);
  if (least < contextLength) return tokenizer.encode(prediction);
  throw new ApiError(
    'invalid_request',
    `The prediction has at least ${least} tokens, and the model's context holds ${contextLength}. Shorten it, or leave it out.`,
    { code: 'context_length_exceeded', param: 'prediction' },
  );
}

/**
 * Length of the longest common subsequence of given ids and others that come one by one, by bits (Crochemore, Iliopoulos, Pinzon, Reid,
 * 2001): bit i of V is 0 where the first i + 1 ids have more in common than the first i. An id with matches M turns V into
 * (V + (V & M)) | (V & ~M). Words without matches or carry stay as they are: an id costs as many steps as it has places, and the carry.
 */
export class CommonSubsequence {
  readonly #places = new Map<number, number[]>();
  readonly #words: Uint32Array;
  #length = 0;

  constructor(ids: Int32Array) {
    for (const [at, id] of ids.entries()) {
      const places = this.#places.get(id);
      if (places === undefined) this.#places.set(id, [at]);
      else places.push(at);
    }
    this.#words = new Uint32Array(Math.floor(ids.length / 32) + 1).fill(0xffffffff);
  }

  get length(): number {
    return this.#length;
  }

  push(id: number): void {
    const places = this.#places.get(id) ?? [];
    let carry = 0;
    for (let i = 0, word = 0; i < places.length || carry > 0; word++) {
      if (carry === 0) word = places[i] >>> 5;
      // Behind the last id all bits stay 1, whatever is carried through them.
      if (word === this.#words.length) break;
      let matches = 0;
      for (; i < places.length && places[i] >>> 5 === word; i++) matches |= 1 << (places[i] & 31);
      const before = this.#words[word];
      const sum = before + ((before & matches) >>> 0) + carry;
      const after = (sum | (before & ~matches)) >>> 0;
      this.#words[word] = after;
      carry = sum > 0xffffffff ? 1 : 0;
      this.#length += ones(before) - ones(after);
    }
  }
}

/** Bits that are set. */
function ones(word: number): number {
  let x = word - ((word >>> 1) & 0x55555555);
  x = (x & 0x33333333) + ((x >>> 2) & 0x33333333);
  return Math.imul((x + (x >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
