// Matrices that stay in memory as files store them. A thread unpacks one panel of 8 rows at a time into its scratch, as bytes and f32
// scales (format/unpacked.ts), and multiplies from there. Each class of this folder answers about the storage block of one row at `p`:
//   columns(p, sub, half, table, levels)   columns 0-15 (half 0) or 16-31 (half 1) of its block `sub` of 32, as unsigned bytes
//   scales(p, out, step)                   f32 scales of all its blocks, `step` bytes from block to block: one for 32 columns, or two for
//                                          16 each, 32 bytes apart; offsets, if it has them, follow at the same distance
//   weight = scale * (byte - bias) + offset
// `table` is what the host made for the type (src/compute/wasm/formats.ts), `levels` its first 16 bytes if those are 16 levels.

/** 8 rows of format F -> a panel of class U. */
export function unpackPanel<F, U>(rows: usize, rowBytes: usize, blocks: usize, table: usize, out: usize): void {
  const subs = changetype<F>(0).subs();
  const step = changetype<U>(0).bytes();
  let levels = changetype<F>(0).levels(table);
  for (let b: usize = 0; b < blocks; b += subs) {
    for (let r: usize = 0; r < 8; r++) changetype<F>(0).scales(rows + r * rowBytes, out + 256 + (r << 2), step);
    for (let sub: usize = 0; sub < subs; sub++) {
      for (let half: usize = 0; half < 2; half++) {
        for (let side: usize = 0; side < 2; side++) {
          const four = rows + side * (rowBytes << 2);
          fourRows<F>(four, rowBytes, sub, half, table, levels, out + (half << 7) + (side << 4));
        }
      }
      out += step;
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

/** Four scales of 16 columns -> two blocks. */
// @ts-ignore: decorator
@inline export function spread(scales: v128, out: usize, step: usize): void {
  v128.store32_lane(out, scales, 0);
  v128.store32_lane(out, scales, 1, 32);
  v128.store32_lane(out + step, scales, 2);
  v128.store32_lane(out + step, scales, 3, 32);
}

/** Row `row` of an unpacked panel -> f32. `parts`, `bias`, `hasOffset`: of its format. */
export function decodeUnpacked(
  panel: usize,
  row: usize,
  blocks: usize,
  parts: usize,
  bias: i32,
  hasOffset: bool,
  out: usize,
): void {
  const step: usize = 256 + (parts << 6);
  let p = panel + (row << 2);
  for (let b: usize = 0; b < blocks; b++) {
    for (let g: usize = 0; g < 8; g++) {
      const at = p + 256 + (parts == 1 ? 0 : (g >> 2) << 5);
      const scale = load<f32>(at);
      const offset: f32 = hasOffset ? load<f32>(at + (parts << 5)) : 0;
      for (let j: usize = 0; j < 4; j++) {
        store<f32>(out + (j << 2), scale * <f32>(<i32>load<u8>(p + (g << 5) + j) - bias) + offset);
      }
      out += 16;
    }
    p += step;
  }
}
