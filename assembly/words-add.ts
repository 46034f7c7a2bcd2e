// The values of a block, weighted, into the sums of one, two or four rows (attention-words.ts).

import { madd } from './simd';

/**
 * sums[d] += factor * sum over the pairs of positions of tiles `first` to `last` of weight * value. `state`: factor at word 2. What nobody
 * sees weighs 0 and adds nothing to an integer sum.
 */
export function addWords1(
  values: usize,
  dim: usize,
  weights: usize,
  first: usize,
  last: usize,
  state: usize,
  sums: usize,
): void {
  const start = weights + (first << 4);
  const end = weights + ((last + 1) << 4);
  const whole = dim & ~7;
  for (let d: usize = 0; d < whole; d += 8) {
    let v = values + (d << 7) + (first << 7);
    let a0 = i32x4.splat(0);
    let b0 = i32x4.splat(0);
    for (let j = start; j < end; j += 8) {
      let low = v128.load(v);
      let high = v128.load(v, 16);
      let x = v128.load32_splat(j);
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(x, low));
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(x, high));
      low = v128.load(v, 32);
      high = v128.load(v, 48);
      x = v128.load32_splat(j, 4);
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(x, low));
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(x, high));
      v += 64;
    }
    addTo(sums + (d << 2), a0, b0, v128.load32_splat(state, 8));
  }
  if (whole == dim) return;
  addLast(values + (whole << 7), weights, first, last, v128.load32_splat(state, 8), sums + (whole << 2));
}

/** The last 4 dims of a head that is no multiple of 8. */
function addLast(values: usize, weights: usize, first: usize, last: usize, factor: v128, sums: usize): void {
  let a = i32x4.splat(0);
  for (let j = first << 2; j < (last + 1) << 2; j++) {
    a = i32x4.add(a, i32x4.dot_i16x8_s(v128.load32_splat(weights + (j << 2)), v128.load(values + (j << 4))));
  }
  v128.store(sums, madd(f32x4.convert_i32x4_s(a), factor, v128.load(sums)));
}

/** The same for two rows: weights 128, states 16 and sums 4 * dim bytes apart. */
export function addWords2(
  values: usize,
  dim: usize,
  weights: usize,
  first: usize,
  last: usize,
  state: usize,
  sums: usize,
): void {
  const rowBytes = dim << 2;
  const start = weights + (first << 4);
  const end = weights + ((last + 1) << 4);
  const whole = dim & ~7;
  for (let d: usize = 0; d < whole; d += 8) {
    let v = values + (d << 7) + (first << 7);
    let a0 = i32x4.splat(0);
    let b0 = i32x4.splat(0);
    let a1 = i32x4.splat(0);
    let b1 = i32x4.splat(0);
    for (let j = start; j < end; j += 8) {
      let low = v128.load(v);
      let high = v128.load(v, 16);
      let x = v128.load32_splat(j);
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(x, low));
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(x, high));
      x = v128.load32_splat(j, 128);
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(x, low));
      b1 = i32x4.add(b1, i32x4.dot_i16x8_s(x, high));
      low = v128.load(v, 32);
      high = v128.load(v, 48);
      x = v128.load32_splat(j, 4);
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(x, low));
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(x, high));
      x = v128.load32_splat(j, 132);
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(x, low));
      b1 = i32x4.add(b1, i32x4.dot_i16x8_s(x, high));
      v += 64;
    }
    let out = sums + (d << 2);
    addTo(out, a0, b0, v128.load32_splat(state, 8));
    out += rowBytes;
    addTo(out, a1, b1, v128.load32_splat(state, 24));
  }
  if (whole == dim) return;
  for (let r: usize = 0; r < 2; r++) {
    const factor = v128.load32_splat(state + (r << 4), 8);
    addLast(values + (whole << 7), weights + (r << 7), first, last, factor, sums + r * rowBytes + (whole << 2));
  }
}

/** The same for four rows. */
export function addWords4(
  values: usize,
  dim: usize,
  weights: usize,
  first: usize,
  last: usize,
  state: usize,
  sums: usize,
): void {
  const rowBytes = dim << 2;
  const start = weights + (first << 4);
  const end = weights + ((last + 1) << 4);
  const whole = dim & ~7;
  for (let d: usize = 0; d < whole; d += 8) {
    let v = values + (d << 7) + (first << 7);
    let a0 = i32x4.splat(0);
    let b0 = i32x4.splat(0);
    let a1 = i32x4.splat(0);
    let b1 = i32x4.splat(0);
    let a2 = i32x4.splat(0);
    let b2 = i32x4.splat(0);
    let a3 = i32x4.splat(0);
    let b3 = i32x4.splat(0);
    for (let j = start; j < end; j += 8) {
      let low = v128.load(v);
      let high = v128.load(v, 16);
      let x = v128.load32_splat(j);
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(x, low));
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(x, high));
      x = v128.load32_splat(j, 128);
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(x, low));
      b1 = i32x4.add(b1, i32x4.dot_i16x8_s(x, high));
      x = v128.load32_splat(j, 256);
      a2 = i32x4.add(a2, i32x4.dot_i16x8_s(x, low));
      b2 = i32x4.add(b2, i32x4.dot_i16x8_s(x, high));
      x = v128.load32_splat(j, 384);
      a3 = i32x4.add(a3, i32x4.dot_i16x8_s(x, low));
      b3 = i32x4.add(b3, i32x4.dot_i16x8_s(x, high));
      low = v128.load(v, 32);
      high = v128.load(v, 48);
      x = v128.load32_splat(j, 4);
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(x, low));
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(x, high));
      x = v128.load32_splat(j, 132);
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(x, low));
      b1 = i32x4.add(b1, i32x4.dot_i16x8_s(x, high));
      x = v128.load32_splat(j, 260);
      a2 = i32x4.add(a2, i32x4.dot_i16x8_s(x, low));
      b2 = i32x4.add(b2, i32x4.dot_i16x8_s(x, high));
      x = v128.load32_splat(j, 388);
      a3 = i32x4.add(a3, i32x4.dot_i16x8_s(x, low));
      b3 = i32x4.add(b3, i32x4.dot_i16x8_s(x, high));
      v += 64;
    }
    let out = sums + (d << 2);
    addTo(out, a0, b0, v128.load32_splat(state, 8));
    out += rowBytes;
    addTo(out, a1, b1, v128.load32_splat(state, 24));
    out += rowBytes;
    addTo(out, a2, b2, v128.load32_splat(state, 40));
    out += rowBytes;
    addTo(out, a3, b3, v128.load32_splat(state, 56));
  }
  if (whole == dim) return;
  for (let r: usize = 0; r < 4; r++) {
    const factor = v128.load32_splat(state + (r << 4), 8);
    addLast(values + (whole << 7), weights + (r << 7), first, last, factor, sums + r * rowBytes + (whole << 2));
  }
}

// @ts-ignore: decorator
@inline function addTo(out: usize, a: v128, b: v128, factor: v128): void {
  v128.store(out, madd(f32x4.convert_i32x4_s(a), factor, v128.load(out)));
  v128.store(out, madd(f32x4.convert_i32x4_s(b), factor, v128.load(out, 16)), 16);
}
