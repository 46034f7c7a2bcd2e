// Rows as files store them -> panels of 8 interleaved rows, so that one broadcast of activations meets 4 rows in each vector and no
// horizontal sums are needed. The last panel is padded with zero rows by the caller. What a packed block holds: format/simple.ts.

/** Rows of `cols` values of 4 bytes (F32). */
export function pack4(source: usize, target: usize, panels: u32, cols: u32): void {
  const rowBytes = <usize>cols << 2;
  for (let p: u32 = 0; p < panels; p++) {
    for (let k: usize = 0; k < <usize>cols; k++) {
      for (let r: usize = 0; r < 8; r++) store<u32>(target + (k << 5) + (r << 2), load<u32>(source + r * rowBytes + (k << 2)));
    }
    source += rowBytes << 3;
    target += rowBytes << 3;
  }
}

/** Rows of `cols` values of 2 bytes (F16, BF16). */
export function pack2(source: usize, target: usize, panels: u32, cols: u32): void {
  const rowBytes = <usize>cols << 1;
  for (let p: u32 = 0; p < panels; p++) {
    for (let k: usize = 0; k < <usize>cols; k++) {
      for (let r: usize = 0; r < 8; r++) store<u16>(target + (k << 4) + (r << 1), load<u16>(source + r * rowBytes + (k << 1)));
    }
    source += rowBytes << 3;
    target += rowBytes << 3;
  }
}

/** Rows of Q8_0 blocks: f16 scale, 32 signed bytes (q becomes q + 128). */
export function packBytes(source: usize, target: usize, panels: u32, cols: u32): void {
  const blocks = <usize>cols >> 5;
  const rowBytes = blocks * 34;
  for (let p: u32 = 0; p < panels; p++) {
    for (let b: usize = 0; b < blocks; b++) {
      for (let r: usize = 0; r < 8; r++) {
        const from = source + r * rowBytes + b * 34;
        for (let g: usize = 0; g < 8; g++) {
          store<u32>(target + (g << 5) + (r << 2), load<u32>(from + (g << 2), 2) ^ 0x80808080);
        }
        store<u16>(target + 256 + (r << 1), load<u16>(from));
      }
      target += 272;
    }
    source += rowBytes << 3;
  }
}

/** Rows of Q4_0, Q4_1, Q5_0 or Q5_1 blocks: `halves` f16 (scale, minimum), `high` bytes of fifth bits (0 or 4), 16 bytes of nibbles. */
export function packNibbles(source: usize, target: usize, panels: u32, cols: u32, halves: u32, high: u32): void {
  const blocks = <usize>cols >> 5;
  const head = <usize>halves << 1;
  const blockBytes = head + <usize>high + 16;
  const rowBytes = blocks * blockBytes;
  const scales: usize = 128 + (<usize>high << 3);
  for (let p: u32 = 0; p < panels; p++) {
    for (let b: usize = 0; b < blocks; b++) {
      for (let r: usize = 0; r < 8; r++) {
        const from = source + r * rowBytes + b * blockBytes;
        for (let g: usize = 0; g < 4; g++) {
          store<u32>(target + (g << 5) + (r << 2), load<u32>(from + head + <usize>high + (g << 2)));
        }
        if (high) store<u32>(target + 128 + (r << 2), fifthBytes(load<u32>(from + head)));
        for (let h: usize = 0; h < <usize>halves; h++) {
          store<u16>(target + scales + (h << 4) + (r << 1), load<u16>(from + (h << 1)));
        }
      }
      target += blockBytes << 3;
    }
    source += rowBytes << 3;
  }
}

/** Bit 16h + 4g + j -> bit 4h + g of byte j: the place where `fifth` (format/bits.ts) looks. */
export function fifthBytes(bits: u32): u32 {
  let bytes: u32 = 0;
  for (let i: u32 = 0; i < 32; i++) bytes |= ((bits >> i) & 1) << (((i & 3) << 3) + (i >> 2));
  return bytes;
}
