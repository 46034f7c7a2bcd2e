// Rows as files store them -> panels of 8 interleaved rows, so that one broadcast of activations meets 4 rows in each vector and no
// horizontal sums are needed. Sizes stay those of the file; the last panel is padded with zero rows by the caller.
//
//   F32, F16   per column k: 8 values, one of each row
//   Q8_0       per block of 32: 8 words of 4 columns x 8 rows x 4 bytes, each byte q ^ 0x80 (q + 128 unsigned), then 8 f16 scales
//   Q4_0       per block of 32: 4 words of 4 bytes x 8 rows; byte j holds column j (low nibble) and j + 16 (high); then 8 f16 scales

/** `source`: panels * 8 rows of `cols` f32. */
export function packF32(source: usize, target: usize, panels: u32, cols: u32): void {
  const rowBytes = <usize>cols << 2;
  for (let p: u32 = 0; p < panels; p++) {
    for (let k: usize = 0; k < <usize>cols; k++) {
      for (let r: usize = 0; r < 8; r++) store<u32>(target + (k << 5) + (r << 2), load<u32>(source + r * rowBytes + (k << 2)));
    }
    source += rowBytes << 3;
    target += rowBytes << 3;
  }
}

/** `source`: panels * 8 rows of `cols` f16. */
export function packF16(source: usize, target: usize, panels: u32, cols: u32): void {
  const rowBytes = <usize>cols << 1;
  for (let p: u32 = 0; p < panels; p++) {
    for (let k: usize = 0; k < <usize>cols; k++) {
      for (let r: usize = 0; r < 8; r++) store<u16>(target + (k << 4) + (r << 1), load<u16>(source + r * rowBytes + (k << 1)));
    }
    source += rowBytes << 3;
    target += rowBytes << 3;
  }
}

/** `source`: panels * 8 rows of `blocks` Q8_0 blocks: f16 scale, 32 signed bytes. */
export function packQ8(source: usize, target: usize, panels: u32, blocks: u32): void {
  const rowBytes = <usize>blocks * 34;
  for (let p: u32 = 0; p < panels; p++) {
    for (let b: usize = 0; b < <usize>blocks; b++) {
      for (let r: usize = 0; r < 8; r++) {
        const from = source + r * rowBytes + b * 34;
        for (let w: usize = 0; w < 8; w++) {
          store<u32>(target + (w << 5) + (r << 2), load<u32>(from + (w << 2), 2) ^ 0x80808080);
        }
        store<u16>(target + 256 + (r << 1), load<u16>(from));
      }
      target += 272;
    }
    source += rowBytes << 3;
  }
}

/** `source`: panels * 8 rows of `blocks` Q4_0 blocks: f16 scale, 16 bytes of nibbles. */
export function packQ4(source: usize, target: usize, panels: u32, blocks: u32): void {
  const rowBytes = <usize>blocks * 18;
  for (let p: u32 = 0; p < panels; p++) {
    for (let b: usize = 0; b < <usize>blocks; b++) {
      for (let r: usize = 0; r < 8; r++) {
        const from = source + r * rowBytes + b * 18;
        for (let w: usize = 0; w < 4; w++) store<u32>(target + (w << 5) + (r << 2), load<u32>(from + (w << 2), 2));
        store<u16>(target + 128 + (r << 1), load<u16>(from));
      }
      target += 144;
    }
    source += rowBytes << 3;
  }
}
