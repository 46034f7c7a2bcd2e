// Tiny seeded models against a forward pass written once more, from the formulas, in float64 and without cache, program or backend;
// and what becomes of checkpoints that are not what they claim.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import t from 'tap';
import { createReferenceBackend } from '../compute/reference/backend.ts';
import type { MetadataValue } from '../core/metadata.ts';
import type { Checkpoint } from '../weights/checkpoint.ts';
import { tensorOf } from '../weights/checkpoint.ts';
import { openCheckpoint } from '../weights/gguf.ts';
import type { GgufValue } from '../weights/gguf-writer.ts';
import { rotations } from './blocks/rope.ts';
import type { RopeScaling } from './config.ts';
import { ModelError } from './error.ts';
import { buildModel } from './model.ts';
import { Probe } from './probe.ts';
import type { TinyModel } from './tiny.ts';
import { tinyLlama, tinyQwen3, tinyTensors, writeTinyModel } from './tiny.ts';

const f32 = (value: number): GgufValue => ({ type: 'f32', value });
const u32 = (value: number): GgufValue => ({ type: 'u32', value });
const string = (value: string): GgufValue => ({ type: 'string', value });

/** What a variant means for the forward pass below, beyond the tiny model itself. */
interface Meaning {
  readonly window?: number;
  readonly scale?: number;
  readonly ropeDims?: number;
  readonly halves?: boolean;
  /** Position and pair to angle; `undefined` is the plain one. */
  readonly angle?: (position: number, pair: number) => number;
  readonly magnitude?: number;
  readonly contextLength?: number;
}

const plainAngle = (dims: number) => (position: number, pair: number) => position * 10_000 ** ((-2 * pair) / dims);

const variants: Readonly<Record<string, { readonly model: TinyModel; readonly meaning: Meaning }>> = {
  llama: { model: tinyLlama, meaning: {} },
  'tied llama': { model: { ...tinyLlama, tied: true }, meaning: {} },
  'biased llama': { model: { ...tinyLlama, biases: true, seed: 2 }, meaning: {} },
  'llama with heads wider than the model': { model: { ...tinyLlama, headDim: 24, kvHeads: 1 }, meaning: {} },
  'windowed llama': { model: { ...tinyLlama, keys: { 'attention.sliding_window': u32(5) } }, meaning: { window: 5 } },
  'scaled llama': { model: { ...tinyLlama, keys: { 'attention.scale': f32(0.5) } }, meaning: { scale: 0.5 } },
  'partly rotated llama': {
    model: { ...tinyLlama, keys: { 'rope.dimension_count': u32(12) } },
    meaning: { ropeDims: 12 },
  },
  'linearly stretched llama': {
    model: { ...tinyLlama, keys: { 'rope.scaling.type': string('linear'), 'rope.scaling.factor': f32(4) } },
    meaning: { angle: (position, pair) => plainAngle(16)(position / 4, pair) },
  },
  'llama with factors': {
    model: { ...tinyLlama, vectors: { 'rope_freqs.weight': 8 } },
    meaning: { angle: factored('rope_freqs.weight') },
  },
  'longrope within the original context': {
    model: longrope(),
    meaning: { contextLength: 64, angle: factored('rope_factors_short.weight'), magnitude: Math.sqrt(1 + 2 / 6) },
  },
  'longrope beyond it': {
    model: longrope(),
    meaning: { contextLength: 65, angle: factored('rope_factors_long.weight'), magnitude: Math.sqrt(1 + 2 / 6) },
  },
  qwen3: { model: tinyQwen3, meaning: { halves: true } },
  'untied qwen3': { model: { ...tinyQwen3, tied: false, seed: 3 }, meaning: { halves: true } },
};

/** Context 64, stretched to 256: s = 4, ln 4 / ln 64 = 2 / 6. */
function longrope(): TinyModel {
  const keys = { 'rope.scaling.type': string('longrope'), 'rope.scaling.original_context_length': u32(64) };
  return { ...tinyLlama, keys, vectors: { 'rope_factors_long.weight': 8, 'rope_factors_short.weight': 8 } };
}

