// Scaled dot-product attention of each token over its sequence's cache, with an online softmax (Milakov and Gimelshein 2018) whose
// block is the KV block of 64 absolute positions. Eight blocks make a split: a split's softmax starts anew, and splits are merged in
// order. So a long context may be shared among threads, and prefill and decode do the same operations: equal bits.
// Lanes outside of what a token may see are selected away, never multiplied: they may hold anything.
//   4 q   5 q stride   6 out   7 out stride   8 heads   9 kv heads   10 head dim   11 key cache   12 value cache
//   13 scale   14 window (0: all)   15 softcap (0: none)   16 sinks [heads] or 0   17 type of the cache: Cache of record.ts   18 partials
//
// Query rows are the heads of a kv head's group, token after token; four of them that share a sequence are computed together.
// Items are (pack of 4 rows, kv head), or with S splits per pack (batch header) S times as many; each then leaves a partial result
// [peak, total, 2 unused, out[dim]] for `mergeSplits`.

import { Cache, blockTable, position, splitCount, word } from './record';
import { groupOf, outputOf, partialOf, queryOf, visibleFrom } from './attention-rows';
import { addFour, addOne, scoreFour, scoreOne, weigh } from './attention-block';
import { finishMerge, merge, sinkOf, SPLIT_POSITIONS, startMerge } from './merge';
import { Halves, Quants, Singles } from './cache';
import { NEGATIVE } from './math';

/** Blocks of a split. */
const SPLIT: u32 = SPLIT_POSITIONS >> 6;

// A thread's scratch: 4 rows of 64 scores | 4 states of 16 bytes (peak, total) | 4 of the merge | 4 accumulators of dim values
const STATES: usize = 1024;
const MERGED: usize = 1088;
const SUMS: usize = 1152;

export function attention(record: usize, batch: usize, from: u32, to: u32, scratch: usize): void {
  switch (word(record, 17)) {
    case Cache.F32: attend<Singles>(record, batch, from, to, scratch); break;
    case Cache.F16: attend<Halves>(record, batch, from, to, scratch); break;
    case Cache.Q8_0: attend<Quants>(record, batch, from, to, scratch); break;
    default: unreachable();
  }
}

function attend<C>(record: usize, batch: usize, from: u32, to: u32, scratch: usize): void {
  const kvHeads = word(record, 9);
  const group = groupOf(record);
  const splits = splitCount(batch);
  const rows = load<u32>(batch) * group;
  for (let item = from; item < to; item++) {
    const split = item % splits;
    const kvHead = (item / splits) % kvHeads;
    const first = (item / splits / kvHeads) << 2;
    const count = min<u32>(4, rows - first);
    const table = blockTable(batch, first / group);
    let shared = count == 4;
    for (let r: u32 = 1; r < count; r++) shared = shared && blockTable(batch, (first + r) / group) == table;
    if (shared) attendRows<C>(record, batch, first, 4, kvHead, split, splits, scratch);
    else for (let r: u32 = 0; r < count; r++) attendRows<C>(record, batch, first + r, 1, kvHead, split, splits, scratch);
  }
}

/** 1 or 4 query rows of one sequence: all splits, or one of them. */
function attendRows<C>(
  record: usize,
  batch: usize,
  row: u32,
  count: u32,
  kvHead: u32,
  split: u32,
  splits: u32,
  scratch: usize,
): void {
  const group = groupOf(record);
  const dim = <usize>word(record, 10);
  const table = blockTable(batch, row / group);
  const sums = scratch + SUMS;
  const rowBytes = dim << 2;
  const firstBlock = visibleFrom(record, batch, row / group) >> 6;
  const lastBlock = position(batch, (row + count - 1) / group) >> 6;
  if (splits > 1) {
    const start = max(firstBlock, split * SPLIT);
    const end = min(lastBlock, split * SPLIT + SPLIT - 1);
    clearRows(scratch, count, rowBytes);
    for (let b = start; b <= end; b++) {
      attendBlock<C>(record, batch, row, count, kvHead, table, b, scratch);
    }
    for (let r: u32 = 0; r < count; r++) {
      const partial = partialOf(record, row + r, kvHead, split, splits);
      memory.copy(partial, scratch + STATES + (<usize>r << 4), 16);
      memory.copy(partial + 16, sums + <usize>r * rowBytes, rowBytes);
    }
    return;
  }
  for (let r: u32 = 0; r < count; r++) {
    startMerge(scratch + MERGED + (<usize>r << 4), outputOf(record, row + r, kvHead), dim);
  }
  for (let s = firstBlock / SPLIT; s <= lastBlock / SPLIT; s++) {
    clearRows(scratch, count, rowBytes);
    const end = min(lastBlock, s * SPLIT + SPLIT - 1);
    for (let b = max(firstBlock, s * SPLIT); b <= end; b++) {
      attendBlock<C>(record, batch, row, count, kvHead, table, b, scratch);
    }
    for (let r: u32 = 0; r < count; r++) {
      const state = <usize>r << 4;
      merge(scratch + MERGED + state, outputOf(record, row + r, kvHead), scratch + STATES + state, sums + <usize>r * rowBytes, dim);
    }
  }
  for (let r: u32 = 0; r < count; r++) {
    const out = outputOf(record, row + r, kvHead);
    finishMerge(scratch + MERGED + (<usize>r << 4), out, dim, sinkOf(record, row + r, kvHead));
  }
}

