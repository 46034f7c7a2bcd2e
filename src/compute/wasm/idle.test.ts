// A loaded model that nobody asks uses no processor time: threads look for work for a few microseconds, then they sleep.

import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { buildModel } from '../../model/model.ts';
import { Probe } from '../../model/probe.ts';
import { projectRoot } from '../../testing/fixtures.ts';
import { openCheckpoint } from '../../weights/gguf.ts';
import { createWasmBackend } from './backend.ts';

/** Share of one core that this process used, all its threads together. */
async function load(ms: number): Promise<number> {
  const from = performance.now();
  const before = process.cpuUsage();
  await delay(ms);
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000 / (performance.now() - from);
}

void t.test('threads without work sleep, and wake up with the same bits', async (t) => {
  const model = buildModel(await openCheckpoint(join(projectRoot, 'models', 'demo-3m-Q8_0.gguf')));
  const backend = createWasmBackend({ threads: 3, kernels: 'auto' });
  const probe = await Probe.load(model, backend, { kvCache: 'f32', batchTokens: 64 });
  t.teardown(() => probe.close());
  const ids = [1019, 1020, 264, 10, 72, 105, 1021];
  const [first] = await probe.feed(ids, [6]);
  for (const when of ['after the first pass', 'after the second']) {
    // What the compiler still does in the background ends.
    await delay(200);
    const share = await load(400);
    t.ok(share < 0.05, `${(100 * share).toFixed(1)} % of a core ${when}`);
    probe.rewind(0);
    const [again] = await probe.feed(ids, [6]);
    t.same(again, first);
  }
});
