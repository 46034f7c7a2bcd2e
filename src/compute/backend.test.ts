// The contract suite of the backends: small seeded cases per operation, their results computed here by plain loops in float64.
// A backend joins by one row in `backends`.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import { dtypes } from '../tensor/dtype.ts';
import { randoms } from '../testing/random.ts';
import { storedCols, storedMatrices } from '../testing/stored-blocks.ts';
import type { Backend, BackendPlan, Batch, Executor, KvLayer } from './backend.ts';
import type { Activation, Weight } from './ops.ts';
import { Ops } from './ops.ts';
import { createReferenceBackend } from './reference/backend.ts';
import { createWasmBackend } from './wasm/backend.ts';

interface Contestant {
  readonly name: string;
  readonly create: () => Backend;
  /** Largest error of f32 arithmetic, relative to the largest expected value of the case. */
  readonly tolerance: number;
  /** The same for products with block-quantised matrices, where a backend may quantise the activations. */
  readonly quantisedTolerance: number;
  /** The same by the type of the cache. */
  readonly cacheTolerance: Readonly<Record<BackendPlan['kvCache'], number>>;
}

const backends: readonly Contestant[] = [
  {
    name: 'reference',
    create: createReferenceBackend,
    tolerance: 1e-6,
    quantisedTolerance: 1e-6,
    cacheTolerance: { f32: 1e-6, f16: 1e-3, i16: 1e-3, q8_0: 2e-2 },
  },
  ...(
    [
      ['strict', 1],
      ['auto', 3],
    ] as const
  ).map(([kernels, threads]) => ({
    name: `wasm ${kernels}, threads: ${threads}`,
    create: () => createWasmBackend({ threads, kernels }),
    tolerance: 2e-6,
    quantisedTolerance: 2e-2,
    cacheTolerance: { f32: 2e-6, f16: 1e-3, i16: 1e-3, q8_0: 2e-2 },
  })),
];

const limits = { tokens: 256, sequences: 4, outputs: 256, blocksPerSequence: 5 };
const kvBlocks = 16;

/** Every sequence has four blocks of the pool, in no order. */
const pool = [11, 3, 14, 0, 9, 2, 15, 7, 5, 12, 1, 10];

interface AttentionCase {
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly scale?: number;
  readonly window?: number;
  readonly softcap?: number;
  readonly sinks?: Float32Array;
  readonly kvCache?: BackendPlan['kvCache'];
}

const attentionVariants: readonly AttentionCase[] = [
  { heads: 2, kvHeads: 2, headDim: 16 },
  { heads: 4, kvHeads: 2, headDim: 32, scale: 0.9 },
  { heads: 6, kvHeads: 1, headDim: 64 },
  { heads: 3, kvHeads: 3, headDim: 80 },
  { heads: 4, kvHeads: 2, headDim: 16, window: 8 },
  { heads: 4, kvHeads: 2, headDim: 16, window: 64 },
  { heads: 4, kvHeads: 4, headDim: 16, window: 1 },
  { heads: 2, kvHeads: 1, headDim: 32, softcap: 1.5 },
  { heads: 4, kvHeads: 2, headDim: 16, sinks: Float32Array.of(0.5, -3, 2, 0) },
  { heads: 4, kvHeads: 2, headDim: 16, sinks: Float32Array.of(9, -3, 2, 0), window: 5, softcap: 2 },
  { heads: 4, kvHeads: 2, headDim: 32, kvCache: 'f16' },
  { heads: 4, kvHeads: 2, headDim: 32, kvCache: 'q8_0' },
  { heads: 4, kvHeads: 2, headDim: 32, kvCache: 'i16' },
  { heads: 6, kvHeads: 2, headDim: 80, kvCache: 'i16' },
  { heads: 4, kvHeads: 1, headDim: 20, kvCache: 'i16' },
  { heads: 5, kvHeads: 1, headDim: 256, kvCache: 'i16' },
  { heads: 4, kvHeads: 2, headDim: 16, sinks: Float32Array.of(9, -3, 2, 0), window: 5, softcap: 2, kvCache: 'i16' },
  { heads: 2, kvHeads: 1, headDim: 96, window: 70, softcap: 2, sinks: Float32Array.of(0.5, -3), kvCache: 'i16' },
  { heads: 2, kvHeads: 1, headDim: 96, window: 70, softcap: 2, sinks: Float32Array.of(0.5, -3), kvCache: 'q8_0' },
];

