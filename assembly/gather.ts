// Embedding rows out of the packed panels (see pack.ts): the token's row, decoded to f32.
//   4 table   5 bytes per panel   6 cols   7 out   8 stride   9 scale   10 format: the opcode of its LINEAR

import { Opcode, real, tokenId, word } from './record';
import { widenOne } from './half';

export function embed(record: usize, batch: usize, from: u32, to: u32): void {
  const table = <usize>word(record, 4);
  const panelBytes = <usize>word(record, 5);
  const cols = <usize>word(record, 6);
  const scale = real(record, 9);
  const format = word(record, 10);
  for (let token = <usize>from; token < <usize>to; token++) {
    const id = <usize>tokenId(batch, token);
    const panel = table + (id >> 3) * panelBytes;
    const out = <usize>word(record, 7) + token * <usize>word(record, 8);
    decode(panel, id & 7, cols, format, out);
    if (scale != 1) for (let i: usize = 0; i < cols; i++) store<f32>(out + (i << 2), load<f32>(out + (i << 2)) * scale);
  }
}

function decode(panel: usize, row: usize, cols: usize, format: u32, out: usize): void {
  if (format == Opcode.LINEAR_F32) {
    for (let k: usize = 0; k < cols; k++) store<f32>(out + (k << 2), load<f32>(panel + (k << 5) + (row << 2)));
  } else if (format == Opcode.LINEAR_F16) {
    for (let k: usize = 0; k < cols; k++) store<f32>(out + (k << 2), widenOne(load<u16>(panel + (k << 4) + (row << 1))));
  } else if (format == Opcode.LINEAR_Q8_0) {
    for (let b: usize = 0; b < cols >> 5; b++) {
      const block = panel + b * 272;
      const d = widenOne(load<u16>(block + 256 + (row << 1)));
      for (let k: usize = 0; k < 32; k++) {
        const q = <i32>load<u8>(block + ((k >> 2) << 5) + (row << 2) + (k & 3)) - 128;
        store<f32>(out + (((b << 5) + k) << 2), d * <f32>q);
      }
    }
  } else {
    for (let b: usize = 0; b < cols >> 5; b++) {
      const block = panel + b * 144;
      const d = widenOne(load<u16>(block + 128 + (row << 1)));
      for (let k: usize = 0; k < 16; k++) {
        const byte = <i32>load<u8>(block + ((k >> 2) << 5) + (row << 2) + (k & 3));
        store<f32>(out + (((b << 5) + k) << 2), d * <f32>((byte & 15) - 8));
        store<f32>(out + (((b << 5) + k + 16) << 2), d * <f32>((byte >> 4) - 8));
      }
    }
  }
}
