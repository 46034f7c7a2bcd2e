// The law of the backend: what a token's logits are depends on the tokens before it and on nothing else: not on threads, arenas, the
// chunks of the prompt, or who else is in the batch. Compared in bits, on the bundled model, and for products with every stored type.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { buildModel, type Model } from '../../model/model.ts';
import { projectRoot } from '../../testing/fixtures.ts';
import { randoms } from '../../testing/random.ts';
import { storedCols, storedMatrices, type StoredMatrix } from '../../testing/stored-blocks.ts';
import { openCheckpoint } from '../../weights/gguf.ts';
import { kvCacheTypes, type BackendPlan, type Batch, type Executor } from '../backend.ts';
import { Ops } from '../ops.ts';
import { createWasmBackend, type WasmOptions } from './backend.ts';
import { builtKernels, whyNot, type KernelBuild } from './builds.ts';
import { planLayout } from './layout.ts';
import { probeKernels } from './probe.ts';

const sequences = 5;
const length = 150;
const blocks = 3;
const model = buildModel(await openCheckpoint(join(projectRoot, 'models', 'demo-3m-Q8_0.gguf')), {
  contextLength: 192,
});
/** Room for scratch and one or two layers with their caches. */
const smallArena = 4.75 * 2 ** 20;
const random = generator(7);
const texts = Array.from({ length: sequences }, () => Array.from({ length }, () => random() % 1000));

function load(options: Partial<WasmOptions>, kvCache: BackendPlan['kvCache']): Promise<Executor> {
  return createWasmBackend({ threads: 2, kernels: 'auto', ...options }).load(planOf(model, kvCache), () => undefined);
}

function planOf(model: Model, kvCache: BackendPlan['kvCache']) {
  return {
    weights: model.weights,
    program: model.program,
    layers: model.layers,
    kvLayers: model.kvLayers,
    kvCache,
    kvBlocks: sequences * blocks,
    limits: { tokens: 128, sequences, outputs: 128, blocksPerSequence: blocks },
  };
}

/** Tokens `from` to `to` of some sequences in one pass; logits of all of them, in bits. */
async function feed(
  executor: Executor,
  parts: readonly { readonly sequence: number; readonly from: number; readonly to: number }[],
): Promise<Uint32Array[][]> {
  const ids = parts.flatMap(({ sequence, from, to }) => texts[sequence].slice(from, to));
  const batch: Batch = {
    ids: Int32Array.from(ids),
    positions: Int32Array.from(parts.flatMap(({ from, to }) => Array.from({ length: to - from }, (_, i) => from + i))),
    sequences: Int32Array.from(parts.flatMap(({ from, to }, row) => Array.from({ length: to - from }, () => row))),
    // Blocks of a sequence lie apart and backwards.
    blockTables: parts.map(({ sequence }) => Int32Array.of(sequence + 2 * sequences, sequence + sequences, sequence)),
    outputs: Int32Array.from(ids.keys()),
  };
  const logits = await executor.forward(batch);
  const width = logits.length / ids.length;
  let row = 0;
  return parts.map(({ from, to }) =>
    Array.from({ length: to - from }, () => {
      const at = width * row++;
      return new Uint32Array(logits.slice(at, at + width).buffer);
    }),
  );
}

function same(a: Uint32Array, b: Uint32Array): boolean {
  return a.length === b.length && a.every((bits, i) => bits === b[i]);
}

for (const kvCache of kvCacheTypes) {
  void t.test(`logits with ${kvCache} cache`, async (t) => {
    // Alone, one token at a time, on one thread, in one arena.
    const alone = await load({ threads: 1 }, kvCache);
    const expected: Uint32Array[][] = [];
    for (let sequence = 0; sequence < sequences; sequence++) {
      const rows: Uint32Array[] = [];
      for (let at = 0; at < length; at++) rows.push((await feed(alone, [{ sequence, from: at, to: at + 1 }]))[0][0]);
      expected.push(rows);
    }
    await alone.close();
    t.notOk(same(expected[0][40], expected[0][41]), 'logits of different tokens differ at all');

    const configurations: readonly (readonly [string, Partial<WasmOptions>])[] = [
      ['2 threads', {}],
      ['3 threads', { threads: 3 }],
      ['three arenas', { arenaBytes: smallArena }],
    ];
    for (const [name, options] of configurations) {
      await t.test(`${name}: random mixtures of sequences and chunks`, async (t) => {
        const executor = await load(options, kvCache);
        t.teardown(() => executor.close());
        const done = Array.from({ length: sequences }, () => 0);
        let passes = 0;
        let compared = 0;
        while (done.some((count) => count < length)) {
          const parts: { sequence: number; from: number; to: number }[] = [];
          let room = 128;
          for (let sequence = 0; sequence < sequences; sequence++) {
            const size = Math.min([1, 2, 3, 5, 17, 40][random() % 6], length - done[sequence], room);
            if (size < 1 || random() % 3 === 0) continue;
            parts.push({ sequence, from: done[sequence], to: done[sequence] + size });
            done[sequence] += size;
            room -= size;
          }
          if (parts.length === 0) continue;
          const found = await feed(executor, parts);
          for (const [i, { sequence, from }] of parts.entries()) {
            for (const [j, row] of found[i].entries()) {
              compared++;
              if (!same(row, expected[sequence][from + j]))
                throw new Error(`sequence ${sequence}, token ${from + j}, pass ${passes}`);
            }
          }
          passes++;
        }
        t.equal(compared, sequences * length, `${passes} passes, every token has the bits it has alone`);
      });
    }
  });
}