/** Distinct rows of q, k and v; ids choose among them. */
const kinds = 50;

for (const contestant of backends) {
  void t.test(`${contestant.name} backend`, async (t) => {
    await t.test('embed scales the rows of the ids', (t) => embedCases(t, contestant));
    await t.test('linear multiplies for 1 to 17 tokens and any shape', (t) => linearCases(t, contestant));
    await t.test('linear reads every stored type', (t) => storedTypeCases(t, contestant));
    await t.test('rmsNorm takes rows and heads', (t) => normCases(t, contestant));
    await t.test('gate, add and select', (t) => elementwiseCases(t, contestant));
    await t.test('rope rotates either layout, whole heads or a part', (t) => ropeCases(t, contestant));
    await t.test('attention in every variant', (t) => attentionCases(t, contestant));
    await t.test('any chunking of a sequence gives the same bits', (t) => chunkingCases(t, contestant));
    await t.test('plans and batches that cannot be run are refused', (t) => refusals(t, contestant));
  });
}

// --- cases -------------------------------------------------------------------------------------------------------------------

async function embedCases(t: Test, contestant: Contestant): Promise<void> {
  for (const { rows, cols, scale } of [
    { rows: 7, cols: 32, scale: 1 },
    { rows: 300, cols: 64, scale: 8.5 },
  ]) {
    const table = randoms(rows * cols, rows);
    const ids = [...integers(5, rows, 3), 0, rows - 1, 0];
    const executor = await load(contestant, (ops) =>
      ops.select(ops.embed(matrix(ops, 'table', rows, cols, table), scale)),
    );
    const found = await executor.forward(batchOf([{ start: 0, ids }]));
    const wanted = ids.flatMap((id) => [...table.subarray(id * cols, (id + 1) * cols)].map((x) => x * scale));
    near(t, found, wanted, contestant.tolerance, `${rows} rows of ${cols}`);
    await executor.close();
  }
}

async function linearCases(t: Test, contestant: Contestant): Promise<void> {
  for (const [rows, cols, hasBias] of [
    [1, 32, false],
    [5, 32, true],
    [8, 64, false],
    [17, 96, true],
    [40, 160, false],
    [33, 7, false],
    [9, 61, true],
  ] as const) {
    const bias = hasBias ? randoms(rows, 9) : undefined;
    const x = randoms(20 * cols, 4);
    const m = randoms(rows * cols, 5);
    const executor = await load(contestant, (ops) => {
      const input = ops.embed(matrix(ops, 'x', 20, cols, x));
      const options = { bias: bias && vector(ops, 'bias', bias) };
      return ops.select(ops.linear(input, matrix(ops, 'm', rows, cols, m), options));
    });
    for (let tokens = 1; tokens <= 17; tokens++) {
      const ids = integers(tokens, 20, tokens);
      const found = await executor.forward(batchOf([{ start: 0, ids }]));
      const wanted = ids.flatMap((id) => product(m, x.subarray(id * cols, (id + 1) * cols), bias));
      near(t, found, wanted, contestant.tolerance, `${rows} x ${cols}, ${tokens} tokens${bias ? ', bias' : ''}`);
    }
    await executor.close();
  }
}

async function storedTypeCases(t: Test, contestant: Contestant): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'backend-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const ownRows = 13;
  const lookUp = (ops: Ops, tables: readonly Weight[]): Activation =>
    tables.map((table) => ops.embed(table)).reduce((sum, x) => ops.add(sum, x));

  const wild = storedMatrices(folder, ownRows, 'wild');
  const lookups = await load(contestant, (ops) =>
    ops.select(
      lookUp(
        ops,
        wild.map(({ spec }) => ops.weight(spec)),
      ),
    ),
  );
  for (const { dtype, first, exact } of wild) {
    const ids = Array.from({ length: ownRows }, (_, row) => first + row);
    const found = await lookups.forward(batchOf([{ start: 0, ids }]));
    const wrong = found.findIndex((value, i) => value !== exact[i]);
    t.equal(wrong, -1, `${dtype} rows are looked up exactly`);
  }
  await lookups.close();

  // Tied embeddings: one weight, looked up and multiplied.
  const mild = storedMatrices(folder, ownRows, 'mild');
  const tied = await load(contestant, (ops) => {
    const tables = mild.map(({ spec }) => ops.weight(spec));
    const x = ops.select(lookUp(ops, tables));
    return tables.map((table) => ops.linear(x, table)).reduce((sum, y) => ops.add(sum, y));
  });
  const stored = mild.reduce((sum, { spec }) => sum + (spec.source.type === 'file' ? spec.source.bytes : 0), 0);
  t.ok(tied.memory.weightBytes >= stored, 'the memory plan counts all weights');
  const rows = mild.length * ownRows;
  for (const tokens of [3, 17]) {
    const ids = integers(tokens, rows, tokens);
    const found = await tied.forward(batchOf([{ start: 0, ids }]));
    const inputs = ids.map((id) => {
      const { exact, first } = mild[Math.floor(id / ownRows)];
      return exact.subarray((id - first) * storedCols, (id - first + 1) * storedCols);
    });
    for (const { dtype, first, exact } of mild) {
      const own = inputs.flatMap((_, token) => [
        ...found.subarray(token * rows + first, token * rows + first + ownRows),
      ]);
      const wanted = inputs.flatMap((x) => product(exact, x));
      const tolerance = dtypes[dtype].elements === 1 ? contestant.tolerance : contestant.quantisedTolerance;
      near(t, own, wanted, tolerance, `${dtype} product of ${tokens} tokens`);
    }
  }
  await tied.close();
}

