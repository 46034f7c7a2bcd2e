// Files of random weights: the types that llama-quantize gives, the sizes that published files have, and numbers that a model survives.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { createWasmBackend } from '../../src/compute/wasm/backend.ts';
import { buildModel } from '../../src/model/model.ts';
import { Probe } from '../../src/model/probe.ts';
import { dequantize } from '../../src/tensor/dequantize.ts';
import { dtypes, rowBytes } from '../../src/tensor/dtype.ts';
import { openCheckpoint } from '../../src/weights/gguf.ts';
import { seededRandom } from '../random.ts';
import { randomMatrix } from './random-blocks.ts';
import { recipes, type RecipeDType } from './recipes.ts';
import { shapes, type Shape } from './shapes.ts';
import { synthesize, tensorsOf } from './synth.ts';

void t.test('the matrices have the types of llama-quantize', async (t) => {
  const typesOf = (shape: string, recipe: string): Map<string, string> =>
    new Map(tensorsOf(shapes[shape], recipes[recipe]).map(({ name, dtype }) => [name, dtype]));
  const layersOf = (types: Map<string, string>, matrix: string, dtype: string): number[] =>
    [...types].flatMap(([name, type]) => {
      const [, layer, rest] = name.split('.');
      return rest === matrix && type === dtype ? [Number(layer)] : [];
    });
  const qwen = typesOf('qwen3-0.6b', 'q4_k_m');
  t.equal(qwen.get('token_embd.weight'), 'Q6_K');
  t.equal(qwen.get('output_norm.weight'), 'F32');
  const sensitive = [0, 1, 2, 5, 8, 11, 14, 17, 20, 23, 24, 25, 26, 27];
  t.same(layersOf(qwen, 'attn_v', 'Q6_K'), sensitive);
  t.same(layersOf(qwen, 'ffn_down', 'Q6_K'), sensitive);
  t.equal(layersOf(qwen, 'attn_v', 'Q4_K').length, 28 - sensitive.length);
  for (const matrix of ['attn_q', 'attn_k', 'attn_output', 'ffn_gate', 'ffn_up'])
    t.equal(layersOf(qwen, matrix, 'Q4_K').length, 28, matrix);

  // 576 is no multiple of 256, 1536 is one.
  const smol = typesOf('smollm2-135m', 'q4_k_m');
  t.equal(smol.get('token_embd.weight'), 'Q8_0');
  t.equal(smol.get('blk.0.attn_q.weight'), 'Q5_0');
  t.equal(smol.get('blk.0.attn_v.weight'), 'Q8_0');
  t.equal(smol.get('blk.4.attn_v.weight'), 'Q5_0');
  t.equal(smol.get('blk.0.ffn_down.weight'), 'Q6_K');
  t.equal(smol.get('blk.4.ffn_down.weight'), 'Q4_K');

  t.equal(typesOf('llama-3.2-1b', 'q4_0').get('token_embd.weight'), 'Q6_K');
  t.equal(typesOf('smollm2-135m', 'q4_0').get('token_embd.weight'), 'Q8_0');
});

void t.test('a token reads as many bytes as in files by llama-quantize', async (t) => {
  // MB, measured on such files.
  const measured: Record<string, Record<string, number>> = {
    'qwen3-0.6b': { q4_0: 376, q4_k_m: 391 },
    'smollm2-135m': { q8_0: 143, q4_0: 90, q4_k_m: 104 },
    'llama-3.2-1b': { q8_0: 1313, q4_0: 763, q4_k_m: 800 },
  };
  for (const [shape, row] of Object.entries(measured)) {
    for (const [recipe, megabytes] of Object.entries(row)) {
      const bytes = tensorsOf(shapes[shape], recipes[recipe]).reduce(
        (sum, { shape: [cols, rows = 1], dtype }) => sum + rows * rowBytes(dtype, cols),
        0,
      );
      t.equal(Math.round(bytes / 1e6), megabytes, `${shape} ${recipe}`);
    }
  }
});

void t.test('weights have the standard deviation 1 / sqrt(cols) in every type', async (t) => {
  // Means in standard deviations: the quants of most types lie half a step below 0.
  const means: Record<RecipeDType, number> = {
    F16: 0,
    Q8_0: -0.007,
    Q4_0: -0.108,
    Q5_0: -0.054,
    Q4_K: 0,
    Q6_K: -0.027,
  };
  for (const dtype of Object.keys(means) as RecipeDType[]) {
    for (const cols of [256, 28672]) {
      const rows = Math.ceil(2 ** 16 / cols);
      const bytes = Buffer.concat([...randomMatrix(dtype, { cols, rows }, seededRandom(1))]);
      t.equal(bytes.length, rows * rowBytes(dtype, cols));
      const values = dequantize(dtype, bytes, rows * cols);
      const mean = values.reduce((sum, x) => sum + x, 0) / values.length;
      const deviation = Math.sqrt(values.reduce((sum, x) => sum + (x - mean) ** 2, 0) / values.length);
      const what = `${dtype}, ${cols} columns`;
      t.ok(Math.abs(deviation * Math.sqrt(cols) - 1) < 0.02, `${what}: ${deviation * Math.sqrt(cols)}`);
      t.ok(Math.abs(mean / deviation - means[dtype]) < 0.02, `${what}: around 0`);
    }
  }
});

void t.test('matrices larger than a piece come in whole rows', async (t) => {
  const pieces = [...randomMatrix('Q5_0', { cols: 96, rows: 70_000 }, seededRandom(1))];
  t.ok(pieces.length > 1);
  t.ok(pieces.every(({ length }) => length % rowBytes('Q5_0', 96) === 0));
  t.equal(
    pieces.reduce((sum, { length }) => sum + length, 0),
    70_000 * 3 * dtypes.Q5_0.bytes,
  );
});

void t.test('the files load, and their logits are finite', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'synth-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const base = { layers: 9, heads: 4, kvHeads: 2, vocabulary: 512, ropeBase: 1e4 } as const;
  const small: Record<string, Shape> = {
    'super-blocks': { ...base, architecture: 'qwen3', width: 256, headDim: 64, feedForward: 512 },
    'fall-backs': { ...base, architecture: 'llama', width: 96, headDim: 32, feedForward: 256 },
  };
  for (const [name, shape] of Object.entries(small)) {
    for (const [recipeName, recipe] of Object.entries(recipes)) {
      const path = join(folder, `${name}-${recipeName}.gguf`);
      await synthesize(path, { name, shape, recipe });
      const model = buildModel(await openCheckpoint(path), { contextLength: 64 });
      const backend = createWasmBackend({ threads: 1, kernels: 'auto' });
      const probe = await Probe.load(model, backend, { kvCache: 'f16', batchTokens: 8 });
      const [last] = await probe.feed([1, 2, 300, 4, 5], [4]);
      await probe.close();
      const deviation = Math.sqrt(last.reduce((sum, x) => sum + x * x, 0) / last.length);
      t.ok(last.every(Number.isFinite), `${name} ${recipeName}`);
      t.ok(deviation > 0.3 && deviation < 3, `${name} ${recipeName}: of the size of 1 (${deviation})`);
    }
  }
});
