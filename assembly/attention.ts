// Scaled dot-product attention of each token over its sequence's cache, with an online softmax (Milakov and Gimelshein 2018) whose
// block is the KV block: 64 absolute positions. Prefill and decode take the blocks in the same order, so they give the same bits.
// Lanes outside of what the token may see are selected away, never multiplied: they may hold anything.
//   4 q   5 q stride   6 out   7 out stride   8 heads   9 kv heads   10 head dim   11 key cache   12 value cache
//   13 scale   14 window (0: all)   15 softcap (0: none)   16 sinks [heads] or 0   17 cache: Cache of record.ts

import { Cache, blockTable, position, real, word } from './record';
import { Halves, Singles } from './cache/plain';
import { Quants } from './cache/q8';
import { exp4, sumLanes, tanh4 } from './math';

const NEGATIVE: f32 = -Infinity;

/** Items are (token, kv head): one key and value head with all query heads that share it. `scratch`: 64 scores, one rescale. */
export function attention(record: usize, batch: usize, from: u32, to: u32, scratch: usize): void {
  const heads = word(record, 8);
  const kvHeads = word(record, 9);
  const dim = <usize>word(record, 10);
  const group = heads / kvHeads;
  const window = word(record, 14);
  const sinks = <usize>word(record, 16);
  for (let item = from; item < to; item++) {
    const token = <usize>(item / kvHeads);
    const kvHead = item % kvHeads;
    const last = position(batch, token);
    const first: u32 = window != 0 && last + 1 > window ? last + 1 - window : 0;
    const table = blockTable(batch, token);
    for (let h = kvHead * group; h < (kvHead + 1) * group; h++) {
      const q = <usize>word(record, 4) + token * <usize>word(record, 5) + ((<usize>h * dim) << 2);
      const out = <usize>word(record, 6) + token * <usize>word(record, 7) + ((<usize>h * dim) << 2);
      const sink = sinks ? load<f32>(sinks + (<usize>h << 2)) : NEGATIVE;
      switch (word(record, 17)) {
        case Cache.F32: attendHead<Singles>(record, table, kvHead, q, out, first, last, sink, scratch); break;
        case Cache.F16: attendHead<Halves>(record, table, kvHead, q, out, first, last, sink, scratch); break;
        case Cache.Q8_0: attendHead<Quants>(record, table, kvHead, q, out, first, last, sink, scratch); break;
        default: unreachable();
      }
    }
  }
}

/** C: class of cache/. */
function attendHead<C>(
  record: usize,
  table: usize,
  kvHead: u32,
  q: usize,
  out: usize,
  first: u32,
  last: u32,
  sink: f32,
  scores: usize,
): void {
  const dim = <usize>word(record, 10);
  const headBytes = changetype<C>(0).rowBytes(dim) << 6;
  const blockBytes = <usize>word(record, 9) * headBytes;
  const head = <usize>kvHead * headBytes;
  memory.fill(out, 0, dim << 2);
  let peak = NEGATIVE;
  let total: f32 = 0;
  for (let b = first >> 6; b <= last >> 6; b++) {
    const block = <usize>load<u32>(table + (<usize>b << 2)) * blockBytes + head;
    const low = <i32>max(first, b << 6) - <i32>(b << 6);
    const high = <i32>min(last, (b << 6) + 63) - <i32>(b << 6);
    changetype<C>(0).scores(q, <usize>word(record, 11) + block, dim, real(record, 13), scores);
    if (real(record, 15) > 0) softcap(scores, real(record, 15));
    const blockPeak = maskBlock(scores, low, high);
    const newPeak = max(peak, blockPeak);
    if (newPeak != peak) {
      const rescale = exp1(peak - newPeak);
      total *= rescale;
      scaleRow(out, dim, rescale);
      peak = newPeak;
    }
    total += weighBlock(scores, peak, low, high);
    changetype<C>(0).addValues(<usize>word(record, 12) + block, dim, scores, low, high, out);
  }
  if (sink != NEGATIVE) {
    const newPeak = max(peak, sink);
    const rescale = exp1(peak - newPeak);
    total = total * rescale + exp1(sink - newPeak);
    scaleRow(out, dim, rescale);
  }
  scaleRow(out, dim, <f32>1.0 / total);
}

/** s -> cap * tanh(s / cap) on 64 scores. */
function softcap(scores: usize, most: f32): void {
  let cap = f32x4.splat(most);
  for (let i: usize = 0; i < 256; i += 16) {
    v128.store(scores + i, f32x4.mul(cap, tanh4(f32x4.div(v128.load(scores + i), cap))));
  }
}

/** Positions outside [low, high] -> -infinity; returns the largest score. */
function maskBlock(scores: usize, low: i32, high: i32): f32 {
  let lanes = i32x4(0, 1, 2, 3);
  let peak = f32x4.splat(NEGATIVE);
  for (let i: usize = 0; i < 256; i += 16) {
    const visible = v128.and(i32x4.ge_s(lanes, i32x4.splat(low)), i32x4.le_s(lanes, i32x4.splat(high)));
    const s = v128.bitselect(v128.load(scores + i), f32x4.splat(NEGATIVE), visible);
    v128.store(scores + i, s);
    peak = f32x4.max(peak, s);
    lanes = i32x4.add(lanes, i32x4.splat(4));
  }
  return max(
    max(f32x4.extract_lane(peak, 0), f32x4.extract_lane(peak, 1)),
    max(f32x4.extract_lane(peak, 2), f32x4.extract_lane(peak, 3)),
  );
}

/** Scores -> weights e^(s - peak), 0 outside [low, high]; returns their sum. */
function weighBlock(scores: usize, peak: f32, low: i32, high: i32): f32 {
  let lanes = i32x4(0, 1, 2, 3);
  let sum = f32x4.splat(0);
  for (let i: usize = 0; i < 256; i += 16) {
    const visible = v128.and(i32x4.ge_s(lanes, i32x4.splat(low)), i32x4.le_s(lanes, i32x4.splat(high)));
    const weight = exp4(f32x4.sub(v128.load(scores + i), f32x4.splat(peak)));
    const p = v128.bitselect(weight, f32x4.splat(0), visible);
    v128.store(scores + i, p);
    sum = f32x4.add(sum, p);
    lanes = i32x4.add(lanes, i32x4.splat(4));
  }
  return sumLanes(sum);
}

function scaleRow(row: usize, dim: usize, factor: f32): void {
  let f = f32x4.splat(factor);
  for (let i: usize = 0; i < dim << 2; i += 16) v128.store(row + i, f32x4.mul(v128.load(row + i), f));
}

/** e^x of one value; x = -infinity gives 0. */
// @ts-ignore: decorator
@inline function exp1(x: f32): f32 {
  return x == NEGATIVE ? 0 : f32x4.extract_lane(exp4(f32x4.splat(x)), 0);
}
