// What a KV cache takes of memory, by its type (assembly/cache/).

import type { BackendPlan } from '../backend.ts';

/** Names what the bytes of a block mean (assembly/cache.ts): count it up when that changes, or stored blocks will be misread. */
export const cacheLayout = 'tiles-1';

interface CacheType {
  /** `Cache` of assembly/record.ts. */
  readonly code: number;
  /** Dims that share a scale, or 1: head sizes are multiples of it. */
  readonly dims: number;
  /** Bytes of so many values. */
  readonly bytes: number;
}

export const cacheTypes: Readonly<Record<BackendPlan['kvCache'], CacheType>> = {
  f32: { code: 0, dims: 1, bytes: 4 },
  f16: { code: 1, dims: 1, bytes: 2 },
  q8_0: { code: 2, dims: 32, bytes: 34 },
};

/** Bytes of `values` keys, or values. */
export function cacheBytes(type: BackendPlan['kvCache'], values: number): number {
  const { dims, bytes } = cacheTypes[type];
  return (values / dims) * bytes;
}
