// The contract of the KV blocks: what was read from one block and written to another is the same block, whatever the backend, the type
// of the cache and the number of arenas.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { buildModel } from '../model/model.ts';
import { tinyQwen3, writeTinyModel } from '../model/tiny.ts';
import { openCheckpoint } from '../weights/gguf.ts';
import { blockTokens, type Backend, type Batch, type Executor } from './backend.ts';
import { createReferenceBackend } from './reference/backend.ts';
import { createWasmBackend } from './wasm/backend.ts';

const backends: Readonly<Record<string, () => Backend>> = {
  reference: createReferenceBackend,
  'wasm strict': () => createWasmBackend({ threads: 1, kernels: 'strict' }),
  // Too little for all layers: they are spread over several.
  'wasm auto, small arenas': () => createWasmBackend({ threads: 2, kernels: 'auto', arenaBytes: 2.65 * 2 ** 20 }),
};

const kvBlocks = 8;
const limits = { tokens: 256, sequences: 2, outputs: 2, blocksPerSequence: 4 };
const ids = Array.from({ length: 150 }, (_, i) => (i * 7 + 3) % tinyQwen3.vocabularySize);

const folder = mkdtempSync(join(tmpdir(), 'kv-blocks-'));
t.teardown(() => rmSync(folder, { recursive: true }));
const path = join(folder, 'tiny.gguf');
await writeTinyModel(path, { ...tinyQwen3, layers: 3 });
const model = buildModel(await openCheckpoint(path), { contextLength: 256 });

for (const [name, create] of Object.entries(backends)) {
  for (const kvCache of ['f32', 'f16', 'q8_0', 'i16'] as const) {
    void t.test(`${name}, ${kvCache}`, async (t) => {
      const { weights, program, layers, kvLayers } = model;
      const plan = { weights, program, layers, kvLayers, kvCache, kvBlocks, limits };
      const executor = await create().load(plan, () => undefined);
      t.teardown(() => executor.close());
      const { blocks } = executor;
      if (name.includes('small arenas')) {
        const whole = createWasmBackend({ threads: 2, kernels: 'auto' }).measure(plan);
        t.ok(executor.memory.scratchBytes >= 2 * whole.scratchBytes, 'several arenas');
      }

      const expected = await last(executor, [5, 2, 7], 0, ids);
      const contents = [5, 2, 7].map((block) => contentOf(executor, block));
      t.equal(new Set(contents.map((content) => content.toString('base64'))).size, 3, 'blocks differ');
      t.notOk(contents[1].every((byte) => byte === 0));

      // The last id is computed again over blocks that came from elsewhere.
      for (const block of [5, 2, 7]) blocks.write(block, new Uint8Array(blocks.bytes));
      t.not(await last(executor, [5, 2, 7], 149, ids), expected, 'without them it is something else');
      for (const [i, block] of [0, 6, 3].entries()) blocks.write(block, contents[i]);
      t.equal(await last(executor, [0, 6, 3], 149, ids), expected, 'other blocks, the same bits');

      blocks.copy(0, 1);
      blocks.copy(3, 4);
      t.equal(await last(executor, [1, 6, 4], 149, ids), expected, 'copies, the same bits');
      t.same(contentOf(executor, 1), contents[0]);
      t.same(contentOf(executor, 6), contents[1], 'neighbours are left alone');
      t.same(contentOf(executor, 0), contents[0]);

      // While a pass runs over others.
      const pass = last(executor, [5, 2, 7], 0, ids);
      blocks.write(3, contents[1]);
      t.same(contentOf(executor, 3), contents[1]);
      t.equal(await pass, expected);

      t.throws(() => blocks.read(kvBlocks, new Uint8Array(blocks.bytes)), /pool/);
      t.throws(() => blocks.write(0, new Uint8Array(blocks.bytes - 1)), /whole/);
      t.throws(() => blocks.copy(0, -1), /pool/);
    });
  }
}

void t.test('backends do not misread each other', async (t) => {
  const { weights, program, layers, kvLayers } = model;
  const plan = { weights, program, layers, kvLayers, kvCache: 'f32', kvBlocks, limits } as const;
  const layouts = new Set<string>();
  for (const name of ['reference', 'wasm strict']) {
    const executor = await backends[name]().load(plan, () => undefined);
    layouts.add(executor.blocks.layout);
    await executor.close();
  }
  t.equal(layouts.size, 2);
});

/** Bits of the logits of the last id, all those from `from` on being computed. */
async function last(
  executor: Executor,
  table: readonly number[],
  from: number,
  all: readonly number[],
): Promise<string> {
  const count = all.length - from;
  const batch: Batch = {
    ids: Int32Array.from(all.slice(from)),
    positions: Int32Array.from({ length: count }, (_, i) => from + i),
    sequences: new Int32Array(count),
    blockTables: [Int32Array.from(table.slice(0, Math.ceil(all.length / blockTokens)))],
    outputs: Int32Array.of(count - 1),
  };
  const logits = await executor.forward(batch);
  return Buffer.from(logits.slice().buffer).toString('base64');
}

function contentOf({ blocks }: Executor, block: number): Buffer {
  const content = Buffer.alloc(blocks.bytes);
  blocks.read(block, content);
  return content;
}
