// One KV block of 64 positions and one or four query rows: dot products, weights of the softmax, weighted sums of the values.
// C: class of the cache's element type (cache.ts). Scores: 64 f32 per row, rows 256 bytes apart.

import { real } from './record';
import { exp4, exp1, largestOfAll, NEGATIVE, sumLanes, tanh4 } from './math';
import { halfBits, halfScale } from './half';
import { madd } from './simd';

/** Dot products of one row with all 64 positions; each lane sums over the dims in order. */
export function scoreOne<C>(q: usize, keys: usize, dim: usize, scores: usize): void {
  let bits = halfBits();
  let by = halfScale();
  const step = changetype<C>(0).keyStep();
  const group = changetype<C>(0).group(dim) << 2;
  const tileBytes = changetype<C>(0).rowBytes(dim) << 3;
  for (let tile: usize = 0; tile < 8; tile += 2) {
    let a = keys + tile * tileBytes;
    let b = a + tileBytes;
    let s0 = f32x4.splat(0);
    let s1 = f32x4.splat(0);
    let s2 = f32x4.splat(0);
    let s3 = f32x4.splat(0);
    for (let g: usize = 0; g < dim << 2; g += group) {
      let scale0 = changetype<C>(0).scaleLow(a);
      let scale1 = changetype<C>(0).scaleHigh(a);
      let scale2 = changetype<C>(0).scaleLow(b);
      let scale3 = changetype<C>(0).scaleHigh(b);
      a += changetype<C>(0).keyHead();
      b += changetype<C>(0).keyHead();
      for (let d = g; d < g + group; d += 4) {
        const x = v128.load32_splat(q + d);
        s0 = madd(x, changetype<C>(0).keyLow(a, scale0, bits, by), s0);
        s1 = madd(x, changetype<C>(0).keyHigh(a, scale1, bits, by), s1);
        s2 = madd(x, changetype<C>(0).keyLow(b, scale2, bits, by), s2);
        s3 = madd(x, changetype<C>(0).keyHigh(b, scale3, bits, by), s3);
        a += step;
        b += step;
      }
    }
    const at = scores + (tile << 5);
    v128.store(at, s0);
    v128.store(at, s1, 16);
    v128.store(at, s2, 32);
    v128.store(at, s3, 48);
  }
}

/** The same for four rows. */
export function scoreFour<C>(q0: usize, q1: usize, q2: usize, q3: usize, keys: usize, dim: usize, scores: usize): void {
  let bits = halfBits();
  let by = halfScale();
  const step = changetype<C>(0).keyStep();
  const group = changetype<C>(0).group(dim) << 2;
  let k = keys;
  for (let tile: usize = 0; tile < 8; tile++) {
    let a0 = f32x4.splat(0);
    let b0 = f32x4.splat(0);
    let a1 = f32x4.splat(0);
    let b1 = f32x4.splat(0);
    let a2 = f32x4.splat(0);
    let b2 = f32x4.splat(0);
    let a3 = f32x4.splat(0);
    let b3 = f32x4.splat(0);
    for (let g: usize = 0; g < dim << 2; g += group) {
      let scaleLow = changetype<C>(0).scaleLow(k);
      let scaleHigh = changetype<C>(0).scaleHigh(k);
      k += changetype<C>(0).keyHead();
      for (let d = g; d < g + group; d += 4) {
        const low = changetype<C>(0).keyLow(k, scaleLow, bits, by);
        const high = changetype<C>(0).keyHigh(k, scaleHigh, bits, by);
        let x = v128.load32_splat(q0 + d);
        a0 = madd(x, low, a0);
        b0 = madd(x, high, b0);
        x = v128.load32_splat(q1 + d);
        a1 = madd(x, low, a1);
        b1 = madd(x, high, b1);
        x = v128.load32_splat(q2 + d);
        a2 = madd(x, low, a2);
        b2 = madd(x, high, b2);
        x = v128.load32_splat(q3 + d);
        a3 = madd(x, low, a3);
        b3 = madd(x, high, b3);
        k += step;
      }
    }
    const at = scores + (tile << 5);
    v128.store(at, a0);
    v128.store(at, b0, 16);
    v128.store(at, a1, 256);
    v128.store(at, b1, 272);
    v128.store(at, a2, 512);
    v128.store(at, b2, 528);
    v128.store(at, a3, 768);
    v128.store(at, b3, 784);
  }
}

