// Do the kernels compute on this machine what scalar code computes? One small program with a matrix of every stored type, and one with every
// other operation, run by the chosen build and by the reference backend. Takes some tenths of a second.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dequantize } from '../../tensor/dequantize.ts';
import { dtypes, rowBytes, type DType } from '../../tensor/dtype.ts';
import type { Backend, BackendPlan, Batch } from '../backend.ts';
import { Ops, type Activation, type Weight } from '../ops.ts';
import { createReferenceBackend } from '../reference/backend.ts';
import { createWasmBackend } from './backend.ts';
import { kernelTypes, panelRows } from './formats.ts';

export interface SelfTestReport {
  readonly build: string;
  /** Why this build. */
  readonly reason: string;
  /** How many kernels were compared. */
  readonly kernels: number;
  /** Those that computed something else, as `Q4_K product`. */
  readonly wrong: readonly string[];
  readonly ms: number;
}

export interface SelfTestOptions {
  /** `auto` or the name of a build. */
  readonly kernels: string;
  readonly threads: number;
}

export async function selfTest({ kernels, threads }: SelfTestOptions): Promise<SelfTestReport> {
  const from = performance.now();
  const wasm = createWasmBackend({ kernels, threads });
  const wrong = await compareBackends(wasm, createReferenceBackend());
  const { name: build, reason } = wasm.build;
  return { build, reason, kernels: kernelTypes.length + operations.length, wrong, ms: performance.now() - from };
}

