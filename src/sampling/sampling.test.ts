// The sampler against a slow twin that follows the documented order in float64 and sorts everything, against known answers of the
// generator, and against the distributions it promises.

import t from 'tap';
import type { DryParams, SamplingParams } from '../core/sampling.ts';
import { philox, uniform } from './random.ts';
import { createSampler, type Sampled, type Sampler, type SourceOptions } from './sampler.ts';

const open: SamplingParams = { temperature: 1, topP: 1, topK: 0, minP: 0, seed: 0 };

void t.test('philox gives the published answers', async (t) => {
  // Known-answer file of the Random123 distribution, philox4x32 with 10 rounds.
  const hex = (words: readonly number[]): string => words.map((word) => word.toString(16).padStart(8, '0')).join(' ');
  const ones = 0xffffffff;
  t.equal(hex(philox([0, 0, 0, 0], [0, 0])), '6627e8d5 e169c58d bc57ac4c 9b00dbd8');
  t.equal(hex(philox([ones, ones, ones, ones], [ones, ones])), '408f276d 41c83b0e a20bc7c6 6d5451fd');
  const pi = [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344];
  t.equal(hex(philox(pi, [0xa4093822, 0x299f31d0])), 'd16cfe09 94fdcceb 5001e420 24126ea1');
});

void t.test('draws are functions of seed and index, uniform, and different for every seed', async (t) => {
  t.equal(uniform(1234567, 89), uniform(1234567, 89));
  const seeds = [0, 1, -1, 2 ** 32, 2 ** 32 + 1, -(2 ** 32), 2 ** 53 - 1, -(2 ** 53 - 1)];
  t.equal(new Set(seeds.map((seed) => uniform(seed, 0))).size, seeds.length, 'no two seeds collide in these');
  const draws = Array.from({ length: 20_000 }, (_, index) => uniform(42, index));
  t.ok(draws.every((draw) => draw >= 0 && draw < 1));
  const tenths = Array.from({ length: 10 }, () => 0);
  for (const draw of draws) tenths[Math.floor(draw * 10)]++;
  // 99.9th percentile of chi-squared with 9 degrees of freedom.
  t.ok(chiSquared(tenths, Array<number>(10).fill(0.1)) < 27.9);
});

void t.test('temperature 0 and top_k 1 are greedy, ties go to the lowest id', async (t) => {
  const logits = Float32Array.of(-3, 7, 2, 7, -Infinity, 6.99);
  for (let seed = 0; seed < 20; seed++) {
    t.equal(sample(logits, { ...open, temperature: 0, seed }), 1);
    t.equal(sample(logits, { ...open, topK: 1, temperature: 2, seed }), 1);
    t.equal(sample(logits, { ...open, topP: 0, seed }), 1, 'a nucleus of nothing holds the best');
  }
  const large = new Float32Array(1000).fill(-1);
  large[63] = large[64] = large[999] = 0;
  t.equal(sample(large, { ...open, temperature: 0 }), 63);
});

void t.test('logits that name no distribution fail, and the next row is none the worse', async (t) => {
  for (const size of [3, 64, 200]) {
    const sampler = createSampler(size);
    const broken = [NaN, Infinity].map((value) => new Float32Array(size).fill(value, size - 1));
    for (const logits of [...broken, new Float32Array(size).fill(NaN), new Float32Array(size).fill(-Infinity)]) {
      for (const temperature of [0, 1]) {
        const source = begin(sampler, { sampling: { ...open, temperature } });
        t.throws(() => source.next(logits), { name: 'SamplingError' });
        t.throws(() => sampler.score(logits, 0, 2), { name: 'SamplingError' });
      }
    }
    t.equal(begin(sampler, { sampling: { ...open, temperature: 0 } }).next(new Float32Array(size)).id, 0);
  }
  const forbidden = { ...open, temperature: 0, logitBias: [{ id: 0, bias: -Infinity }] };
  t.throws(() => sample(Float32Array.of(1), forbidden), { name: 'SamplingError' });
});

