// Scaled dot-product attention over the cache (Vaswani et al. 2017), one query row at a time: score every visible position, soften,
// mix the values. Grouped heads, window, softcap and sinks as the contract states them.

import type { Batch, Op } from '../backend.ts';
import type { KvCache } from './kv-cache.ts';
import type { Vector } from './weights.ts';

type AttentionOp = Op & { readonly op: 'attention' };

/** q, out: [tokens, heads, headDim]; sinks: [heads] */
export function attend(
  q: Float32Array,
  cache: KvCache,
  sinks: Vector | undefined,
  batch: Batch,
  op: AttentionOp,
  out: Float32Array,
): void {
  const { heads, headDim } = op;
  const lengths = lengthsOf(batch);
  for (let t = 0; t < batch.positions.length; t++) {
    const position = batch.positions[t];
    const table = batch.blockTables[batch.sequences[t]];
    const first = op.window > 0 ? Math.max(0, position - op.window + 1) : 0;
    const end = op.causal ? position + 1 : lengths[batch.sequences[t]];
    const slots = Int32Array.from({ length: end - first }, (_, i) => cache.slot(table, first + i));
    for (let head = 0; head < heads; head++) {
      const at = (t * heads + head) * headDim;
      const row = { q: q.subarray(at, at + headDim), out: out.subarray(at, at + headDim) };
      attendHead(row, cache, slots, head, sinks?.values[head], op);
    }
  }
}

function attendHead(
  { q, out }: { readonly q: Float32Array; readonly out: Float32Array },
  cache: KvCache,
  slots: Int32Array,
  head: number,
  sink: number | undefined,
  { layer, heads, kvHeads, headDim, scale, softcap }: AttentionOp,
): void {
  const { k, v, width } = cache.layer(layer);
  const offset = Math.floor(head / (heads / kvHeads)) * headDim;
  const scores = new Float64Array(slots.length);
  let largest = sink ?? -Infinity;
  for (let j = 0; j < slots.length; j++) {
    const at = slots[j] * width + offset;
    let dot = 0;
    for (let i = 0; i < headDim; i++) dot += q[i] * k[at + i];
    const score = dot * scale;
    scores[j] = softcap > 0 ? softcap * Math.tanh(score / softcap) : score;
    largest = Math.max(largest, scores[j]);
  }
  // The sink takes its share of the mass and gives nothing back.
  let mass = sink === undefined ? 0 : Math.exp(sink - largest);
  const mixed = new Float64Array(headDim);
  for (let j = 0; j < slots.length; j++) {
    const at = slots[j] * width + offset;
    const weight = Math.exp(scores[j] - largest);
    mass += weight;
    for (let i = 0; i < headDim; i++) mixed[i] += weight * v[at + i];
  }
  for (let i = 0; i < headDim; i++) out[i] = mixed[i] / mass;
}

/** Per sequence: positions that are in the cache once this batch is stored. */
function lengthsOf({ positions, sequences, blockTables }: Batch): number[] {
  const lengths = blockTables.map(() => 0);
  positions.forEach((position, t) => {
    lengths[sequences[t]] = Math.max(lengths[sequences[t]], position + 1);
  });
  return lengths;
}
