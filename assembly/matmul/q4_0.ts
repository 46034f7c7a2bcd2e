// y = W x for Q4_0 weights (panels of pack.ts): as q8_0.ts, a word's low nibbles are columns 4g .. 4g+3, its high ones those + 16; the
// offset of 8 is a sixteenth of the activations' -128 * sum(x). Operands as in q8_0.ts.

import { Items, outputCount, tokenCount, word } from '../record';
import { widenHigh, widenLow } from '../half';
import { accumulate, clear } from './q8_0';

const BLOCK: usize = 144;

/** Items are panels. */
export function linearQ4(record: usize, batch: usize, from: u32, to: u32): void {
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
  let mask = i32x4.splat(0x000f000f);
  let acc0 = f32x4.splat(0);
  let acc1 = f32x4.splat(0);
  for (let b: usize = 0; b < blocks; b++) {
    let i0 = i32x4.shr_s(v128.load32_splat(s, 4), 4);
    let i1 = i0;
    let wp = w;
    let qp = q;
    for (let g: usize = 0; g < 4; g++) {
      const w0 = v128.load(wp);
      const w1 = v128.load(wp, 16);
      let x = v128.load32_splat(qp);
      i0 = i32x4.add(i0, i32x4.dot_i16x8_s(v128.and(w0, mask), x));
      i1 = i32x4.add(i1, i32x4.dot_i16x8_s(v128.and(w1, mask), x));
      x = v128.load32_splat(qp, 4);
      i0 = i32x4.add(i0, i32x4.dot_i16x8_s(v128.and(i16x8.shr_u(w0, 8), mask), x));
      i1 = i32x4.add(i1, i32x4.dot_i16x8_s(v128.and(i16x8.shr_u(w1, 8), mask), x));
      x = v128.load32_splat(qp, 32);
      i0 = i32x4.add(i0, i32x4.dot_i16x8_s(v128.and(i16x8.shr_u(w0, 4), mask), x));
      i1 = i32x4.add(i1, i32x4.dot_i16x8_s(v128.and(i16x8.shr_u(w1, 4), mask), x));
      x = v128.load32_splat(qp, 36);
      i0 = i32x4.add(i0, i32x4.dot_i16x8_s(i16x8.shr_u(w0, 12), x));
      i1 = i32x4.add(i1, i32x4.dot_i16x8_s(i16x8.shr_u(w1, 12), x));
      wp += 32;
      qp += 8;
    }
    const scales = v128.load(w, 128);
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

/** 8 rows x 4 tokens. */
function tile4(w: usize, q: usize, s: usize, blocks: usize, y0: usize, stride: usize): void {
  const y1 = y0 + stride;
  const y2 = y1 + stride;
  const y3 = y2 + stride;
  const quantRow = blocks << 6;
  const scaleRow = blocks << 3;
  let mask = i32x4.splat(0x000f000f);
  clear(y0);
  clear(y1);
  clear(y2);
  clear(y3);
  for (let b: usize = 0; b < blocks; b++) {
    const s1 = s + scaleRow;
    const s2 = s1 + scaleRow;
    const s3 = s2 + scaleRow;
    let a0 = i32x4.shr_s(v128.load32_splat(s, 4), 4);
    let b0 = a0;
    let a1 = i32x4.shr_s(v128.load32_splat(s1, 4), 4);
    let b1 = a1;
    let a2 = i32x4.shr_s(v128.load32_splat(s2, 4), 4);
    let b2 = a2;
    let a3 = i32x4.shr_s(v128.load32_splat(s3, 4), 4);
    let b3 = a3;
    // Groups 0..3: low nibbles, even then odd bytes; the shift of 4 turns the same words to the high nibbles of groups 4..7.
    for (let high: usize = 0; high < 2; high++) {
      const shift = <i32>(high << 2);
      let wp = w;
      let q0 = q + (high << 5);
      for (let g: usize = 0; g < 4; g++) {
        const q1 = q0 + quantRow;
        const q2 = q1 + quantRow;
        const q3 = q2 + quantRow;
        const w0 = i16x8.shr_u(v128.load(wp), shift);
        const w1 = i16x8.shr_u(v128.load(wp, 16), shift);
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
        const o0 = v128.and(i16x8.shr_u(w0, 8), mask);
        const o1 = v128.and(i16x8.shr_u(w1, 8), mask);
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
    }
    const scales = v128.load(w, 128);
    const low = widenLow(scales);
    const top = widenHigh(scales);
    accumulate(y0, a0, b0, low, top, v128.load32_splat(s));
    accumulate(y1, a1, b1, low, top, v128.load32_splat(s1));
    accumulate(y2, a2, b2, low, top, v128.load32_splat(s2));
    accumulate(y3, a3, b3, low, top, v128.load32_splat(s3));
    w += BLOCK;
    q += 64;
    s += 8;
  }
}
