// Matrices that stay in memory as files store them. A thread unpacks one panel of 8 rows at a time into its scratch, as bytes and f32
// scales (format/unpacked.ts), and multiplies from there. Each class of this folder answers about the storage block of one row at `p`:
//   columns(p, sub, half, table, levels)   columns 0-15 (half 0) or 16-31 (half 1) of its block `sub` of 32, as unsigned bytes
//   scale, offset (p, sub, part)           weight = scale * (byte - bias) + offset, one part of 32 columns or two of 16
// `table` is what the host made for the type (src/compute/wasm/formats.ts), `levels` its first 16 bytes if those are 16 levels.

/** 8 rows of format F -> a panel of class U. */
export function unpackPanel<F, U>(rows: usize, rowBytes: usize, blocks: usize, table: usize, out: usize): void {
  const subs = changetype<F>(0).subs();
  let levels = changetype<F>(0).levels(table);
  for (let b: usize = 0; b < blocks; b += subs) {
    for (let sub: usize = 0; sub < subs; sub++) {
      for (let half: usize = 0; half < 2; half++) {
        fourRows<F>(rows, rowBytes, sub, half, table, levels, out + (half << 7));
        fourRows<F>(rows + (rowBytes << 2), rowBytes, sub, half, table, levels, out + (half << 7) + 16);
      }
      scales<F>(rows, rowBytes, sub, out + 256);
      out += changetype<U>(0).bytes();
    }
    rows += changetype<F>(0).bytes();
  }
}

/** 16 columns of 4 rows -> 4 words, each with one row per lane. */
// @ts-ignore: decorator
@inline function fourRows<F>(
  p: usize,
  rowBytes: usize,
  sub: usize,
  half: usize,
  table: usize,
  levels: v128,
  out: usize,
): void {
  const a = changetype<F>(0).columns(p, sub, half, table, levels);
  const b = changetype<F>(0).columns(p + rowBytes, sub, half, table, levels);
  const c = changetype<F>(0).columns(p + 2 * rowBytes, sub, half, table, levels);
  const d = changetype<F>(0).columns(p + 3 * rowBytes, sub, half, table, levels);
  const ab0 = i8x16.shuffle(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const cd0 = i8x16.shuffle(c, d, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const ab1 = i8x16.shuffle(a, b, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  const cd1 = i8x16.shuffle(c, d, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  v128.store(out, i8x16.shuffle(ab0, cd0, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23));
  v128.store(out, i8x16.shuffle(ab0, cd0, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31), 32);
  v128.store(out, i8x16.shuffle(ab1, cd1, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23), 64);
  v128.store(out, i8x16.shuffle(ab1, cd1, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31), 96);
}

/** Scales of 8 rows, part by part, then offsets if the type has them. */
// @ts-ignore: decorator
@inline function scales<F>(p: usize, rowBytes: usize, sub: usize, out: usize): void {
  const parts = changetype<F>(0).parts();
  for (let r: usize = 0; r < 8; r++) {
    for (let part: usize = 0; part < parts; part++) {
      store<f32>(out + (part << 5), changetype<F>(0).scale(p, sub, part));
      if (changetype<F>(0).hasOffset()) {
        store<f32>(out + ((parts + part) << 5), changetype<F>(0).offset(p, sub, part));
      }
    }
    p += rowBytes;
    out += 4;
  }
}

/** One row of format F -> f32. `scratch`: 16 bytes. */
export function decodeRow<F>(p: usize, cols: usize, table: usize, out: usize, scratch: usize): void {
  const subs = changetype<F>(0).subs();
  const parts = changetype<F>(0).parts();
  const levels = changetype<F>(0).levels(table);
  for (let b: usize = 0; b < cols >> 5; b += subs) {
    for (let sub: usize = 0; sub < subs; sub++) {
      for (let half: usize = 0; half < 2; half++) {
        const part: usize = parts == 1 ? 0 : half;
        const scale = changetype<F>(0).scale(p, sub, part);
        const offset = changetype<F>(0).offset(p, sub, part);
        v128.store(scratch, changetype<F>(0).columns(p, sub, half, table, levels));
        for (let i: usize = 0; i < 16; i++) {
          const q = <i32>load<u8>(scratch + i) - changetype<F>(0).bias();
          store<f32>(out + (i << 2), scale * <f32>q + offset);
        }
        out += 64;
      }
    }
    p += changetype<F>(0).bytes();
  }
}
