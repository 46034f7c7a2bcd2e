// y = W x for F16 weights (panels of pack.ts) and f32 activations: every output sums its columns in ascending order, one at a time.
//   4 x   5 stride   7 weights   8 cols   9 out   10 out stride   11 rows: Items.TOKENS or Items.OUTPUTS

import { Items, outputCount, tokenCount, word } from '../record';
import { widenHigh, widenLow } from '../half';

/** Items are panels of 8 rows. */
export function linearF16(record: usize, batch: usize, from: u32, to: u32): void {
  const cols = <usize>word(record, 8);
  const stride = <usize>word(record, 5);
  const rows = <usize>(word(record, 11) == Items.TOKENS ? tokenCount(batch) : outputCount(batch));
  const weights = <usize>word(record, 7);
  const out = <usize>word(record, 9);
  const outStride = <usize>word(record, 10);
  const whole = rows & ~3;
  for (let panel = <usize>from; panel < <usize>to; panel++) {
    const w = weights + panel * (cols << 4);
    const y = out + (panel << 5);
    for (let r: usize = 0; r < whole; r += 4) {
      tile4(w, <usize>word(record, 4) + r * stride, stride, cols, y + r * outStride, outStride);
    }
    for (let r = whole; r < rows; r++) tile1(w, <usize>word(record, 4) + r * stride, cols, y + r * outStride);
  }
}

function tile1(w: usize, x: usize, cols: usize, y: usize): void {
  let wp = w;
  let a = f32x4.splat(0);
  let b = f32x4.splat(0);
  for (let k: usize = 0; k < cols; k++) {
    const halves = v128.load(wp);
    const v = v128.load32_splat(x);
    a = f32x4.add(a, f32x4.mul(widenLow(halves), v));
    b = f32x4.add(b, f32x4.mul(widenHigh(halves), v));
    wp += 16;
    x += 4;
  }
  v128.store(y, a);
  v128.store(y, b, 16);
}

function tile4(w: usize, x0: usize, stride: usize, cols: usize, y0: usize, outStride: usize): void {
  const x1 = x0 + stride;
  const x2 = x1 + stride;
  const x3 = x2 + stride;
  let wp = w;
  let a0 = f32x4.splat(0);
  let b0 = f32x4.splat(0);
  let a1 = f32x4.splat(0);
  let b1 = f32x4.splat(0);
  let a2 = f32x4.splat(0);
  let b2 = f32x4.splat(0);
  let a3 = f32x4.splat(0);
  let b3 = f32x4.splat(0);
  for (let k: usize = 0; k < cols << 2; k += 4) {
    const halves = v128.load(wp);
    const low = widenLow(halves);
    const high = widenHigh(halves);
    let v = v128.load32_splat(x0 + k);
    a0 = f32x4.add(a0, f32x4.mul(low, v));
    b0 = f32x4.add(b0, f32x4.mul(high, v));
    v = v128.load32_splat(x1 + k);
    a1 = f32x4.add(a1, f32x4.mul(low, v));
    b1 = f32x4.add(b1, f32x4.mul(high, v));
    v = v128.load32_splat(x2 + k);
    a2 = f32x4.add(a2, f32x4.mul(low, v));
    b2 = f32x4.add(b2, f32x4.mul(high, v));
    v = v128.load32_splat(x3 + k);
    a3 = f32x4.add(a3, f32x4.mul(low, v));
    b3 = f32x4.add(b3, f32x4.mul(high, v));
    wp += 16;
  }
  const y1 = y0 + outStride;
  const y2 = y1 + outStride;
  const y3 = y2 + outStride;
  v128.store(y0, a0);
  v128.store(y0, b0, 16);
  v128.store(y1, a1);
  v128.store(y1, b1, 16);
  v128.store(y2, a2);
  v128.store(y2, b2, 16);
  v128.store(y3, a3);
  v128.store(y3, b3, 16);
}
