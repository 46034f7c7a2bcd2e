// A model for tests of the engine: each next token is a hash of all ids before it, read back through the block tables from a
// cache as a real model would. A wrong block, position, chunk or neighbour gives other tokens than `expectedTokens`.

import { blockTokens, type Batch, type KvBlocks } from '../compute/backend.ts';
import { invariant } from '../core/errors.ts';
import type { SamplingParams } from '../core/sampling.ts';
import type { SubmitOptions } from '../engine/messages.ts';
import type { ModelRunner } from '../engine/runner.ts';
import { SamplingError, type Sampler, type TokenScore } from '../sampling/sampler.ts';

export const fakeVocabularySize = 97;

/** Any sequence that holds this id has NaN logits from there on. */
export const poisonId = 96;

export interface FakeRunner extends ModelRunner {
  /** Every batch so far. */
  readonly batches: readonly Batch[];
}

export function fakeRunner(
  kvBlocks: number,
  limits = { tokens: Infinity, sequences: Infinity, outputs: Infinity },
): FakeRunner {
  // Per position the hash of all ids up to it; NaN once the poison was read.
  const cache = new Float64Array(kvBlocks * blockTokens).fill(-1);
  const batches: Batch[] = [];
  return {
    vocabularySize: fakeVocabularySize,
    batches,
    blocks: blocksOf(cache),
    forward: async (batch) => {
      const { ids, positions, sequences, blockTables, outputs } = batch;
      invariant(ids.length <= limits.tokens && blockTables.length <= limits.sequences, 'a batch keeps its limits');
      invariant(outputs.length <= limits.outputs, 'a batch keeps its limits');
      batches.push(batch);
      const slot = (token: number, position: number): number => {
        const block = blockTables[sequences[token]][Math.floor(position / blockTokens)];
        invariant(block !== undefined && block < kvBlocks, 'every position has a block');
        return block * blockTokens + (position % blockTokens);
      };
      for (let token = 0; token < ids.length; token++) {
        const position = positions[token];
        const before = position === 0 ? start : cache[slot(token, position - 1)];
        invariant(before !== -1, 'positions are computed in order');
        cache[slot(token, position)] = ids[token] === poisonId || Number.isNaN(before) ? NaN : mix(before, ids[token]);
      }
      return Array.from(outputs, (token) => logitsOf(cache[slot(token, positions[token])]));
    },
    close: async () => undefined,
  };
}

function blocksOf(cache: Float64Array): KvBlocks {
  const bytes = blockTokens * cache.BYTES_PER_ELEMENT;
  const content = (block: number): Uint8Array => new Uint8Array(cache.buffer, block * bytes, bytes);
  return {
    bytes,
    layout: 'fake',
    read: (block, out) => out.set(content(block)),
    write: (block, from) => content(block).set(from),
    copy: (from, to) => content(to).set(content(from)),
  };
}

export const fakeSampler: Sampler = {
  begin: ({ sampling, choice, logprobs }) => {
    let index = 0;
    return {
      next: (logits) => {
        const id = fakeSample(logits, sampling, index, choice);
        return logprobs === undefined ? { id } : { id, score: fakeScore(logits, id, logprobs) };
      },
      push: () => {
        index++;
      },
    };
  },
  score: fakeScore,
};

/** Says what it is told to, as soon as `sampler` has an opinion of the logits. */
export function teacher(answer: readonly number[], sampler: Sampler = fakeSampler): Sampler {
  return {
    begin: (options) => {
      const source = sampler.begin(options);
      let index = 0;
      return {
        next: (logits) => ({ ...source.next(logits), id: answer[index] }),
        push: (id) => {
          source.push(id);
          index++;
        },
      };
    },
    score: (...args) => sampler.score(...args),
  };
}

/** By the book, for any number of logits. */
export function fakeScore(logits: Float32Array, id: number, top: number): TokenScore {
  if (logits.some(Number.isNaN)) throw new SamplingError('not a number');
  const logOfSum = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0));
  const topIds = [...logits.keys()].sort((a, b) => logits[b] - logits[a] || a - b).slice(0, top);
  const logprobOf = (token: number): number => logits[token] - logOfSum;
  return { logprob: logprobOf(id), topIds, topLogprobs: topIds.map(logprobOf) };
}

/** Greedy at temperature 0; else shifted by a hash of seed, index and choice: enough to see that the right ones arrive. */
function fakeSample(
  logits: Float32Array,
  { temperature, seed }: SamplingParams,
  index: number,
  choice: number,
): number {
  if (Number.isNaN(logits[0])) throw new SamplingError('not a number');
  const best = logits.indexOf(Math.max(...logits));
  return temperature === 0 ? best : (best + mix(mix(mix(start, seed), index), choice)) % poisonId;
}

/** What a lone run must give: no engine, no blocks, no batches. */
export function expectedTokens(options: SubmitOptions, contextLength: number, choice = 0): number[] {
  const { input, sampling, maxTokens, stopIds } = options;
  const tokens: number[] = [];
  let hash = start;
  for (const id of input.ids) hash = mix(hash, id);
  while (tokens.length < maxTokens && input.ids.length + tokens.length < contextLength) {
    const token = fakeSample(logitsOf(hash), sampling, tokens.length, choice);
    if (stopIds.includes(token)) break;
    tokens.push(token);
    hash = mix(hash, token);
  }
  return tokens;
}

/** What each id of the prompt but the first is to score, with `top` alternatives. */
export function expectedScores({ input }: SubmitOptions, top: number): TokenScore[] {
  let hash = start;
  return Array.from(input.ids.subarray(1), (id, i) => {
    hash = mix(hash, input.ids[i]);
    return fakeScore(logitsOf(hash), id, top);
  });
}

export function fakeRequest(ids: readonly number[], changes: Partial<SubmitOptions> = {}): SubmitOptions {
  return {
    input: { ids: Int32Array.from(ids), spans: [] },
    sampling: { temperature: 0, topP: 1, topK: 0, minP: 0, seed: 0 },
    maxTokens: 8,
    stopIds: [],
    output: { type: 'logits' },
    tenant: 'anonymous',
    priority: 0,
    ...changes,
  };
}

const start = 7;

function mix(hash: number, value: number): number {
  return (Math.imul(hash ^ (value + 0x9e3779b9), 0x85ebca6b) ^ (hash >>> 13)) >>> 0;
}

function logitsOf(hash: number): Float32Array {
  const logits = new Float32Array(fakeVocabularySize);
  if (Number.isNaN(hash)) return logits.fill(NaN);
  logits[hash % poisonId] = 1;
  return logits;
}