async function normCases(t: Test, contestant: Contestant): Promise<void> {
  for (const [cols, width, eps] of [
    [64, 64, 1e-6],
    [96, 32, 1e-5],
    [33, 33, 0.5],
    [128, 16, 0],
  ]) {
    const x = randoms(9 * cols, cols);
    const weight = randoms(width, width);
    const executor = await load(contestant, (ops) =>
      ops.select(ops.rmsNorm(ops.embed(matrix(ops, 'x', 9, cols, x)), vector(ops, 'w', weight), eps, width)),
    );
    const wanted = new Float64Array(x.length);
    for (let at = 0; at < x.length; at += width) {
      const mean = sum(width, (i) => x[at + i] ** 2) / width;
      for (let i = 0; i < width; i++) wanted[at + i] = (x[at + i] / Math.sqrt(mean + eps)) * weight[i];
    }
    const found = await executor.forward(batchOf([{ start: 0, ids: [0, 1, 2, 3, 4, 5, 6, 7, 8] }]));
    near(t, found, wanted, contestant.tolerance, `${cols} columns by ${width}`);
    await executor.close();
  }
}

async function elementwiseCases(t: Test, contestant: Contestant): Promise<void> {
  const cols = 37;
  const [x, y] = [randoms(6 * cols, 1, 12), randoms(6 * cols, 2)];
  const silu = (v: number): number => v / (1 + Math.exp(-v));
  const gelu = (v: number): number => 0.5 * v * (1 + Math.tanh(0.7978845608028654 * (v + 0.044715 * v ** 3)));
  const cases: readonly {
    readonly name: string;
    readonly write: (ops: Ops, x: Activation, y: Activation) => Activation;
    readonly value: (x: number, y: number) => number;
  }[] = [
    { name: 'silu', write: (ops, x, y) => ops.gate('silu', x, y), value: (x, y) => silu(x) * y },
    { name: 'gelu_tanh', write: (ops, x, y) => ops.gate('gelu_tanh', x, y), value: (x, y) => gelu(x) * y },
    { name: 'add', write: (ops, x, y) => ops.add(x, y), value: (x, y) => x + y },
  ];
  for (const { name, write, value } of cases) {
    const executor = await load(contestant, (ops) => {
      const [a, b] = [ops.embed(matrix(ops, 'x', 6, cols, x)), ops.embed(matrix(ops, 'y', 6, cols, y))];
      return ops.select(write(ops, a, b));
    });
    const wanted = [1, 3, 4].flatMap((row) => {
      return Array.from({ length: cols }, (_, i) => value(x[row * cols + i], y[row * cols + i]));
    });
    const batch = batchOf([{ start: 0, ids: [0, 1, 2, 3, 4, 5] }]);
    near(t, await executor.forward({ ...batch, outputs: Int32Array.of(1, 3, 4) }), wanted, contestant.tolerance, name);
    t.equal(
      (await executor.forward({ ...batch, outputs: new Int32Array() })).length,
      0,
      'no outputs wanted, none made',
    );
    await executor.close();
  }
}