void t.test('a long context in splits: threads that share it give the bits of one that does not', async (t) => {
  const positions = 1700;
  const long = buildModel(await openCheckpoint(join(projectRoot, 'models', 'demo-3m-Q8_0.gguf')), {
    contextLength: 1728,
  });
  const ids = Array.from({ length: positions }, () => random() % 1000);
  const run = async (threads: number): Promise<Uint32Array[]> => {
    const plan = {
      ...planOf(long, 'i16'),
      kvBlocks: 27,
      limits: { tokens: 128, sequences: 1, outputs: 3, blocksPerSequence: 27 },
    };
    const executor = await createWasmBackend({ threads, kernels: 'auto' }).load(plan, () => undefined);
    t.teardown(() => executor.close());
    const rows: Uint32Array[] = [];
    const table = Int32Array.from({ length: 27 }, (_, block) => 26 - block);
    for (let at = 0; at < positions;) {
      const size = at < 1600 ? 100 : Math.min([1, 2, 3][at % 3], positions - at);
      const batch = {
        ids: Int32Array.from(ids.slice(at, at + size)),
        positions: Int32Array.from({ length: size }, (_, i) => at + i),
        sequences: new Int32Array(size),
        blockTables: [table],
        outputs: Int32Array.of(size - 1),
      };
      const logits = await executor.forward(batch);
      if (at >= 1600) rows.push(new Uint32Array(logits.slice().buffer));
      at += size;
    }
    return rows;
  };
  const alone = await run(1);
  const shared = await run(4);
  t.equal(shared.length, alone.length);
  t.ok(
    alone.every((row, i) => same(row, shared[i])),
    'equal bits',
  );
});

void t.test('a model in several arenas keeps each layer whole', async (t) => {
  const executor = await load({ arenaBytes: smallArena }, 'f32');
  const one = await load({}, 'f32');
  t.equal(executor.memory.scratchBytes, 3 * one.memory.scratchBytes, 'each of three arenas has its scratch');
  t.equal(executor.memory.kvCacheBytes, one.memory.kvCacheBytes, 'the cache is there once');
  t.ok(executor.memory.weightBytes < one.memory.weightBytes + 2 ** 18, 'matrices are there once');
  await executor.close();
  await one.close();
});

void t.test(
  'an f16 cache takes half of the memory, i16 a scale per head beside, q8_0 34 bytes where f32 takes 128',
  async (t) => {
    const bytes = (kvCache: BackendPlan['kvCache']): number =>
      planLayout(planOf(model, kvCache), 1, 'strict').memory.kvCacheBytes;
    t.equal(bytes('f16') / bytes('f32'), 1 / 2);
    t.equal(bytes('q8_0') / bytes('f32'), 34 / 128);
    const [{ headDim }] = model.kvLayers;
    t.equal(bytes('i16') / bytes('f32'), (2 * headDim + 4) / (4 * headDim));
  },
);

void t.test('what does not fit an arena is refused before anything is read', async (t) => {
  await t.rejects(load({ arenaBytes: 2 ** 20 }, 'f32'), { message: /does not fit one arena/ });
});

// --- products ----------------------------------------------------------------------------------------------------------------

const probe = probeKernels();
const ownRows = 13;
/** As many as make every type unpack its panels (assembly/format/). */
const mostTokens = 99;
const folder = mkdtempSync(join(tmpdir(), 'law-'));
t.teardown(() => rmSync(folder, { recursive: true }));
const matrices = storedMatrices(folder, ownRows, 'mild');
const products = planProducts();

