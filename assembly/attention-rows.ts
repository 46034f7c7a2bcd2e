// Query rows of an attention record: the heads of a kv head's group, token after token. Where each row's query, output and partial
// results lie, and from which position on it sees. Operands: attention.ts.

import { position, word } from './record';

/** Query rows of one kv head. */
// @ts-ignore: decorator
@inline export function groupOf(record: usize): u32 { return word(record, 8) / word(record, 9); }

/** First position that a token sees. */
// @ts-ignore: decorator
@inline export function visibleFrom(record: usize, batch: usize, token: u32): u32 {
  const window = word(record, 14);
  const last = position(batch, token);
  return window != 0 && last + 1 > window ? last + 1 - window : 0;
}

// @ts-ignore: decorator
@inline export function queryOf(record: usize, row: u32, kvHead: u32): usize {
  const group = groupOf(record);
  const head = kvHead * group + (row % group);
  return <usize>word(record, 4) + <usize>(row / group) * <usize>word(record, 5) + <usize>(head * word(record, 10) * 4);
}

// @ts-ignore: decorator
@inline export function outputOf(record: usize, row: u32, kvHead: u32): usize {
  const group = groupOf(record);
  const head = kvHead * group + (row % group);
  return <usize>word(record, 6) + <usize>(row / group) * <usize>word(record, 7) + <usize>(head * word(record, 10) * 4);
}

/** [peak, total, 2 unused, out[dim]] of one row and split. */
// @ts-ignore: decorator
@inline export function partialOf(record: usize, row: u32, kvHead: u32, split: u32, splits: u32): usize {
  const index = (row * word(record, 9) + kvHead) * splits + split;
  return <usize>word(record, 18) + <usize>index * <usize>(16 + (word(record, 10) << 2));
}
