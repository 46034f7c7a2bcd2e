// Each matrix kernel alone, on this thread, with weights that stay in cache: GB/s of weights for one token, GMAC/s for many.

import Benchmark from 'benchmark';
import { ArenaPlan, control } from '../src/compute/wasm/arena.ts';
import { builtKernels, whyNot } from '../src/compute/wasm/builds.ts';
import { kernelTypes, matrixFormat, panelBytes, panelCount, quantForm } from '../src/compute/wasm/formats.ts';
import { chooseBuild, instantiate, type ChosenBuild } from '../src/compute/wasm/kernels.ts';
import { probeKernels } from '../src/compute/wasm/probe.ts';
import { items, opcodes, recordBytes, writeRecord } from '../src/compute/wasm/records.ts';
import { strideOf } from '../src/compute/wasm/scratch.ts';
import type { DType } from '../src/tensor/dtype.ts';
import { readArguments } from './arguments.ts';
import { formatTable } from './table.ts';

export async function benchKernels(args: readonly string[]): Promise<void> {
  const options = readArguments(args, ['rows', 'cols', 'tokens', 'seconds', 'kernels'], []);
  const shape = { rows: options.amount('rows', 1024), cols: options.amount('cols', 3072) };
  const many = options.amount('tokens', 64);
  const seconds = options.number('seconds', 1);
  const wanted = options.text('kernels');
  const builds =
    wanted === undefined ? builtKernels().filter((name) => whyNot(name, probeKernels()) === undefined) : [wanted];
  for (const name of builds) {
    const build = chooseBuild(name);
    const products = shape.rows * shape.cols;
    const rows = kernelTypes.map((dtype) => {
      const one = measure(build, dtype, { ...shape, tokens: 1 }, seconds);
      const tile = measure(build, dtype, { ...shape, tokens: many }, seconds);
      const bytes = panelCount(shape.rows) * panelBytes(dtype, shape.cols);
      return [dtype, (bytes * one) / 1e9, (products * one) / 1e9, (products * many * tile) / 1e9];
    });
    process.stdout.write(`${build.name} build, Node ${process.version}, ${shape.rows} x ${shape.cols}, one thread\n`);
    process.stdout.write(formatTable(['type', '1 token GB/s', 'GMAC/s', `${many} tokens GMAC/s`], rows));
  }
}

/** Runs per second of one product. */
function measure(
  { name, module }: ChosenBuild,
  dtype: DType,
  { rows, cols, tokens }: { readonly rows: number; readonly cols: number; readonly tokens: number },
  seconds: number,
): number {
  const format = matrixFormat(dtype, dtype);
  const form = quantForm(format, name);
  const plan = new ArenaPlan();
  const header = plan.reserve(64);
  const records = plan.reserve(2 * recordBytes);
  const scratch = plan.reserve(4096 + ((format.unpackedBytes ?? 0) * cols) / 32);
  const weights = plan.reserve(panelCount(rows) * panelBytes(dtype, cols));
  const input = plan.reserve(tokens * strideOf(cols));
  const quants = plan.reserve(tokens * cols * 2);
  const quantRecords = plan.reserve(tokens * cols);
  const out = plan.reserve(tokens * strideOf(rows));
  const table = plan.reserve(format.table?.length ?? 0);
  const memory = plan.create();
  const kernels = instantiate(module, memory);
  if (format.table) new Uint8Array(memory.buffer, table, format.table.length).set(format.table);
  new Uint32Array(memory.buffer, header, 2).set([tokens, tokens]);
  const words = new Uint32Array(memory.buffer, records, (2 * recordBytes) / 4);
  writeRecord(words, 0, {
    opcode: opcodes.quantize,
    items: items.tokens,
    factor: 1,
    chunk: tokens,
    operands: [input, strideOf(cols), cols, quants, quantRecords, form === 'i16' ? 2 : 1],
  });
  writeRecord(words, 1, {
    opcode: format.opcode,
    items: items.fixed,
    factor: panelCount(rows),
    chunk: panelCount(rows),
    operands: [
      form === undefined ? input : quants,
      strideOf(cols),
      quantRecords,
      weights,
      cols,
      out,
      strideOf(rows),
      items.tokens,
      panelBytes(dtype, cols),
      table,
    ],
  });
  if (form !== undefined) kernels.run(records, 1, header, control.sync, 1, scratch);
  const bench = new Benchmark(() => kernels.run(records + recordBytes, 1, header, control.sync, 1, scratch), {
    maxTime: seconds,
    minSamples: 5,
  });
  bench.run({ async: false });
  return bench.hz;
}
