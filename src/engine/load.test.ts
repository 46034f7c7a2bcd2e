// The whole engine with real models: file -> process -> tokens.

import {
  copyFileSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
  closeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { silentLog } from '../core/log.ts';
import { fixture } from '../testing/fixtures.ts';
import { buildModel } from '../model/model.ts';
import { Probe } from '../model/probe.ts';
import { createSampler } from '../sampling/sampler.ts';
import { openCheckpoint } from '../weights/gguf.ts';
import { createWasmBackend } from '../compute/wasm/backend.ts';
import { createEngineClient, type EngineClient } from './client.ts';
import { Engine } from './engine.ts';
import { fingerprint } from './fingerprint.ts';
import type { DeviceKind, LoadOptions, SubmitOptions, TokenScore } from './messages.ts';
import { runModel } from './runner.ts';

const entry = fileURLToPath(new URL('host.js', import.meta.url));

interface Golden {
  readonly prompt_ids: readonly number[];
  readonly greedy_ids: readonly number[];
}

/** `<|im_end|>` of the demo model. */
const endOfTurn = 1021;

function loadOptions(path: string, changes: Partial<LoadOptions> = {}): LoadOptions {
  return {
    path,
    device: 'reference',
    kernels: 'auto',
    threads: 1,
    contextLength: undefined,
    kvCache: 'f32',
    maxSequences: 4,
    maxBatchTokens: 16,
    maxWaiting: 32,
    ...changes,
  };
}

function startClient(t: Test, onProgress?: (done: number, total: number) => void): EngineClient {
  const client = createEngineClient({
    entry,
    log: silentLog,
    onProgress: ({ done, total }) => onProgress?.(done, total),
  });
  t.teardown(() => client.shutdown(0));
  return client;
}

function greedy(ids: readonly number[], maxTokens: number, changes: Partial<SubmitOptions> = {}): SubmitOptions {
  return {
    input: { ids: Int32Array.from(ids), spans: [] },
    sampling: { temperature: 0, topP: 1, topK: 0, minP: 0, seed: 0 },
    maxTokens,
    stopIds: [endOfTurn],
    output: { type: 'logits' },
    tenant: 'anonymous',
    priority: 0,
    ...changes,
  };
}

async function tokensOf(client: EngineClient, id: string, options: SubmitOptions): Promise<number[]> {
  const tokens: number[] = [];
  for await (const event of (await client.submit(id, options, new AbortController().signal)).events) {
    if (event.type === 'tokens') tokens.push(...event.ids);
  }
  return tokens;
}

for (const device of ['reference', 'wasm'] satisfies DeviceKind[]) {
  void t.test(`the demo model says through a real process what its golden file says (${device})`, async (t) => {
    const path = fixture(t, 'models/demo/demo-3m-Q8_0.gguf');
    const goldenPath = fixture(t, 'models/demo/golden.json');
    if (path === undefined || goldenPath === undefined) return;
    const golden = (JSON.parse(readFileSync(goldenPath, 'utf8')) as { Q8_0: readonly Golden[] }).Q8_0;
    const progress: number[][] = [];
    const client = startClient(t, (...numbers) => progress.push(numbers));
    const model = await client.start(loadOptions(path, { device }));
    t.match(model, {
      architecture: 'llama',
      quantization: 'Q8_0',
      vocabularySize: 1024,
      contextLength: 256,
      trainedContextLength: 256,
      device,
      fingerprint: /^fp_[0-9a-f]{16}$/,
      node: process.version,
    });
    t.ok(model.weightBytes > 3e6 && model.kvCacheBytes > 0 && model.scratchBytes > 0, 'the memory plan is told');
    const [done, total] = progress.at(-1) ?? [];
    t.ok(total > 3e6 && done === total, 'loading told its progress to the end');

    const all = await Promise.all(
      golden.map(({ prompt_ids, greedy_ids }, i) => tokensOf(client, `g${i}`, greedy(prompt_ids, greedy_ids.length))),
    );
    t.same(
      all,
      golden.map(({ greedy_ids }) => greedy_ids),
      'all at once, in chunks and batches',
    );
    const [first] = golden;
    t.same(
      await tokensOf(client, 'alone', greedy(first.prompt_ids, 100)),
      first.greedy_ids,
      'alone, to the end of its turn',
    );
  });
}

void t.test(
  'log probabilities are a softmax of the logits, of prompt and answer, whatever bends the choice',
  async (t) => {
    const path = fixture(t, 'models/demo/demo-3m-Q8_0.gguf');
    if (path === undefined) return;
    const client = startClient(t);
    await client.start(loadOptions(path, { device: 'wasm' }));
    const prompt = [1019, 1020, 264, 10, 72, 105, 1021, 10, 1020, 269, 10];
    const sampling = { temperature: 1.7, topP: 0.9, topK: 0, minP: 0, seed: 3, presencePenalty: 1.5 };
    const request = greedy(prompt, 20, { sampling, stopIds: [], logprobs: 4, promptLogprobs: true });
    const tokens: number[] = [];
    const scores: TokenScore[] = [];
    for await (const event of (await client.submit('a', request, new AbortController().signal)).events) {
      if (event.type === 'prompt') scores.push(...event.scores);
      if (event.type !== 'tokens') continue;
      tokens.push(...event.ids);
      scores.push(...(event.scores ?? []));
    }
    const text = [...prompt, ...tokens];
    t.equal(scores.length, text.length - 1);
    const model = buildModel(await openCheckpoint(path));
    const probe = await Probe.load(model, createWasmBackend({ threads: 1, kernels: 'auto' }), {
      kvCache: 'f32',
      batchTokens: 16,
    });
    const rows = await probe.feed(text.slice(0, -1), [...scores.keys()]);
    await probe.close();
    for (const [i, { logprob, topIds, topLogprobs }] of scores.entries()) {
      const order = [...rows[i].keys()].sort((a, b) => rows[i][b] - rows[i][a] || a - b);
      const sum = rows[i].reduce((all, logit) => all + Math.exp(logit), 0);
      const expected = (id: number): number => rows[i][id] - Math.log(sum);
      t.same(topIds, order.slice(0, 4));
      const differences = [...topIds, text[i + 1]].map((id, at) =>
        Math.abs(expected(id) - [...topLogprobs, logprob][at]),
      );
      t.ok(Math.max(...differences) < 1e-5, `${Math.max(...differences)}`);
    }
  },
);

void t.test('sampled tokens depend on the seed, and not on what else is running', async (t) => {
  const path = fixture(t, 'models/demo/demo-3m-Q8_0.gguf');
  if (path === undefined) return;
  const client = startClient(t);
  await client.start(loadOptions(path, { device: 'wasm' }));
  const request = (seed: number): SubmitOptions =>
    greedy([1019, 1020, 264, 10, 72, 105, 1021, 10, 1020, 269, 10], 40, {
      stopIds: [],
      sampling: { temperature: 2, topP: 1, topK: 0, minP: 0, seed },
    });
  const alone: number[][] = [];
  for (const seed of [1, 2, 3]) alone.push(await tokensOf(client, `alone ${seed}`, request(seed)));
  t.not(String(alone[0]), String(alone[1]));
  const together = await Promise.all([1, 2, 3].map((seed) => tokensOf(client, `together ${seed}`, request(seed))));
  t.same(together, alone);
});

void t.test('tokens do not depend on batch neighbours, chunks or pre-emption (WASM)', async (t) => {
  const path = fixture(t, 'models/demo/demo-3m-Q8_0.gguf');
  if (path === undefined) return;
  const { weights, program, layers, kvLayers, contextLength } = buildModel(await openCheckpoint(path));
  const blocksPerSequence = contextLength / 64;
  /** All requests at once in an engine of this shape. */
  const run = async (
    shape: { readonly threads: number; readonly sequences: number; readonly tokens: number; readonly kvBlocks: number },
    requests: readonly SubmitOptions[],
  ): Promise<{ readonly answers: readonly number[][]; readonly evictions: number }> => {
    const { threads, sequences, tokens, kvBlocks } = shape;
    const limits = { tokens, sequences, outputs: sequences, blocksPerSequence };
    const backend = createWasmBackend({ threads, kernels: 'auto' });
    const executor = await backend.load(
      { weights, program, layers, kvLayers, kvCache: 'f32', kvBlocks, limits },
      () => undefined,
    );
    const answers: number[][] = requests.map(() => []);
    const engine = new Engine({
      runner: runModel(executor, 1024),
      sampler: createSampler(1024),
      emit: (message) => {
        if (message.type === 'tokens') answers[Number(message.id)].push(...message.ids);
      },
      contextLength,
      kvBlocks,
      maxSequences: sequences,
      maxBatchTokens: tokens,
      maxWaiting: requests.length,
    });
    for (const [i, request] of requests.entries()) engine.submit(String(i), request);
    let evictions = 0;
    while (!engine.isIdle) {
      const { waiting } = engine.stats;
      await engine.step();
      if (engine.stats.waiting > waiting) evictions++;
    }
    await executor.close();
    return { answers, evictions };
  };

  const requests = Array.from({ length: 5 }, (_, i) =>
    greedy(
      Array.from({ length: 20 + 23 * i }, (_, at) => (at * 37 + i * 11) % 1000),
      60,
      { stopIds: [], sampling: { temperature: i % 2, topP: 1, topK: 0, minP: 0, seed: i } },
    ),
  );
  const alone = await run({ threads: 1, sequences: 1, tokens: 256, kvBlocks: 4 }, requests);
  t.equal(alone.evictions, 0);
  t.same(
    alone.answers.map(({ length }) => length),
    requests.map(() => 60),
  );
  const together = await run({ threads: 2, sequences: 5, tokens: 23, kvBlocks: 6 }, requests);
  t.ok(together.evictions > 0, 'blocks ran out');
  t.same(together.answers, alone.answers);
});

void t.test('what cannot be loaded says why', async (t) => {
  const path = fixture(t, 'models/demo/demo-3m-Q8_0.gguf');
  if (path === undefined) return;
  const folder = mkdtempSync(join(tmpdir(), 'load-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const broken = join(folder, 'broken.gguf');
  writeFileSync(broken, 'GGUF? no.');
  const cases: readonly (readonly [RegExp, LoadOptions])[] = [
    [/missing\.gguf/, loadOptions(join(folder, 'missing.gguf'))],
    [/broken\.gguf/, loadOptions(broken)],
    [/at least 4, not 3/, loadOptions(path, { maxBatchTokens: 3 })],
    [/at least 1, not 0/, loadOptions(path, { threads: 0 })],
    [/context/, loadOptions(path, { contextLength: 0 })],
  ];
  for (const [message, options] of cases) {
    const client = startClient(t);
    await t.rejects(client.start(options), message);
    t.equal(client.state, 'failed');
  }
});

void t.test(
  'a fingerprint changes with every byte that is sampled, the KV type and the kernels, and with nothing else',
  async (t) => {
    const path = fixture(t, 'models/demo/demo-3m-Q8_0.gguf');
    if (path === undefined) return;
    const folder = mkdtempSync(join(tmpdir(), 'fingerprint-'));
    t.teardown(() => rmSync(folder, { recursive: true }));
    const copy = join(folder, 'another-name.gguf');
    copyFileSync(path, copy);
    const of = async (
      file: string,
      contextLength = 256,
      kvCache = 'f32',
      numerics = 'wasm-strict',
    ): Promise<string> => {
      const checkpoint = await openCheckpoint(file);
      return await fingerprint(checkpoint, {
        weights: buildModel(checkpoint, { contextLength }).weights,
        kvCache,
        numerics,
      });
    };
    const original = await of(path);
    t.equal(await of(copy), original, 'the place of the file does not matter');
    t.equal(await of(path, 512), original, 'nor the length of the context where rotations do not depend on it');
    t.not(await of(path, 256, 'f16'), original);
    t.not(await of(path, 256, 'f32', 'reference'), original);
    const seen = new Set([original]);
    const content = readFileSync(copy);
    const file = openSync(copy, 'r+');
    t.teardown(() => closeSync(file));
    const { tensors } = await openCheckpoint(copy);
    for (const { offset, bytes } of tensors.values()) {
      const last = offset + bytes - 1;
      writeSync(file, Uint8Array.of(content[last] ^ 1), 0, 1, last);
      seen.add(await of(copy));
    }
    t.equal(seen.size, tensors.size + 1, 'the last byte of each tensor matters');
  },
);
