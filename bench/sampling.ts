// What choosing a token costs on the engine's thread, by CPU time: a row of logits of a real vocabulary's size, with the shape that trained
// models give it (a few likely tokens above a broad bulk), and as the worst cases a flat one, of which top_p keeps nearly everything, and one
// whose logits are within a hundred steps of f32, with thousands of equals.

import type { SamplingParams } from '../src/core/sampling.ts';
import { createSampler, type SourceOptions } from '../src/sampling/sampler.ts';
import { readArguments } from './arguments.ts';
import { seededRandom } from './random.ts';
import { median } from './statistics.ts';
import { formatTable } from './table.ts';

const open: SamplingParams = { temperature: 1, topP: 1, topK: 0, minP: 0, seed: 1 };
const penalties = {
  dry: { multiplier: 0.8, base: 1.75, allowedLength: 2, breakers: Int32Array.of(1, 2, 3) },
  frequencyPenalty: 0.5,
  presencePenalty: 0.5,
  repetitionPenalty: 1.1,
};

/** Name -> what is asked. */
const cases: Readonly<Record<string, Pick<SourceOptions, 'sampling' | 'logprobs'>>> = {
  greedy: { sampling: { ...open, temperature: 0 } },
  'temperature 1': { sampling: open },
  'temperature 0.7': { sampling: { ...open, temperature: 0.7 } },
  'top_k 40': { sampling: { ...open, topK: 40 } },
  'top_p 0.95': { sampling: { ...open, topP: 0.95 } },
  'top_p 0.5': { sampling: { ...open, topP: 0.5 } },
  'top_k 50000': { sampling: { ...open, topK: 50_000 } },
  'top_k 50000, top_p 0.9': { sampling: { ...open, topK: 50_000, topP: 0.9 } },
  'min_p 0.001': { sampling: { ...open, minP: 0.001 } },
  'min_p 0.05': { sampling: { ...open, minP: 0.05 } },
  'top_k 20, top_p 0.95, temperature 0.6': { sampling: { ...open, topK: 20, topP: 0.95, temperature: 0.6 } },
  'all penalties': {
    sampling: { ...open, ...penalties, temperature: 0 },
  },
  'greedy, 20 logprobs': { sampling: { ...open, temperature: 0 }, logprobs: 20 },
  'everything, 20 logprobs': {
    sampling: {
      ...penalties,
      temperature: 0.7,
      topK: 40,
      topP: 0.95,
      minP: 0.01,
      seed: 1,
      logitBias: Array.from({ length: 100 }, (_, i) => ({ id: 700 * i, bias: -1 })),
    },
    logprobs: 20,
  },
};

export async function benchSampling(args: readonly string[]): Promise<void> {
  const options = readArguments(args, ['vocabulary', 'text', 'rounds'], []);
  const size = options.amount('vocabulary', 151_936);
  const length = options.amount('text', 2000);
  const rounds = options.amount('rounds', 20);
  const { word } = seededRandom(1);
  const next = (): number => word() / 2 ** 32;
  const shapes = {
    typical: likeModels(size, next),
    flat: Float32Array.from({ length: size }, () => next()),
    equals: Float32Array.from({ length: size }, () => 1 + next() * 1e-5),
  };
  // Words come back in texts: a tenth of the vocabulary would be rich.
  const text = Int32Array.from({ length }, () => Math.floor(next() ** 3 * 5000));
  const sampler = createSampler(size);
  const rows = Object.entries(cases).map(([name, what]) => {
    const source = sampler.begin({ ...what, prompt: text.subarray(0, length / 2), choice: 0 });
    for (const id of text.subarray(length / 2)) source.push(id);
    const us = Object.values(shapes).map((logits) => measure(() => source.next(logits), rounds));
    return [name, ...us];
  });
  process.stdout.write(
    `${size} tokens, a text of ${length}, Node ${process.version}: microseconds of CPU time per token\n` +
      formatTable(['parameters', ...Object.keys(shapes)], rows),
  );
}

/** Normal around 0 with a deviation of 2.5, and some hundred likely ones above. */
function likeModels(size: number, next: () => number): Float32Array {
  const logits = Float32Array.from({ length: size }, () => {
    let sum = 0;
    for (let i = 0; i < 12; i++) sum += next();
    return (sum - 6) * 2.5;
  });
  for (let i = 0; i < 300; i++) logits[Math.floor(next() * size)] = 18 - 3 * Math.log(1 + i) + next();
  return logits;
}

/** Median of rounds of 50 calls. */
function measure(run: () => void, rounds: number): number | undefined {
  for (let i = 0; i < 300; i++) run();
  return median(
    Array.from({ length: rounds }, () => {
      const from = process.cpuUsage();
      for (let i = 0; i < 50; i++) run();
      const { user, system } = process.cpuUsage(from);
      return (user + system) / 50;
    }),
  );
}