void t.test('forbidden and vanishing tokens are never drawn', async (t) => {
  const logits = Float32Array.of(-Infinity, 0, -2000, -Infinity, 1, -Infinity);
  for (let seed = 0; seed < 300; seed++) {
    t.ok([1, 4].includes(sample(logits, { ...open, seed })));
    t.ok([1, 4].includes(sample(logits, { ...open, topK: 5, seed })));
    t.equal(sample(Float32Array.of(-Infinity, -80), { ...open, seed }), 1);
    t.equal(sample(Float32Array.of(3, 3.5, 3.4), { ...open, temperature: 1e-30, seed }), 1);
    // Neighbours of f32, far from 0: halving what lies between them must end.
    const close = Float32Array.of(1000, 1000.0001, 999.9999, 1000.0001);
    for (const temperature of [1e-30, 1e-6, 1e-4])
      t.ok([1, 3].includes(sample(close, { ...open, topP: 0.5, temperature, seed })));
    t.equal(sample(Float32Array.of(-1e38, 3e38, 2.9e38), { ...open, topP: 0.9, minP: 0.1, seed }), 1);
  }
});

void t.test('every parameter, in any mixture: the token is that of the slow twin', async (t) => {
  let draws = 0;
  const next = (): number => uniform(7, draws++);
  const below = (bound: number): number => Math.floor(next() * bound);
  const sometimes = <T>(value: () => T, otherwise: T): T => (next() < 0.5 ? value() : otherwise);
  let close = 0;
  for (let round = 0; round < 600; round++) {
    // From one group of the kernels to many; some rounds have many equal values, some forbidden ones.
    const size = [1 + below(60), 100 + below(200), 5000][round % 3];
    const logits = Float32Array.from({ length: size }, () => {
      if (round % 5 === 0 && next() < 0.1) return -Infinity;
      return round % 2 === 0 ? (next() - 0.5) * 20 : Math.floor(next() * 6) * (round % 4 === 1 ? 1 : -1);
    });
    if (logits.every((logit) => logit === -Infinity)) continue;
    const ids = Array.from({ length: below(60) }, () => below(Math.min(size, 6)));
    const answer = ids.splice(0, below(20));
    const sampling: SamplingParams = {
      temperature: sometimes(() => 0.05 + next() * 2, round % 7 === 0 ? 0 : 1),
      topK: sometimes(() => below(60), 0),
      topP: sometimes(next, 1),
      minP: sometimes(() => next() ** 3, 0),
      seed: round,
      logitBias: sometimes(() => [{ id: below(size), bias: (next() - 0.5) * 20 }], []),
      dry: sometimes(
        () => ({
          multiplier: next() * 2,
          base: 1 + next(),
          allowedLength: 1 + below(3),
          breakers: Int32Array.from({ length: below(2) }, () => below(6)),
        }),
        undefined,
      ),
      frequencyPenalty: sometimes(() => next() * 4 - 2, 0),
      presencePenalty: sometimes(() => next() * 4 - 2, 0),
      repetitionPenalty: sometimes(() => 0.5 + next(), 1),
    };
    const options = { sampling, prompt: Int32Array.from(ids), choice: round % 3 };
    const sampler = createSampler(size);
    const source = sampler.begin({ ...options, logprobs: 5 });
    for (const id of answer) source.push(id);
    const { id, score } = source.next(logits);
    const twin = twinOf(logits, options, answer);
    // f32 weights may fall on the other side of a border than f64 ones.
    const isClose = twin.alternatives.length > 1;
    if (isClose) close++;
    if (!t.ok(twin.alternatives.includes(id), `round ${round}`, { sampling, id, twin })) break;
    const scores = twinScores(logits);
    t.equal(score?.topIds.length, Math.min(5, logits.filter((logit) => logit > -Infinity).length));
    t.same(score?.topIds, scores.ids.slice(0, score?.topIds.length));
    t.ok(Math.abs((score?.logprob ?? NaN) - scores.logprobOf(id)) < 2e-6);
    for (const [i, logprob] of (score?.topLogprobs ?? []).entries())
      t.ok(Math.abs(logprob - scores.logprobOf(scores.ids[i])) < 2e-6);
  }
  t.ok(close < 10, `${close} close cases`);
});

void t.test('scores are the model’s own, whatever the parameters', async (t) => {
  const logits = Float32Array.from({ length: 300 }, (_, id) => uniform(9, id) * 6);
  const sampler = createSampler(300);
  const plain = sampler.score(logits, 17, 20);
  const sampling = {
    ...open,
    temperature: 0.3,
    topK: 1,
    frequencyPenalty: 2,
    logitBias: [{ id: 17, bias: 100 }],
  };
  const source = begin(sampler, { sampling, logprobs: 20 });
  source.push(3);
  t.same(source.next(logits), { id: 17, score: plain });
  const all = sampler.score(logits, 0, 300);
  const sum = all.topLogprobs.reduce((total, logprob) => total + Math.exp(logprob), 0);
  t.ok(Math.abs(sum - 1) < 1e-5, 'probabilities sum to 1');
  t.same(sampler.score(logits, 17, 0), { ...plain, topIds: [], topLogprobs: [] });
  t.equal(
    sampler.score(
      Float32Array.from(logits, (logit, id) => (id === 5 ? -Infinity : logit)),
      5,
      0,
    ).logprob,
    -9999,
  );
});