type Angle = (position: number, pair: number) => number;

/** The plain angle over the pair's factor, which is a tensor of the model and thus known only there. */
function factored(name: string): Angle {
  const model = name === 'rope_freqs.weight' ? { ...tinyLlama, vectors: { [name]: 8 } } : longrope();
  const factors = valuesOf(model).get(name) ?? [];
  return (position, pair) => plainAngle(16)(position, pair) / factors[pair];
}

void t.test('tiny models give the logits of the formulas', async (t) => {
  const folder = temporaryFolder(t);
  const ids = Array.from({ length: 20 }, (_, i) => (i * 7 + 3) % 48);
  for (const [name, { model, meaning }] of Object.entries(variants)) {
    const path = join(folder, `${name}.gguf`);
    await writeTinyModel(path, model);
    const built = buildModel(await openCheckpoint(path), { contextLength: meaning.contextLength });
    const probe = await Probe.load(built, createReferenceBackend(), { kvCache: 'f32', batchTokens: 8 });
    const rows = await probe.feed(ids, [...ids.keys()]);
    await probe.close();
    const wanted = forward(model, meaning, ids);
    const far = rows.flatMap((row, i) => wanted[i].filter((exact, j) => !(Math.abs(row[j] - exact) < 2e-5)));
    t.strictSame(far, [], name);
  }
});

void t.test('a model says what its layers keep and what adapters may change', async (t) => {
  const checkpoint = await tiny(t, { ...tinyLlama, tied: true });
  const model = buildModel(checkpoint);
  t.equal(model.contextLength, 256, 'the trained length is the default');
  t.equal(
    buildModel(checkpoint, { contextLength: 1000 }).contextLength,
    1000,
    "more than trained is the user's business",
  );
  t.strictSame(model.states, [{ kind: 'paged' }, { kind: 'paged' }]);
  t.strictSame(model.kvLayers[1], { layer: 1, kvHeads: 2, headDim: 16 });
  t.equal(model.adapterSlots.length, 15, 'seven projections per layer, and the head');
  t.equal(model.adapterSlots[7], 'blk.1.attn_q');
  const names = model.weights.map(({ name }) => name);
  t.equal(new Set(names).size, names.length, 'no weight is declared twice, tied ones neither');
  const windowed = await tiny(t, { ...tinyLlama, keys: { 'attention.sliding_window': u32(7) } });
  t.strictSame(buildModel(windowed).states[0], { kind: 'window', tokens: 7 });
});

void t.test('rotations follow the papers', async (t) => {
  const pairs = [...Array(8).keys()];
  const common = { dims: 16, base: 10_000, layout: 'adjacent', attentionFactor: undefined } as const;
  const table = (scaling: RopeScaling, attentionFactor?: number): Float32Array =>
    rotations({ ...common, scaling, attentionFactor, trainedContextLength: 64 }, 40, undefined);
  const check = (found: Float32Array, frequency: (pair: number) => number, magnitude: number, name: string): void => {
    const far = pairs.filter((pair) =>
      [0, 1, 17, 39].some((position) => {
        const angle = position * frequency(pair);
        const at = position * 16 + 2 * pair;
        const error = Math.hypot(found[at] - magnitude * Math.cos(angle), found[at + 1] - magnitude * Math.sin(angle));
        return !(error < 2e-7);
      }),
    );
    t.strictSame(far, [], name);
  };
  const plain = (pair: number): number => 1 / 10_000 ** (pair / 8);
  check(table({ type: 'none' }), plain, 1, 'none');
  check(table({ type: 'none' }, 1.5), plain, 1.5, 'none with a factor of its own');
  check(table({ type: 'linear', factor: 8 }), (pair) => plain(pair) / 8, 1, 'linear');

  // YaRN as its paper writes it: by the wavelength of each pair, r = L / lambda; mixed by gamma(r) over the pair index.
  const yarn = {
    type: 'yarn',
    factor: 4,
    originalContextLength: 512,
    extrapolation: 1,
    betaFast: 32,
    betaSlow: 1,
  } as const;
  const index = (turns: number): number => (16 * Math.log(512 / (turns * 2 * Math.PI))) / (2 * Math.log(10_000));
  const [low, high] = [Math.floor(index(32)), Math.ceil(index(1))];
  const gamma = (pair: number): number => 1 - Math.min(1, Math.max(0, (pair - low) / (high - low)));
  const mixed = (pair: number): number => (1 - gamma(pair)) * (plain(pair) / 4) + gamma(pair) * plain(pair);
  t.ok(
    gamma(0) === 1 && gamma(7) === 0 && pairs.some((pair) => gamma(pair) > 0 && gamma(pair) < 1),
    'all three regions',
  );
  check(table(yarn), mixed, 0.1 * Math.log(4) + 1, 'yarn');
  check(table(yarn, 0.5), mixed, 0.5 * (0.1 * Math.log(4) + 1), 'yarn with a factor of its own');
});

