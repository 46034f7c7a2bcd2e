// Rotary positions (Su et al. 2021), in place: (a, b) -> (a cos - b sin, a sin + b cos) for each pair of the first `dims` of a head.
//   4 x   5 stride   6 heads   7 head dim   8 dims   9 layout: 0 adjacent pairs, 1 halves   10 table [positions][dims]: cos, sin, ...

import { position, word } from './record';

export function rope(record: usize, batch: usize, from: u32, to: u32): void {
  const heads = word(record, 6);
  const headBytes = <usize>word(record, 7) << 2;
  const dims = <usize>word(record, 8);
  const halves = word(record, 9) == 1;
  for (let token = <usize>from; token < <usize>to; token++) {
    const table = <usize>word(record, 10) + <usize>position(batch, token) * (dims << 2);
    let x = <usize>word(record, 4) + token * <usize>word(record, 5);
    for (let h: u32 = 0; h < heads; h++) {
      if (halves) rotateHalves(x, table, dims);
      else rotateAdjacent(x, table, dims);
      x += headBytes;
    }
  }
}

function rotateAdjacent(x: usize, table: usize, dims: usize): void {
  const whole = (dims & ~3) << 2;
  let sign = f32x4(-1.0, 1.0, -1.0, 1.0);
  for (let i: usize = 0; i < whole; i += 16) {
    const v = v128.load(x + i);
    const t = v128.load(table + i);
    const cos = i8x16.shuffle(t, t, 0, 1, 2, 3, 0, 1, 2, 3, 8, 9, 10, 11, 8, 9, 10, 11);
    const sin = i8x16.shuffle(t, t, 4, 5, 6, 7, 4, 5, 6, 7, 12, 13, 14, 15, 12, 13, 14, 15);
    const swapped = i8x16.shuffle(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
    v128.store(x + i, f32x4.add(f32x4.mul(v, cos), f32x4.mul(swapped, f32x4.mul(sin, sign))));
  }
  if (whole < dims << 2) rotatePair(x + whole, x + whole + 4, table + whole);
}

function rotateHalves(x: usize, table: usize, dims: usize): void {
  const half = dims << 1;
  const whole = half & ~15;
  for (let i: usize = 0; i < whole; i += 16) {
    const t0 = v128.load(table + (i << 1));
    const t1 = v128.load(table + (i << 1), 16);
    const cos = i8x16.shuffle(t0, t1, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
    const sin = i8x16.shuffle(t0, t1, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
    const a = v128.load(x + i);
    const b = v128.load(x + half + i);
    v128.store(x + i, f32x4.sub(f32x4.mul(a, cos), f32x4.mul(b, sin)));
    v128.store(x + half + i, f32x4.add(f32x4.mul(a, sin), f32x4.mul(b, cos)));
  }
  for (let i = whole; i < half; i += 4) rotatePair(x + i, x + half + i, table + (i << 1));
}

function rotatePair(first: usize, second: usize, table: usize): void {
  const a = load<f32>(first);
  const b = load<f32>(second);
  const cos = load<f32>(table);
  const sin = load<f32>(table, 4);
  store<f32>(first, a * cos - b * sin);
  store<f32>(second, a * sin + b * cos);
}