void t.test('a truncation that removes nothing changes no draw', async (t) => {
  const logits = Float32Array.from({ length: 500 }, (_, id) => uniform(3, id) * 8);
  for (let seed = 0; seed < 200; seed++) {
    const token = sample(logits, { ...open, seed });
    t.equal(sample(logits, { ...open, seed, topK: 500 }), token);
    t.equal(sample(logits, { ...open, seed, topK: 499 }), token);
    t.equal(sample(logits, { ...open, seed, topP: 1 - 1e-12 }), token);
    t.equal(sample(logits, { ...open, seed, minP: 1e-9 }), token);
  }
});

void t.test('tokens come as often as promised', async (t) => {
  const logits = Float32Array.of(1, 2, 0.5, -1, 2.5, 0, -40);
  const cases: readonly Partial<SamplingParams>[] = [
    {},
    { temperature: 0.4 },
    { temperature: 1.8 },
    { topK: 3 },
    { topP: 0.8 },
    { minP: 0.2 },
    { topK: 5, topP: 0.9, minP: 0.05, temperature: 1.3 },
    { logitBias: [{ id: 3, bias: 4 }], frequencyPenalty: 0.5, repetitionPenalty: 1.2 },
  ];
  const answer = [4, 4, 1];
  for (const [seed, changes] of cases.entries()) {
    const options = { sampling: { ...open, ...changes, seed }, prompt: Int32Array.of(0), choice: 0 };
    const { kept, weights } = distributionOf(logits, options, answer);
    const mass = weights.reduce((sum, weight) => sum + weight, 0);
    const counts = kept.map(() => 0);
    const sampler = createSampler(logits.length);
    for (let choice = 0; choice < 8000; choice++) {
      const source = sampler.begin({ ...options, choice });
      for (const id of answer) source.push(id);
      const at = kept.indexOf(source.next(logits).id);
      if (at === -1) t.fail('a token that was cut off', { changes });
      counts[at]++;
    }
    // Classes that are hardly ever hit do not fit the chi-squared distribution.
    const likely = kept.map((_, i) => i).filter((i) => (weights[i] / mass) * 8000 > 5);
    const observed = likely.map((i) => counts[i]);
    const shares = likely.map((i) => weights[i] / mass);
    // 99.9th percentile with 6 degrees of freedom: above that of fewer.
    t.ok(chiSquared(observed, shares) < 22.5, JSON.stringify(changes));
  }
});

void t.test('large vocabularies: the rules hold where nothing is small', async (t) => {
  const size = 20_000;
  const sampler = createSampler(size);
  // Steep and flat, with and without ties.
  const rows = [
    Float32Array.from({ length: size }, (_, id) => uniform(11, id) ** 4 * 20),
    Float32Array.from({ length: size }, (_, id) => uniform(12, id)),
    Float32Array.from({ length: size }, (_, id) => Math.floor(uniform(13, id) * 50) / 10),
    new Float32Array(size),
    Float32Array.from({ length: size }, (_, id) => (id === 77 ? -1e30 : uniform(14, id))),
  ];
  const cases = [{ topK: 40 }, { topP: 0.95 }, { minP: 0.05 }, { topK: 15_000, topP: 0.5 }, { topP: 0.3 }, {}];
  for (const logits of rows) {
    for (const changes of cases) {
      const options = { sampling: { ...open, ...changes, seed: 5 }, prompt: new Int32Array(), choice: 0 };
      const { id } = sampler.begin(options).next(logits);
      // The border is found among f32 weights: the twin's, give or take a millionth.
      t.ok(twinOf(logits, options, [], 3e-6).alternatives.includes(id), JSON.stringify(changes));
    }
  }
});