function clearRows(scratch: usize, count: u32, rowBytes: usize): void {
  for (let r: u32 = 0; r < count; r++) {
    const state = scratch + STATES + (<usize>r << 4);
    store<f32>(state, NEGATIVE);
    store<f32>(state, 0, 4);
  }
  memory.fill(scratch + SUMS, 0, <usize>count * rowBytes);
}

/** Takes in block `b` for the rows that see some of it. */
function attendBlock<C>(
  record: usize,
  batch: usize,
  row: u32,
  count: u32,
  kvHead: u32,
  table: usize,
  b: u32,
  scratch: usize,
): void {
  const group = groupOf(record);
  const dim = <usize>word(record, 10);
  const rowBytes = dim << 2;
  const headBytes = changetype<C>(0).rowBytes(dim) << 6;
  const block = (<usize>load<u32>(table + (<usize>b << 2)) * <usize>word(record, 9) + <usize>kvHead) * headBytes;
  const keys = <usize>word(record, 11) + block;
  const values = <usize>word(record, 12) + block;
  const sums = scratch + SUMS;
  if (count == 4) {
    scoreFour<C>(
      queryOf(record, row, kvHead),
      queryOf(record, row + 1, kvHead),
      queryOf(record, row + 2, kvHead),
      queryOf(record, row + 3, kvHead),
      keys,
      dim,
      scratch,
    );
  } else {
    scoreOne<C>(queryOf(record, row, kvHead), keys, dim, scratch);
  }
  // All rows see [low, high]; what one of them sees before or after is its own.
  let low = 0;
  let high = 63;
  for (let r: u32 = 0; r < count; r++) {
    const token = (row + r) / group;
    const from = visibleIn(visibleFrom(record, batch, token), b);
    const to = min<i32>(<i32>position(batch, token) - <i32>(b << 6), 63);
    low = max(low, from);
    high = min(high, to);
    if (from > to) continue;
    weigh(record, scratch + (<usize>r << 8), from, to, scratch + STATES + (<usize>r << 4), sums + <usize>r * rowBytes, dim);
  }
  if (count == 1) {
    if (low <= high) addOne<C>(values, dim, scratch, low, high, sums);
    return;
  }
  for (let r: u32 = 0; r < count; r++) {
    const token = (row + r) / group;
    const from = visibleIn(visibleFrom(record, batch, token), b);
    const to = min<i32>(<i32>position(batch, token) - <i32>(b << 6), 63);
    const end = low <= high ? min(to, low - 1) : to;
    if (from <= end) addOne<C>(values, dim, scratch + (<usize>r << 8), from, end, sums + <usize>r * rowBytes);
  }
  if (low > high) return;
  addFour<C>(values, dim, scratch, low, high, sums);
  for (let r: u32 = 0; r < count; r++) {
    const to = min<i32>(<i32>position(batch, (row + r) / group) - <i32>(b << 6), 63);
    if (high + 1 <= to) addOne<C>(values, dim, scratch + (<usize>r << 8), high + 1, to, sums + <usize>r * rowBytes);
  }
}

// @ts-ignore: decorator
@inline function visibleIn(first: u32, b: u32): i32 { return max<i32>(<i32>first - <i32>(b << 6), 0); }
