// Writes keys and values of this batch to the cache: blocks of 64 absolute positions, [block][kv head], what they hold: cache.ts.
//   4 k   5 k stride   6 v   7 v stride   8 kv heads   9 head dim   10 key cache   11 value cache   12 type: Cache of record.ts

import { Cache, blockTable, position, word } from './record';
import { Halves, Quants, Singles } from './cache';
import { Words } from './cache-words';

export function storeKv(record: usize, batch: usize, from: u32, to: u32, scratch: usize): void {
  switch (word(record, 12)) {
    case Cache.F32: storeAs<Singles>(record, batch, from, to, scratch); break;
    case Cache.F16: storeAs<Halves>(record, batch, from, to, scratch); break;
    case Cache.I16: storeAs<Words>(record, batch, from, to, scratch); break;
    case Cache.Q8_0: storeAs<Quants>(record, batch, from, to, scratch); break;
    default: unreachable();
  }
}

function storeAs<C>(record: usize, batch: usize, from: u32, to: u32, scratch: usize): void {
  const kvHeads = <usize>word(record, 8);
  const dim = <usize>word(record, 9);
  const headBytes = changetype<C>(0).rowBytes(dim) << 6;
  for (let token = <usize>from; token < <usize>to; token++) {
    const at = <usize>position(batch, token);
    const block = <usize>load<u32>(blockTable(batch, token) + ((at >> 6) << 2));
    const offset = block * kvHeads * headBytes;
    let k = <usize>word(record, 4) + token * <usize>word(record, 5);
    let v = <usize>word(record, 6) + token * <usize>word(record, 7);
    let keys = <usize>word(record, 10) + offset;
    let values = <usize>word(record, 11) + offset;
    for (let h: usize = 0; h < kvHeads; h++) {
      changetype<C>(0).put(k, v, keys, values, at & 63, dim, scratch);
      k += dim << 2;
      v += dim << 2;
      keys += headBytes;
      values += headBytes;
    }
  }
}