void t.test('a text is counted as it grows', async (t) => {
  const size = 40;
  const sampling: SamplingParams = {
    ...open,
    temperature: 0,
    frequencyPenalty: 0.7,
    presencePenalty: 0.2,
    repetitionPenalty: 1.1,
    dry: { multiplier: 1, base: 1.5, allowedLength: 2, breakers: Int32Array.of(5) },
  };
  const prompt = Int32Array.from({ length: 30 }, (_, i) => (i * 7) % 11);
  const sampler = createSampler(size);
  const grown = sampler.begin({ sampling, prompt, choice: 0 });
  const answer: number[] = [];
  for (let step = 0; step < 60; step++) {
    const logits = Float32Array.from({ length: size }, (_, id) => uniform(step % 3, id) * 3);
    const { id } = grown.next(logits);
    t.equal(grown.next(logits).id, id, 'asking changes nothing');
    const anew = sampler.begin({ sampling, prompt, choice: 0 });
    for (const token of answer) anew.push(token);
    t.equal(anew.next(logits).id, id);
    t.ok(twinOf(logits, { sampling, prompt, choice: 0 }, answer).alternatives.includes(id));
    grown.push(id);
    answer.push(id);
  }
  t.ok(new Set(answer).size > 10, 'penalties drive the text on');
});

void t.test('each penalty by hand', async (t) => {
  const greedy = (changes: Partial<SamplingParams>, prompt: readonly number[], answer: readonly number[]): number => {
    const source = createSampler(4).begin({
      sampling: { ...open, temperature: 0, ...changes },
      prompt: Int32Array.from(prompt),
      choice: 0,
    });
    for (const id of answer) source.push(id);
    return source.next(Float32Array.of(3, 2.5, 2, -1)).id;
  };
  t.equal(greedy({}, [], [0, 0]), 0);
  t.equal(greedy({ frequencyPenalty: 0.4 }, [], [0]), 0);
  t.equal(greedy({ frequencyPenalty: 0.4 }, [], [0, 0]), 1, 'counts');
  t.equal(greedy({ frequencyPenalty: 0.4 }, [0, 0], []), 0, 'not the prompt');
  t.equal(greedy({ presencePenalty: 0.6 }, [], [0, 0]), 1);
  t.equal(greedy({ presencePenalty: 0.6 }, [], [0, 1, 0]), 0, 'once each');
  t.equal(greedy({ presencePenalty: 0.6 }, [0], []), 0);
  t.equal(greedy({ repetitionPenalty: 1.5 }, [0], []), 1, 'the prompt, too');
  t.equal(greedy({ repetitionPenalty: 1.6 }, [0], [1]), 2);
  t.equal(greedy({ logitBias: [{ id: 3, bias: 100 }] }, [], []), 3);
  t.equal(
    greedy(
      {
        logitBias: [
          { id: 0, bias: -100 },
          { id: 1, bias: -100 },
        ],
      },
      [],
      [],
    ),
    2,
  );
  const dry = (changes: Partial<DryParams> = {}): Partial<SamplingParams> => ({
    dry: { multiplier: 0.6, base: 1.75, allowedLength: 2, breakers: new Int32Array(), ...changes },
  });
  t.equal(greedy(dry(), [1, 2, 0], [1, 2]), 1, 'the third token of what was said before');
  t.equal(greedy(dry(), [1, 2, 0], [2]), 0, 'one token is no repetition');
  t.equal(greedy(dry({ allowedLength: 1 }), [1, 2, 0], [2]), 1);
  t.equal(greedy(dry({ multiplier: 0 }), [1, 2, 0], [1, 2]), 0);
  t.equal(greedy(dry({ multiplier: 0.3 }), [1, 2, 0], [1, 2]), 0);
  t.equal(greedy(dry({ multiplier: 0.3 }), [3, 1, 2, 0], [3, 1, 2]), 1, 'grows with the length');
  t.equal(greedy(dry({ breakers: Int32Array.of(1) }), [1, 2, 0], [1, 2]), 0, 'a breaker in the text resets it');
  t.equal(greedy(dry({ breakers: Int32Array.of(0) }), [1, 2, 0], [1, 2]), 0, 'breakers themselves are free');
  t.equal(greedy(dry({ multiplier: 1e30, base: 1e30 }), [1, 2, 0], [1, 2]), 1, 'never infinite');
});

/** By size of the vocabulary. */
const samplers = new Map<number, Sampler>();

function sample(logits: Float32Array, sampling: SamplingParams): number {
  let sampler = samplers.get(logits.length);
  if (sampler === undefined) samplers.set(logits.length, (sampler = createSampler(logits.length)));
  return begin(sampler, { sampling }).next(logits).id;
}

function begin(
  sampler: Sampler,
  options: Partial<SourceOptions> & Pick<SourceOptions, 'sampling'>,
): {
  readonly next: (logits: Float32Array) => Sampled;
  readonly push: (id: number) => void;
} {
  return sampler.begin({ prompt: new Int32Array(), choice: 0, ...options });
}