/** Both are given the same programs; the names of what came out differently. */
export async function compareBackends(tested: Backend, reference: Backend): Promise<string[]> {
  const folder = await mkdtemp(join(tmpdir(), 'tramontane-self-test-'));
  try {
    const file = join(folder, 'blocks');
    const products = await compareProducts(tested, reference, file);
    return [...products, ...(await compareOperations(tested, reference))];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const cols = 256;
/** More than one tile, and a rest. */
const tokens = 9;

/**
 * The matrix of a type has a panel of values where the others have zeros (bytes of zero are zeros in every type), so that the sum of
 * all products has the rows of one type side by side.
 */
async function compareProducts(tested: Backend, reference: Backend, file: string): Promise<string[]> {
  const rows = kernelTypes.length * panelRows;
  const random = generator(1);
  const matrices = kernelTypes.map((dtype, i) => {
    const bytes = new Uint8Array(rows * rowBytes(dtype, cols));
    bytes.set(randomBlocks(dtype, panelRows * cols, random), i * panelRows * rowBytes(dtype, cols));
    return { dtype, bytes };
  });
  await writeFile(file, Buffer.concat(matrices.map(({ bytes }) => bytes)));

  const ops = new Ops();
  const x = ops.embed(valuesOf(ops, tokens, cols, wholeNumbers(random)));
  let offset = 0;
  const products = matrices.map(({ dtype, bytes }) => {
    const source = { type: 'file', file, offset, bytes: bytes.length } as const;
    offset += bytes.length;
    return ops.linear(x, ops.weight({ name: dtype, kind: 'matrix', dtype, rows, cols, layer: 0, source }));
  });
  const sum = products.reduce((left, right) => ops.add(left, right));
  const plan = planOf(ops, sum, 'f32');
  const wrong = new Set<string>();
  // Many tokens share tiles; one alone has kernels of its own.
  const counts = [tokens, 1];
  for (const [pass, [found, wanted]] of (await runBoth(tested, reference, plan, counts)).entries()) {
    for (const [i, dtype] of kernelTypes.entries()) {
      const of = (values: Float32Array): number[] =>
        Array.from({ length: counts[pass] * panelRows }, (_, at) => {
          return values[Math.floor(at / panelRows) * rows + i * panelRows + (at % panelRows)];
        });
      if (!isClose(of(found), of(wanted), productTolerance)) wrong.add(`${dtype} product`);
    }
  }
  return [...wrong];
}

/** Activations are whole numbers whose largest is 127 in each block of 32: as int8 they lose nothing, and what remains is f32's rounding. */
const productTolerance = 1e-5;

const heads = 4;
const kvHeads = 2;
const headDim = 32;

interface OperationCase {
  readonly name: string;
  readonly kvCache: BackendPlan['kvCache'];
  readonly tolerance: number;
  /** x: [tokens, heads * headDim] */
  readonly write: (ops: Ops, x: Activation) => Activation;
}

const operations: readonly OperationCase[] = [
  { name: 'embed', kvCache: 'f32', tolerance: 1e-6, write: (_, x) => x },
  {
    name: 'rmsNorm',
    kvCache: 'f32',
    tolerance: 1e-5,
    write: (ops, x) => ops.rmsNorm(x, vectorOf(ops, headDim), 1e-5, headDim),
  },
  { name: 'gate silu', kvCache: 'f32', tolerance: 1e-5, write: (ops, x) => ops.gate('silu', x, x) },
  { name: 'gate gelu', kvCache: 'f32', tolerance: 1e-5, write: (ops, x) => ops.gate('gelu_tanh', x, x) },
  { name: 'rope', kvCache: 'f32', tolerance: 1e-5, write: rotated },
  { name: 'attention f32', kvCache: 'f32', tolerance: 1e-5, write: attended },
  { name: 'attention f16', kvCache: 'f16', tolerance: 1e-3, write: attended },
];

/** One program for each type of cache; what an operation gives is moved to rows of its own by a matrix of zeros and ones. */
async function compareOperations(tested: Backend, reference: Backend): Promise<string[]> {
  const wrong: string[] = [];
  const width = heads * headDim;
  for (const kvCache of new Set(operations.map((each) => each.kvCache))) {
    const cases = operations.filter((each) => each.kvCache === kvCache);
    const ops = new Ops();
    const random = generator(2);
    const moved = cases.map(({ write }, i) => {
      const x = ops.embed(valuesOf(ops, tokens, width, () => 2 * random() - 1));
      const place = (at: number): number => (Math.floor(at / width) === i * width + (at % width) ? 1 : 0);
      return ops.linear(write(ops, x), valuesOf(ops, cases.length * width, width, place));
    });
    const sum = moved.reduce((left, right) => ops.add(left, right));
    const [[found, wanted]] = await runBoth(tested, reference, planOf(ops, sum, kvCache), [tokens]);
    for (const [i, { name, tolerance }] of cases.entries()) {
      const of = (values: Float32Array): number[] =>
        Array.from({ length: tokens * width }, (_, at) => {
          return values[(Math.floor(at / width) * cases.length + i) * width + (at % width)];
        });
      if (!isClose(of(found), of(wanted), tolerance)) wrong.push(name);
    }
  }
  return wrong;
}

function rotated(ops: Ops, x: Activation): Activation {
  const dims = headDim;
  const values = Float32Array.from({ length: 64 * dims }, (_, i) => {
    const angle = Math.floor(i / dims) * 100 ** (-Math.floor((i % dims) / 2) / dims);
    return i % 2 === 0 ? Math.cos(angle) : Math.sin(angle);
  });
  const source = { type: 'values', values } as const;
  const table = ops.weight({ name: 'rope', kind: 'vector', dtype: 'F32', rows: 64, cols: dims, layer: -1, source });
  ops.rope(x, { heads, headDim, dims, layout: 'halves', table });
  return x;
}

function attended(ops: Ops, x: Activation): Activation {
  const random = generator(3);
  const keys = (): Activation => ops.embed(valuesOf(ops, tokens, kvHeads * headDim, () => 2 * random() - 1));
  ops.store(keys(), keys(), 0);
  return ops.attention(x, { layer: 0, heads, kvHeads, headDim, scale: headDim ** -0.5 });
}

function planOf(ops: Ops, out: Activation, kvCache: BackendPlan['kvCache']): BackendPlan {
  return {
    ...ops.finish(ops.select(out)),
    layers: 1,
    kvLayers: [{ layer: 0, kvHeads, headDim }],
    kvCache,
    kvBlocks: 1,
    limits: { tokens, sequences: 1, outputs: tokens, blocksPerSequence: 1 },
  };
}

/** Logits of both, of first passes over so many tokens. */
async function runBoth(
  tested: Backend,
  reference: Backend,
  plan: BackendPlan,
  counts: readonly number[],
): Promise<(readonly [Float32Array, Float32Array])[]> {
  const run = async (backend: Backend): Promise<Float32Array[]> => {
    const executor = await backend.load(plan, () => undefined);
    try {
      const logits: Float32Array[] = [];
      for (const count of counts) logits.push(Float32Array.from(await executor.forward(firstPass(count))));
      return logits;
    } finally {
      await executor.close();
    }
  };
  const [found, wanted] = [await run(tested), await run(reference)];
  return counts.map((_, i) => [found[i], wanted[i]] as const);
}

function firstPass(count: number): Batch {
  const ids = Int32Array.from({ length: count }, (_, i) => i);
  const sequences = new Int32Array(count);
  return { ids, positions: ids, sequences, blockTables: [Int32Array.of(0)], outputs: ids };
}

/** Errors count in proportion to the largest value. Written so that NaN is far from everything. */
function isClose(found: ArrayLike<number>, wanted: ArrayLike<number>, tolerance: number): boolean {
  let largest = 0;
  for (let i = 0; i < wanted.length; i++) largest = Math.max(largest, Math.abs(wanted[i]));
  if (found.length !== wanted.length || largest === 0) return false;
  return Array.from(wanted).every((value, i) => Math.abs(found[i] - value) <= tolerance * largest);
}

/** Random bytes, block by block, drawn again where they stand for values that are no numbers, huge, or all but zero. */
function randomBlocks(dtype: DType, count: number, random: () => number): Uint8Array {
  const { elements, bytes } = dtypes[dtype];
  const out = new Uint8Array((count / elements) * bytes);
  for (let at = 0; at < out.length; at += bytes) {
    const block = out.subarray(at, at + bytes);
    do for (let i = 0; i < bytes; i++) block[i] = 256 * random();
    while (!isOrdinary(dequantize(dtype, block, elements)));
  }
  return out;
}

function isOrdinary(values: Float32Array): boolean {
  let largest = 0;
  for (const value of values) largest = Math.max(largest, Math.abs(value));
  return values.every(Number.isFinite) && largest > 1 / 16 && largest < 64;
}

/** -127 .. 127, and 127 itself in each block. */
function wholeNumbers(random: () => number): (i: number) => number {
  return (i) => (i % 32 === 5 ? 127 : Math.floor(255 * random()) - 127);
}

function valuesOf(ops: Ops, rows: number, width: number, value: (i: number) => number): Weight {
  const values = Float32Array.from({ length: rows * width }, (_, i) => value(i));
  const source = { type: 'values', values } as const;
  return ops.weight({ name: 'x', kind: 'matrix', dtype: 'F32', rows, cols: width, layer: 0, source });
}

function vectorOf(ops: Ops, width: number): Weight {
  const values = Float32Array.from({ length: width }, (_, i) => 0.5 + i / width);
  const source = { type: 'values', values } as const;
  return ops.weight({ name: 'w', kind: 'vector', dtype: 'F32', rows: 1, cols: width, layer: 0, source });
}

/** 0 .. 1 (mulberry32). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 32;
  };
}
