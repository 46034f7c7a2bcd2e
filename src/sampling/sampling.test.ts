// The sampler against a slow twin that sorts everything in float64, against known answers of the generator, and against the
// distributions it promises.

import t from 'tap';
import type { SamplingParams } from '../core/sampling.ts';
import { philox, uniform } from './random.ts';
import { bestToken, sample, sampleAt, SamplingError } from './sampler.ts';
import { truncate } from './truncation.ts';

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
  for (const random of [0, 0.5, 0.999999]) {
    t.equal(sample(logits, { ...open, temperature: 0 }, random), 1);
    t.equal(sample(logits, { ...open, topK: 1, temperature: 2 }, random), 1);
    t.equal(sample(logits, { ...open, topP: 0 }, random), 1, 'a nucleus of nothing holds the best');
  }
});

void t.test('logits that name no distribution fail', async (t) => {
  const cases = [
    Float32Array.of(0, NaN, 1),
    Float32Array.of(0, Infinity),
    Float32Array.of(-Infinity),
    new Float32Array(),
  ];
  for (const logits of cases) {
    for (const temperature of [0, 1]) {
      t.throws(() => sample(logits, { ...open, temperature }, 0.5), { name: 'SamplingError' });
    }
  }
  t.throws(() => bestToken(Float32Array.of(1, 2, NaN)), SamplingError);
});

void t.test('forbidden and vanishing tokens are never drawn', async (t) => {
  const logits = Float32Array.of(-Infinity, 0, -2000, -Infinity, 1, -Infinity);
  for (const random of [0, 0.2689, 0.5, 1 - 2 ** -53])
    t.ok([1, 4].includes(sample(logits, open, random)), `at ${random}`);
  t.equal(sample(Float32Array.of(-Infinity, -80), open, 0.7), 1);
  t.equal(sample(Float32Array.of(3, 3.5, 3.4), { ...open, temperature: 1e-30 }, 0.999), 1);
});

void t.test('the kept set equals that of the slow twin, for any mixture of parameters', async (t) => {
  let draws = 0;
  const next = (): number => uniform(7, draws++);
  for (let round = 0; round < 400; round++) {
    const logits = Float32Array.from({ length: 1 + Math.floor(next() * 200) }, () => {
      if (next() < 0.1) return -Infinity;
      // Many equal values in every other round.
      return round % 2 === 0 ? (next() - 0.5) * 20 : Math.floor(next() * 6);
    });
    if (logits.every((logit) => logit === -Infinity)) continue;
    const params = {
      temperature: 0.05 + next() * 2,
      topK: next() < 0.5 ? 0 : Math.floor(next() * 60),
      topP: next() < 0.4 ? 1 : next(),
      minP: next() < 0.5 ? 0 : next() ** 3,
    };
    const { ids, weights } = truncate(logits, logits[bestToken(logits)], params);
    const wanted = keptByTwin(logits, params);
    if (!t.strictSame([...ids], wanted, `round ${round}`, { params })) break;
    const random = next();
    const token = sample(logits, params, random);
    t.equal(token, drawByTwin(logits, wanted, params.temperature, random), 'the same draw');
    t.ok(weights.every((weight) => weight > 0 && weight <= 1));
  }
});

void t.test('a truncation that removes nothing changes no draw', async (t) => {
  const logits = Float32Array.from({ length: 500 }, (_, id) => uniform(3, id) * 8);
  for (let index = 0; index < 200; index++) {
    const token = sampleAt(logits, { ...open, seed: 5 }, index);
    t.equal(sampleAt(logits, { ...open, seed: 5, topK: 500 }, index), token);
    t.equal(sampleAt(logits, { ...open, seed: 5, topP: 1 - 1e-12 }, index), token);
    t.equal(sampleAt(logits, { ...open, seed: 5, minP: 1e-9 }, index), token);
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
  ];
  for (const [seed, changes] of cases.entries()) {
    const params = { ...open, ...changes, seed };
    const kept = keptByTwin(logits, params);
    const weights = kept.map((id) => Math.exp(logits[id] / params.temperature));
    const mass = weights.reduce((sum, weight) => sum + weight, 0);
    const counts = kept.map(() => 0);
    for (let index = 0; index < 20_000; index++) {
      const at = kept.indexOf(sampleAt(logits, params, index));
      if (at === -1) t.fail('a token that was cut off', { changes });
      counts[at]++;
    }
    // Classes that are hardly ever hit do not fit the chi-squared distribution.
    const likely = kept.map((_, i) => i).filter((i) => (weights[i] / mass) * 20_000 > 5);
    const shares = likely.map((i) => weights[i] / mass);
    // 99.9th percentile with 6 degrees of freedom: above that of fewer.
    t.ok(
      chiSquared(
        likely.map((i) => counts[i]),
        shares,
      ) < 22.5,
      JSON.stringify(changes),
    );
  }
});

void t.test('a large vocabulary is not sorted', async (t) => {
  const logits = Float32Array.from({ length: 152_000 }, (_, id) => uniform(11, id) ** 4 * 20);
  const cases = [{ topK: 40 }, { topP: 0.95 }, { minP: 0.05 }, { topK: 100_000, topP: 0.5 }, {}];
  for (const changes of cases) {
    const started = performance.now();
    for (let index = 0; index < 10; index++) sampleAt(logits, { ...open, ...changes }, index);
    const ms = (performance.now() - started) / 10;
    t.comment(`${JSON.stringify(changes)}: ${ms.toFixed(2)} ms per token`);
    // Generous, for busy machines; the comment above is what to read.
    t.ok(ms < 200, 'within reason');
  }
});

/** All candidates in order, cut by the rules as they are written. */
function keptByTwin(logits: Float32Array, { temperature, topK, topP, minP }: Omit<SamplingParams, 'seed'>): number[] {
  let kept = [...logits.keys()].filter((id) => logits[id] > -Infinity).sort((a, b) => logits[b] - logits[a] || a - b);
  const largest = logits[kept[0]];
  const weight = (id: number): number => Math.exp((logits[id] - largest) / temperature);
  if (topK > 0) kept = kept.slice(0, topK);
  const mass = kept.reduce((sum, id) => sum + weight(id), 0);
  let before = 0;
  kept = kept.filter((id, i) => {
    const isKept = i === 0 || topP === 1 || before < topP * mass;
    before += weight(id);
    return isKept;
  });
  return kept.filter((id) => weight(id) >= minP).sort((a, b) => a - b);
}

function drawByTwin(logits: Float32Array, kept: readonly number[], temperature: number, random: number): number {
  const largest = Math.max(...kept.map((id) => logits[id]));
  const weights = kept.map((id) => Math.exp((logits[id] - largest) / temperature));
  let left = random * weights.reduce((sum, weight) => sum + weight, 0);
  return kept.find((_, i) => (left -= weights[i]) < 0) ?? kept[kept.length - 1];
}

function chiSquared(counts: readonly number[], shares: readonly number[]): number {
  const total = counts.reduce((sum, count) => sum + count, 0);
  return counts.reduce((sum, count, i) => sum + (count - shares[i] * total) ** 2 / (shares[i] * total), 0);
}
