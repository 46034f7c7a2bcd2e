// The matrix products of a batch: panels of 8 rows times all its rows of activations. From `UNPACK` rows on, types whose words cost
// work to decode are unpacked once per panel into the thread's scratch; the sums are the same, so the bits are. Rows that lie as files
// store them are always unpacked.
//   4 input: f32 rows or quants   5 stride of f32 rows   6 records of activation.ts   7 weights   8 cols   9 out   10 out stride
//   11 rows: Items.TOKENS or Items.OUTPUTS   12 bytes per panel   13 table of the type, see unpack/panel.ts

import { Items, outputCount, tokenCount, word } from '../record';
import { quantShift } from '../activation';
import { tile4 } from './integer';
import { tile1, twin1 } from './row';
import { float1, float4, floatTwin } from './float';
import { halfBits, halfScale } from '../half';
import { unpackPanel } from '../unpack/panel';

const UNPACK: usize = 8;

/** F: F32, F16 or BF16. Items are panels. */
export function linearFloat<F>(record: usize, batch: usize, from: u32, to: u32): void {
  const cols = <usize>word(record, 8);
  const stride = <usize>word(record, 5);
  const outStride = <usize>word(record, 10);
  const rows = rowCount(record, batch);
  const whole = rows & ~3;
  if (rows < 4) {
    const half = (<usize>to - <usize>from) >> 1;
    const distance = half * cols * changetype<F>(0).bytes();
    for (let panel = <usize>from; panel < <usize>from + half; panel++) {
      const w = <usize>word(record, 7) + panel * cols * changetype<F>(0).bytes();
      const y = <usize>word(record, 9) + (panel << 5);
      for (let r: usize = 0; r < rows; r++) {
        const out = y + r * outStride;
        floatTwin<F>(w, w + distance, <usize>word(record, 4) + r * stride, cols, out, out + (half << 5));
      }
    }
    if (((to - from) & 1) == 0) return;
    from = to - 1;
  }
  for (let panel = <usize>from; panel < <usize>to; panel++) {
    const w = <usize>word(record, 7) + panel * cols * changetype<F>(0).bytes();
    let x = <usize>word(record, 4);
    let y = <usize>word(record, 9) + (panel << 5);
    for (let r: usize = 0; r < whole; r += 4) {
      float4<F>(w, x, stride, cols, y, outStride);
      x += stride << 2;
      y += outStride << 2;
    }
    for (let r = whole; r < rows; r++) {
      float1<F>(w, x, cols, y);
      x += stride;
      y += outStride;
    }
  }
}

/** F: format class, R: its range class, U: U32 or U16. Items are panels. */
export function linearPanels<F, R, U>(record: usize, batch: usize, from: u32, to: u32, scratch: usize): void {
  const blocks = <usize>word(record, 8) >> 5;
  const rows = rowCount(record, batch);
  const panelBytes = <usize>word(record, 12);
  const bias = changetype<F>(0).bias();
  const hasOffset = changetype<F>(0).hasOffset();
  const unpacks = changetype<F>(0).unpacks() && rows >= UNPACK;
  if (rows < 4) {
    // A panel of each half of the range together: two streams of weights hide more of the memory's latency than one.
    const half = (<usize>to - <usize>from) >> 1;
    for (let panel = <usize>from; panel < <usize>from + half; panel++) {
      multiplyTwins<F, R>(record, blocks, bias, hasOffset, rows, panel, panel + half);
    }
    if (((to - from) & 1) == 0) return;
    from = to - 1;
  }
  for (let panel = <usize>from; panel < <usize>to; panel++) {
    const w = <usize>word(record, 7) + panel * panelBytes;
    if (unpacks) {
      unpack<F, U>(w, blocks, scratch);
      multiply<U, R>(record, scratch, blocks, bias, hasOffset, rows, panel);
    } else {
      multiply<F, R>(record, w, blocks, bias, hasOffset, rows, panel);
    }
  }
}

