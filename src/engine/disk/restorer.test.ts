// A prompt that was computed before a restart is read from the disk: the same tokens, the same bits, fewer positions computed, and nobody
// else waits for it or learns of it.

import { hash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { createWasmBackend } from '../../compute/wasm/backend.ts';
import { silentLog } from '../../core/log.ts';
import { buildModel } from '../../model/model.ts';
import { createSampler, type Sampler } from '../../sampling/sampler.ts';
import { EngineBench, promptIds, random } from '../../testing/engine-bench.ts';
import { expectedTokens, fakeRequest, fakeRunner } from '../../testing/fake-model.ts';
import { projectRoot } from '../../testing/fixtures.ts';
import { openCheckpoint } from '../../weights/gguf.ts';
import { createEngineClient } from '../client.ts';
import { Engine, type EngineOptions } from '../engine.ts';
import type { KvCacheType, LoadOptions, SubmitOptions } from '../messages.ts';
import { planBackend } from '../plan.ts';
import { runModel } from '../runner.ts';
import type { BlockKind } from './block-file.ts';
import { DiskCache } from './disk-cache.ts';
import type { BlockArchive } from './restorer.ts';

function newFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'restorer-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function openIn(folder: string, changes: Partial<BlockKind> = {}, maxBytes = 1e9): Promise<DiskCache> {
  const { bytes, layout } = fakeRunner(1).blocks;
  const kind = { fingerprint: 'fp_fake', bytes, layout, ...changes };
  return await DiskCache.open({ folder, maxBytes, kind, warn: () => undefined });
}

/** An engine that begins with nothing in memory. */
function start(disk: BlockArchive, changes: Partial<EngineOptions> = {}): EngineBench {
  return new EngineBench({ prefixCache: { salt: 'f32', disk }, maxBatchTokens: 256, ...changes });
}

/** Passes in tokens that the request took. */
async function ask(bench: EngineBench, id: string, request: SubmitOptions): Promise<number[]> {
  const from = bench.runner.batches.length;
  bench.engine.submit(id, request);
  await bench.run();
  return bench.runner.batches.slice(from).map(({ ids }) => ids.length);
}

void t.test('what was computed before a restart is not computed again', async (t) => {
  const folder = newFolder(t);
  const disk = await openIn(folder);
  const request = fakeRequest(promptIds(200), { maxTokens: 30 });
  const before = start(disk);
  t.equal((await ask(before, 'a', request))[0], 200);
  t.match(before.engine.stats, { prefixQueries: 200, prefixHits: 0, prefixDiskQueries: 200, prefixDiskHits: 0 });
  await disk.close();

  const after = start(await openIn(folder));
  const passes = await ask(after, 'b', request);
  t.equal(passes[0], 200 - 192);
  t.equal(after.cachedTokens('b'), 192);
  t.match(after.said[0], { type: 'accepted', cachedTokens: 192 }, 'known when it is asked');
  t.same(after.outcome('b'), { tokens: expectedTokens(request, 256), end: 'length' });
  t.match(after.engine.stats, { prefixQueries: 200, prefixHits: 0, prefixDiskQueries: 200, prefixDiskHits: 192 });
  t.equal(after.engine.stats.blocksUsed, 0);

  t.equal((await ask(after, 'c', request))[0], 200 - 192, 'now it is in memory');
  t.match(after.engine.stats, { prefixQueries: 400, prefixHits: 192, prefixDiskQueries: 208, prefixDiskHits: 192 });

  const next = fakeRequest([...promptIds(200), ...expectedTokens(request, 256), 5, 6]);
  const later = start(await openIn(folder));
  await ask(later, 'd', next);
  t.equal(later.cachedTokens('d'), 192, 'answers are kept, too, as far as their blocks are full');
  t.same(later.outcome('d').tokens, expectedTokens(next, 256));
});

void t.test('memory and disk continue each other', async (t) => {
  const disk = await openIn(newFolder(t));
  const bench = start(disk, { kvBlocks: 4 });
  const long = fakeRequest(promptIds(250), { maxTokens: 1 });
  await ask(bench, 'a', long);
  await disk.flush();
  // The end of it is forgotten, the beginning is not.
  await ask(bench, 'b', fakeRequest(promptIds(100, 1), { maxTokens: 1 }));
  await ask(bench, 'c', long);
  t.same(bench.outcome('c').tokens, expectedTokens(long, 256));
  t.equal(bench.cachedTokens('c'), 192);
  const { prefixHits, prefixDiskHits } = bench.engine.stats;
  t.ok(prefixHits > 0 && prefixDiskHits > 0, `${prefixHits} and ${prefixDiskHits}`);
  t.equal(prefixHits + prefixDiskHits, 192);
});

