// Whole models against logits that others computed: a float64 forward pass (`exact_logits`), and a widely used engine, whose
// distance from it (`peer_rel_rmse`) is the measure for quantised weights. A backend joins by one row in `backends`.

import { readFileSync } from 'node:fs';
import type { Test } from 'tap';
import t from 'tap';
import type { Backend } from '../compute/backend.ts';
import { createReferenceBackend } from '../compute/reference/backend.ts';
import { createWasmBackend } from '../compute/wasm/backend.ts';
import { whyNot } from '../compute/wasm/builds.ts';
import { probeKernels } from '../compute/wasm/probe.ts';
import { fixture } from '../testing/fixtures.ts';
import { openCheckpoint } from '../weights/gguf.ts';
import { buildModel } from './model.ts';
import { Probe } from './probe.ts';

interface Contestant {
  readonly name: string;
  readonly create: () => Backend;
  /** Allowed |logit - exact| of unquantised models, in standard deviations of the exact logits. */
  readonly tolerance: number;
  /** Allowed relative RMSE of quantised models, in RMSEs of the peer. */
  readonly peerShare: number;
  /** What this machine lacks to run it. */
  readonly missing?: string | undefined;
}

const kernelBuilds = ['strict', 'rel16', 'vnni'] as const;

const backends: readonly Contestant[] = [
  // It computes exactly what `exact_logits` mean, and the peer quantises activations: a far smaller share is right.
  { name: 'reference', create: createReferenceBackend, tolerance: 1e-5, peerShare: 0.01 },
  ...kernelBuilds.map((build) => ({
    name: `wasm ${build}`,
    create: () => createWasmBackend({ threads: 2, kernels: build }),
    tolerance: 1e-5,
    peerShare: 1.1,
    missing: whyNot(build, probeKernels()),
  })),
];

/** Largest error of a model without quantised weights that the fixtures' README accepts; the greedy rule uses it. */
const acceptedError = 1e-3;
/** The same with keys and values in a narrower type; q8_0 where heads are multiples of 32. */
const acceptedCacheErrors = { f16: 5e-3, i16: 5e-3, q8_0: 5e-2 } as const;

interface Expected {
  readonly prompt_ids: readonly number[];
  readonly exact_logits: Readonly<Record<string, readonly number[]>>;
  readonly peer_rel_rmse: number;
  readonly greedy: readonly number[];
}

const plain = ['arch/llama', 'arch/llama-yarn', 'arch/qwen3', 'quant/q-f16'];
const quantised =
  'bf16 q8_0 q4_0 q4_1 q5_0 q5_1 q2_k q3_k q4_k q5_k q6_k iq4_nl iq4_xs iq3_xxs iq3_s mxfp4 nvfp4 tq1_0 tq2_0'
    .split(' ')
    .map((type) => `quant/q-${type}`);

for (const contestant of backends) {
  if (contestant.missing !== undefined) {
    void t.skip(`${contestant.name}: ${contestant.missing}`, () => undefined);
    continue;
  }
  for (const name of [...plain, ...quantised]) {
    void t.test(`${contestant.name}: ${name}`, async (t) => {
      const path = fixture(t, `models/${name}.gguf`);
      const expectedPath = fixture(t, `models/${name}.expected.json`);
      if (path === undefined || expectedPath === undefined) return;
      const expected = JSON.parse(readFileSync(expectedPath, 'utf8')) as Expected;
      await compareModel(t, contestant, path, expected, quantised.includes(name));
    });
  }
}

for (const contestant of backends) {
  for (const type of ['Q8_0', 'Q4_K']) {
    if (contestant.missing !== undefined) continue;
    // Trained, so that its gaps are wide: what it says is certain.
    void t.test(`${contestant.name}: the demo model in ${type} says what it was trained to say`, async (t) => {
      const path = fixture(t, `models/demo/demo-3m-${type}.gguf`);
      const goldenPath = fixture(t, 'models/demo/golden.json');
      if (path === undefined || goldenPath === undefined) return;
      const golden = JSON.parse(readFileSync(goldenPath, 'utf8')) as Readonly<Record<string, readonly Golden[]>>;
      const model = buildModel(await openCheckpoint(path));
      const probe = await Probe.load(model, contestant.create(), { kvCache: 'f32', batchTokens: 64 });
      t.teardown(() => probe.close());
      for (const { user, prompt_ids, greedy_ids } of golden[type]) {
        probe.rewind(0);
        const [row] = await probe.feed(prompt_ids, [prompt_ids.length - 1]);
        const steps = await continueGreedily(probe, row, greedy_ids.length);
        const tokens = steps.map(({ token }) => token);
        t.strictSame(tokens, greedy_ids, user);
      }
    });
  }
}

interface Golden {
  readonly user: string;
  readonly prompt_ids: readonly number[];
  readonly greedy_ids: readonly number[];
}

