// The block formats against independently dequantised data, and the laws of the 16-bit floats.

import { readFileSync } from 'node:fs';
import t from 'tap';
import { fixture } from '../testing/fixtures.ts';
import { dequantize, dequantizeRow, UnsupportedDTypeError } from './dequantize.ts';
import { dtypes } from './dtype.ts';
import type { DType } from './dtype.ts';
import { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16 } from './half.ts';
import { quantize } from './quantize.ts';
import type { WritableDType } from './quantize.ts';

interface QuantBlocks {
  readonly source_f32_b64: string;
  readonly shape: readonly [number, number];
  readonly types: Readonly<
    Record<
      string,
      {
        readonly type_id: number;
        readonly block: number;
        readonly bytes: number;
        readonly data_b64: string;
        readonly dequant_f32_b64: string;
      }
    >
  >;
}

function readBlocks(path: string): QuantBlocks {
  return JSON.parse(readFileSync(path, 'utf8')) as QuantBlocks;
}

function floats(base64: string): Float32Array {
  const bytes = Buffer.from(base64, 'base64');
  return new Float32Array(Uint8Array.from(bytes).buffer);
}

void t.test('every format gives the bits of the independent decoder', async (t) => {
  const path = fixture(t, 'models/quant/quant-blocks.json');
  if (path === undefined) return;
  const { types, shape } = readBlocks(path);
  t.equal(Object.keys(types).length, 20);
  for (const [name, { type_id, block, bytes, data_b64, dequant_f32_b64 }] of Object.entries(types)) {
    const dtype = name as DType;
    t.same(dtypes[dtype], { id: type_id, elements: block, bytes }, `${name}: block sizes`);
    const actual = dequantize(dtype, Buffer.from(data_b64, 'base64'), shape[0] * shape[1]);
    const expected = floats(dequant_f32_b64);
    let different = 0;
    // NaN never equals itself, so a wrong NaN counts; the sign of zero does not.
    for (let i = 0; i < expected.length; i++) if (actual[i] !== expected[i]) different++;
    t.equal(different, 0, `${name}: differing elements`);
    t.equal(actual.length, expected.length);
  }
});

void t.test('quantizers write the bytes of the reference quantizers', async (t) => {
  const path = fixture(t, 'models/quant/quant-blocks.json');
  if (path === undefined) return;
  const { types, source_f32_b64 } = readBlocks(path);
  const source = floats(source_f32_b64);
  for (const dtype of ['F16', 'BF16', 'Q8_0', 'Q4_0'] satisfies WritableDType[]) {
    t.same(Buffer.from(quantize(dtype, source)), Buffer.from(types[dtype].data_b64, 'base64'), dtype);
  }
});

void t.test('every half survives the way to f32 and back', async (t) => {
  let f16 = 0;
  let bf16 = 0;
  for (let half = 0; half < 65536; half++) {
    if (Number.isNaN(f16ToF32(half))) {
      const isNaNPattern = (half & 0x7c00) === 0x7c00 && (half & 0x3ff) !== 0;
      if (!isNaNPattern || !Number.isNaN(f16ToF32(f32ToF16(NaN)))) f16++;
    } else if (f32ToF16(f16ToF32(half)) !== half) f16++;
    if (!Number.isNaN(bf16ToF32(half)) && f32ToBf16(bf16ToF32(half)) !== half) bf16++;
  }
  t.equal(f16, 0);
  t.equal(bf16, 0);
  t.equal(f16ToF32(1), 2 ** -24, 'smallest subnormal');
  t.equal(f16ToF32(0x3ff), 1023 * 2 ** -24, 'largest subnormal');
  t.equal(f16ToF32(0x7bff), 65504);
  t.ok(Number.isNaN(bf16ToF32(f32ToBf16(NaN))));
});

void t.test('16-bit floats round to nearest, ties to even', async (t) => {
  let wrong = 0;
  // Between neighbours: the midpoint goes to the even pattern, a hair to either side to the nearer one.
  for (let half = 0; half < 0x7bff; half++) {
    const low = f16ToF32(half);
    const middle = (low + f16ToF32(half + 1)) / 2;
    const ulp = Math.max(2 ** -149, 2 ** (Math.floor(Math.log2(middle)) - 23));
    if (f32ToF16(middle) !== half + (half & 1)) wrong++;
    if (f32ToF16(middle - ulp) !== half || f32ToF16(middle + ulp) !== half + 1) wrong++;
    if (f32ToF16(-middle) !== (0x8000 | (half + (half & 1)))) wrong++;
  }
  t.equal(wrong, 0);
  t.equal(f32ToF16(65519.996), 0x7bff);
  t.equal(f32ToF16(65520), 0x7c00, 'beyond the range is infinity');
  t.equal(f32ToF16(-Infinity), 0xfc00);
  t.equal(f32ToF16(-0), 0x8000);
  t.equal(f32ToF16(2 ** -149), 0);
  for (const half of [0x3f80, 0x3f81, 0x0001, 0x0000, 0xbf80]) {
    const low = bf16ToF32(half);
    const middle = (low + bf16ToF32(half + 1)) / 2;
    t.equal(f32ToBf16(middle), half + (half & 1), `midpoint above ${half}`);
  }
});

void t.test('quantizing what was dequantized changes nothing', async (t) => {
  const source = Float32Array.from({ length: 256 }, (_, i) => Math.sin(i * 12.9898) * 43.7 * ((i % 7) + 1));
  for (const dtype of ['F32', 'F16', 'BF16', 'Q8_0', 'Q4_0'] satisfies WritableDType[]) {
    const once = quantize(dtype, source);
    const twice = quantize(dtype, dequantize(dtype, once, 256));
    // Q8_0 derives d from 127 d, which may round d differently in its last bit; the codes are the law.
    if (dtype === 'Q8_0') t.same(codes(twice), codes(once), dtype);
    else t.same(twice, once, dtype);
  }
  const zeros = new Float32Array(32);
  t.same(dequantize('Q8_0', quantize('Q8_0', zeros), 32), zeros);
  t.same(dequantize('Q4_0', quantize('Q4_0', zeros), 32).map(Math.abs), zeros);
});

function codes(bytes: Uint8Array): Uint8Array {
  return bytes.filter((_, i) => i % 34 >= 2);
}

void t.test('what cannot be decoded is said aloud', async (t) => {
  t.throws(() => dequantizeRow('IQ2_S', new Uint8Array(82), new Float32Array(256)), UnsupportedDTypeError);
  t.throws(() => dequantizeRow('Q8_0', new Uint8Array(33), new Float32Array(32)), RangeError);
  t.throws(() => dequantizeRow('Q8_0', new Uint8Array(34), new Float32Array(31)), RangeError);
  t.throws(() => quantize('Q4_0', new Float32Array(33)), RangeError);
});
