// What a KV cache takes of memory, by its type (assembly/cache.ts, assembly/cache-words.ts).

import type { KvCacheType } from '../backend.ts';

/** Names what the bytes of a block mean (assembly/cache.ts): count it up when that changes, or stored blocks will be misread. */
export const cacheLayout = 'tiles-1';

interface CacheType {
  /** `Cache` of assembly/record.ts. */
  readonly code: number;
  /** Head sizes are multiples of it: dims that share a scale, or 1. */
  readonly dims: number;
  /** Bytes of the keys, or values, of one head at one position. */
  readonly rowBytes: (headDim: number) => number;
}

export const cacheTypes: Readonly<Record<KvCacheType, CacheType>> = {
  f32: { code: 0, dims: 1, rowBytes: (headDim) => 4 * headDim },
  f16: { code: 1, dims: 1, rowBytes: (headDim) => 2 * headDim },
  q8_0: { code: 2, dims: 32, rowBytes: (headDim) => (headDim / 32) * 34 },
  i16: { code: 3, dims: 1, rowBytes: (headDim) => 2 * headDim + 4 },
};