void t.test('checkpoints that cannot be built are refused by name', async (t) => {
  const checkpoint = await tiny(t, tinyLlama);
  const cases: readonly (readonly [Readonly<Record<string, MetadataValue | undefined>>, RegExp])[] = [
    [{ 'general.architecture': undefined }, /general\.architecture is missing/],
    [{ 'general.architecture': 'mamba' }, /"mamba" is not supported; supported: llama, qwen3/],
    [{ 'llama.block_count': undefined }, /llama\.block_count is missing/],
    [{ 'llama.block_count': 1e9 }, /llama\.block_count is 1000000000; supported: a number from 1 to 1024/],
    [{ 'llama.block_count': 3 }, /blk\.2\.attn_norm\.weight is missing/],
    [{ 'llama.block_count': 1 }, /blk\.1\.\S+ has no place/],
    [{ 'llama.block_count': '2' }, /llama\.block_count is "2"/],
    [{ 'llama.embedding_length': NaN }, /llama\.embedding_length is NaN/],
    [{ 'llama.embedding_length': 63 }, /token_embd\.weight has shape \[64, 48\]; the metadata say \[63, 48\]/],
    [{ 'llama.vocab_size': undefined }, /llama\.vocab_size is missing/],
    [{ 'llama.attention.head_count': [4, 2] }, /head_count differs between layers/],
    [{ 'llama.attention.head_count_kv': 3 }, /multiples of head_count_kv/],
    [{ 'llama.attention.value_length': 8 }, /value_length is 8; supported is the key length, 16/],
    [{ 'llama.rope.dimension_count': 15 }, /dimension_count is 15; supported: even/],
    [{ 'llama.rope.scaling.type': 'dynamic' }, /scaling\.type is "dynamic"; supported: none, linear, yarn, longrope/],
    [{ 'llama.rope.scaling.type': 'longrope' }, /rope_factors_short\.weight is missing/],
    [{ 'llama.rope.freq_base': 0 }, /freq_base is 0/],
    [{ 'llama.expert_count': 8 }, /expert_count is 8; .*mixtures of experts/],
    [{ 'llama.attention.layer_norm_rms_epsilon': undefined }, /layer_norm_rms_epsilon is missing/],
    [{ 'llama.logit_scale': 16 }, /logit_scale is 16/],
  ];
  for (const [changes, message] of cases) {
    t.throws(() => buildModel(changed(checkpoint, changes)), { name: 'ModelError', message }, JSON.stringify(changes));
  }
  t.throws(() => buildModel(checkpoint, { contextLength: 0 }), /A context of 0 is not supported/);
  t.throws(() => buildModel(checkpoint, { contextLength: 1.5 }), ModelError);
  t.throws(() => buildModel(checkpoint, { contextLength: 2 ** 24 + 1 }), ModelError);

  const norm = tensorOf(checkpoint, 'output_norm.weight');
  const quantised = new Map([...checkpoint.tensors, ['output_norm.weight', { ...norm, dtype: 'Q8_0' }] as const]);
  t.throws(() => buildModel({ ...checkpoint, tensors: quantised }), /output_norm\.weight is stored as Q8_0/);
  const foreign = new Map([...checkpoint.tensors, ['blk.0.attn_q.scale', norm] as const]);
  t.throws(() => buildModel({ ...checkpoint, tensors: foreign }), /blk\.0\.attn_q\.scale has no place/);
  const unsupported = new Map([['output.weight', { ...norm, typeId: 99 }]]);
  const tensors = new Map([...checkpoint.tensors].filter(([name]) => name !== 'output.weight'));
  t.throws(() => buildModel({ ...checkpoint, tensors, unsupported }), /output\.weight is stored as type 99/);
});