for (const kernels of builtKernels()) {
  const missing = whyNot(kernels, probe);
  if (missing !== undefined) {
    void t.skip(missing, () => undefined);
    continue;
  }
  void t.test(`products with every stored type, kernels build ${kernels}`, async (t) => {
    const alone = await loadProducts({ kernels, threads: 1 });
    const expected: Uint32Array[] = [];
    for (let token = 0; token < mostTokens; token++) expected.push((await multiply(alone, [token]))[0]);
    t.notOk(same(expected[0], expected[1]), 'products of different rows differ at all');
    await alone.close();
    const { scratchBytes, weightBytes } = planLayout(products, 3, kernels).memory;
    const arenaBytes = scratchBytes + Math.ceil(0.6 * weightBytes);
    t.ok(planLayout(products, 3, kernels, arenaBytes).arenas.length > 1, 'the three layers do not fit one small arena');
    const configurations: readonly (readonly [string, Partial<WasmOptions>])[] = [
      ['1 thread', { threads: 1 }],
      ['2 threads', { threads: 2 }],
      ['3 threads, several arenas', { threads: 3, arenaBytes }],
    ];
    for (const [name, options] of configurations) {
      const executor = await loadProducts({ kernels, ...options });
      // Packs of four and of six (assembly/activation.ts) with every rest.
      for (const count of [...upTo(1, 17), ...upTo(47, 53), mostTokens]) {
        // Every token at every place of the tiles.
        const tokens = Array.from({ length: count }, (_, i) => (i + count) % mostTokens);
        const found = await multiply(executor, tokens);
        const wrong = found.flatMap((row, i) => typesThatDiffer(row, expected[tokens[i]]));
        t.same([...new Set(wrong)], [], `${name}, ${count} tokens`);
      }
      await executor.close();
    }
  });
}

const relaxed: readonly KernelBuild[] = ['rel16', 'vnni'];
const lacking = relaxed.map((kernels) => whyNot(kernels, probe)).find((reason) => reason !== undefined);
void t.test('rel16 and vnni give equal bits', { skip: lacking ?? false }, async (t) => {
  const tokens = Array.from({ length: mostTokens }, (_, i) => i);
  const [a, b] = await Promise.all(
    relaxed.map(async (kernels) => {
      const executor = await loadProducts({ kernels });
      const rows = await multiply(executor, tokens);
      await executor.close();
      return rows;
    }),
  );
  t.same([...new Set(a.flatMap((row, i) => typesThatDiffer(row, b[i])))], []);
});

function loadProducts(options: Partial<WasmOptions>): Promise<Executor> {
  return createWasmBackend({ threads: 2, kernels: 'auto', ...options }).load(products, () => undefined);
}

function upTo(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

/** One matrix of each type times the same rows, side by side. */
function planProducts(): BackendPlan {
  const ops = new Ops();
  const values = randoms(mostTokens * storedCols, 3);
  const spec = { name: 'x', kind: 'matrix', dtype: 'F32', rows: mostTokens, cols: storedCols, layer: -1 } as const;
  const x = ops.select(ops.embed(ops.weight({ ...spec, source: { type: 'values', values } })));
  const sum = matrices
    .map(({ spec }, index) => ops.weight({ ...spec, layer: Math.floor((3 * index) / matrices.length) }))
    .map((matrix) => ops.linear(x, matrix))
    .reduce((sum, y) => ops.add(sum, y));
  return {
    ...ops.finish(sum),
    layers: 3,
    kvLayers: [],
    kvCache: 'f32',
    kvBlocks: 2,
    limits: { tokens: mostTokens, sequences: 1, outputs: mostTokens, blocksPerSequence: 2 },
  };
}

/** Rows of bits: the products with these rows of x. */
async function multiply(executor: Executor, tokens: readonly number[]): Promise<Uint32Array[]> {
  const found = await executor.forward({
    ids: Int32Array.from(tokens),
    positions: Int32Array.from(tokens.keys()),
    sequences: new Int32Array(tokens.length),
    blockTables: [Int32Array.of(0, 1)],
    outputs: Int32Array.from(tokens.keys()),
  });
  const width = found.length / tokens.length;
  return tokens.map((_, i) => new Uint32Array(found.slice(i * width, (i + 1) * width).buffer));
}

function typesThatDiffer(found: Uint32Array, expected: Uint32Array): string[] {
  const own = (row: Uint32Array, { first }: StoredMatrix): Uint32Array => row.subarray(first, first + ownRows);
  return matrices.filter((matrix) => !same(own(found, matrix), own(expected, matrix))).map(({ dtype }) => dtype);
}

function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state >>> 8;
  };
}
