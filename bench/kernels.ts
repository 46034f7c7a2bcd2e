// Each matrix kernel alone, on this thread, with weights that stay in cache: GB/s of weights for one token, GMAC/s for many.

import Benchmark from 'benchmark';
import { chooseBuild, instantiate } from '../src/compute/wasm/kernels.ts';
import { panelBytes, panelCount, matrixFormat } from '../src/compute/wasm/formats.ts';
import { control } from '../src/compute/wasm/arena.ts';
import { items, opcodes, recordBytes, writeRecord, type RecordWords } from '../src/compute/wasm/records.ts';
import { strideOf } from '../src/compute/wasm/scratch.ts';
import type { DType } from '../src/tensor/dtype.ts';
import { readArguments } from './arguments.ts';

const dtypes: readonly DType[] = ['F32', 'F16', 'Q8_0', 'Q4_0'];

export async function benchKernels(args: readonly string[]): Promise<void> {
  const options = readArguments(args, ['rows', 'cols', 'tokens', 'seconds'], []);
  const rows = options.count('rows', 1024);
  const cols = options.count('cols', 3072);
  const many = options.count('tokens', 64);
  const seconds = options.count('seconds', 1);
  const build = chooseBuild('auto');
  process.stdout.write(`${build.name} build, Node ${process.version}, ${rows} x ${cols}, one thread\n`);
  for (const dtype of dtypes) {
    const one = measure(build.module, dtype, rows, cols, 1, seconds);
    const tile = measure(build.module, dtype, rows, cols, many, seconds);
    const bytes = panelCount(rows) * panelBytes(dtype, cols);
    const gbs = (bytes * one) / 1e9;
    const gmacs = (rows * cols * many * tile) / 1e9;
    const gmac1 = (rows * cols * one) / 1e9;
    process.stdout.write(
      `${dtype.padEnd(5)} 1 token ${gbs.toFixed(1).padStart(6)} GB/s ${gmac1.toFixed(1).padStart(6)} GMAC/s` +
        `    ${many} tokens ${gmacs.toFixed(1).padStart(6)} GMAC/s\n`,
    );
  }
}

/** Runs per second of one product. */
function measure(
  module: WebAssembly.Module,
  dtype: DType,
  rows: number,
  cols: number,
  tokens: number,
  seconds: number,
): number {
  const format = matrixFormat(dtype, dtype);
  const weights = 1 << 20;
  const input = weights + panelCount(rows) * panelBytes(dtype, cols);
  const scales = input + tokens * cols * 4;
  const out = scales + (tokens * cols) / 4;
  const pages = Math.ceil((out + tokens * strideOf(rows)) / 65536) + 1;
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
  const kernels = instantiate(module, memory);
  const header = 131072;
  const records = 262144;
  new Uint32Array(memory.buffer, header, 2).set([tokens, tokens]);
  const record: RecordWords = {
    opcode: format.opcode,
    items: items.fixed,
    factor: panelCount(rows),
    chunk: panelCount(rows),
    operands: [input, strideOf(cols), scales, weights, cols, out, strideOf(rows), items.tokens],
  };
  const words = new Uint32Array(memory.buffer, records, recordBytes);
  writeRecord(words, 0, {
    ...record,
    opcode: opcodes.quantize,
    items: items.tokens,
    factor: 1,
    chunk: tokens,
    operands: [out, strideOf(cols), cols, input, scales],
  });
  writeRecord(words, 1, record);
  const bench = new Benchmark(() => kernels.run(records + recordBytes, 1, header, control.sync, 1, 65536), {
    maxTime: seconds,
    minSamples: 5,
  });
  bench.run({ async: false });
  return bench.hz;
}
