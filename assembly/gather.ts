// Embedding rows: the token's row, out of its packed panel or as the file stores it, decoded to f32.
//   4 table   5 bytes per panel   6 cols   7 out   8 stride   9 scale   10 format: the opcode of its product
//   11 table of the type, see unpack/panel.ts

import { Opcode, real, tokenId, word } from './record';
import { halfBits, halfScale } from './half';
import { wordAt } from './matmul/linear';
import { BF16, F16, F32 } from './matmul/float';
import { Q4_0, Q4_1, Q5_0, Q5_1, Q8_0 } from './format/simple';
import { Q4_K, Q5_K, Q6_K } from './format/k';
import { decodeUnpacked, unpackPanel } from './unpack/panel';
import { U16, U32 } from './format/unpacked';
import { Q2_K, Q3_K } from './unpack/k';
import { IQ4_NL, IQ4_XS, MXFP4, NVFP4 } from './unpack/levels';
import { IQ3_S, IQ3_XXS } from './unpack/lattice';
import { TQ1_0, TQ2_0 } from './unpack/ternary';

export function embed(record: usize, batch: usize, from: u32, to: u32, scratch: usize): void {
  const cols = <usize>word(record, 6);
  const scale = real(record, 9);
  for (let token = <usize>from; token < <usize>to; token++) {
    const id = <usize>tokenId(batch, token);
    const panelBytes = <usize>word(record, 5);
    const panel = <usize>word(record, 4) + (id >> 3) * panelBytes;
    const out = <usize>word(record, 7) + token * <usize>word(record, 8);
    const format = word(record, 10);
    if (format < Opcode.LINEAR_Q2_K) decode(format, panel, id & 7, cols, out, scratch);
    else decodeStored(format, panel, panelBytes >> 3, id & 7, cols >> 5, <usize>word(record, 11), out, scratch);
    if (scale != 1) for (let i: usize = 0; i < cols; i++) store<f32>(out + (i << 2), load<f32>(out + (i << 2)) * scale);
  }
}

function decode(format: u32, panel: usize, row: usize, cols: usize, out: usize, scratch: usize): void {
  switch (format) {
    case Opcode.LINEAR_F32: decodeFloat<F32>(panel, row, cols, out, scratch); break;
    case Opcode.LINEAR_F16: decodeFloat<F16>(panel, row, cols, out, scratch); break;
    case Opcode.LINEAR_BF16: decodeFloat<BF16>(panel, row, cols, out, scratch); break;
    case Opcode.LINEAR_Q8_0: decodePanel<Q8_0>(panel, row, cols, out, scratch); break;
    case Opcode.LINEAR_Q4_0: decodePanel<Q4_0>(panel, row, cols, out, scratch); break;
    case Opcode.LINEAR_Q4_1: decodePanel<Q4_1>(panel, row, cols, out, scratch); break;
    case Opcode.LINEAR_Q5_0: decodePanel<Q5_0>(panel, row, cols, out, scratch); break;
    case Opcode.LINEAR_Q5_1: decodePanel<Q5_1>(panel, row, cols, out, scratch); break;
    case Opcode.LINEAR_Q4_K: decodePanel<Q4_K>(panel, row, cols, out, scratch); break;
    case Opcode.LINEAR_Q5_K: decodePanel<Q5_K>(panel, row, cols, out, scratch); break;
    case Opcode.LINEAR_Q6_K: decodePanel<Q6_K>(panel, row, cols, out, scratch); break;
    default: unreachable();
  }
}

function decodeStored(
  format: u32,
  panel: usize,
  rowBytes: usize,
  row: usize,
  blocks: usize,
  table: usize,
  out: usize,
  scratch: usize,
): void {
  switch (format) {
    case Opcode.LINEAR_Q2_K: unpackRow<Q2_K, U16>(panel, rowBytes, row, blocks, table, out, scratch); break;
    case Opcode.LINEAR_Q3_K: unpackRow<Q3_K, U16>(panel, rowBytes, row, blocks, table, out, scratch); break;
    case Opcode.LINEAR_IQ4_NL: unpackRow<IQ4_NL, U32>(panel, rowBytes, row, blocks, table, out, scratch); break;
    case Opcode.LINEAR_IQ4_XS: unpackRow<IQ4_XS, U32>(panel, rowBytes, row, blocks, table, out, scratch); break;
    case Opcode.LINEAR_IQ3_XXS: unpackRow<IQ3_XXS, U32>(panel, rowBytes, row, blocks, table, out, scratch); break;
    case Opcode.LINEAR_IQ3_S: unpackRow<IQ3_S, U32>(panel, rowBytes, row, blocks, table, out, scratch); break;
    case Opcode.LINEAR_MXFP4: unpackRow<MXFP4, U32>(panel, rowBytes, row, blocks, table, out, scratch); break;
    case Opcode.LINEAR_NVFP4: unpackRow<NVFP4, U16>(panel, rowBytes, row, blocks, table, out, scratch); break;
    case Opcode.LINEAR_TQ1_0: unpackRow<TQ1_0, U32>(panel, rowBytes, row, blocks, table, out, scratch); break;
    case Opcode.LINEAR_TQ2_0: unpackRow<TQ2_0, U32>(panel, rowBytes, row, blocks, table, out, scratch); break;
    default: unreachable();
  }
}

function unpackRow<F, U>(
  panel: usize,
  rowBytes: usize,
  row: usize,
  blocks: usize,
  table: usize,
  out: usize,
  scratch: usize,
): void {
  unpackPanel<F, U>(panel, rowBytes, blocks, table, scratch);
  const f = changetype<F>(0);
  decodeUnpacked(scratch, row, blocks, f.parts(), f.bias(), f.hasOffset(), out);
}

function decodeFloat<F>(panel: usize, row: usize, cols: usize, out: usize, scratch: usize): void {
  for (let k: usize = 0; k < cols; k++) {
    v128.store(scratch, changetype<F>(0).low(panel, halfBits(), halfScale()));
    v128.store(scratch, changetype<F>(0).high(panel, halfBits(), halfScale()), 16);
    store<f32>(out + (k << 2), load<f32>(scratch + (row << 2)));
    panel += changetype<F>(0).bytes();
  }
}

function decodePanel<F>(panel: usize, row: usize, cols: usize, out: usize, scratch: usize): void {
  const half = (row & 4) << 2;
  const lane = (row & 3) << 2;
  const subs = changetype<F>(0).subs();
  const parts = changetype<F>(0).parts();
  const groups: usize = 8 / parts;
  const ready = scratch + 64;
  for (let b: usize = 0; b < cols >> 5; b += subs) {
    changetype<F>(0).prepare(panel, ready, halfBits(), halfScale());
    for (let sub: usize = 0; sub < subs; sub++) {
      for (let part: usize = 0; part < parts; part++) {
        v128.store(scratch, changetype<F>(0).scale(panel, sub, part, half, ready, halfBits(), halfScale()));
        v128.store(scratch, changetype<F>(0).offset(panel, sub, part, half, ready, halfBits(), halfScale()), 16);
        const scale = load<f32>(scratch + lane);
        const offset = load<f32>(scratch + lane, 16);
        for (let g = part * groups; g < (part + 1) * groups; g++) {
          v128.store(scratch, wordAt<F>(panel, sub, g, half), 32);
          for (let j: usize = 0; j < 4; j++) {
            const q = <i32>load<u8>(scratch + lane + j, 32) - changetype<F>(0).bias();
            store<f32>(out + (j << 2), scale * <f32>q + offset);
          }
          out += 16;
        }
      }
    }
    panel += changetype<F>(0).bytes();
  }
}
