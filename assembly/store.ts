// Writes keys and values of this batch to the cache. A KV block is 64 absolute positions:
//   keys    [block][kv head][position / 8][dim][position % 8]   so that lanes are positions
//   values  [block][kv head][position][dim]                     so that lanes are dims
//   4 k   5 k stride   6 v   7 v stride   8 kv heads   9 head dim   10 key cache   11 value cache   12 element bytes (4 f32, 2 f16)

import { blockTable, position, word } from './record';
import { narrowOne } from './half';

export function storeKv(record: usize, batch: usize, from: u32, to: u32): void {
  const kvHeads = <usize>word(record, 8);
  const dim = <usize>word(record, 9);
  const half = word(record, 12) == 2;
  const headBytes = dim * 64 * (half ? 2 : 4);
  for (let token = <usize>from; token < <usize>to; token++) {
    const at = <usize>position(batch, token);
    const block = <usize>load<u32>(blockTable(batch, token) + ((at >> 6) << 2));
    const offset = block * kvHeads * headBytes;
    let k = <usize>word(record, 4) + token * <usize>word(record, 5);
    let v = <usize>word(record, 6) + token * <usize>word(record, 7);
    let keys = <usize>word(record, 10) + offset;
    let values = <usize>word(record, 11) + offset;
    for (let h: usize = 0; h < kvHeads; h++) {
      if (half) storeHalves(k, v, keys, values, at & 63, dim);
      else storeSingles(k, v, keys, values, at & 63, dim);
      k += dim << 2;
      v += dim << 2;
      keys += headBytes;
      values += headBytes;
    }
  }
}

function storeSingles(k: usize, v: usize, keys: usize, values: usize, within: usize, dim: usize): void {
  const tile = keys + (((within >> 3) * dim * 8 + (within & 7)) << 2);
  for (let d: usize = 0; d < dim; d++) store<f32>(tile + (d << 5), load<f32>(k + (d << 2)));
  memory.copy(values + ((within * dim) << 2), v, dim << 2);
}

function storeHalves(k: usize, v: usize, keys: usize, values: usize, within: usize, dim: usize): void {
  const tile = keys + (((within >> 3) * dim * 8 + (within & 7)) << 1);
  const row = values + ((within * dim) << 1);
  for (let d: usize = 0; d < dim; d++) {
    store<u16>(tile + (d << 4), <u16>narrowOne(load<f32>(k + (d << 2))));
    store<u16>(row + (d << 1), <u16>narrowOne(load<f32>(v + (d << 2))));
  }
}
