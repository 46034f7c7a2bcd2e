// Partial softmax results of a row, merged in the order of their splits: results (peak, total, sums) of two ranges of positions give
//   peak' = max(peak, p),   total' = total * e^(peak - peak') + t * e^(p - peak'),   sums' likewise.
// The row's own sums grow in its output; a state is [peak, total].

import { groupOf, outputOf, partialOf, visibleFrom } from './attention-rows';
import { scaleRow } from './attention-block';
import { exp1, NEGATIVE } from './math';
import { position, splitCount, word } from './record';
import { madd } from './simd';

/** Positions of a split: 8 blocks. */
export const SPLIT_POSITIONS: u32 = 512;

export function startMerge(state: usize, out: usize, dim: usize): void {
  store<f32>(state, NEGATIVE);
  store<f32>(state, 0, 4);
  memory.fill(out, 0, dim << 2);
}

/** Takes in a partial result; one that saw nothing changes nothing. */
export function merge(state: usize, out: usize, part: usize, sums: usize, dim: usize): void {
  const p = load<f32>(part);
  if (p == NEGATIVE) return;
  const peak = load<f32>(state);
  const next = max(peak, p);
  const old = exp1(peak - next);
  const fresh = exp1(p - next);
  store<f32>(state, next);
  store<f32>(state, load<f32>(state, 4) * old + load<f32>(part, 4) * fresh, 4);
  let a = f32x4.splat(old);
  let b = f32x4.splat(fresh);
  for (let i: usize = 0; i < dim << 2; i += 16) {
    v128.store(out + i, madd(v128.load(sums + i), b, f32x4.mul(v128.load(out + i), a)));
  }
}

/** `sink`: one more logit whose probability is dropped, or -infinity. */
export function finishMerge(state: usize, out: usize, dim: usize, sink: f32): void {
  let total = load<f32>(state, 4);
  if (sink != NEGATIVE) {
    const peak = load<f32>(state);
    const next = max(peak, sink);
    const rescale = exp1(peak - next);
    total = total * rescale + exp1(sink - next);
    scaleRow(out, dim, rescale);
  }
  scaleRow(out, dim, <f32>1.0 / total);
}

// @ts-ignore: decorator
@inline export function sinkOf(record: usize, row: u32, kvHead: u32): f32 {
  const sinks = <usize>word(record, 16);
  const group = groupOf(record);
  return sinks ? load<f32>(sinks + ((<usize>(kvHead * group + (row % group))) << 2)) : NEGATIVE;
}

/** The record behind a split attention: items are heads of tokens; without splits there are none. Operands: attention.ts. */
export function mergeSplits(record: usize, batch: usize, from: u32, to: u32, scratch: usize): void {
  const kvHeads = word(record, 9);
  const dim = <usize>word(record, 10);
  const splits = splitCount(batch);
  for (let item = from; item < to; item++) {
    const row = item / kvHeads;
    const kvHead = item % kvHeads;
    const token = row / groupOf(record);
    const out = outputOf(record, row, kvHead);
    startMerge(scratch, out, dim);
    const last = position(batch, token) / SPLIT_POSITIONS;
    for (let split = visibleFrom(record, batch, token) / SPLIT_POSITIONS; split <= last; split++) {
      const partial = partialOf(record, row, kvHead, split, splits);
      merge(scratch, out, partial, partial + 16, dim);
    }
    finishMerge(scratch, out, dim, sinkOf(record, row, kvHead));
  }
}
