// y = W x for Q8_0 weights (panels of pack.ts) and int8 activations per 32 (quantize.ts), strict form: bytes are unsigned q + 128; a
// word's even and odd bytes become i16 pairs by `and` and `shift`, met by activations in the order k0 k2 k1 k3. The -128 * sum(x) of the
// offset is the initial accumulator. Integer parts are exact; per block acc = acc + f32(sum) * (weight scale * activation scale),
// blocks ascending: one order for every output, whatever the tile.
//   4 quants   6 scales   7 weights   8 cols   9 out   10 out stride   11 rows: Items.TOKENS or Items.OUTPUTS

import { Items, outputCount, tokenCount, word } from '../record';
import { widenHigh, widenLow } from '../half';

const BLOCK: usize = 272;

/** Items are panels. */
export function linearQ8(record: usize, batch: usize, from: u32, to: u32): void {
  const blocks = <usize>word(record, 8) >> 5;
  const rows = <usize>(word(record, 11) == Items.TOKENS ? tokenCount(batch) : outputCount(batch));
  const weights = <usize>word(record, 7);
  const out = <usize>word(record, 9);
  const outStride = <usize>word(record, 10);
  const whole = rows & ~3;
  for (let panel = <usize>from; panel < <usize>to; panel++) {
    const w = weights + panel * blocks * BLOCK;
    const y = out + (panel << 5);
    for (let r: usize = 0; r < whole; r += 4) {
      tile4(w, <usize>word(record, 4) + r * (blocks << 6), <usize>word(record, 6) + r * (blocks << 3), blocks, y + r * outStride, outStride);
    }
    for (let r = whole; r < rows; r++) {
      tile1(w, <usize>word(record, 4) + r * (blocks << 6), <usize>word(record, 6) + r * (blocks << 3), blocks, y + r * outStride);
    }
  }
}

/** 8 rows x 1 token. */
function tile1(w: usize, q: usize, s: usize, blocks: usize, y: usize): void {
  let mask = i32x4.splat(0x00ff00ff);
  let acc0 = f32x4.splat(0);
  let acc1 = f32x4.splat(0);
  for (let b: usize = 0; b < blocks; b++) {
    let i0 = v128.load32_splat(s, 4);
    let i1 = i0;
    let wp = w;
    let qp = q;
    for (let g: usize = 0; g < 4; g++) {
      const even0 = v128.load32_splat(qp);
      const odd0 = v128.load32_splat(qp, 4);
      const even1 = v128.load32_splat(qp, 8);
      const odd1 = v128.load32_splat(qp, 12);
      const w0 = v128.load(wp);
      const w1 = v128.load(wp, 16);
      const w2 = v128.load(wp, 32);
      const w3 = v128.load(wp, 48);
      i0 = i32x4.add(i0, i32x4.dot_i16x8_s(v128.and(w0, mask), even0));
      i1 = i32x4.add(i1, i32x4.dot_i16x8_s(v128.and(w1, mask), even0));
      i0 = i32x4.add(i0, i32x4.dot_i16x8_s(i16x8.shr_u(w0, 8), odd0));
      i1 = i32x4.add(i1, i32x4.dot_i16x8_s(i16x8.shr_u(w1, 8), odd0));
      i0 = i32x4.add(i0, i32x4.dot_i16x8_s(v128.and(w2, mask), even1));
      i1 = i32x4.add(i1, i32x4.dot_i16x8_s(v128.and(w3, mask), even1));
      i0 = i32x4.add(i0, i32x4.dot_i16x8_s(i16x8.shr_u(w2, 8), odd1));
      i1 = i32x4.add(i1, i32x4.dot_i16x8_s(i16x8.shr_u(w3, 8), odd1));
      wp += 64;
      qp += 16;
    }
    const scales = v128.load(w, 256);
    const x = v128.load32_splat(s);
    acc0 = f32x4.add(acc0, f32x4.mul(f32x4.convert_i32x4_s(i0), f32x4.mul(widenLow(scales), x)));
    acc1 = f32x4.add(acc1, f32x4.mul(f32x4.convert_i32x4_s(i1), f32x4.mul(widenHigh(scales), x)));
    w += BLOCK;
    q += 64;
    s += 8;
  }
  v128.store(y, acc0);
  v128.store(y, acc1, 16);
}

