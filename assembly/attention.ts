// Scaled dot-product attention of each token over its sequence's cache, with an online softmax (Milakov and Gimelshein 2018) whose
// block is the KV block of 64 absolute positions. Eight blocks make a split: a split's softmax starts anew, and splits are merged in
// order. So a long context may be shared among threads, and prefill and decode do the same operations: equal bits.
// Lanes outside of what a token may see are selected away, never multiplied: they may hold anything.
//   4 q   5 q stride   6 out   7 out stride   8 heads   9 kv heads   10 head dim   11 key cache   12 value cache
//   13 scale   14 window (0: all)   15 softcap (0: none)   16 sinks [heads] or 0   17 type of the cache: Cache of record.ts   18 partials
//
// Query rows are the heads of a kv head's group, token after token; up to four of them that share a sequence are computed together.
// Items are (kv head, pack of 4 rows), or with S splits per pack (batch header) S times as many; each then leaves a partial result
// [peak, total, 2 unused, out[dim]] for `mergeSplits`.

import { Cache, blockTable, position, splitCount, tokenCount, word } from './record';
import { groupOf, outputOf, partialOf, queryOf, visibleFrom } from './attention-rows';
import { addFour, addOne, scoreFour, scoreOne, weigh } from './attention-block';
import { finishMerge, merge, sinkOf, SPLIT_POSITIONS, startMerge } from './merge';
import { quantizeQuery, weighWords } from './attention-words';
import { Halves, Quants, Singles } from './cache';
import { Words } from './cache-words';
import { NEGATIVE } from './math';
import { addWords1, addWords2, addWords4 } from './words-add';
import { Plain, scoreWords1, scoreWords2, scoreWords4, Touching } from './words-score';

/** Most tokens of a batch for which keys and values come from memory rather than from cache: decoding. */
const FEW: u32 = 16;

/** Blocks of a split. */
const SPLIT: u32 = SPLIT_POSITIONS >> 6;

// A thread's scratch: 4 rows of 64 scores | 4 states of 16 bytes (peak, total, factor) | 4 of the merge | for a cache of integers 4 rows
// of 64 weights and 4 scales of queries | 4 accumulators of dim values | 4 queries of dim words
const STATES: usize = 1024;
const MERGED: usize = 1088;
const WEIGHTS: usize = 1152;
const QUERY_SCALES: usize = 1664;
const SUMS: usize = 1728;

// @ts-ignore: decorator
@inline function queriesAt(scratch: usize, dim: usize): usize { return scratch + SUMS + (dim << 4); }

export function attention(record: usize, batch: usize, from: u32, to: u32, scratch: usize): void {
  switch (word(record, 17)) {
    case Cache.F32: attend<Singles>(record, batch, from, to, scratch); break;
    case Cache.I16: attend<Words>(record, batch, from, to, scratch); break;
    case Cache.F16: attend<Halves>(record, batch, from, to, scratch); break;
    case Cache.Q8_0: attend<Quants>(record, batch, from, to, scratch); break;
    default: unreachable();
  }
}

function attend<C>(record: usize, batch: usize, from: u32, to: u32, scratch: usize): void {
  const group = groupOf(record);
  const splits = splitCount(batch);
  const rows = load<u32>(batch) * group;
  const packs = (rows + 3) >> 2;
  for (let item = from; item < to; item++) {
    const split = item % splits;
    const kvHead = item / splits / packs;
    const end = min((((item / splits) % packs) << 2) + 4, rows);
    for (let row = ((item / splits) % packs) << 2; row < end;) {
      const count = together<C>(batch, row, end, group);
      attendRows<C>(record, batch, row, count, kvHead, split, splits, scratch);
      row += count;
    }
  }
}

