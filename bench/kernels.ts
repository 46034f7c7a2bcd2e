// Each matrix kernel alone, on this thread, by CPU time, so that others on the machine disturb little: weights that must come from memory
// for a few tokens, weights in cache for one and many. Beside them, in turns with them, the ceilings: code that only reads memory or only
// multiplies.

import { ArenaPlan, control } from '../src/compute/wasm/arena.ts';
import { builtKernels, whyNot } from '../src/compute/wasm/builds.ts';
import { kernelTypes, matrixFormat, panelBytes, panelCount, quantForm } from '../src/compute/wasm/formats.ts';
import { chooseBuild, instantiate, type ChosenBuild } from '../src/compute/wasm/kernels.ts';
import { probeKernels } from '../src/compute/wasm/probe.ts';
import { items, opcodes, recordBytes, writeRecord } from '../src/compute/wasm/records.ts';
import { strideOf } from '../src/compute/wasm/scratch.ts';
import { rowBytes, type DType } from '../src/tensor/dtype.ts';
import { readArguments, UsageError } from './arguments.ts';
import { bareProducts, compileBare, instantiateBare } from './bare.ts';
import { median } from './statistics.ts';
import { formatTable, type Cell } from './table.ts';

export async function benchKernels(args: readonly string[]): Promise<void> {
  const options = readArguments(
    args,
    ['rows', 'cols', 'batches', 'tokens', 'memory', 'seconds', 'kernels', 'types'],
    [],
  );
  const cached = { rows: options.amount('rows', 1024), cols: options.amount('cols', 3072) };
  const batches = options.amounts('batches', [2, 3, 4, 8, 16]);
  const many = options.amount('tokens', 64);
  const mebibytes = options.amount('memory', 96);
  const seconds = options.number('seconds', 0.2);
  const wanted = options.text('kernels');
  const types = options.list('types')?.map(typeOf) ?? kernelTypes;
  const builds =
    wanted === undefined ? builtKernels().filter((name) => whyNot(name, probeKernels()) === undefined) : [wanted];
  for (const name of builds) {
    const build = chooseBuild(name);
    const bare = await compileBare(build.name);
    const rows = types.map((dtype): Cell[] => {
      const perRow = rowBytes(dtype, cached.cols);
      const far = new Product(build, bare, dtype, {
        rows: Math.ceil((mebibytes * 2 ** 20) / perRow),
        cols: cached.cols,
      });
      const one = far.measure(1, seconds);
      const steps = batches.map((tokens) => far.measure(tokens, seconds).ms / one.ms);
      const near = new Product(build, bare, dtype, cached);
      const single = near.measure(1, seconds);
      const tile = near.measure(many, seconds);
      const rate = (near.products * many) / tile.ms / 1e6;
      return [
        dtype,
        far.bytes / one.ms / 1e6,
        (100 * far.bytes) / one.ms / 1e6 / one.read,
        ...steps,
        near.bytes / single.ms / 1e6,
        rate,
        matrixFormat(dtype, dtype).range === 'float' ? undefined : (100 * rate) / tile.multiplied,
      ];
    });
    process.stdout.write(
      `${build.name} build, Node ${process.version}, one thread: ${mebibytes} MiB of weights for one token (and % of what merely reading ` +
        `them gives), its time times so much for a few; ${cached.rows} x ${cached.cols} in cache (and % of products alone)\n`,
    );
    const header = ['type', 'GB/s', '% read', ...batches.map((tokens) => `x ${tokens}`), 'cache GB/s'];
    process.stdout.write(formatTable([...header, `${many} tokens GMAC/s`, '% bare'], rows));
  }
}

function typeOf(name: string): DType {
  const found = kernelTypes.find((dtype) => dtype.toLowerCase() === name.toLowerCase());
  if (found === undefined) throw new UsageError(`--types takes types that kernels compute: ${kernelTypes.join(', ')}`);
  return found;
}

interface Shape {
  readonly rows: number;
  readonly cols: number;
}

/** Medians of one product. */
interface Measured {
  /** CPU time of one run. */
  readonly ms: number;
  /** GB/s of reading the same weights and doing nothing else. */
  readonly read: number;
  /** GMAC/s of products alone. */
  readonly multiplied: number;
}

/** Most tokens of one run. */
const mostTokens = 512;

/** Repeats of products alone in one call: half a millisecond. */
const multiplyTimes = 5000;

class Product {
  readonly products: number;
  readonly bytes: number;
  readonly #quantize: (tokens: number) => void;
  readonly #run: (tokens: number) => void;
  readonly #read: () => void;
  readonly #multiply: () => void;