void t.test('what was only in memory when the disk had no time for it is written when it is used again', async (t) => {
  const folder = newFolder(t);
  const request = fakeRequest(promptIds(200), { maxTokens: 1 });
  const disk = await openIn(folder);
  let isDeaf = true;
  const archive: BlockArchive = {
    has: (key) => disk.has(key),
    read: (key) => disk.read(key),
    keep: (key, fill) => void (isDeaf || disk.keep(key, fill)),
  };
  const bench = start(archive);
  await ask(bench, 'a', request);
  isDeaf = false;
  await disk.flush();
  t.equal(readdirSync(folder).length, 0);
  await ask(bench, 'b', request);
  await disk.flush();
  t.equal(readdirSync(folder).length, 3);
});

void t.test(
  'tenants, salts and models find nothing of each other, pass for pass as if nothing was there',
  async (t) => {
    const folder = newFolder(t);
    const request = fakeRequest(promptIds(200), { tenant: 'ann' });
    const cold = await ask(start(await openIn(newFolder(t))), 'a', request);
    const disk = await openIn(folder);
    await ask(start(disk), 'a', request);
    await disk.close();
    const others: readonly (readonly [string, EngineBench, SubmitOptions])[] = [
      ['tenant', start(await openIn(folder)), { ...request, tenant: 'bob' }],
      [
        'salt',
        new EngineBench({ prefixCache: { salt: 'f16', disk: await openIn(folder) }, maxBatchTokens: 256 }),
        request,
      ],
      ['model', start(await openIn(folder, { fingerprint: 'fp_other' })), request],
    ];
    for (const [name, bench, options] of others) {
      t.same(await ask(bench, 'b', options), cold, name);
      t.equal(bench.cachedTokens('b'), 0);
      t.same(bench.said[0], { type: 'accepted', id: 'b', cachedTokens: 0 });
    }
    const own = start(await openIn(folder));
    await ask(own, 'b', request);
    t.equal(own.cachedTokens('b'), 192);
  },
);

void t.test('a damaged block ends what is read; the rest is computed', async (t) => {
  const folder = newFolder(t);
  const request = fakeRequest(promptIds(250), { maxTokens: 3 });
  for (const [index, cached] of [
    [0, 0],
    [1, 64],
    [2, 128],
  ]) {
    const disk = await openIn(folder);
    await ask(start(disk), 'a', request);
    await disk.close();
    const name = readdirSync(folder).find((each) => each.startsWith(`tramontane-${index}-`)) ?? '';
    const bytes = readFileSync(join(folder, name));
    bytes[bytes.length - 1] ^= 4;
    writeFileSync(join(folder, name), bytes);
    const again = await openIn(folder);
    const bench = start(again);
    await ask(bench, 'b', request);
    t.equal(bench.cachedTokens('b'), cached);
    t.same(bench.outcome('b').tokens, expectedTokens(request, 256));
    await again.close();
    const healed = start(await openIn(folder));
    await ask(healed, 'c', request);
    t.equal(healed.cachedTokens('c'), 192, 'it was written anew');
  }
});

/** Reads end when the test says so. */
class SlowDisk implements BlockArchive {
  readonly #disk: DiskCache;
  readonly #open: (() => void)[] = [];

  constructor(disk: DiskCache) {
    this.#disk = disk;
  }

  has(key: string): boolean {
    return this.#disk.has(key);
  }

  keep(...args: Parameters<DiskCache['keep']>): void {
    this.#disk.keep(...args);
  }