/** How many rows from `row` on are computed together: they share a sequence. */
// @ts-ignore: decorator
@inline function together<C>(batch: usize, row: u32, end: u32, group: u32): u32 {
  const table = blockTable(batch, row / group);
  let count: u32 = 1;
  while (row + count < end && blockTable(batch, (row + count) / group) == table) count++;
  if (count == 4) return 4;
  return changetype<C>(0).integers() && count >= 2 ? 2 : 1;
}

/** 1, 2 or 4 query rows of one sequence: all splits, or one of them. */
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
  if (changetype<C>(0).integers()) {
    for (let r: u32 = 0; r < count; r++) {
      quantizeQuery(record, queryOf(record, row + r, kvHead), dim, queriesAt(scratch, dim) + <usize>r * (dim << 1), scratch + QUERY_SCALES + (<usize>r << 2));
    }
  }
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
  if (changetype<C>(0).integers()) {
    attendWords(record, batch, row, 0, count, b, keys, values, dim, scratch);
    return;
  }
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

/** The same for a cache of integers: rows `row` to `row + count`, whose places in scratch begin at number `place`. */
function attendWords(
  record: usize,
  batch: usize,
  row: u32,
  place: usize,
  count: u32,
  b: u32,
  keys: usize,
  values: usize,
  dim: usize,
  scratch: usize,
): void {
  const group = groupOf(record);
  let low = 63;
  let high = 0;
  for (let r: u32 = 0; r < count; r++) {
    const token = (row + r) / group;
    const from = visibleIn(visibleFrom(record, batch, token), b);
    const to = min<i32>(<i32>position(batch, token) - <i32>(b << 6), 63);
    if (from > to) {
      // Nothing is added to the sums of a row that sees none of the block, not even zeros.
      for (let alone: u32 = 0; count > 1 && alone < count; alone++) {
        attendWords(record, batch, row + alone, place + alone, 1, b, keys, values, dim, scratch);
      }
      return;
    }
    low = min(low, from);
    high = max(high, to);
  }
  const first = <usize>(low >> 3);
  const last = <usize>(high >> 3);
  const scores = scratch + (place << 8);
  const q = queriesAt(scratch, dim) + place * (dim << 1);
  const scales = scratch + QUERY_SCALES + (place << 2);
  if (tokenCount(batch) <= FEW) scoreWords<Touching>(count, q, scales, keys, dim, first, last, scores, values);
  else scoreWords<Plain>(count, q, scales, keys, dim, first, last, scores, values);
  const weights = scratch + WEIGHTS + (place << 7);
  const state = scratch + STATES + (place << 4);
  const sums = scratch + SUMS + place * (dim << 2);
  for (let r: u32 = 0; r < count; r++) {
    const token = (row + r) / group;
    const at = <usize>r;
    weighWords(
      record,
      scores + (at << 8),
      values + (dim << 7),
      visibleIn(visibleFrom(record, batch, token), b),
      min<i32>(<i32>position(batch, token) - <i32>(b << 6), 63),
      first,
      last,
      state + (at << 4),
      sums + at * (dim << 2),
      dim,
      weights + (at << 7),
    );
  }
  if (count == 4) addWords4(values, dim, weights, first, last, state, sums);
  else if (count == 2) addWords2(values, dim, weights, first, last, state, sums);
  else addWords1(values, dim, weights, first, last, state, sums);
}

// @ts-ignore: decorator
@inline function scoreWords<T>(
  count: u32,
  q: usize,
  scales: usize,
  keys: usize,
  dim: usize,
  first: usize,
  last: usize,
  scores: usize,
  values: usize,
): void {
  if (count == 4) scoreWords4<T>(q, scales, keys, dim, first, last, scores, values);
  else if (count == 2) scoreWords2<T>(q, scales, keys, dim, first, last, scores, values);
  else scoreWords1<T>(q, scales, keys, dim, first, last, scores, values);
}

// @ts-ignore: decorator
@inline function visibleIn(first: u32, b: u32): i32 { return max<i32>(<i32>first - <i32>(b << 6), 0); }