  constructor({ name, module }: ChosenBuild, bareModule: WebAssembly.Module, dtype: DType, { rows, cols }: Shape) {
    const format = matrixFormat(dtype, dtype);
    const form = quantForm(format, name);
    this.products = rows * cols;
    this.bytes = panelCount(rows) * panelBytes(dtype, cols);
    const plan = new ArenaPlan();
    const header = plan.reserve(64);
    const records = plan.reserve(2 * recordBytes);
    const scratch = plan.reserve(16384 + ((format.unpackedBytes ?? 0) * cols) / 32);
    const weights = plan.reserve(this.bytes);
    const input = plan.reserve(mostTokens * strideOf(cols));
    const quants = plan.reserve(mostTokens * cols * 2);
    const numbers = plan.reserve(mostTokens * cols);
    const out = plan.reserve(mostTokens * strideOf(rows));
    const table = plan.reserve(format.table?.length ?? 0);
    const memory = plan.create();
    const kernels = instantiate(module, memory);
    const bare = instantiateBare(bareModule, memory);
    if (format.table) new Uint8Array(memory.buffer, table, format.table.length).set(format.table);
    fill(new Uint32Array(memory.buffer, weights, this.bytes / 4));
    const values = new Float32Array(memory.buffer, input, (mostTokens * strideOf(cols)) / 4);
    for (let i = 0; i < values.length; i++) values[i] = Math.sin(i);
    const words = new Uint32Array(memory.buffer, records, (2 * recordBytes) / 4);
    writeRecord(words, 0, {
      opcode: opcodes.quantize,
      items: items.tokens,
      factor: 1,
      chunk: 4,
      operands: [input, strideOf(cols), cols, quants, numbers, form === 'i16' ? 2 : 1],
    });
    writeRecord(words, 1, {
      opcode: format.opcode,
      items: items.fixed,
      factor: panelCount(rows),
      chunk: Math.min(32, panelCount(rows)),
      operands: [
        form === undefined ? input : quants,
        strideOf(cols),
        numbers,
        weights,
        cols,
        out,
        strideOf(rows),
        items.tokens,
        panelBytes(dtype, cols),
        table,
      ],
    });
    const run = (tokens: number, record: number): void => {
      new Uint32Array(memory.buffer, header, 2).fill(tokens);
      kernels.run(record, 1, header, control.sync, 1, 0, scratch);
    };
    this.#quantize = (tokens) => {
      if (form !== undefined) run(tokens, records);
    };
    this.#run = (tokens) => run(tokens, records + recordBytes);
    this.#read = () => bare.read(weights, this.bytes, out);
    this.#multiply =
      format.range === 'bytes'
        ? (): void => bare.productsOfBytes(weights, input, multiplyTimes, out)
        : (): void => bare.productsOfNibbles(weights, input, multiplyTimes, out);
  }

  /** Product, reading and products alone in turns, for so many seconds of CPU time each. */
  measure(tokens: number, seconds: number): Measured {
    if (tokens > mostTokens) throw new UsageError(`at most ${mostTokens} tokens`);
    this.#quantize(tokens);
    const runs = [(): void => this.#run(tokens), this.#read, this.#multiply];
    // The compiler notices what runs often.
    for (const run of runs) for (const end = cpuMs() + 30; cpuMs() < end;) run();
    const times = runs.map((run) => {
      const once = Math.max(0.001, timeOf(run, 1));
      return { run, repeats: Math.max(1, Math.round(5 / once)), samples: [] as number[] };
    });
    const end = cpuMs() + times.length * seconds * 1000;
    do {
      for (const { run, repeats, samples } of times) samples.push(timeOf(run, repeats) / repeats);
    } while (cpuMs() < end);
    const [ms, read, multiply] = times.map(({ samples }) => median(samples) ?? Number.NaN);
    return { ms, read: this.bytes / read / 1e6, multiplied: (multiplyTimes * bareProducts) / multiply / 1e6 };
  }
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

function timeOf(run: () => void, repeats: number): number {
  const from = cpuMs();
  for (let i = 0; i < repeats; i++) run();
  return cpuMs() - from;
}

/** Random bytes, in which no half is subnormal, infinite or NaN, nor an f32. */
function fill(words: Uint32Array): void {
  let state = 1;
  for (let i = 0; i < words.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    words[i] = ((state ^ (state >>> 13)) & 0xbfffbfff) | 0x20002000;
  }
}