type TwinOptions = Pick<SourceOptions, 'sampling' | 'prompt' | 'choice'>;

/** What may be drawn, by the book: the token, and its neighbour where the draw is at the border between them. */
function twinOf(
  logits: Float32Array,
  options: TwinOptions,
  answer: readonly number[],
  tolerance = 1e-6,
): { readonly alternatives: readonly number[] } {
  const { seed } = options.sampling;
  const { kept, weights } = distributionOf(logits, options, answer);
  const mass = weights.reduce((sum, weight) => sum + weight, 0);
  const random = uniform(seed, answer.length, options.choice);
  const alternatives = new Set<number>();
  for (const draw of [random - tolerance, random, random + tolerance]) {
    let left = draw * mass;
    alternatives.add(kept.find((_, i) => (left -= weights[i]) < 0) ?? kept[kept.length - 1]);
  }
  return { alternatives: [...alternatives] };
}

/** Those that are kept, by ascending id. */
function distributionOf(
  logits: Float32Array,
  { sampling, prompt }: TwinOptions,
  answer: readonly number[],
): { readonly kept: readonly number[]; readonly weights: readonly number[] } {
  const { temperature, topK, topP, minP } = sampling;
  const changed = penalizedByTwin(logits, sampling, [...prompt], answer);
  let kept = [...changed.keys()]
    .filter((id) => changed[id] > -Infinity)
    .sort((a, b) => changed[b] - changed[a] || a - b);
  if (temperature === 0) return { kept: kept.slice(0, 1), weights: [1] };
  const largest = changed[kept[0]];
  const weight = (id: number): number => Math.exp((changed[id] - largest) / temperature);
  if (topK > 0) kept = kept.slice(0, topK);
  const mass = kept.reduce((sum, id) => sum + weight(id), 0);
  let before = 0;
  kept = kept.filter((id, i) => {
    const isKept = i === 0 || topP === 1 || before < topP * mass;
    before += weight(id);
    return isKept;
  });
  kept = kept.filter((id) => weight(id) >= minP).sort((a, b) => a - b);
  return { kept, weights: kept.map(weight) };
}

function penalizedByTwin(
  logits: Float32Array,
  { logitBias = [], dry, frequencyPenalty = 0, presencePenalty = 0, repetitionPenalty = 1 }: SamplingParams,
  prompt: readonly number[],
  answer: readonly number[],
): Float32Array {
  const changed = Float32Array.from(logits);
  const text = [...prompt, ...answer];
  for (const { id, bias } of logitBias) changed[id] += bias;
  if (dry !== undefined) {
    for (const [id, length] of longestMatches(text, dry)) {
      if (length >= dry.allowedLength) changed[id] -= dry.multiplier * dry.base ** (length - dry.allowedLength);
    }
  }
  for (const id of new Set(answer)) {
    const count = answer.filter((each) => each === id).length;
    changed[id] -= count * frequencyPenalty + presencePenalty;
  }
  for (const id of new Set(text))
    changed[id] = changed[id] > 0 ? changed[id] / repetitionPenalty : changed[id] * repetitionPenalty;
  return changed;
}

/** Every earlier place that ends like the text: what came then, and how much agrees. */
function longestMatches(text: readonly number[], { breakers }: DryParams): Map<number, number> {
  const found = new Map<number, number>();
  for (let at = 0; at < text.length - 1; at++) {
    let length = 0;
    while (
      length < 50 &&
      length <= at &&
      text[at - length] === text[text.length - 1 - length] &&
      !breakers.includes(text[at - length])
    )
      length++;
    const next = text[at + 1];
    if (length > 0 && !breakers.includes(next)) found.set(next, Math.max(length, found.get(next) ?? 0));
  }
  return found;
}

function twinScores(logits: Float32Array): {
  readonly ids: readonly number[];
  readonly logprobOf: (id: number) => number;
} {
  const ids = [...logits.keys()].sort((a, b) => (logits[a] === logits[b] ? a - b : logits[b] - logits[a]));
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - logits[ids[0]]), 0);
  return { ids, logprobOf: (id) => logits[id] - logits[ids[0]] - Math.log(sum) };
}

function chiSquared(counts: readonly number[], shares: readonly number[]): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.reduce((sum, count, i) => sum + (count - shares[i] * total) ** 2 / (shares[i] * total), 0);
}
