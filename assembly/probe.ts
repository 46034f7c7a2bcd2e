// The probe's questions: the relaxed SIMD operations (WebAssembly 3.0) that the kernels would like, whose results the specification
// leaves to the machine. A module of its own: where relaxed SIMD is unknown, all of it is invalid. Operands come from memory, so that
// no compiler can fold them; `times` repeats the operation, so that the optimizing tier takes over.

/** out[4] i32 = acc[4] + for each lane the sum of 4 products a[16] i8 * b[16] */
export function dotI32(a: usize, b: usize, acc: usize, out: usize, times: i32): void {
  for (let i = 0; i < times; i++) {
    const x = v128.load(a);
    const w = v128.load(b);
    v128.store(out, i32x4.relaxed_dot_i8x16_i7x16_add_s(x, w, v128.load(acc)));
  }
}

/** out[8] i16 = for each lane the sum of 2 products a[16] i8 * b[16] */
export function dotI16(a: usize, b: usize, out: usize, times: i32): void {
  for (let i = 0; i < times; i++) {
    const x = v128.load(a);
    const w = v128.load(b);
    v128.store(out, i16x8.relaxed_dot_i8x16_i7x16_s(x, w));
  }
}

/** out[4] f32 = a[4] * b[4] + c[4], rounded once or twice */
export function madd(a: usize, b: usize, c: usize, out: usize, times: i32): void {
  for (let i = 0; i < times; i++) {
    const x = v128.load(a);
    const y = v128.load(b);
    v128.store(out, f32x4.relaxed_madd(x, y, v128.load(c)));
  }
}