/** F: class of unpack/, R: range class of its bytes, U: U32 or U16. Items are panels. */
export function linearStored<F, R, U>(record: usize, batch: usize, from: u32, to: u32, scratch: usize): void {
  const blocks = <usize>word(record, 8) >> 5;
  const rows = rowCount(record, batch);
  const panelBytes = <usize>word(record, 12);
  const table = <usize>word(record, 13);
  const bias = changetype<F>(0).bias();
  const hasOffset = changetype<F>(0).hasOffset();
  for (let panel = <usize>from; panel < <usize>to; panel++) {
    unpackPanel<F, U>(<usize>word(record, 7) + panel * panelBytes, panelBytes >> 3, blocks, table, scratch);
    multiply<U, R>(record, scratch, blocks, bias, hasOffset, rows, panel);
  }
}

/** One panel times all rows. */
export function multiply<F, R>(
  record: usize,
  w: usize,
  blocks: usize,
  bias: i32,
  hasOffset: bool,
  rows: usize,
  panel: usize,
): void {
  const outStride = <usize>word(record, 10);
  const quantRow = blocks << quantShift(changetype<R>(0).step());
  const recordRow = blocks << 5;
  const whole = rows & ~3;
  let q = <usize>word(record, 4);
  let s = <usize>word(record, 6);
  let y = <usize>word(record, 9) + (panel << 5);
  for (let r: usize = 0; r < whole; r += 4) {
    tile4<F, R>(w, q, s, blocks, bias, hasOffset, y, outStride);
    q += quantRow << 2;
    s += recordRow << 2;
    y += outStride << 2;
  }
  for (let r = whole; r < rows; r++) {
    tile1<F, R>(w, q, s, blocks, bias, hasOffset, y);
    q += quantRow;
    s += recordRow;
    y += outStride;
  }
}

/** Two panels times a few rows. */
function multiplyTwins<F, R>(
  record: usize,
  blocks: usize,
  bias: i32,
  hasOffset: bool,
  rows: usize,
  panel: usize,
  twin: usize,
): void {
  const panelBytes = <usize>word(record, 12);
  const w = <usize>word(record, 7) + panel * panelBytes;
  const v = <usize>word(record, 7) + twin * panelBytes;
  let q = <usize>word(record, 4);
  let s = <usize>word(record, 6);
  let out = <usize>word(record, 9);
  for (let r: usize = 0; r < rows; r++) {
    twin1<F, R>(w, v, q, s, blocks, bias, hasOffset, out + (panel << 5), out + (twin << 5));
    q += blocks << quantShift(changetype<R>(0).step());
    s += blocks << 5;
    out += <usize>word(record, 10);
  }
}

/** Columns 4g .. 4g + 3 as bytes, g 0 to 7. */
// @ts-ignore: decorator
@inline export function wordAt<F>(p: usize, sub: usize, g: usize, half: usize): v128 {
  const raw = changetype<F>(0).raw(p, sub, g & 4, g & 3, half);
  return changetype<F>(0).word(raw, p, sub, g & 4, g & 3, half, i8x16.splat(15), i8x16.splat(changetype<F>(0).moreBits()));
}

/** A panel of format F -> U32 or U16 (format/unpacked.ts). */
export function unpack<F, U>(w: usize, blocks: usize, out: usize): void {
  const subs = changetype<F>(0).subs();
  const parts = changetype<F>(0).parts();
  let p = w;
  for (let b: usize = 0; b < blocks; b += subs) {
    for (let sub: usize = 0; sub < subs; sub++) {
      for (let g: usize = 0; g < 8; g++) {
        v128.store(out + (g << 5), wordAt<F>(p, sub, g, 0));
        v128.store(out + (g << 5), wordAt<F>(p, sub, g, 16), 16);
      }
      for (let part: usize = 0; part < parts; part++) {
        const scales = out + 256 + (part << 5);
        v128.store(scales, changetype<F>(0).scale(p, sub, part, 0, halfBits(), halfScale()));
        v128.store(scales, changetype<F>(0).scale(p, sub, part, 16, halfBits(), halfScale()), 16);
        const offsets = scales + (parts << 5);
        v128.store(offsets, changetype<F>(0).offset(p, sub, part, 0, halfBits(), halfScale()));
        v128.store(offsets, changetype<F>(0).offset(p, sub, part, 16, halfBits(), halfScale()), 16);
      }
      out += changetype<U>(0).bytes();
    }
    p += changetype<F>(0).bytes();
  }
}

export function rowCount(record: usize, batch: usize): usize {
  return <usize>(word(record, 11) == Items.TOKENS ? tokenCount(batch) : outputCount(batch));
}
