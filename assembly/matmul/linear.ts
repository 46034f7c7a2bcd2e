// The matrix products of a batch: panels of 8 rows times all its rows of activations. From some rows on (FEW_ROWS of activation.ts;
// `unpacks` of format/ in the builds that stay with packs of four), a panel is unpacked once into the thread's scratch; the sums are the
// same, so the bits are. Rows that lie as files store them are always unpacked.
//   4 input: f32 rows or quants   5 stride of f32 rows   6 records of activation.ts   7 weights   8 cols   9 out   10 out stride
//   11 rows: Items.TOKENS or Items.OUTPUTS   12 bytes per panel   13 table of the type, see unpack/panel.ts

import { Items, outputCount, tokenCount, word } from '../record';
import { FEW_ROWS, Five, Four, NUMBERS_SHIFT, One, packOf, quantShift, Six, Three, Two } from '../activation';
import { HALF_BITS, HALF_SCALE, tile } from './integer';
import { longTile } from './long';
import { single } from './single';
import { float1, float4, floatTwin } from './float';
import { kept } from '../simd';
import { unpackPanel } from '../unpack/panel';

/** A thread's scratch: f32 d and dmin of a superblock (format/k.ts), sums of a tile, what single.ts has ready, an unpacked panel. */
const SUMS: usize = 128;
const READY: usize = 256;
const PANEL: usize = 512;

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
  const rows = rowCount(record, batch);
  const blocks = <usize>word(record, 8) >> 5;
  const panelBytes = <usize>word(record, 12);
  const unpacks = BUILD == 2 ? rows > FEW_ROWS : rows >= changetype<F>(0).unpacks();
  for (let panel = <usize>from; panel < <usize>to; panel++) {
    const w = <usize>word(record, 7) + panel * panelBytes;
    if (unpacks) {
      unpack<F, U>(w, blocks, scratch);
      multiply<U, F, R>(record, scratch + PANEL, rows, panel, scratch);
    } else {
      multiply<F, F, R>(record, w, rows, panel, scratch);
    }
  }
}

/** F: class of unpack/, R: range class of its bytes, U: U32 or U16. Items are panels. */
export function linearStored<F, R, U>(record: usize, batch: usize, from: u32, to: u32, scratch: usize): void {
  const blocks = <usize>word(record, 8) >> 5;
  const rows = rowCount(record, batch);
  const panelBytes = <usize>word(record, 12);
  const table = <usize>word(record, 13);
  for (let panel = <usize>from; panel < <usize>to; panel++) {
    unpackPanel<F, U>(<usize>word(record, 7) + panel * panelBytes, panelBytes >> 3, blocks, table, scratch + PANEL);
    multiply<U, F, R>(record, scratch + PANEL, rows, panel, scratch);
  }
}

/** One panel times all rows. W: class of its words. */
export function multiply<W, F, R>(record: usize, w: usize, rows: usize, panel: usize, scratch: usize): void {
  const blocks = <usize>word(record, 8) >> 5;
  const outStride = <usize>word(record, 10);
  const pack = packOf(rows);
  const acc = scratch + SUMS;
  let x = <usize>word(record, 4);
  let s = <usize>word(record, 6);
  let y = <usize>word(record, 9) + (panel << 5);
  for (let row: usize = 0; row < rows; row += pack) {
    const count = min<usize>(pack, rows - row);
    sumPack<W, F, R>(w, x, s, blocks, count, scratch, acc);
    copyOut(acc, count, y, outStride);
    x += (blocks * pack) << quantShift(changetype<R>(0).step());
    s += (blocks * pack) << NUMBERS_SHIFT;
    y += outStride * pack;
  }
}

/** One panel times one pack of `count` rows; five and six only where weights are unpacked (packOf). */
function sumPack<W, F, R>(w: usize, x: usize, s: usize, blocks: usize, count: usize, scratch: usize, acc: usize): void {
  if (BUILD == 2 && !changetype<W>(0).isUnpacked() && count == 1) {
    single<W>(w, x, s, blocks, scratch + READY, acc);
    return;
  }
  clear(acc, count);
  if (BUILD == 2 && changetype<W>(0).isUnpacked() && count > 4) {
    if (count == 6) tile<W, F, R, Six>(w, x, s, blocks, scratch, acc);
    else tile<W, F, R, Five>(w, x, s, blocks, scratch, acc);
  } else if (count == 4) add<W, F, R, Four>(w, x, s, blocks, scratch, acc);
  else if (count == 3) add<W, F, R, Three>(w, x, s, blocks, scratch, acc);
  else if (count == 2) add<W, F, R, Two>(w, x, s, blocks, scratch, acc);
  else tile<W, F, R, One>(w, x, s, blocks, scratch, acc);
}