async function ropeCases(t: Test, contestant: Contestant): Promise<void> {
  const [heads, headDim, positions] = [3, 16, 200];
  const x = randoms(12 * heads * headDim, 8);
  for (const layout of ['adjacent', 'halves'] as const) {
    for (const dims of [16, 12]) {
      const angle = (position: number, pair: number): number => position * 10_000 ** ((-2 * pair) / dims);
      const values = Float32Array.from({ length: positions * dims }, (_, i) => {
        const a = angle(Math.floor(i / dims), Math.floor((i % dims) / 2));
        return 1.25 * (i % 2 === 0 ? Math.cos(a) : Math.sin(a));
      });
      const executor = await load(contestant, (ops) => {
        const rotated = ops.embed(matrix(ops, 'x', 12, heads * headDim, x));
        const source = { type: 'values', values } as const;
        const spec = { name: 'table', kind: 'vector', dtype: 'F32', rows: positions, cols: dims, layer: -1 } as const;
        ops.rope(rotated, { heads, headDim, dims, layout, table: ops.weight({ ...spec, source }) });
        return ops.select(rotated);
      });
      const parts = [
        { start: 0, ids: [0, 1, 2, 3, 4] },
        { start: 130, ids: [5, 6, 7, 8, 9, 10, 11] },
      ];
      const wanted = parts.flatMap(({ start, ids }) =>
        ids.flatMap((id, i) => {
          const row = Float64Array.from(x.subarray(id * heads * headDim, (id + 1) * heads * headDim));
          for (let head = 0; head < heads; head++) {
            for (let pair = 0; pair < dims / 2; pair++) {
              const first = head * headDim + (layout === 'adjacent' ? 2 * pair : pair);
              const second = layout === 'adjacent' ? first + 1 : first + dims / 2;
              const [a, b, turn] = [row[first], row[second], angle(start + i, pair)];
              row[first] = 1.25 * (a * Math.cos(turn) - b * Math.sin(turn));
              row[second] = 1.25 * (a * Math.sin(turn) + b * Math.cos(turn));
            }
          }
          return [...row];
        }),
      );
      near(t, await executor.forward(batchOf(parts)), wanted, contestant.tolerance, `${layout}, ${dims} of ${headDim}`);
      await executor.close();
    }
  }
}

async function attentionCases(t: Test, contestant: Contestant): Promise<void> {
  // Three sequences whose earlier tokens arrive in a first pass: inside a block, across a border, and from nothing.
  const histories = [integers(60, kinds, 1), integers(131, kinds, 2), []];
  const continuations = [integers(9, kinds, 3), integers(1, kinds, 4), integers(70, kinds, 5)];
  for (const variant of attentionVariants) {
    const { executor, expected } = await loadAttention(contestant, variant);
    const first = histories.map((ids) => ({ start: 0, ids })).filter(({ ids }) => ids.length > 0);
    await executor.forward(batchOf(first));
    const second = continuations.map((ids, s) => ({ start: histories[s].length, ids }));
    const found = await executor.forward(batchOf(second));
    const wanted = histories.flatMap((past, s) => expected([...past, ...continuations[s]], past.length));
    const { heads, kvHeads, headDim, window = 0, softcap = 0, sinks, kvCache = 'f32' } = variant;
    const name = `${heads}/${kvHeads} heads of ${headDim}, window ${window}, cap ${softcap}, ${kvCache}`;
    near(t, found, wanted, contestant.cacheTolerance[kvCache], sinks ? `${name}, sinks` : name);
    t.ok(
      executor.memory.kvCacheBytes > 0 && executor.memory.scratchBytes > 0,
      'the memory plan knows cache and scratch',
    );
    await executor.close();
  }
}

async function chunkingCases(t: Test, contestant: Contestant): Promise<void> {
  const ids = integers(150, kinds, 6);
  let compared = 0;
  for (const variant of attentionVariants) {
    const { executor } = await loadAttention(contestant, variant);
    const whole = Float32Array.from(await executor.forward(batchOf([{ start: 0, ids }])));
    const width = whole.length / ids.length;
    for (const chunk of [1, 3, 17, 64]) {
      for (let start = 0; start < ids.length; start += chunk) {
        const part = ids.slice(start, start + chunk);
        // A neighbour in the batch, in blocks of its own, changes nothing.
        const found = await executor.forward(
          batchOf([
            { start, ids: part },
            { start: 0, ids: [7, 8] },
          ]),
        );
        const wanted = whole.subarray(start * width, (start + part.length) * width);
        if (sameBits(found.subarray(0, part.length * width), wanted)) {
          compared += part.length;
          continue;
        }
        t.fail(`chunks of ${chunk} differ from position ${start} on`, { variant });
        break;
      }
    }
    await executor.close();
  }
  t.equal(compared, 4 * ids.length * attentionVariants.length, 'every token, in four chunkings of each variant');
}