void t.test('factors that lie or cannot be read are refused', async (t) => {
  const checkpoint = await tiny(t, { ...tinyLlama, vectors: { 'rope_freqs.weight': 8 } });
  const info = tensorOf(checkpoint, 'rope_freqs.weight');
  const changes = { file: '/nonexistent/model.gguf', offset: info.offset };
  for (const [change, message] of [
    [changes, /could not be read from \/nonexistent/],
    [{ offset: 1e9 }, /ends beyond the end/],
    // Weights of a matrix: some are negative.
    [{ offset: tensorOf(checkpoint, 'blk.0.attn_q.weight').offset }, /not a positive number/],
  ] as const) {
    const tensors = new Map([...checkpoint.tensors, [info.name, { ...info, ...change }] as const]);
    t.throws(() => buildModel({ ...checkpoint, tensors }), { name: 'ModelError', message });
  }
});

void t.test('no value of any key does worse than a ModelError', async (t) => {
  const numbers = [0, -1, 1, 2, 2.5, 3, 255, 2 ** 24, 2 ** 31, 2 ** 53, 1e300, NaN, Infinity, -Infinity, 10n ** 30n];
  const others: readonly MetadataValue[] = ['', 'yarn', 'longrope', true, false, [], [1], [4, 4], ['x'], [[1]]];
  const keys = {
    ...(await tiny(t, tinyLlama)).metadata,
    ...Object.fromEntries(
      ['sliding_window', 'scale', 'temperature_scale', 'causal'].map((key) => [`llama.attention.${key}`, 0]),
    ),
    ...Object.fromEntries(
      [
        'type',
        'factor',
        'attn_factor',
        'yarn_ext_factor',
        'yarn_beta_fast',
        'yarn_beta_slow',
        'original_context_length',
      ].map((key) => [`llama.rope.scaling.${key}`, 0]),
    ),
    ...Object.fromEntries(['dimension_count', 'freq_base', 'scale_linear'].map((key) => [`llama.rope.${key}`, 0])),
  };
  const checkpoint = await tiny(t, tinyLlama);
  let [built, refused] = [0, 0];
  for (const key of Object.keys(keys)) {
    for (const value of [...numbers, ...others]) {
      for (const scaling of ['none', 'yarn']) {
        try {
          const model = buildModel(changed(checkpoint, { 'llama.rope.scaling.type': scaling, [key]: value }));
          const table = model.weights.find(({ name }) => name === 'rope_table')?.source;
          if (table?.type !== 'values' || !table.values.every(Number.isFinite)) t.fail('a table that is not finite');
          built++;
        } catch (error) {
          if (!(error instanceof ModelError)) t.fail(`${key} = ${String(value)}`, { error: String(error) });
          refused++;
        }
      }
    }
  }
  t.ok(built > 50 && refused > 300, `${built} built, ${refused} refused`);
});