/** 8 rows x 4 tokens; the f32 tile stays in memory, so that the integer sums keep the registers. */
function tile4(w: usize, q: usize, s: usize, blocks: usize, y0: usize, stride: usize): void {
  const y1 = y0 + stride;
  const y2 = y1 + stride;
  const y3 = y2 + stride;
  const quantRow = blocks << 6;
  const scaleRow = blocks << 3;
  let mask = i32x4.splat(0x00ff00ff);
  clear(y0);
  clear(y1);
  clear(y2);
  clear(y3);
  for (let b: usize = 0; b < blocks; b++) {
    const s1 = s + scaleRow;
    const s2 = s1 + scaleRow;
    const s3 = s2 + scaleRow;
    let a0 = v128.load32_splat(s, 4);
    let b0 = a0;
    let a1 = v128.load32_splat(s1, 4);
    let b1 = a1;
    let a2 = v128.load32_splat(s2, 4);
    let b2 = a2;
    let a3 = v128.load32_splat(s3, 4);
    let b3 = a3;
    let wp = w;
    let q0 = q;
    for (let g: usize = 0; g < 8; g++) {
      const q1 = q0 + quantRow;
      const q2 = q1 + quantRow;
      const q3 = q2 + quantRow;
      const w0 = v128.load(wp);
      const w1 = v128.load(wp, 16);
      const e0 = v128.and(w0, mask);
      const e1 = v128.and(w1, mask);
      let x = v128.load32_splat(q0);
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(e0, x));
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(e1, x));
      x = v128.load32_splat(q1);
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(e0, x));
      b1 = i32x4.add(b1, i32x4.dot_i16x8_s(e1, x));
      x = v128.load32_splat(q2);
      a2 = i32x4.add(a2, i32x4.dot_i16x8_s(e0, x));
      b2 = i32x4.add(b2, i32x4.dot_i16x8_s(e1, x));
      x = v128.load32_splat(q3);
      a3 = i32x4.add(a3, i32x4.dot_i16x8_s(e0, x));
      b3 = i32x4.add(b3, i32x4.dot_i16x8_s(e1, x));
      const o0 = i16x8.shr_u(w0, 8);
      const o1 = i16x8.shr_u(w1, 8);
      x = v128.load32_splat(q0, 4);
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(o0, x));
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(o1, x));
      x = v128.load32_splat(q1, 4);
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(o0, x));
      b1 = i32x4.add(b1, i32x4.dot_i16x8_s(o1, x));
      x = v128.load32_splat(q2, 4);
      a2 = i32x4.add(a2, i32x4.dot_i16x8_s(o0, x));
      b2 = i32x4.add(b2, i32x4.dot_i16x8_s(o1, x));
      x = v128.load32_splat(q3, 4);
      a3 = i32x4.add(a3, i32x4.dot_i16x8_s(o0, x));
      b3 = i32x4.add(b3, i32x4.dot_i16x8_s(o1, x));
      wp += 32;
      q0 += 8;
    }
    const scales = v128.load(w, 256);
    const low = widenLow(scales);
    const high = widenHigh(scales);
    accumulate(y0, a0, b0, low, high, v128.load32_splat(s));
    accumulate(y1, a1, b1, low, high, v128.load32_splat(s1));
    accumulate(y2, a2, b2, low, high, v128.load32_splat(s2));
    accumulate(y3, a3, b3, low, high, v128.load32_splat(s3));
    w += BLOCK;
    q += 64;
    s += 8;
  }
}

// @ts-ignore: decorator
@inline export function accumulate(y: usize, a: v128, b: v128, low: v128, high: v128, x: v128): void {
  v128.store(y, f32x4.add(v128.load(y), f32x4.mul(f32x4.convert_i32x4_s(a), f32x4.mul(low, x))));
  v128.store(y, f32x4.add(v128.load(y, 16), f32x4.mul(f32x4.convert_i32x4_s(b), f32x4.mul(high, x))), 16);
}

// @ts-ignore: decorator
@inline export function clear(y: usize): void {
  v128.store(y, f32x4.splat(0));
  v128.store(y, f32x4.splat(0), 16);
}