async function refusals(t: Test, contestant: Contestant): Promise<void> {
  const cols = 32;
  const x = randoms(4 * cols, 1);
  const failsToLoad = async (write: (ops: Ops) => Activation, message: string): Promise<void> => {
    await t.rejects(load(contestant, write), message);
  };
  const file = { type: 'file', file: '/nonexistent/model.gguf', offset: 0, bytes: 4 * cols * 4 } as const;
  const spec = { name: 'table', kind: 'matrix', dtype: 'F32', rows: 4, cols, layer: -1, source: file } as const;
  await failsToLoad((ops) => ops.select(ops.embed(ops.weight(spec))), 'a file that is not there');
  await failsToLoad(
    (ops) => ops.select(ops.embed(ops.weight({ ...spec, dtype: 'I32', source: { type: 'values', values: x } }))),
    'a type that is no weight type',
  );
  await failsToLoad(
    (ops) => ops.select(ops.embed(ops.weight({ ...spec, rows: 5, source: { type: 'values', values: x } }))),
    'fewer values than the shape says',
  );
  await failsToLoad((ops) => {
    const q = ops.embed(matrix(ops, 'x', 4, cols, x));
    ops.store(q, q, 0);
    return ops.select(ops.attention(q, { layer: 0, heads: 1, kvHeads: 1, headDim: cols, scale: 1, spans: true }));
  }, 'media spans');

  const uneven = { kvLayers: [{ layer: 0, kvHeads: 1, headDim: 48 }], kvCache: 'q8_0' } as const;
  const embedding = (ops: Ops): Activation => ops.select(ops.embed(matrix(ops, 'x', 4, cols, x)));
  await t.rejects(load(contestant, embedding, uneven), { message: /48.*f16/ }, 'heads that groups of 32 do not fill');

  const endless = { kvLayers: [{ layer: 0, kvHeads: 1 << 20, headDim: 1 << 20 }], kvCache: 'f32' } as const;
  await t.rejects(load(contestant, embedding, endless), { message: /memory|GiB/ }, 'a cache beyond all memory');

  const executor = await load(contestant, embedding);
  const fine = batchOf([{ start: 0, ids: [0, 1] }]);
  const bad: readonly (readonly [string, Batch])[] = [
    ['an id beyond the vocabulary', { ...fine, ids: Int32Array.of(0, 4) }],
    ['a negative id', { ...fine, ids: Int32Array.of(-1, 0) }],
    ['an output beyond the batch', { ...fine, outputs: Int32Array.of(2) }],
    ['more tokens than planned', batchOf([{ start: 0, ids: integers(limits.tokens + 1, 4, 1) }])],
  ];
  for (const [name, batch] of bad) await t.rejects(executor.forward(batch), name);
  const found = await executor.forward(fine);
  near(t, found, x.subarray(0, 2 * cols), contestant.tolerance, 'a refused batch harms nobody');
  await executor.close();
}

// --- plans, batches, expectations --------------------------------------------------------------------------------------------

async function load(
  { create }: Contestant,
  write: (ops: Ops) => Activation,
  cache: { readonly kvLayers: readonly KvLayer[]; readonly kvCache: BackendPlan['kvCache'] } = {
    kvLayers: [],
    kvCache: 'f32',
  },
): Promise<Executor> {
  const ops = new Ops();
  const plan = ops.finish(write(ops));
  return create().load({ ...plan, ...cache, layers: 1, kvBlocks, limits }, () => undefined);
}

function batchOf(parts: readonly { readonly start: number; readonly ids: readonly number[] }[]): Batch {
  const ids = Int32Array.from(parts.flatMap((part) => part.ids));
  return {
    ids,
    positions: Int32Array.from(parts.flatMap(({ start, ids }) => ids.map((_, i) => start + i))),
    sequences: Int32Array.from(parts.flatMap(({ ids }, s) => ids.map(() => s))),
    blockTables: parts.map((_, s) => Int32Array.from(pool.slice(4 * s, 4 * s + 4))),
    outputs: Int32Array.from(ids.keys()),
  };
}

