// The law of the engine: tokens and logits of a request depend on model, request and seed, and on nothing else. Thirty random mixtures of
// requests, on real models and kernels: whatever runs beside a request, in whatever chunks, on however many threads, however often it
// loses its blocks, wherever its prompt comes from and whatever is guessed of it, each of its choices has the tokens, and the bits of the
// logits, of a lone run.

import { hash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Executor } from '../compute/backend.ts';
import { createWasmBackend } from '../compute/wasm/backend.ts';
import { buildModel, type Model } from '../model/model.ts';
import { tinyMetadata, tinyQwen3, tinyTensors, writeTinyModel, type TinyModel } from '../model/tiny.ts';
import { createSampler, type Sampler } from '../sampling/sampler.ts';
import type { SamplingParams } from '../core/sampling.ts';
import { f32ToF16 } from '../tensor/half.ts';
import { random, tokensPerPass } from '../testing/engine-bench.ts';
import { projectRoot } from '../testing/fixtures.ts';
import { openCheckpoint } from '../weights/gguf.ts';
import { writeGguf } from '../weights/gguf-writer.ts';
import { Engine } from './engine.ts';
import type { EngineStats, KvCacheType, SubmitOptions, TokenScore } from './messages.ts';
import { planBackend } from './plan.ts';
import { runModel } from './runner.ts';
import { PromptLookup } from './speculation/speculation.ts';

const contextLength = 256;
const maxSequences = 6;
const maxBatchTokens = 128;
const folder = mkdtempSync(join(tmpdir(), 'law-'));
t.teardown(() => rmSync(folder, { recursive: true }));

const tiny: TinyModel = { ...tinyQwen3, contextLength, width: 256, heads: 4, headDim: 64, feedForward: 256 };

/** File, type of the cache: every format of weights and every type of cache that the law names. */
const subjects: readonly (readonly [string, KvCacheType])[] = [
  [join(projectRoot, 'models', 'demo-3m-Q8_0.gguf'), 'i16'],
  [join(projectRoot, 'models', 'demo-3m-Q8_0.gguf'), 'q8_0'],
  [await tinyFile('F16'), 'f16'],
  [await tinyFile('Q4_K'), 'i16'],
];

for (const [index, [path, kvCache]] of subjects.entries()) {
  void t.test(`${path.split('/').at(-1)}, ${kvCache} cache`, async (t) => {
    const model = buildModel(await openCheckpoint(path), { contextLength });
    const requests = Array.from({ length: 10 }, (_, i) => makeRequest(i, model));
    const alone = await withExecutor(model, kvCache, 1, async (executor) => {
      const outcomes: Outcome[] = [];
      for (const request of requests) outcomes.push((await run(executor, model, lone, [[request]])).outcomes[0][0]);
      return outcomes;
    });
    for (const [i, { input, promptLogprobs = false }] of requests.entries())
      t.equal(alone[i].promptScores.length, promptLogprobs ? input.ids.length - 1 : 0);
    t.equal(new Set(alone.map(({ tokens }) => String(tokens))).size, requests.length, 'requests differ');

    const totals = { preemptions: 0, prefixHits: 0, drafted: 0, accepted: 0 };
    for (const threads of [1, 2, 3]) {
      await withExecutor(model, kvCache, threads, async (executor) => {
        // 8 + 8 + 7 + 7 mixtures.
        for (let number = threads; number <= (index < 2 ? 8 : 7); number += 3) {
          const next = random(100 * index + number);
          const shape: Shape = {
            sequences: 2 + next(maxSequences - 1),
            chunk: [7, 30, 128][number % 3],
            // Little more than what one sequence needs: blocks run out.
            kvBlocks: 4 + next(4),
            isCached: next(4) > 0,
            speculates: number % 3 > 0 || number > 5,
          };
          const mixed = shuffled(requests, next).slice(0, 6);
          // The second time, the cache is warm.
          const rounds = [mixed, shuffled(mixed, next)];
          const { outcomes, stats } = await run(executor, model, shape, rounds);
          for (const [round, its] of rounds.entries()) {
            for (const [i, request] of its.entries()) {
              const expected = alone[requests.indexOf(request)];
              t.same(
                outcomes[round][i],
                expected,
                `mixture ${number}, ${threads} threads, ${JSON.stringify(shape)}, ${round === 0 ? 'cold' : 'warm'}, request ${requests.indexOf(request)}`,
              );
            }
          }
          t.equal(stats.blocksUsed, 0, 'the pool is left as it began');
          totals.preemptions += stats.preemptions;
          totals.prefixHits += stats.prefixHits;
          totals.drafted += stats.draftedTokens;
          totals.accepted += stats.acceptedTokens;
        }
      });
    }
    t.comment(JSON.stringify(totals));
    t.ok(totals.preemptions > 3 && totals.prefixHits > 500, 'enough happened');
    t.ok(totals.accepted > 50 && totals.drafted > totals.accepted + 50, 'right and wrong guesses');
  });
}