/** Dot products -> weights e^(s - peak), 0 outside [from, to]; the row's state and accumulator move to the new peak. */
export function weigh(record: usize, scores: usize, from: i32, to: i32, state: usize, sums: usize, dim: usize): void {
  let factor = f32x4.splat(real(record, 13));
  let negative = f32x4.splat(NEGATIVE);
  const softcap = real(record, 15);
  let lanes = i32x4(0, 1, 2, 3);
  let peaks = negative;
  for (let i: usize = 0; i < 256; i += 16) {
    let s = f32x4.mul(v128.load(scores + i), factor);
    if (softcap > 0) s = f32x4.mul(f32x4.splat(softcap), tanh4(f32x4.div(s, f32x4.splat(softcap))));
    s = v128.bitselect(s, negative, visible(lanes, from, to));
    v128.store(scores + i, s);
    peaks = f32x4.pmax(peaks, s);
    lanes = i32x4.add(lanes, i32x4.splat(4));
  }
  const blockPeak = f32x4.extract_lane(largestOfAll(peaks), 0);
  const old = load<f32>(state);
  const peak = max(old, blockPeak);
  let total = load<f32>(state, 4);
  if (peak != old) {
    const rescale = exp1(old - peak);
    total *= rescale;
    scaleRow(sums, dim, rescale);
  }
  lanes = i32x4(0, 1, 2, 3);
  let sum = f32x4.splat(0);
  for (let i: usize = 0; i < 256; i += 16) {
    const weight = exp4(f32x4.sub(v128.load(scores + i), f32x4.splat(peak)));
    const p = v128.bitselect(weight, f32x4.splat(0), visible(lanes, from, to));
    v128.store(scores + i, p);
    sum = f32x4.add(sum, p);
    lanes = i32x4.add(lanes, i32x4.splat(4));
  }
  store<f32>(state, peak);
  store<f32>(state, total + sumLanes(sum), 4);
}

// @ts-ignore: decorator
@inline function visible(lanes: v128, from: i32, to: i32): v128 {
  return v128.and(i32x4.ge_s(lanes, i32x4.splat(from)), i32x4.le_s(lanes, i32x4.splat(to)));
}

/** out[d] += p[j] * v[j][d], positions in order. */
export function addOne<C>(values: usize, dim: usize, p: usize, from: i32, to: i32, out: usize): void {
  let bits = halfBits();
  let by = halfScale();
  const bytes = changetype<C>(0).elementBytes();
  const rowBytes = changetype<C>(0).rowBytes(dim);
  const wide = dim & ~15;
  const first = values + <usize>from * rowBytes;
  for (let d: usize = 0; d < wide; d += 16) {
    const o = out + (d << 2);
    let o0 = v128.load(o);
    let o1 = v128.load(o, 16);
    let o2 = v128.load(o, 32);
    let o3 = v128.load(o, 48);
    let v = first + changetype<C>(0).valueAt(d);
    let s = first + changetype<C>(0).scaleAt(d);
    for (let j = from; j <= to; j++) {
      const weight = v128.load32_splat(p + (<usize>j << 2));
      const scale = changetype<C>(0).valueScale(s);
      o0 = madd(weight, changetype<C>(0).value(v, scale, bits, by), o0);
      o1 = madd(weight, changetype<C>(0).value(v + 4 * bytes, scale, bits, by), o1);
      o2 = madd(weight, changetype<C>(0).value(v + 8 * bytes, scale, bits, by), o2);
      o3 = madd(weight, changetype<C>(0).value(v + 12 * bytes, scale, bits, by), o3);
      v += rowBytes;
      s += rowBytes;
    }
    v128.store(o, o0);
    v128.store(o, o1, 16);
    v128.store(o, o2, 32);
    v128.store(o, o3, 48);
  }
  for (let d = wide; d < dim; d += 4) {
    let o = v128.load(out + (d << 2));
    let v = first + changetype<C>(0).valueAt(d);
    let s = first + changetype<C>(0).scaleAt(d);
    for (let j = from; j <= to; j++) {
      const weight = v128.load32_splat(p + (<usize>j << 2));
      o = madd(weight, changetype<C>(0).value(v, changetype<C>(0).valueScale(s), bits, by), o);
      v += rowBytes;
      s += rowBytes;
    }
    v128.store(out + (d << 2), o);
  }
}

