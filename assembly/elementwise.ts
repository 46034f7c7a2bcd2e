// Sums, gates and copies of whole rows. Rows are padded to 8 values, so that no kernel here has a tail.

import { outputToken, word } from './record';
import {
  EXP_1,
  EXP_2,
  EXP_3,
  EXP_4,
  EXP_5,
  exp4By,
  GELU_CUBE,
  GELU_SCALE,
  geluArgument,
  LOG2_E,
  MINUS_LN2_HIGH,
  MINUS_LN2_LOW,
  ROUND,
} from './math';
import { kept, keptFloat } from './simd';

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
  const start = <usize>from * stride;
  const g = <usize>word(record, 4) + start;
  const up = <usize>word(record, 5) + start;
  const out = <usize>word(record, 6) + start;
  const bytes = (<usize>to - <usize>from) * stride;
  if (word(record, 8) == 0) gateBy<Silu>(g, up, out, bytes);
  else gateBy<Gelu>(g, up, out, bytes);
}

// What the sigmoid of an activation is taken of, as its negative. `a` and `b`: constants of GELU.

@unmanaged
class Silu {
  // @ts-ignore: decorator
  @inline minus(x: v128, a: v128, b: v128): v128 { return f32x4.neg(x); }
}

@unmanaged
class Gelu {
  // @ts-ignore: decorator
  @inline minus(x: v128, a: v128, b: v128): v128 { return f32x4.neg(geluArgument(x, a, b)); }
}

/** out = x * sigmoid(...) * up; A: an activation. */
function gateBy<A>(g: usize, up: usize, out: usize, bytes: usize): void {
  let least = keptFloat(-87.0, bytes);
  let most = keptFloat(88.0, bytes);
  let log2e = keptFloat(LOG2_E, bytes);
  let round = keptFloat(ROUND, bytes);
  let ln2High = keptFloat(MINUS_LN2_HIGH, bytes);
  let ln2Low = keptFloat(MINUS_LN2_LOW, bytes);
  let p5 = keptFloat(EXP_5, bytes);
  let p4 = keptFloat(EXP_4, bytes);
  let p3 = keptFloat(EXP_3, bytes);
  let p2 = keptFloat(EXP_2, bytes);
  let p1 = keptFloat(EXP_1, bytes);
  let half = keptFloat(0.5, bytes);
  let one = keptFloat(1.0, bytes);
  let bias = i32x4.splat(kept(127, bytes));
  let a = keptFloat(GELU_CUBE, bytes);
  let b = keptFloat(GELU_SCALE, bytes);
  for (let i: usize = 0; i < bytes; i += 16) {
    const x = v128.load(g + i);
    const minus = changetype<A>(0).minus(x, a, b);
    const e = exp4By(minus, least, most, log2e, round, ln2High, ln2Low, p5, p4, p3, p2, p1, half, one, bias);
    v128.store(out + i, f32x4.mul(f32x4.div(x, f32x4.add(one, e)), v128.load(up + i)));
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
