// What truncation leaves of rows in which many tokens are nearly equally likely, against float64 and a sort of everything.

import t from 'tap';
import { groupSize, LogitRow } from './kernels.ts';
import { uniform } from './random.ts';
import { nextUp } from './selection.ts';
import { weighKept, type Truncation } from './truncation.ts';

const open: Truncation = { temperature: 1, topK: 0, topP: 1, minP: 0 };
const size = 20_000;

const rowOf = (logit: (random: number, id: number) => number): Float32Array =>
  Float32Array.from({ length: size }, (_, id) => logit(uniform(21, id), id));

/** Where the sampler looks first. */
const sampled = new Set(Array.from({ length: 512 }, (_, i) => Math.floor(((i + 0.5) * size) / 512)));

const rows: Readonly<Record<string, Float32Array>> = {
  flat: rowOf((random) => random),
  'few values, many ties': rowOf((random) => Math.floor(random * 20) / 20),
  'two values': rowOf((random) => (random < 0.3 ? 1 : 0.5)),
  'all equal': rowOf(() => -7),
  'all equal but the last': rowOf((_, id) => (id === size - 1 ? 1 : 0)),
  'neighbours of f32': rowOf((random) => 5 + random * 1e-5),
  'half forbidden': rowOf((random, id) => (id % 2 === 0 ? -Infinity : random)),
  'few allowed': rowOf((random, id) => (id % 500 === 7 ? random : -Infinity)),
  'one far below': rowOf((random, id) => (id === 77 ? -1e30 : random / 100)),
  'wide, signs mixed': rowOf((random) => (random - 0.5) * 30),
  'ordered by id': rowOf((_, id) => -id / size),
  'low where it is sampled': rowOf((random, id) => (sampled.has(id) ? -3 : random)),
  'high where it is sampled': rowOf((random, id) => (sampled.has(id) ? 3 : random)),
};

const cases: readonly Partial<Truncation>[] = [
  {},
  { topP: 0.9 },
  { topP: 0.9, temperature: 0.1 },
  { topP: 0.5, temperature: 3 },
  { topP: 0.999 },
  { topP: 0.02 },
  { topP: 0 },
  { topK: 1 },
  { topK: 300 },
  { topK: 5000 },
  { topK: 15_000 },
  { topK: 15_000, topP: 0.7 },
  { topK: 100, topP: 0.7 },
  { minP: 0.4 },
  { topK: 12_000, topP: 0.9, minP: 0.6, temperature: 0.8 },
];

void t.test('a beginning of the order is left, as long as the parameters say', async (t) => {
  const row = new LogitRow(size);
  for (const [name, logits] of Object.entries(rows)) {
    for (const changes of cases) {
      const params = { ...open, ...changes };
      const { order, shortest, longest } = keptByTwin(logits, params);
      const kept = keptOf(row, logits, params);
      const what = `${name} ${JSON.stringify(changes)}`;
      t.ok(kept.length >= shortest && kept.length <= longest, what, { kept: kept.length, shortest, longest });
      t.ok(longest - shortest < size / 1000, `${what}: the answer is sharp`);
      const expected = order.slice(0, kept.length).sort((a, b) => a - b);
      t.ok(
        expected.every((id, i) => id === kept[i]),
        `${what}: the best, lower ids first among equals`,
      );
    }
  }
});

void t.test('among equals the count is exact', async (t) => {
  const row = new LogitRow(size);
  for (const equals of [64, 4096, 4097, size]) {
    const logits = Float32Array.from({ length: size }, (_, id) => (id < size - equals ? -Infinity : 2.5));
    for (const topP of [0.25, 0.5, 0.7, 0.9]) {
      const ids = keptOf(row, logits, { ...open, topP });
      const count = Math.ceil(topP * equals);
      t.same(
        [ids.length, ids[0], ids.at(-1)],
        [count, size - equals, size - equals + count - 1],
        `${topP} of ${equals}`,
      );
    }
    const ids = keptOf(row, logits, { ...open, topK: 63 });
    t.same([ids.length, ids.at(-1)], [63, size - equals + 62]);
  }
});

void t.test('what a row held before does not show', async (t) => {
  const row = new LogitRow(size);
  const params = { ...open, topK: 15_000, topP: 0.8, minP: 0.1 };
  const fresh = Object.values(rows).map((logits) => keptOf(new LogitRow(size), logits, params));
  for (const [i, logits] of Object.values(rows).entries()) t.same(keptOf(row, logits, params), fresh[i]);
});

void t.test('nextUp is the next f32', async (t) => {
  const smallest = 2 ** -149;
  for (const [value, next] of [
    [1, 1 + 2 ** -23],
    [-1, -1 + 2 ** -24],
    [0, smallest],
    [-0, smallest],
    [-3.4028234663852886e38, -3.4028232635611926e38],
  ])
    t.equal(nextUp(value), next);
  t.ok(nextUp(-smallest) === 0);
});

/** Ids that have a weight, ascending. */
function keptOf(row: LogitRow, logits: Float32Array, params: Truncation): readonly number[] {
  row.load(logits);
  row.scan();
  const total = weighKept(row, params);
  const { sums, weights } = row;
  let sum = 0;
  for (const each of sums) sum += each;
  if (sum !== total) throw new Error('the total is not the sum of all groups');
  return Array.from(logits.keys()).filter((id) => sums[Math.floor(id / groupSize)] > 0 && weights[id] > 0);
}

/** The order, and how many are left of it, a millionth of the mass more or less. */
function keptByTwin(
  logits: Float32Array,
  { temperature, topK, topP, minP }: Truncation,
): { readonly order: readonly number[]; readonly shortest: number; readonly longest: number } {
  const order = Array.from(logits.keys())
    .filter((id) => logits[id] > -Infinity)
    .sort((a, b) => logits[b] - logits[a] || a - b);
  const weights = order.map((id) => Math.exp((logits[id] - logits[order[0]]) / temperature));
  const ofRank = topK > 0 ? weights.slice(0, topK) : weights;
  let mass = 0;
  for (const weight of ofRank) mass += weight;
  const countTo = (target: number): number => {
    let [count, before] = [0, 0];
    while (count < ofRank.length && (count === 0 || before < target)) before += ofRank[count++];
    return count;
  };
  const heavy = (least: number): number => ofRank.filter((weight) => weight >= least && weight > 2 ** -53).length;
  const nucleus = (share: number): number => (topP < 1 ? countTo(share * mass) : ofRank.length);
  return {
    order,
    shortest: Math.min(nucleus(topP - 1e-6), heavy(minP * (1 + 1e-6))),
    longest: Math.min(nucleus(topP + 1e-6), heavy(minP * (1 - 1e-6))),
  };
}
