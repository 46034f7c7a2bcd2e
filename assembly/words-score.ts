// Scores of one, two or four rows of integers with the keys of a block (attention-words.ts): dot products, times the scales.

/** Few rows wait for memory: they touch the values while they compute the scores, so that two streams come in. */
@unmanaged
export class Touching {
  // @ts-ignore: decorator
  @inline touches(): bool { return true; }
}

/** Many rows find keys and values in cache. */
@unmanaged
export class Plain {
  // @ts-ignore: decorator
  @inline touches(): bool { return false; }
}

/** Where what was only touched goes, from a row's scores on: behind all that attention.ts keeps in a thread's scratch (14,016 bytes for heads
 * of 512), before its end (16,384). Nobody reads it. */
const UNUSED: usize = 14080;

/** Scores of one row: tiles of 8 positions from `first` to `last`. `values`: those of the block, which T may touch. */
export function scoreWords1<T>(
  q: usize,
  scale: usize,
  keys: usize,
  dim: usize,
  first: usize,
  last: usize,
  scores: usize,
  values: usize,
): void {
  const row = dim << 1;
  const end = q + row;
  const scales = keys + (dim << 7);
  const ahead = values - keys;
  let seen = i32x4.splat(0);
  for (let tile = first; tile <= last; tile++) {
    let k = keys + tile * (dim << 4);
    let a0 = i32x4.splat(0);
    let b0 = i32x4.splat(0);
    for (let d = q; d < end; d += 8) {
      let low = v128.load(k);
      let high = v128.load(k, 16);
      let x = v128.load32_splat(d);
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(x, low));
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(x, high));
      low = v128.load(k, 32);
      high = v128.load(k, 48);
      x = v128.load32_splat(d, 4);
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(x, low));
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(x, high));
      if (changetype<T>(0).touches()) seen = v128.or(seen, v128.load(k + ahead));
      k += 64;
    }
    const at = tile << 5;
    const low = v128.load(scales + at);
    const high = v128.load(scales + at, 16);
    let factor = v128.load32_splat(scale);
    v128.store(scores + at, f32x4.mul(f32x4.convert_i32x4_s(a0), f32x4.mul(low, factor)));
    v128.store(scores + at, f32x4.mul(f32x4.convert_i32x4_s(b0), f32x4.mul(high, factor)), 16);
  }
  if (changetype<T>(0).touches()) v128.store(scores + UNUSED, seen);
}

/** The same for two rows, `dim` words apart. */
export function scoreWords2<T>(
  q: usize,
  scale: usize,
  keys: usize,
  dim: usize,
  first: usize,
  last: usize,
  scores: usize,
  values: usize,
): void {
  const row = dim << 1;
  const end = q + row;
  const scales = keys + (dim << 7);
  const ahead = values - keys;
  let seen = i32x4.splat(0);
  for (let tile = first; tile <= last; tile++) {
    let k = keys + tile * (dim << 4);
    let a0 = i32x4.splat(0);
    let b0 = i32x4.splat(0);
    let a1 = i32x4.splat(0);
    let b1 = i32x4.splat(0);
    for (let d = q; d < end; d += 8) {
      let low = v128.load(k);
      let high = v128.load(k, 16);
      let x = v128.load32_splat(d);
      let at = d;
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(x, low));
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(x, high));
      at += row;
      x = v128.load32_splat(at);
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(x, low));
      b1 = i32x4.add(b1, i32x4.dot_i16x8_s(x, high));
      low = v128.load(k, 32);
      high = v128.load(k, 48);
      x = v128.load32_splat(d, 4);
      at = d;
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(x, low));
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(x, high));
      at += row;
      x = v128.load32_splat(at, 4);
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(x, low));
      b1 = i32x4.add(b1, i32x4.dot_i16x8_s(x, high));
      if (changetype<T>(0).touches()) seen = v128.or(seen, v128.load(k + ahead));
      k += 64;
    }
    const at = tile << 5;
    const low = v128.load(scales + at);
    const high = v128.load(scales + at, 16);
    let factor = v128.load32_splat(scale);
    v128.store(scores + at, f32x4.mul(f32x4.convert_i32x4_s(a0), f32x4.mul(low, factor)));
    v128.store(scores + at, f32x4.mul(f32x4.convert_i32x4_s(b0), f32x4.mul(high, factor)), 16);
    factor = v128.load32_splat(scale, 4);
    v128.store(scores + at, f32x4.mul(f32x4.convert_i32x4_s(a1), f32x4.mul(low, factor)), 256);
    v128.store(scores + at, f32x4.mul(f32x4.convert_i32x4_s(b1), f32x4.mul(high, factor)), 272);
  }
  if (changetype<T>(0).touches()) v128.store(scores + UNUSED, seen);
}

