// Seeded tiny checkpoints: whole models of random weights, written as real files, so that tests need no downloads. Weights are scaled
// such that activations stay near 1.

import type { DType } from '../tensor/dtype.ts';
import type { WritableDType } from '../tensor/quantize.ts';
import { quantize } from '../tensor/quantize.ts';
import type { GgufContent, GgufValue, NewTensor } from '../weights/gguf-writer.ts';
import { writeGguf } from '../weights/gguf-writer.ts';

export interface TinyModel {
  readonly architecture: string;
  readonly seed: number;
  readonly vocabularySize: number;
  readonly contextLength: number;
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly feedForward: number;
  /** Type of the matrices; vectors are F32. */
  readonly dtype: WritableDType;
  /** Whether the embedding matrix is also the head. */
  readonly tied: boolean;
  /** Whether q, k, v and the attention output have biases. */
  readonly biases: boolean;
  /** Whether each head of q and k has a norm. */
  readonly normalisesHeads: boolean;
  /** Further hyper-parameters, without the architecture's prefix; or other values of those above. */
  readonly keys: Readonly<Record<string, GgufValue>>;
  /** Further vectors, all positive: [length] by name. */
  readonly vectors: Readonly<Record<string, number>>;
}

export const tinyLlama: TinyModel = {
  architecture: 'llama',
  seed: 1,
  vocabularySize: 48,
  contextLength: 256,
  width: 64,
  layers: 2,
  heads: 4,
  kvHeads: 2,
  headDim: 16,
  feedForward: 96,
  dtype: 'F32',
  tied: false,
  biases: false,
  normalisesHeads: false,
  keys: {},
  vectors: {},
};

export const tinyQwen3: TinyModel = {
  ...tinyLlama,
  architecture: 'qwen3',
  headDim: 32,
  tied: true,
  normalisesHeads: true,
};

/** Same model, same bytes. */
export async function writeTinyModel(path: string, model: TinyModel): Promise<void> {
  const values = tinyTensors(model);
  const content: GgufContent = { metadata: tinyMetadata(model), tensors: [...values.keys()] };
  await writeGguf(path, content, (tensor) => {
    const [, made] = [...values].find(([{ name }]) => name === tensor.name) ?? [undefined, new Float32Array()];
    return [quantize(tensor.dtype as WritableDType, made)];
  });
}

export function tinyMetadata(model: TinyModel): Readonly<Record<string, GgufValue>> {
  const u32 = (value: number): GgufValue => ({ type: 'u32', value });
  const keys: Readonly<Record<string, GgufValue>> = {
    vocab_size: u32(model.vocabularySize),
    context_length: u32(model.contextLength),
    embedding_length: u32(model.width),
    block_count: u32(model.layers),
    feed_forward_length: u32(model.feedForward),
    'attention.head_count': u32(model.heads),
    'attention.head_count_kv': u32(model.kvHeads),
    'attention.key_length': u32(model.headDim),
    'attention.value_length': u32(model.headDim),
    'attention.layer_norm_rms_epsilon': { type: 'f32', value: 1e-5 },
    ...model.keys,
  };
  return {
    'general.architecture': { type: 'string', value: model.architecture },
    ...Object.fromEntries(Object.entries(keys).map(([key, value]) => [`${model.architecture}.${key}`, value])),
  };
}

/** Every tensor of the model with its values before they are stored. */
export function tinyTensors(model: TinyModel): Map<NewTensor, Float32Array> {
  const { vocabularySize, width, layers, heads, kvHeads, headDim, feedForward } = model;
  const random = uniformValues(model.seed);
  const tensors = new Map<NewTensor, Float32Array>();
  const put = (name: string, dtype: DType, shape: readonly number[], value: () => number): void => {
    const count = shape.reduce((product, length) => product * length, 1);
    tensors.set({ name, dtype, shape }, Float32Array.from({ length: count }, value));
  };
  const matrix = (name: string, rows: number, cols: number): void => {
    // Uniform in +-a has variance a^2 / 3.
    put(`${name}.weight`, model.dtype, [cols, rows], () => random() * Math.sqrt(3 / cols));
  };
  const norm = (name: string, length: number): void => put(`${name}.weight`, 'F32', [length], () => 1 + 0.2 * random());
  const bias = (name: string, length: number): void => {
    if (model.biases) put(`${name}.bias`, 'F32', [length], () => 0.3 * random());
  };

  put('token_embd.weight', model.dtype, [width, vocabularySize], () => random() * Math.sqrt(3));
  for (let layer = 0; layer < layers; layer++) {
    const block = `blk.${layer}`;
    norm(`${block}.attn_norm`, width);
    for (const [name, count] of [
      ['attn_q', heads],
      ['attn_k', kvHeads],
      ['attn_v', kvHeads],
    ] as const) {
      matrix(`${block}.${name}`, count * headDim, width);
      bias(`${block}.${name}`, count * headDim);
      if (model.normalisesHeads && name !== 'attn_v') norm(`${block}.${name}_norm`, headDim);
    }
    matrix(`${block}.attn_output`, width, heads * headDim);
    bias(`${block}.attn_output`, width);
    norm(`${block}.ffn_norm`, width);
    matrix(`${block}.ffn_gate`, feedForward, width);
    matrix(`${block}.ffn_up`, feedForward, width);
    matrix(`${block}.ffn_down`, width, feedForward);
  }
  norm('output_norm', width);
  if (!model.tied) matrix('output', vocabularySize, width);
  for (const [name, length] of Object.entries(model.vectors)) put(name, 'F32', [length], () => 2.5 + 1.5 * random());
  return tensors;
}

/** -1 .. 1 (mulberry32). */
function uniformValues(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 2 ** 31 - 1;
  };
}
