// Scaled dot-product attention of each token over its sequence's cache, with an online softmax (Milakov and Gimelshein 2018) whose
// block is the KV block: 64 absolute positions. Prefill and decode take the blocks in the same order, so they give the same bits.
// Lanes outside of what the token may see are selected away, never multiplied: they may hold anything.
//   4 q   5 q stride   6 out   7 out stride   8 heads   9 kv heads   10 head dim   11 key cache   12 value cache
//   13 scale   14 window (0: all)   15 softcap (0: none)   16 sinks [heads] or 0   17 element bytes (4 f32, 2 f16)

import { blockTable, position, real, word } from './record';
import { madd } from './simd';
import { exp4, sumLanes, tanh4 } from './math';
import { widenHigh, widenLow } from './half';

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
      if (word(record, 17) == 2) attendHead<u16>(record, table, kvHead, q, out, first, last, sink, scratch);
      else attendHead<f32>(record, table, kvHead, q, out, first, last, sink, scratch);
    }
  }
}

function attendHead<T>(
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
  const headBytes = dim * 64 * sizeof<T>();
  const blockBytes = <usize>word(record, 9) * headBytes;
  const head = <usize>kvHead * headBytes;
  memory.fill(out, 0, dim << 2);
  let peak = NEGATIVE;
  let total: f32 = 0;
  for (let b = first >> 6; b <= last >> 6; b++) {
    const block = <usize>load<u32>(table + (<usize>b << 2)) * blockBytes + head;
    const low = <i32>max(first, b << 6) - <i32>(b << 6);
    const high = <i32>min(last, (b << 6) + 63) - <i32>(b << 6);
    scoreBlock<T>(q, <usize>word(record, 11) + block, dim, real(record, 13), real(record, 15), scores);
    const blockPeak = maskBlock(scores, low, high);
    const newPeak = max(peak, blockPeak);
    if (newPeak != peak) {
      const rescale = exp1(peak - newPeak);
      total *= rescale;
      scaleRow(out, dim, rescale);
      peak = newPeak;
    }
    total += weighBlock(scores, peak, low, high);
    addValues<T>(<usize>word(record, 12) + block, dim, scores, low, high, out);
  }
  if (sink != NEGATIVE) {
    const newPeak = max(peak, sink);
    const rescale = exp1(peak - newPeak);
    total = total * rescale + exp1(sink - newPeak);
    scaleRow(out, dim, rescale);
  }
  scaleRow(out, dim, <f32>1.0 / total);
}

/** Scores of all 64 positions of a block: each lane sums over the dims in order. */
// @ts-ignore: decorator
@inline function scoreBlock<T>(q: usize, keys: usize, dim: usize, scale: f32, softcap: f32, scores: usize): void {
  const tileBytes = (dim << 3) * sizeof<T>();
  let factor = f32x4.splat(scale);
  for (let tile: usize = 0; tile < 8; tile += 2) {
    let a = keys + tile * tileBytes;
    let b = a + tileBytes;
    let s0 = f32x4.splat(0);
    let s1 = f32x4.splat(0);
    let s2 = f32x4.splat(0);
    let s3 = f32x4.splat(0);
    for (let d: usize = 0; d < dim; d++) {
      const x = v128.load32_splat(q + (d << 2));
      if (sizeof<T>() == 4) {
        s0 = madd(x, v128.load(a), s0);
        s1 = madd(x, v128.load(a, 16), s1);
        s2 = madd(x, v128.load(b), s2);
        s3 = madd(x, v128.load(b, 16), s3);
      } else {
        const ka = v128.load(a);
        const kb = v128.load(b);
        s0 = madd(x, widenLow(ka), s0);
        s1 = madd(x, widenHigh(ka), s1);
        s2 = madd(x, widenLow(kb), s2);
        s3 = madd(x, widenHigh(kb), s3);
      }
      a += sizeof<T>() << 3;
      b += sizeof<T>() << 3;
    }
    const at = scores + (tile << 5);
    v128.store(at, f32x4.mul(s0, factor));
    v128.store(at, f32x4.mul(s1, factor), 16);
    v128.store(at, f32x4.mul(s2, factor), 32);
    v128.store(at, f32x4.mul(s3, factor), 48);
  }
  if (softcap > 0) {
    const cap = f32x4.splat(softcap);
    for (let i: usize = 0; i < 256; i += 16) {
      v128.store(scores + i, f32x4.mul(cap, tanh4(f32x4.div(v128.load(scores + i), cap))));
    }
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

/** out[d] += p[j] * v[j][d], positions in order. */
// @ts-ignore: decorator
@inline function addValues<T>(values: usize, dim: usize, p: usize, low: i32, high: i32, out: usize): void {
  const rowBytes = dim * sizeof<T>();
  const wide = dim & ~15;
  const from = values + <usize>low * rowBytes;
  for (let d: usize = 0; d < wide; d += 16) {
    let o0 = v128.load(out + (d << 2));
    let o1 = v128.load(out + (d << 2), 16);
    let o2 = v128.load(out + (d << 2), 32);
    let o3 = v128.load(out + (d << 2), 48);
    let v = from + d * sizeof<T>();
    for (let j = low; j <= high; j++) {
      const weight = v128.load32_splat(p + (<usize>j << 2));
      if (sizeof<T>() == 4) {
        o0 = madd(weight, v128.load(v), o0);
        o1 = madd(weight, v128.load(v, 16), o1);
        o2 = madd(weight, v128.load(v, 32), o2);
        o3 = madd(weight, v128.load(v, 48), o3);
      } else {
        const va = v128.load(v);
        const vb = v128.load(v, 16);
        o0 = madd(weight, widenLow(va), o0);
        o1 = madd(weight, widenHigh(va), o1);
        o2 = madd(weight, widenLow(vb), o2);
        o3 = madd(weight, widenHigh(vb), o3);
      }
      v += rowBytes;
    }
    v128.store(out + (d << 2), o0);
    v128.store(out + (d << 2), o1, 16);
    v128.store(out + (d << 2), o2, 32);
    v128.store(out + (d << 2), o3, 48);
  }
  for (let d = wide; d < dim; d += 4) {
    let o = v128.load(out + (d << 2));
    let v = from + d * sizeof<T>();
    for (let j = low; j <= high; j++) {
      const weight = v128.load32_splat(p + (<usize>j << 2));
      const row = sizeof<T>() == 4 ? v128.load(v) : widenLow(v128.load64_zero(v));
      o = madd(weight, row, o);
      v += rowBytes;
    }
    v128.store(out + (d << 2), o);
  }
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