/** What a request got: all choices, one after the other. */
interface Outcome {
  readonly tokens: number[];
  /** A hash of the logits of each token, as bits. */
  readonly bits: string[];
  /** Of those that asked for them. */
  readonly scores: TokenScore[];
  readonly promptScores: TokenScore[];
}

interface Shape {
  readonly sequences: number;
  readonly chunk: number;
  readonly kvBlocks: number;
  readonly isCached: boolean;
  readonly speculates: boolean;
}

const lone: Shape = {
  sequences: maxSequences,
  chunk: maxBatchTokens,
  kvBlocks: 4 * maxSequences,
  isCached: false,
  speculates: false,
};

/** As if guesses cost nothing: all of them are tested. */
const free = {
  learn: (): void => undefined,
  usual: (): number => 1,
  estimate: (_: number, more: number): number[] => Array.from({ length: more + 1 }, () => 1),
};

function makeRequest(i: number, model: Model): SubmitOptions {
  const next = random(i);
  const vocabulary = vocabularyOf(model);
  const length = [1, 63, 64, 65, 127, 128, 130, 40, 90, 150][i];
  // Some begin alike.
  const shared = random(i % 3);
  const ids = Array.from({ length }, (_, at) => (at < 100 ? shared : next)(vocabulary - 4));
  return {
    input: { ids: Int32Array.from(ids), spans: [] },
    // The seed also names the request: the sampler is told no more of it.
    sampling: { temperature: i % 4 === 0 ? 0 : 1.5, topP: 1, topK: 0, minP: 0, seed: i, ...options[i] },
    logprobs: [undefined, 5, 0, 20][i % 4],
    promptLogprobs: i % 5 === 2,
    choices: i % 4 === 1 ? 3 : 1,
    maxTokens: 25 + next(30),
    stopIds: [],
    output: { type: 'logits' },
    tenant: 'anonymous',
    priority: next(2),
  };
}

/** What each request asks of the sampler besides its temperature. */
const options: readonly Partial<SamplingParams>[] = [
  {},
  { topK: 40 },
  { topP: 0.9, frequencyPenalty: 0.5 },
  { minP: 0.02, presencePenalty: 1.5 },
  { repetitionPenalty: 1.3, logitBias: [{ id: 7, bias: 2 }] },
  { dry: { multiplier: 0.8, base: 1.75, allowedLength: 1, breakers: Int32Array.of(3, 4, 5) } },
  { topK: 30, topP: 0.95, minP: 0.01 },
  {},
  { dry: { multiplier: 2, base: 1.5, allowedLength: 2, breakers: new Int32Array() }, frequencyPenalty: -0.3 },
  {
    topP: 0.5,
    repetitionPenalty: 0.9,
    logitBias: [
      { id: 9, bias: -100 },
      { id: 11, bias: 5 },
    ],
  },
];

/** A sampler that tells what it is asked. */
function hearing(
  sampler: Sampler,
  hear: (seed: number, choice: number, index: number, logits: Uint8Array) => void,
): Sampler {
  return {
    ...sampler,
    begin: (of) => {
      const source = sampler.begin(of);
      let index = 0;
      return {
        next: (logits) => {
          const bytes = new Uint8Array(logits.buffer, logits.byteOffset, logits.byteLength);
          hear(of.sampling.seed, of.choice, index, bytes);
          return source.next(logits);
        },
        push: (id) => {
          index++;
          source.push(id);
        },
      };
    },
  };
}

function vocabularyOf({ program }: Model): number {
  return program.buffers[program.logits].cols;
}