  async read(key: string): Promise<Uint8Array | undefined> {
    await new Promise<void>((resolve) => this.#open.push(resolve));
    return await this.#disk.read(key);
  }

  get waiting(): number {
    return this.#open.length;
  }

  next(): void {
    this.#open.shift()?.();
  }
}

async function slowDisk(t: Test, request: SubmitOptions): Promise<SlowDisk> {
  const folder = newFolder(t);
  const disk = await openIn(folder);
  await ask(start(disk), 'a', request);
  await disk.close();
  return new SlowDisk(await openIn(folder));
}

void t.test('others are served while blocks are read', async (t) => {
  const request = fakeRequest(promptIds(200), { maxTokens: 5 });
  const disk = await slowDisk(t, request);
  const bench = start(disk);
  bench.engine.submit('slow', request);
  const other = fakeRequest(promptIds(20, 3), { maxTokens: 12 });
  bench.engine.submit('other', other);
  for (let i = 0; i < 12; i++) await bench.engine.step();
  t.same(bench.outcome('other'), { tokens: expectedTokens(other, 256), end: 'length' });
  t.equal(bench.cachedTokens('slow'), undefined, 'it has not begun');
  t.match(bench.engine.stats, { running: 1 });
  const idle = bench.engine.step();
  disk.next();
  await idle;
  t.equal(bench.cachedTokens('slow'), undefined, 'one block of three');
  const end = bench.run();
  while (!bench.engine.isIdle) {
    disk.next();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await end;
  t.equal(bench.cachedTokens('slow'), 192);
  t.same(bench.outcome('slow').tokens, expectedTokens(request, 256));
});

void t.test('a disk that is slower than computing is left alone', async (t) => {
  const request = fakeRequest(promptIds(200), { maxTokens: 5 });
  const disk = await slowDisk(t, request);
  const bench = start(disk);
  bench.engine.submit('a', request);
  const step = bench.engine.step();
  bench.now += 1500;
  disk.next();
  await step;
  await bench.run();
  t.equal(bench.cachedTokens('a'), 64, 'what came is used');
  t.equal(disk.waiting, 0);
  t.same(bench.outcome('a').tokens, expectedTokens(request, 256));
});

void t.test('who leaves, or comes too late, while its blocks are read leaves nothing behind', async (t) => {
  const request = fakeRequest(promptIds(200), { maxTokens: 5 });
  const disk = await slowDisk(t, request);
  const bench = start(disk, { kvBlocks: 4 });
  bench.engine.submit('leaves', request);
  const step = bench.engine.step();
  t.equal(disk.waiting, 1);
  bench.engine.cancel('leaves');
  t.equal(bench.engine.stats.blocksUsed, 0);
  // Its blocks are somebody else's when the content comes.
  const other = fakeRequest(promptIds(250, 9), { maxTokens: 3 });
  bench.engine.submit('other', other);
  disk.next();
  await step;
  await bench.run();
  t.same(bench.outcome('other').tokens, expectedTokens(other, 256));
  t.same(bench.outcome('leaves'), { tokens: [], end: undefined });

  bench.engine.submit('late', { ...request, deadlineMs: 50 });
  const first = bench.engine.step();
  bench.now += 100;
  disk.next();
  await first;
  await bench.engine.step();
  t.equal(bench.outcome('late').end, 'deadline_exceeded');
  t.equal(bench.engine.stats.blocksUsed, 0);
  t.ok(bench.engine.isIdle);
});

void t.test(
  'random mixtures over one folder, restarted again and again: everybody has the tokens of a lone run',
  async (t) => {
    const folder = newFolder(t);
    const totals = { disk: 0, memory: 0, preemptions: 0 };
    for (let number = 0; number < 40; number++) {
      const next = random(number);
      // The bound is too small for all that is written.
      const disk = await openIn(folder, {}, 40 * 4096);
      const bench = start(disk, { kvBlocks: 4 + next(5), maxBatchTokens: 8 + next(100), maxSequences: 1 + next(4) });
      const requests = Array.from({ length: 8 }, () =>
        fakeRequest(promptIds(1 + next(200), next(3)), {
          maxTokens: 1 + next(50),
          tenant: `t${next(2)}`,
          priority: next(2),
          choices: 1 + (next(4) === 0 ? next(Math.min(3, bench.engine.stats.blocksTotal)) : 0),
          sampling: { temperature: 1, topP: 1, topK: 0, minP: 0, seed: next(5) },
        }),
      );
      const cancelled = new Set<string>();
      for (const [i, request] of requests.entries()) {
        bench.engine.submit(`r${i}`, request);
        for (let steps = next(4); steps > 0; steps--) await bench.engine.step();
        if (next(8) > 0) continue;
        bench.engine.cancel(`r${i}`);
        cancelled.add(`r${i}`);
      }
      await bench.run();
      for (const [i, request] of requests.entries()) {
        const id = `r${i}`;
        if (cancelled.has(id) || bench.outcome(id).end === 'too_many_choices') continue;
        for (let choice = 0; choice < (request.choices ?? 1); choice++) {
          const { tokens } = bench.outcome(id, choice);
          const wanted = expectedTokens(request, 256, choice);
          if (String(tokens) !== String(wanted))
            t.fail(`mixture ${number}, request ${i}, choice ${choice}`, { tokens, wanted });
        }
      }
      const { stats } = bench.engine;
      if (stats.blocksUsed > 0) t.fail('the pool is left as it began');
      totals.disk += stats.prefixDiskHits;
      totals.memory += stats.prefixHits;
      totals.preemptions += stats.preemptions;
      if (next(2) === 0) await disk.close();
      if (readdirSync(folder).length > 42) t.fail('the bound holds');
    }
    t.comment(totals);
    t.ok(totals.disk > 2000 && totals.memory > 1000 && totals.preemptions > 3, 'enough happened');
  },
);

const demo = join(projectRoot, 'models', 'demo-3m-Q8_0.gguf');

function hearing(sampler: Sampler, hear: (logits: Uint8Array) => void): Sampler {
  return {
    ...sampler,
    begin: (options) => {
      const source = sampler.begin(options);
      return {
        push: (id) => source.push(id),
        next: (logits) => {
          hear(new Uint8Array(logits.buffer, logits.byteOffset, logits.byteLength));
          return source.next(logits);
        },
      };
    },
  };
}

for (const kvCache of ['f32', 'f16', 'q8_0', 'i16'] satisfies KvCacheType[]) {
  void t.test(`real kernels, ${kvCache} cache: the bits of all logits are those of a cold run`, async (t) => {
    const folder = newFolder(t);
    const model = buildModel(await openCheckpoint(demo), { contextLength: 256 });
    const vocabularySize = model.program.buffers[model.program.logits].cols;
    const plan = planBackend(model, { kvCache, maxSequences: 2, maxBatchTokens: 64 });
    const ids = Int32Array.from({ length: 200 }, (_, i) => 4 + ((i * 37) % 900));
    const request: SubmitOptions = { ...fakeRequest([...ids]), maxTokens: 20 };
    const run = async (): Promise<{ bits: string[]; cached: number; tokens: number[] }> => {
      const executor = await createWasmBackend({ threads: 2, kernels: 'auto' }).load(plan, () => undefined);
      const { bytes, layout } = executor.blocks;
      const disk = await openIn(folder, { bytes, layout });
      const bits: string[] = [];
      const tokens: number[] = [];
      let cached = 0;
      const engine = new Engine({
        runner: runModel(executor, vocabularySize),
        sampler: hearing(createSampler(vocabularySize), (logits) => bits.push(hash('sha1', logits))),
        emit: (message) => {
          if (message.type === 'begun') cached = message.cachedTokens;
          if (message.type === 'tokens') tokens.push(...message.ids);
        },
        contextLength: 256,
        kvBlocks: plan.kvBlocks,
        maxSequences: 2,
        maxBatchTokens: 64,
        maxWaiting: 1,
        prefixCache: { salt: kvCache, disk },
      });
      engine.submit('a', request);
      while (!engine.isIdle) await engine.step();
      await disk.close();
      await executor.close();
      return { bits, cached, tokens };
    };
    const cold = await run();
    t.equal(cold.cached, 0);
    t.equal(cold.bits.length, 20);
    t.same(await run(), { ...cold, cached: 192 });
  });
}

void t.test('through a real process: asked, ended, started again', async (t) => {
  const folder = newFolder(t);
  const entry = fileURLToPath(new URL('../host.js', import.meta.url));
  const warnings: string[] = [];
  const log = { ...silentLog, warn: (text: string) => void warnings.push(text), with: () => log };
  const options: LoadOptions = {
    path: demo,
    device: 'wasm',
    kernels: 'auto',
    threads: 1,
    contextLength: 256,
    kvCache: 'f16',
    maxSequences: 2,
    maxBatchTokens: 64,
    maxWaiting: 4,
    prefixCacheFolder: { path: folder, maxBytes: 1e8 },
  };
  const session = async (changes: Partial<LoadOptions> = {}): Promise<{ cached: number; tokens: number[] }> => {
    const client = createEngineClient({ entry, log });
    t.teardown(() => client.shutdown(0));
    await client.start({ ...options, ...changes });
    const tokens: number[] = [];
    const { events } = await client.submit('a', fakeRequest(promptIds(200)), new AbortController().signal);
    let cached = -1;
    for await (const event of events) {
      if (event.type === 'begun') cached = event.cachedTokens;
      if (event.type === 'tokens') tokens.push(...event.ids);
    }
    await client.shutdown(10_000);
    return { cached, tokens };
  };
  const first = await session();
  t.equal(first.cached, 0);
  t.same(await session(), { ...first, cached: 192 });
  t.same(await session({ kvCache: 'f32' }).then(({ cached }) => cached), 0, 'another cache, other bits');
  for (const name of readdirSync(folder)) writeFileSync(join(folder, name), 'x'.repeat(65_664));
  t.same(warnings, []);
  t.same(await session(), first);
  t.match(warnings, [/is not used/]);
  t.same(await session(), { ...first, cached: 192 }, 'and written anew');
  await t.rejects(session({ prefixCacheFolder: { path: folder, maxBytes: 60_000 } }), /--prefix-cache-dir-limit/);
  rmSync(folder, { recursive: true });
  warnings.length = 0;
  t.same(await session(), first, 'a folder that is gone after the start is no reason not to serve');
  t.match(warnings, [/nothing is kept on disk/]);
});