function temporaryFolder(t: Test): string {
  const folder = mkdtempSync(join(tmpdir(), 'tiny-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  return folder;
}

async function tiny(t: Test, model: TinyModel): Promise<Checkpoint> {
  const path = join(temporaryFolder(t), 'model.gguf');
  await writeTinyModel(path, model);
  return openCheckpoint(path);
}

function changed(checkpoint: Checkpoint, changes: Readonly<Record<string, MetadataValue | undefined>>): Checkpoint {
  const metadata: Record<string, MetadataValue> = { ...checkpoint.metadata };
  for (const [key, value] of Object.entries(changes)) {
    if (value === undefined) delete metadata[key];
    else metadata[key] = value;
  }
  return { ...checkpoint, metadata };
}

function valuesOf(model: TinyModel): Map<string, Float32Array> {
  return new Map([...tinyTensors(model)].map(([{ name }, values]) => [name, values]));
}

/** Logits after every token: embed, then per layer x += attention(norm(x)), x += mlp(norm(x)), then norm and head. */
function forward(model: TinyModel, meaning: Meaning, ids: readonly number[]): number[][] {
  const { heads, kvHeads, headDim, width } = model;
  const { window = Infinity, ropeDims = headDim, halves = false, magnitude = 1 } = meaning;
  const { scale = 1 / Math.sqrt(headDim), angle = plainAngle(ropeDims) } = meaning;
  const tensors = valuesOf(model);
  const tensor = (name: string): Float32Array => {
    const found = tensors.get(name);
    if (found === undefined) throw new Error(`no tensor ${name}`);
    return found;
  };
  const linear = (x: readonly number[], name: string): number[] => {
    const matrix = tensor(`${name}.weight`);
    const bias = tensors.get(`${name}.bias`);
    return Array.from({ length: matrix.length / x.length }, (_, row) => {
      return x.reduce((sum, value, i) => sum + value * matrix[row * x.length + i], bias?.[row] ?? 0);
    });
  };
  const norm = (x: readonly number[], name: string): number[] => {
    const root = Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / x.length + Math.fround(1e-5));
    return x.map((value, i) => (value / root) * tensor(`${name}.weight`)[i]);
  };
  const rotate = (head: readonly number[], position: number): number[] => {
    const out = [...head];
    for (let pair = 0; pair < ropeDims / 2; pair++) {
      const [i, j] = halves ? [pair, pair + ropeDims / 2] : [2 * pair, 2 * pair + 1];
      const [cos, sin] = [Math.cos(angle(position, pair)) * magnitude, Math.sin(angle(position, pair)) * magnitude];
      [out[i], out[j]] = [head[i] * cos - head[j] * sin, head[i] * sin + head[j] * cos];
    }
    return out;
  };
  const headsOf = (x: readonly number[], name: string, count: number, position: number): number[][] => {
    const projected = linear(x, name);
    return Array.from({ length: count }, (_, head) => {
      const part = projected.slice(head * headDim, (head + 1) * headDim);
      return rotate(model.normalisesHeads ? norm(part, `${name}_norm`) : part, position);
    });
  };

  const table = tensor('token_embd.weight');
  let xs = ids.map((id) => [...table.subarray(id * width, (id + 1) * width)]);
  for (let layer = 0; layer < model.layers; layer++) {
    const block = `blk.${layer}`;
    const normed = xs.map((x) => norm(x, `${block}.attn_norm`));
    const q = normed.map((x, position) => headsOf(x, `${block}.attn_q`, heads, position));
    const k = normed.map((x, position) => headsOf(x, `${block}.attn_k`, kvHeads, position));
    const v = normed.map((x) => linear(x, `${block}.attn_v`));
    xs = xs.map((x, position) => {
      const mixed = q[position].flatMap((query, head) => {
        const kvHead = Math.floor(head / (heads / kvHeads));
        const seen = [...ids.keys()].filter((j) => j <= position && position - j < window);
        const scores = seen.map((j) =>
          Math.exp(scale * query.reduce((sum, value, i) => sum + value * k[j][kvHead][i], 0)),
        );
        const mass = scores.reduce((sum, score) => sum + score, 0);
        return query.map((_, i) => {
          return seen.reduce((sum, j, at) => sum + (scores[at] / mass) * v[j][kvHead * headDim + i], 0);
        });
      });
      const attended = linear(mixed, `${block}.attn_output`).map((value, i) => value + x[i]);
      const h = norm(attended, `${block}.ffn_norm`);
      const [gate, up] = [linear(h, `${block}.ffn_gate`), linear(h, `${block}.ffn_up`)];
      const inner = gate.map((value, i) => (value / (1 + Math.exp(-value))) * up[i]);
      return linear(inner, `${block}.ffn_down`).map((value, i) => value + attended[i]);
    });
  }
  return xs.map((x) => linear(norm(x, 'output_norm'), model.tied ? 'token_embd' : 'output'));
}
