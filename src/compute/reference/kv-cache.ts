// Keys and values of every layer, in blocks of 64 positions that sequences reach through their block tables. Kept as f32; the
// narrower cache types are honoured by storing each value as that type would give it back.

import type { BackendPlan, Batch, KvBlocks, KvLayer } from '../backend.ts';
import { blockTokens } from '../backend.ts';
import { BackendError } from '../error.ts';
import { invariant } from '../../core/errors.ts';
import { dequantizeRow } from '../../tensor/dequantize.ts';
import { quantize } from '../../tensor/quantize.ts';

export interface CachedLayer {
  /** Values per position: kvHeads * headDim. */
  readonly width: number;
  readonly headDim: number;
  /** [blocks * 64, kvHeads, headDim] each. */
  readonly k: Float32Array;
  readonly v: Float32Array;
}

/** Largest integers of an i16 cache, as in assembly/cache-words.ts. */
const valueLimit = 4095;
const keyLimit = (headDim: number): number => Math.floor(Math.sqrt((2 ** 31 - 1) / headDim));

/** Whatever its type, it takes f32. */
export function cacheBytes({ kvLayers, kvBlocks }: Pick<BackendPlan, 'kvLayers' | 'kvBlocks'>): number {
  return kvLayers.reduce((sum, { kvHeads, headDim }) => sum + 8 * kvBlocks * blockTokens * kvHeads * headDim, 0);
}

export class KvCache implements KvBlocks {
  readonly bytes: number;
  readonly layout = 'rows-1';
  readonly #layers = new Map<number, CachedLayer>();
  readonly #type: BackendPlan['kvCache'];
  readonly #blocks: number;

  constructor({ kvLayers, kvBlocks, kvCache }: BackendPlan) {
    this.#type = kvCache;
    this.#blocks = kvBlocks;
    this.bytes = cacheBytes({ kvLayers, kvBlocks: 1 });
    for (const spec of kvLayers) {
      refuseUneven(spec, kvCache);
      const width = spec.kvHeads * spec.headDim;
      const values = kvBlocks * blockTokens * width;
      this.#layers.set(spec.layer, {
        width,
        headDim: spec.headDim,
        k: new Float32Array(values),
        v: new Float32Array(values),
      });
    }
  }

  layer(layer: number): CachedLayer {
    const cached = this.#layers.get(layer);
    invariant(cached !== undefined, `layer ${layer} has a cache`);
    return cached;
  }

  /** k, v: [tokens, kvHeads * headDim] */
  store(layer: number, k: Float32Array, v: Float32Array, { positions, sequences, blockTables }: Batch): void {
    const cached = this.layer(layer);
    const { width, headDim } = cached;
    for (let t = 0; t < positions.length; t++) {
      for (let from = 0; from < width; from += headDim) {
        const at = this.slot(blockTables[sequences[t]], positions[t]) * width + from;
        const head = t * width + from;
        this.#write(k.subarray(head, head + headDim), cached.k.subarray(at, at + headDim), keyLimit(headDim));
        this.#write(v.subarray(head, head + headDim), cached.v.subarray(at, at + headDim), valueLimit);
      }
    }
  }

  /** Row of `k` and `v` that holds a position of the sequence with this block table. */
  slot(table: Int32Array, position: number): number {
    const block = table[Math.floor(position / blockTokens)];
    invariant(block >= 0 && block < this.#blocks, `position ${position} lies in a block of the pool`);
    return block * blockTokens + (position % blockTokens);
  }

  read(block: number, out: Uint8Array): void {
    invariant(out.length === this.bytes, 'a block is read whole');
    this.#each(block, (part, at) => out.set(part, at));
  }

  write(block: number, content: Uint8Array): void {
    invariant(content.length === this.bytes, 'a block is written whole');
    this.#each(block, (part, at) => part.set(content.subarray(at, at + part.length)));
  }

  copy(from: number, to: number): void {
    const content = new Uint8Array(this.bytes);
    this.read(from, content);
    this.write(to, content);
  }

  clear(): void {
    this.#layers.clear();
  }

  /** Keys, then values, layer after layer; `at`: where a part begins in the bytes of the block. */
  #each(block: number, visit: (part: Uint8Array, at: number) => void): void {
    invariant(block >= 0 && block < this.#blocks, `block ${block} is one of the pool`);
    let at = 0;
    for (const { width, k, v } of this.#layers.values()) {
      const length = 4 * blockTokens * width;
      for (const values of [k, v]) {
        visit(new Uint8Array(values.buffer, values.byteOffset + block * length, length), at);
        at += length;
      }
    }
  }

  #write(row: Float32Array, out: Float32Array, limit: number): void {
    if (this.#type === 'f32') return out.set(row);
    if (this.#type === 'i16') {
      const scale = row.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / limit;
      return out.set(row.map((value) => (scale === 0 ? 0 : Math.round(value / scale) * scale)));
    }
    const stored = this.#type === 'f16' ? 'F16' : 'Q8_0';
    dequantizeRow(stored, quantize(stored, row), out);
  }
}

function refuseUneven({ layer, headDim }: KvLayer, type: BackendPlan['kvCache']): void {
  // One scale per position per 32 dimensions of a head.
  if (type !== 'q8_0' || headDim % 32 === 0) return;
  throw new BackendError(
    `A q8_0 cache needs heads of a multiple of 32; layer ${layer} has ${headDim}. Use f16 or f32.`,
  );
}