// @ts-ignore: decorator
@inline function add<W, F, R, T>(w: usize, x: usize, s: usize, blocks: usize, scratch: usize, acc: usize): void {
  if (BUILD == 2) longTile<W, F, R, T>(w, x, s, blocks, scratch, acc);
  else tile<W, F, R, T>(w, x, s, blocks, scratch, acc);
}

/** By stores: `memory.fill` leaves the module. */
// @ts-ignore: decorator
@inline function clear(acc: usize, rows: usize): void {
  for (let end = acc + (rows << 5); acc < end; acc += 16) v128.store(acc, i32x4.splat(0));
}

// @ts-ignore: decorator
@inline function copyOut(acc: usize, rows: usize, y: usize, stride: usize): void {
  for (let row: usize = 0; row < rows; row++) {
    v128.store(y, v128.load(acc));
    v128.store(y, v128.load(acc, 16), 16);
    acc += 32;
    y += stride;
  }
}

/** Columns 4g .. 4g + 3 as bytes, g 0 to 7. */
// @ts-ignore: decorator
@inline export function wordAt<F>(p: usize, sub: usize, g: usize, half: usize): v128 {
  const raw = changetype<F>(0).raw(p, sub, g & 4, g & 3, half);
  return changetype<F>(0).word(raw, p, sub, g & 4, g & 3, half, i8x16.splat(15), i8x16.splat(changetype<F>(0).moreBits()));
}

/** A panel of format F -> U32 or U16 (format/unpacked.ts) at scratch + PANEL. */
function unpack<F, U>(w: usize, blocks: usize, scratch: usize): void {
  const subs = changetype<F>(0).subs();
  const parts = changetype<F>(0).parts();
  let bits = i32x4.splat(kept(HALF_BITS, blocks));
  let by = i32x4.splat(kept(HALF_SCALE, blocks));
  let m = i8x16.splat(<i8>kept(15, blocks));
  let more = i8x16.splat(<i8>kept(changetype<F>(0).moreBits(), blocks));
  let p = w;
  let out = scratch + PANEL;
  for (let b: usize = 0; b < blocks; b += subs) {
    changetype<F>(0).prepare(p, scratch, bits, by);
    for (let sub: usize = 0; sub < subs; sub++) {
      unpackGroup<F>(p, sub, 0, out, m, more);
      unpackGroup<F>(p, sub, 1, out, m, more);
      unpackGroup<F>(p, sub, 2, out, m, more);
      unpackGroup<F>(p, sub, 3, out, m, more);
      for (let part: usize = 0; part < parts; part++) {
        const scales = out + 256 + (part << 5);
        v128.store(scales, changetype<F>(0).scale(p, sub, part, 0, scratch, bits, by));
        v128.store(scales, changetype<F>(0).scale(p, sub, part, 16, scratch, bits, by), 16);
        if (changetype<F>(0).hasOffset()) {
          const offsets = scales + (parts << 5);
          v128.store(offsets, changetype<F>(0).offset(p, sub, part, 0, scratch, bits, by));
          v128.store(offsets, changetype<F>(0).offset(p, sub, part, 16, scratch, bits, by), 16);
        }
      }
      out += changetype<U>(0).bytes();
    }
    p += changetype<F>(0).bytes();
  }
}

/** Columns 4g .. 4g + 3 and those 16 further. */
// @ts-ignore: decorator
@inline function unpackGroup<F>(p: usize, sub: usize, g: usize, out: usize, m: v128, more: v128): void {
  let raw0 = changetype<F>(0).raw(p, sub, 0, g, 0);
  let raw1 = changetype<F>(0).raw(p, sub, 0, g, 16);
  v128.store(out + (g << 5), changetype<F>(0).word(raw0, p, sub, 0, g, 0, m, more));
  v128.store(out + (g << 5) + 16, changetype<F>(0).word(raw1, p, sub, 0, g, 16, m, more));
  if (!changetype<F>(0).shares()) {
    raw0 = changetype<F>(0).raw(p, sub, 4, g, 0);
    raw1 = changetype<F>(0).raw(p, sub, 4, g, 16);
  }
  v128.store(out + (g << 5) + 128, changetype<F>(0).word(raw0, p, sub, 4, g, 0, m, more));
  v128.store(out + (g << 5) + 144, changetype<F>(0).word(raw1, p, sub, 4, g, 16, m, more));
}

export function rowCount(record: usize, batch: usize): usize {
  return <usize>(word(record, 11) == Items.TOKENS ? tokenCount(batch) : outputCount(batch));
}
