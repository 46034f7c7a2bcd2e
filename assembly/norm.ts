// RMSNorm (Zhang and Sennrich 2019): y = x / sqrt(mean(x^2) + eps) * w, over groups of `width` columns.
//   4 x   5 stride   6 weight [width]   7 width   8 groups per row   9 eps   10 out (same stride)

import { real, word } from './record';
import { sumLanes } from './math';

export function rmsNorm(record: usize, from: u32, to: u32): void {
  const stride = <usize>word(record, 5);
  const weight = <usize>word(record, 6);
  const width = <usize>word(record, 7);
  const groups = word(record, 8);
  const eps = real(record, 9);
  for (let row = <usize>from; row < <usize>to; row++) {
    let x = <usize>word(record, 4) + row * stride;
    let y = <usize>word(record, 10) + row * stride;
    for (let g: u32 = 0; g < groups; g++) {
      normalise(x, weight, width, eps, y);
      x += width << 2;
      y += width << 2;
    }
  }
}

/** Squares are added up in four sums, each of which waits for its last addition only. */
function normalise(x: usize, weight: usize, width: usize, eps: f32, y: usize): void {
  const sixteens = (width & ~15) << 2;
  const whole = (width & ~3) << 2;
  const end = width << 2;
  let a = f32x4.splat(0);
  let b = a;
  let c = a;
  let d = a;
  for (let i: usize = 0; i < sixteens; i += 64) {
    let v = v128.load(x + i);
    a = f32x4.add(a, f32x4.mul(v, v));
    v = v128.load(x + i, 16);
    b = f32x4.add(b, f32x4.mul(v, v));
    v = v128.load(x + i, 32);
    c = f32x4.add(c, f32x4.mul(v, v));
    v = v128.load(x + i, 48);
    d = f32x4.add(d, f32x4.mul(v, v));
  }
  for (let i = sixteens; i < whole; i += 16) {
    const v = v128.load(x + i);
    a = f32x4.add(a, f32x4.mul(v, v));
  }
  let sum = sumLanes(f32x4.add(f32x4.add(a, b), f32x4.add(c, d)));
  for (let i = whole; i < end; i += 4) sum += load<f32>(x + i) * load<f32>(x + i);
  const scale = <f32>1.0 / sqrt<f32>(sum / <f32>width + eps);
  let factor = f32x4.splat(scale);
  for (let i: usize = 0; i < whole; i += 16) {
    v128.store(y + i, f32x4.mul(f32x4.mul(v128.load(x + i), factor), v128.load(weight + i)));
  }
  for (let i = whole; i < end; i += 4) store<f32>(y + i, load<f32>(x + i) * scale * load<f32>(weight + i));
}