async function compareModel(
  t: Test,
  contestant: Contestant,
  path: string,
  expected: Expected,
  isQuantised: boolean,
): Promise<void> {
  const model = buildModel(await openCheckpoint(path));
  const probe = await Probe.load(model, contestant.create(), { kvCache: 'f32', batchTokens: 64 });
  t.teardown(() => probe.close());
  const ids = expected.prompt_ids;
  const positions = Object.keys(expected.exact_logits).map(Number);
  const exact = Object.values(expected.exact_logits);

  const whole = await probe.feed(ids, positions);
  const relative = relativeRmse(whole, exact);
  const largest = Math.max(...whole.map((row, i) => largestError(row, exact[i]) / deviation(exact[i])));
  t.comment(`largest error ${largest.toExponential(1)} deviations, relative RMSE ${relative.toExponential(1)}`);
  if (isQuantised) t.ok(relative <= contestant.peerShare * expected.peer_rel_rmse, 'relative RMSE');
  else t.ok(largest <= contestant.tolerance, 'every logit');

  if (!isQuantised) {
    for (const kvCache of ['f16', 'i16', 'q8_0'] as const) {
      if (kvCache === 'q8_0' && model.kvLayers.some(({ headDim }) => headDim % 32 !== 0)) continue;
      const narrow = await Probe.load(model, contestant.create(), { kvCache, batchTokens: 64 });
      const rows = await narrow.feed(ids, positions);
      await narrow.close();
      const off = Math.max(...rows.map((row, i) => largestError(row, exact[i]) / deviation(exact[i])));
      t.ok(
        off <= acceptedCacheErrors[kvCache],
        `keys and values in ${kvCache} cost ${off.toExponential(1)} deviations`,
      );
    }
  }

  // What a top-2 gap must exceed to be certain. Among a few hundred logits of the peer some are several RMSEs off.
  const uncertainty = isQuantised ? 3 * 1.1 * expected.peer_rel_rmse : acceptedError;
  whole.forEach((row, i) => {
    if (topGap(exact[i]) > uncertainty * deviation(exact[i]))
      t.equal(best(row), best(exact[i]), `best at ${positions[i]}`);
  });

  const greedy = await continueGreedily(probe, whole[positions.indexOf(ids.length - 1)], expected.greedy.length);
  const certain = greedy.findIndex(({ gap, spread }) => gap <= uncertainty * spread);
  const compared = certain === -1 ? greedy.length : certain;
  t.comment(`${compared} greedy tokens compared`);
  const tokens = greedy.map(({ token }) => token);
  t.strictSame(tokens.slice(0, compared), expected.greedy.slice(0, compared), 'greedy continuation');

  for (const chunk of [1, 7]) {
    probe.rewind(0);
    const rows: Float32Array[] = [];
    for (let start = 0; start < ids.length; start += chunk) {
      const part = ids.slice(start, start + chunk);
      const wanted = positions.filter((p) => p >= start && p < start + part.length).map((p) => p - start);
      rows.push(...(await probe.feed(part, wanted)));
    }
    t.ok(
      rows.length === whole.length && rows.every((row, i) => sameBits(row, whole[i])),
      `same bits in chunks of ${chunk}`,
    );
  }
}

interface GreedyStep {
  readonly token: number;
  /** Between the best logit and the next. */
  readonly gap: number;
  /** Standard deviation of the logits. */
  readonly spread: number;
}

async function continueGreedily(probe: Probe, logits: Float32Array, count: number): Promise<GreedyStep[]> {
  const steps: GreedyStep[] = [];
  let row = logits;
  while (steps.length < count) {
    const token = best(row);
    steps.push({ token, gap: topGap(row), spread: deviation(row) });
    if (steps.length < count) [row] = await probe.feed([token], [0]);
  }
  return steps;
}

function best(row: ArrayLike<number>): number {
  let best = 0;
  for (let i = 1; i < row.length; i++) if (row[i] > row[best]) best = i;
  return best;
}

function topGap(row: ArrayLike<number>): number {
  const [first, second] = Float64Array.from(row).sort().reverse();
  return first - second;
}

function deviation(row: ArrayLike<number>): number {
  const values = Array.from(row);
  const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
  return Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length);
}

function largestError(row: Float32Array, exact: readonly number[]): number {
  return row.reduce((most, x, i) => Math.max(most, Math.abs(x - exact[i])), row.length === exact.length ? 0 : Infinity);
}

/** Over all positions: root of the squared errors' share of the exact squares. */
function relativeRmse(rows: readonly Float32Array[], exact: readonly (readonly number[])[]): number {
  let [errors, squares] = [0, 0];
  exact.forEach((row, i) => {
    row.forEach((x, j) => {
      errors += (rows[i][j] - x) ** 2;
      squares += x * x;
    });
  });
  return Math.sqrt(errors / squares);
}

function sameBits(a: Float32Array, b: Float32Array): boolean {
  const [x, y] = [a, b].map((values) => new Uint32Array(values.buffer, values.byteOffset, values.length));
  return x.length === y.length && x.every((bits, i) => bits === y[i]);
}
