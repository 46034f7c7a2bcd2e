// Sums, gates and copies of whole rows. Rows are padded to 8 values, so that no kernel here has a tail.

import { outputToken, word } from './record';
import { geluTanh4, silu4 } from './math';

/** out = x + y.   4 x   5 y   6 out   7 stride */
export function add(record: usize, from: u32, to: u32): void {
  const stride = <usize>word(record, 7);
  const x = <usize>word(record, 4);
  const y = <usize>word(record, 5);
  const out = <usize>word(record, 6);
  for (let i = <usize>from * stride; i < <usize>to * stride; i += 16) {
    v128.store(out + i, f32x4.add(v128.load(x + i), v128.load(y + i)));
  }
}

/** x += bias for every row.   4 x   5 stride   6 bias (padded like a row) */
export function addBias(record: usize, from: u32, to: u32): void {
  const stride = <usize>word(record, 5);
  const bias = <usize>word(record, 6);
  for (let row = <usize>from; row < <usize>to; row++) {
    const x = <usize>word(record, 4) + row * stride;
    for (let i: usize = 0; i < stride; i += 16) v128.store(x + i, f32x4.add(v128.load(x + i), v128.load(bias + i)));
  }
}

/** out = activation(gate) * up.   4 gate   5 up   6 out   7 stride   8 activation: 0 SiLU, 1 GELU (tanh) */
export function gate(record: usize, from: u32, to: u32): void {
  const stride = <usize>word(record, 7);
  const g = <usize>word(record, 4);
  const up = <usize>word(record, 5);
  const out = <usize>word(record, 6);
  const end = <usize>to * stride;
  if (word(record, 8) == 0) {
    for (let i = <usize>from * stride; i < end; i += 16) {
      v128.store(out + i, f32x4.mul(silu4(v128.load(g + i)), v128.load(up + i)));
    }
  } else {
    for (let i = <usize>from * stride; i < end; i += 16) {
      v128.store(out + i, f32x4.mul(geluTanh4(v128.load(g + i)), v128.load(up + i)));
    }
  }
}

/** out[i] = x[outputs[i]].   4 x   5 stride   6 out (same stride) */
export function select(record: usize, batch: usize, from: u32, to: u32): void {
  const stride = <usize>word(record, 5);
  for (let row = <usize>from; row < <usize>to; row++) {
    memory.copy(
      <usize>word(record, 6) + row * stride,
      <usize>word(record, 4) + <usize>outputToken(batch, row) * stride,
      stride,
    );
  }
}
