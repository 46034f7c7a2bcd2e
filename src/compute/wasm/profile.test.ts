// What `bench profile` reads: times of every record where they were asked for, and the same logits either way.

import { join } from 'node:path';
import t from 'tap';
import { buildModel } from '../../model/model.ts';
import { projectRoot } from '../../testing/fixtures.ts';
import { openCheckpoint } from '../../weights/gguf.ts';
import type { Batch } from '../backend.ts';
import { createWasmBackend, type WasmExecutor } from './backend.ts';

const model = buildModel(await openCheckpoint(join(projectRoot, 'models', 'demo-3m-Q8_0.gguf')), { contextLength: 64 });

const batch: Batch = {
  ids: Int32Array.of(5, 6, 7),
  positions: Int32Array.of(0, 1, 2),
  sequences: Int32Array.of(0, 0, 0),
  blockTables: [Int32Array.of(0)],
  outputs: Int32Array.of(2),
};

function load(profile: boolean): Promise<WasmExecutor> {
  const { weights, program, layers, kvLayers } = model;
  const limits = { tokens: 8, sequences: 1, outputs: 1, blocksPerSequence: 1 };
  // Two layers to an arena: records of several segments.
  return createWasmBackend({ threads: 4, kernels: 'auto', arenaBytes: 5.25 * 2 ** 20, profile }).load(
    { weights, program, layers, kvLayers, kvCache: 'f16', kvBlocks: 1, limits },
    () => undefined,
  );
}

/** Whether no time has been noted since the last look. */
function idle(executor: WasmExecutor): boolean {
  return executor.profile().every(({ work, wait }) => work === 0 && wait === 0);
}

void t.test('operations are timed on request, and the logits stay what they are', async (t) => {
  const plain = await load(false);
  const timed = await load(true);
  const expected = (await plain.forward(batch)).slice();
  t.same(plain.profile(), []);
  timed.profile();
  t.strictSame((await timed.forward(batch)).slice(), expected);

  const operations = timed.profile();
  t.ok(operations.every(({ work, wait }) => work > 0 && wait > 0));
  t.equal(operations.filter(({ label }) => label === 'attention').length, model.layers);
  const down = operations.filter(({ label }) => label.startsWith('ffn_down Q8_0 '));
  t.equal(down.length, model.layers);
  t.ok(down.every(({ weightBytes, multiplications }) => weightBytes > multiplications && multiplications > 0));
  t.ok(idle(timed), 'each look starts anew');
  let late = 0;
  for (let pass = 0; pass < 200; pass++) {
    await timed.forward(batch);
    timed.profile();
    if (!idle(timed)) late++;
  }
  t.equal(late, 0, 'every thread has noted its times when the pass has ended');
  await plain.close();
  await timed.close();
});