async function loadAttention(
  contestant: Contestant,
  variant: AttentionCase,
): Promise<{ executor: Executor; expected: (ids: readonly number[], from: number) => number[] }> {
  const { heads, kvHeads, headDim, window = 0, softcap = 0, sinks, kvCache = 'f32' } = variant;
  const scale = variant.scale ?? 1 / Math.sqrt(headDim);
  const q = randoms(kinds * heads * headDim, 21, 2);
  const k = randoms(kinds * kvHeads * headDim, 22, 2);
  const v = randoms(kinds * kvHeads * headDim, 23, 2);
  const write = (ops: Ops): Activation => {
    const queries = ops.embed(matrix(ops, 'q', kinds, heads * headDim, q));
    const keys = ops.embed(matrix(ops, 'k', kinds, kvHeads * headDim, k));
    ops.store(keys, ops.embed(matrix(ops, 'v', kinds, kvHeads * headDim, v)), 0);
    const places = { layer: 0, heads, kvHeads, headDim, scale, window, softcap };
    const options = sinks ? { ...places, sinks: vector(ops, 'sinks', sinks) } : places;
    return ops.select(ops.attention(queries, options));
  };
  const executor = await load(contestant, write, { kvLayers: [{ layer: 0, kvHeads, headDim }], kvCache });

  const row = (ids: readonly number[], position: number): number[] =>
    Array.from({ length: heads }, (_, head) => head).flatMap((head) => {
      const kvHead = Math.floor((head * kvHeads) / heads);
      const at = (position: number): number => (ids[position] * kvHeads + kvHead) * headDim;
      const first = window > 0 ? Math.max(0, position - window + 1) : 0;
      const scores = Array.from({ length: position + 1 - first }, (_, j) => {
        const score =
          scale * sum(headDim, (i) => q[(ids[position] * heads + head) * headDim + i] * k[at(first + j) + i]);
        return softcap > 0 ? softcap * Math.tanh(score / softcap) : score;
      });
      const mass = scores.reduce((mass, score) => mass + Math.exp(score), sinks ? Math.exp(sinks[head]) : 0);
      return Array.from({ length: headDim }, (_, i) =>
        sum(scores.length, (j) => (Math.exp(scores[j]) / mass) * v[at(first + j) + i]),
      );
    });
  return { executor, expected: (ids, from) => ids.slice(from).flatMap((_, i) => row(ids, from + i)) };
}

function matrix(ops: Ops, name: string, rows: number, cols: number, values: Float32Array): Weight {
  return ops.weight({ name, kind: 'matrix', dtype: 'F32', rows, cols, layer: 0, source: { type: 'values', values } });
}

function vector(ops: Ops, name: string, values: Float32Array): Weight {
  const source = { type: 'values', values } as const;
  return ops.weight({ name, kind: 'vector', dtype: 'F32', rows: 1, cols: values.length, layer: 0, source });
}

function product(m: Float32Array, x: Float32Array, bias?: Float32Array): number[] {
  const cols = x.length;
  return Array.from({ length: m.length / cols }, (_, r) => {
    return sum(cols, (c) => m[r * cols + c] * x[c]) + (bias === undefined ? 0 : bias[r]);
  });
}

function sum(count: number, term: (i: number) => number): number {
  let total = 0;
  for (let i = 0; i < count; i++) total += term(i);
  return total;
}

function near(t: Test, found: ArrayLike<number>, wanted: ArrayLike<number>, tolerance: number, name: string): void {
  if (found.length !== wanted.length) return void t.fail(`${name}: ${found.length} values instead of ${wanted.length}`);
  let [largest, error, at] = [0, 0, 0];
  for (let i = 0; i < wanted.length; i++) {
    largest = Math.max(largest, Math.abs(wanted[i]));
    const difference = Math.abs(found[i] - wanted[i]);
    // Written so that NaN counts.
    if (!(difference <= error)) [error, at] = [difference, i];
  }
  const allowed = tolerance * largest;
  const diagnostic = { index: at, found: found[at], wanted: wanted[at], error, allowed };
  t.ok(error <= allowed, name, diagnostic);
}

function sameBits(a: Float32Array, b: Float32Array): boolean {
  const [x, y] = [a, b].map((values) => new Uint32Array(values.buffer, values.byteOffset, values.length));
  return x.length === y.length && x.every((bits, i) => bits === y[i]);
}

function integers(count: number, below: number, seed: number): number[] {
  return Array.from(randoms(count, seed), (x) => Math.floor(((x + 1) / 2) * below) % below);
}