/** The same for four rows of weights, 256 bytes apart. */
export function addFour<C>(values: usize, dim: usize, p: usize, from: i32, to: i32, out: usize): void {
  let bits = halfBits();
  let by = halfScale();
  const bytes = changetype<C>(0).elementBytes();
  const rowBytes = changetype<C>(0).rowBytes(dim);
  const outBytes = dim << 2;
  const whole = dim & ~7;
  const first = values + <usize>from * rowBytes;
  for (let d: usize = 0; d < whole; d += 8) {
    const out0 = out + (d << 2);
    const out1 = out0 + outBytes;
    const out2 = out1 + outBytes;
    const out3 = out2 + outBytes;
    let a0 = v128.load(out0);
    let b0 = v128.load(out0, 16);
    let a1 = v128.load(out1);
    let b1 = v128.load(out1, 16);
    let a2 = v128.load(out2);
    let b2 = v128.load(out2, 16);
    let a3 = v128.load(out3);
    let b3 = v128.load(out3, 16);
    let v = first + changetype<C>(0).valueAt(d);
    let s = first + changetype<C>(0).scaleAt(d);
    for (let j = p + (<usize>from << 2); j <= p + (<usize>to << 2); j += 4) {
      const scale = changetype<C>(0).valueScale(s);
      const low = changetype<C>(0).value(v, scale, bits, by);
      const high = changetype<C>(0).value(v + 4 * bytes, scale, bits, by);
      let weight = v128.load32_splat(j);
      a0 = madd(weight, low, a0);
      b0 = madd(weight, high, b0);
      weight = v128.load32_splat(j, 256);
      a1 = madd(weight, low, a1);
      b1 = madd(weight, high, b1);
      weight = v128.load32_splat(j, 512);
      a2 = madd(weight, low, a2);
      b2 = madd(weight, high, b2);
      weight = v128.load32_splat(j, 768);
      a3 = madd(weight, low, a3);
      b3 = madd(weight, high, b3);
      v += rowBytes;
      s += rowBytes;
    }
    v128.store(out0, a0);
    v128.store(out0, b0, 16);
    v128.store(out1, a1);
    v128.store(out1, b1, 16);
    v128.store(out2, a2);
    v128.store(out2, b2, 16);
    v128.store(out3, a3);
    v128.store(out3, b3, 16);
  }
  for (let r: usize = 0; r < 4; r++) {
    for (let d = whole; d < dim; d += 4) {
      let o = v128.load(out + r * outBytes + (d << 2));
      let v = first + changetype<C>(0).valueAt(d);
      let s = first + changetype<C>(0).scaleAt(d);
      for (let j = from; j <= to; j++) {
        const weight = v128.load32_splat(p + (r << 8) + (<usize>j << 2));
        o = madd(weight, changetype<C>(0).value(v, changetype<C>(0).valueScale(s), bits, by), o);
        v += rowBytes;
        s += rowBytes;
      }
      v128.store(out + r * outBytes + (d << 2), o);
    }
  }
}

/** Multiplies `dim` values. */
export function scaleRow(row: usize, dim: usize, factor: f32): void {
  let f = f32x4.splat(factor);
  for (let i: usize = 0; i < dim << 2; i += 16) v128.store(row + i, f32x4.mul(v128.load(row + i), f));
}