async function run(
  executor: Executor,
  model: Model,
  { sequences, chunk, kvBlocks, isCached, speculates }: Shape,
  rounds: readonly (readonly SubmitOptions[])[],
): Promise<{ readonly outcomes: readonly Outcome[][]; readonly stats: EngineStats }> {
  const said = new Map<string, Outcome>();
  const note = (id: string): Outcome => {
    const outcome = said.get(id) ?? { tokens: [], bits: [], scores: [], promptScores: [] };
    said.set(id, outcome);
    return outcome;
  };
  let round = 0;
  const vocabulary = vocabularyOf(model);
  const sampler = createSampler(vocabulary);
  const engine = new Engine({
    runner: runModel(executor, vocabulary),
    sampler: hearing(sampler, (seed, choice, index, logits) => {
      note(`${round} ${seed} ${choice}`).bits[index] = hash('sha1', logits);
    }),
    emit: (message) => {
      if (message.type === 'tokens') {
        const { tokens, scores } = note(`${message.id} ${message.choice}`);
        tokens.push(...message.ids);
        scores.push(...(message.scores ?? []));
      }
      if (message.type === 'prompt') note(`${message.id} 0`).promptScores.push(...message.scores);
      if (message.type === 'failed' || message.type === 'rejected') throw new Error(message.error.message);
    },
    contextLength,
    kvBlocks,
    maxSequences: Math.max(sequences, 3),
    maxBatchTokens: chunk,
    maxOutputs: 16,
    maxWaiting: 100,
    prefixCache: isCached ? { salt: '' } : undefined,
    pace: tokensPerPass(Infinity),
    speculation: speculates ? new PromptLookup(free) : undefined,
  });
  for (const requests of rounds) {
    for (const request of requests) {
      engine.submit(`${round} ${request.sampling.seed}`, request);
      await engine.step();
    }
    while (!engine.isIdle) await engine.step();
    round++;
  }
  const outcomes = rounds.map((requests, number) =>
    requests.map(({ sampling, choices = 1 }) => {
      const all = Array.from({ length: choices }, (_, choice) => note(`${number} ${sampling.seed} ${choice}`));
      return {
        tokens: all.flatMap(({ tokens }) => tokens),
        bits: all.flatMap(({ bits }) => bits),
        scores: all.flatMap(({ scores }) => scores),
        promptScores: all.flatMap(({ promptScores }) => promptScores),
      };
    }),
  );
  return { outcomes, stats: engine.stats };
}

async function withExecutor<T>(
  model: Model,
  kvCache: KvCacheType,
  threads: number,
  use: (executor: Executor) => Promise<T>,
): Promise<T> {
  const plan = planBackend(model, { kvCache, maxSequences, maxBatchTokens });
  const executor = await createWasmBackend({ threads, kernels: 'auto' }).load(plan, () => undefined);
  try {
    return await use(executor);
  } finally {
    await executor.close();
  }
}

function shuffled<T>(items: readonly T[], next: (below: number) => number): T[] {
  const left = [...items];
  return items.map(() => left.splice(next(left.length), 1)[0]);
}

async function tinyFile(dtype: 'F16' | 'Q4_K'): Promise<string> {
  const path = join(folder, `tiny-${dtype}.gguf`);
  if (dtype === 'F16') await writeTinyModel(path, { ...tiny, dtype });
  else {
    const next = random(4);
    const values = tinyTensors(tiny);
    const vectors = new Map([...values].map(([{ name }, made]) => [name, made]));
    const tensors = [...values.keys()].map((each) => (each.shape.length > 1 ? { ...each, dtype } : each));
    await writeGguf(path, { metadata: tinyMetadata(tiny), tensors }, ({ name, shape }) => {
      const made = vectors.get(name) ?? new Float32Array();
      return [shape.length > 1 ? randomQ4K(made.length / 256, shape[0], next) : new Uint8Array(made.buffer)];
    });
  }
  return path;
}

/** Blocks of random codes: d, dmin (f16), 12 bytes of scales and minima, 128 of nibbles. With these two, values have mean 0 and a variance near 1 / cols. */
function randomQ4K(blocks: number, cols: number, next: (below: number) => number): Uint8Array {
  const bytes = Uint8Array.from({ length: 144 * blocks }, () => next(256));
  const view = new DataView(bytes.buffer);
  const d = 1 / (230 * Math.sqrt(cols));
  for (let block = 0; block < blocks; block++) {
    view.setUint16(144 * block, f32ToF16(d), true);
    view.setUint16(144 * block + 2, f32ToF16(7.5 * d), true);
  }
  return bytes;
}