/** The same for four rows. */
export function scoreWords4<T>(
  q: usize,
  scale: usize,
  keys: usize,
  dim: usize,
  first: usize,
  last: usize,
  scores: usize,
  values: usize,
): void {
  const row = dim << 1;
  const end = q + row;
  const scales = keys + (dim << 7);
  const ahead = values - keys;
  let seen = i32x4.splat(0);
  for (let tile = first; tile <= last; tile++) {
    let k = keys + tile * (dim << 4);
    let a0 = i32x4.splat(0);
    let b0 = i32x4.splat(0);
    let a1 = i32x4.splat(0);
    let b1 = i32x4.splat(0);
    let a2 = i32x4.splat(0);
    let b2 = i32x4.splat(0);
    let a3 = i32x4.splat(0);
    let b3 = i32x4.splat(0);
    for (let d = q; d < end; d += 8) {
      let low = v128.load(k);
      let high = v128.load(k, 16);
      let x = v128.load32_splat(d);
      let at = d;
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(x, low));
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(x, high));
      at += row;
      x = v128.load32_splat(at);
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(x, low));
      b1 = i32x4.add(b1, i32x4.dot_i16x8_s(x, high));
      at += row;
      x = v128.load32_splat(at);
      a2 = i32x4.add(a2, i32x4.dot_i16x8_s(x, low));
      b2 = i32x4.add(b2, i32x4.dot_i16x8_s(x, high));
      at += row;
      x = v128.load32_splat(at);
      a3 = i32x4.add(a3, i32x4.dot_i16x8_s(x, low));
      b3 = i32x4.add(b3, i32x4.dot_i16x8_s(x, high));
      low = v128.load(k, 32);
      high = v128.load(k, 48);
      x = v128.load32_splat(d, 4);
      at = d;
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(x, low));
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(x, high));
      at += row;
      x = v128.load32_splat(at, 4);
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(x, low));
      b1 = i32x4.add(b1, i32x4.dot_i16x8_s(x, high));
      at += row;
      x = v128.load32_splat(at, 4);
      a2 = i32x4.add(a2, i32x4.dot_i16x8_s(x, low));
      b2 = i32x4.add(b2, i32x4.dot_i16x8_s(x, high));
      at += row;
      x = v128.load32_splat(at, 4);
      a3 = i32x4.add(a3, i32x4.dot_i16x8_s(x, low));
      b3 = i32x4.add(b3, i32x4.dot_i16x8_s(x, high));
      if (changetype<T>(0).touches()) seen = v128.or(seen, v128.load(k + ahead));
      k += 64;
    }
    const at = tile << 5;
    const low = v128.load(scales + at);
    const high = v128.load(scales + at, 16);
    let factor = v128.load32_splat(scale);
    v128.store(scores + at, f32x4.mul(f32x4.convert_i32x4_s(a0), f32x4.mul(low, factor)));
    v128.store(scores + at, f32x4.mul(f32x4.convert_i32x4_s(b0), f32x4.mul(high, factor)), 16);
    factor = v128.load32_splat(scale, 4);
    v128.store(scores + at, f32x4.mul(f32x4.convert_i32x4_s(a1), f32x4.mul(low, factor)), 256);
    v128.store(scores + at, f32x4.mul(f32x4.convert_i32x4_s(b1), f32x4.mul(high, factor)), 272);
    factor = v128.load32_splat(scale, 8);
    v128.store(scores + at, f32x4.mul(f32x4.convert_i32x4_s(a2), f32x4.mul(low, factor)), 512);
    v128.store(scores + at, f32x4.mul(f32x4.convert_i32x4_s(b2), f32x4.mul(high, factor)), 528);
    factor = v128.load32_splat(scale, 12);
    v128.store(scores + at, f32x4.mul(f32x4.convert_i32x4_s(a3), f32x4.mul(low, factor)), 768);
    v128.store(scores + at, f32x4.mul(f32x4.convert_i32x4_s(b3), f32x4.mul(high, factor)), 784);
  }
  if (changetype<T>(0).touches()) v128.store(scores + UNUSED, seen);
}
