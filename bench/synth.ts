// Random weights in the shape of a real model: speed does not depend on the values. Scales keep activations near 1.

import type { DType } from '../src/tensor/dtype.ts';
import { f32ToF16 } from '../src/tensor/half.ts';
import { writeGguf, type GgufValue, type NewTensor } from '../src/weights/gguf-writer.ts';
import { UsageError } from './arguments.ts';

interface Shape {
  readonly architecture: 'llama' | 'qwen3';
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly feedForward: number;
  readonly vocabulary: number;
  readonly ropeBase: number;
}

/** Published shapes, and one that no model has. All share the embedding with the output. */
export const shapes: Record<string, Shape> = {
  'qwen3-0.6b': {
    architecture: 'qwen3',
    width: 1024,
    layers: 28,
    heads: 16,
    kvHeads: 8,
    headDim: 128,
    feedForward: 3072,
    vocabulary: 151936,
    ropeBase: 1e6,
  },
  'smollm2-135m': {
    architecture: 'llama',
    width: 576,
    layers: 30,
    heads: 9,
    kvHeads: 3,
    headDim: 64,
    feedForward: 1536,
    vocabulary: 49152,
    ropeBase: 1e5,
  },
  'llama-3.2-1b': {
    architecture: 'llama',
    width: 2048,
    layers: 16,
    heads: 32,
    kvHeads: 8,
    headDim: 64,
    feedForward: 8192,
    vocabulary: 128256,
    ropeBase: 5e5,
  },
  // More than one WASM memory can hold, with little arithmetic: 5.1 GiB in q8_0, for `npm run test:large`.
  'wide-5b': {
    architecture: 'llama',
    width: 8192,
    layers: 6,
    heads: 64,
    kvHeads: 8,
    headDim: 128,
    feedForward: 28672,
    vocabulary: 1024,
    ropeBase: 5e5,
  },
};

const recipes: Record<string, DType> = { q8_0: 'Q8_0', q4_0: 'Q4_0', f16: 'F16' };

export async function synthesize(args: readonly string[]): Promise<void> {
  const [shapeName, recipe, out] = args;
  const shape = shapes[shapeName ?? ''];
  const matrix = recipes[recipe ?? ''];
  if (shape === undefined) throw new UsageError(`SHAPE is one of ${Object.keys(shapes).join(', ')}`);
  if (matrix === undefined) throw new UsageError(`RECIPE is one of ${Object.keys(recipes).join(', ')}`);
  if (out === undefined) throw new UsageError('OUT, the file to write, is missing');
  const random = generator(1);
  const tensors = tensorsOf(shape, matrix);
  let done = 0;
  await writeGguf(out, { metadata: metadataOf(shapeName, shape), tensors }, function* (tensor) {
    const [cols, rows = 1] = tensor.shape;
    yield* tensor.dtype === 'F32' ? [ones(cols * rows)] : pieces(tensor.dtype, cols, rows, random);
    done++;
    if (process.stderr.isTTY)
      process.stderr.write(`\r${done} of ${tensors.length} tensors${done === tensors.length ? '\n' : ''}`);
  });
  process.stdout.write(`${out}\n`);
}

function tensorsOf(shape: Shape, matrix: DType): NewTensor[] {
  const { width, heads, kvHeads, headDim, feedForward } = shape;
  const norm = (name: string, length: number): NewTensor => ({ name, shape: [length], dtype: 'F32' });
  const weight = (name: string, cols: number, rows: number): NewTensor => ({
    name,
    shape: [cols, rows],
    dtype: matrix,
  });
  const layers = Array.from({ length: shape.layers }, (_, layer) => `blk.${layer}.`).flatMap((prefix) => [
    norm(`${prefix}attn_norm.weight`, width),
    weight(`${prefix}attn_q.weight`, width, heads * headDim),
    weight(`${prefix}attn_k.weight`, width, kvHeads * headDim),
    weight(`${prefix}attn_v.weight`, width, kvHeads * headDim),
    weight(`${prefix}attn_output.weight`, heads * headDim, width),
    ...(shape.architecture === 'qwen3'
      ? [norm(`${prefix}attn_q_norm.weight`, headDim), norm(`${prefix}attn_k_norm.weight`, headDim)]
      : []),
    norm(`${prefix}ffn_norm.weight`, width),
    weight(`${prefix}ffn_gate.weight`, width, feedForward),
    weight(`${prefix}ffn_up.weight`, width, feedForward),
    weight(`${prefix}ffn_down.weight`, feedForward, width),
  ]);
  return [weight('token_embd.weight', width, shape.vocabulary), ...layers, norm('output_norm.weight', width)];
}

function metadataOf(name: string, shape: Shape): Record<string, GgufValue> {
  const text = (value: string): GgufValue => ({ type: 'string', value });
  const u32 = (value: number): GgufValue => ({ type: 'u32', value });
  const f32 = (value: number): GgufValue => ({ type: 'f32', value });
  const a = shape.architecture;
  return {
    'general.architecture': text(a),
    'general.name': text(`synthetic ${name}`),
    [`${a}.context_length`]: u32(40960),
    [`${a}.embedding_length`]: u32(shape.width),
    [`${a}.block_count`]: u32(shape.layers),
    [`${a}.feed_forward_length`]: u32(shape.feedForward),
    [`${a}.attention.head_count`]: u32(shape.heads),
    [`${a}.attention.head_count_kv`]: u32(shape.kvHeads),
    [`${a}.attention.key_length`]: u32(shape.headDim),
    [`${a}.attention.value_length`]: u32(shape.headDim),
    [`${a}.rope.dimension_count`]: u32(shape.headDim),
    [`${a}.rope.freq_base`]: f32(shape.ropeBase),
    [`${a}.attention.layer_norm_rms_epsilon`]: f32(1e-6),
    [`${a}.vocab_size`]: u32(shape.vocabulary),
    ...vocabularyOf(shape.vocabulary),
  };
}

/** The 256 bytes of a byte-level vocabulary, fillers, and an end token: enough to serve the file. */
function vocabularyOf(size: number): Record<string, GgufValue> {
  const printable = (byte: number): boolean => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
  let moved = 256;
  const bytes = Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : moved++));
  const tokens = Array.from({ length: size }, (_, id) => (id < 256 ? bytes[id] : `<filler_${id}>`));
  tokens[size - 1] = '<|im_end|>';
  return {
    'tokenizer.ggml.model': { type: 'string', value: 'gpt2' },
    'tokenizer.ggml.pre': { type: 'string', value: 'qwen2' },
    'tokenizer.ggml.tokens': { type: 'array', of: 'string', value: tokens },
    'tokenizer.ggml.token_type': {
      type: 'array',
      of: 'i32',
      value: tokens.map((_, id) => (id === size - 1 ? 3 : id < 256 ? 1 : 5)),
    },
    'tokenizer.ggml.merges': { type: 'array', of: 'string', value: [] },
    'tokenizer.ggml.eos_token_id': { type: 'u32', value: size - 1 },
    'tokenizer.ggml.add_bos_token': { type: 'bool', value: false },
  };
}

function ones(count: number): Uint8Array {
  return new Uint8Array(new Float32Array(count).fill(1).buffer);
}

/** Rows in pieces of about 4 MiB: random quants under one scale that gives a standard deviation of 1 / sqrt(cols). */
function* pieces(dtype: DType, cols: number, rows: number, random: () => number): Generator<Uint8Array> {
  const blockBytes = dtype === 'Q8_0' ? 34 : dtype === 'Q4_0' ? 18 : 2;
  const perRow = dtype === 'F16' ? cols * 2 : (cols / 32) * blockBytes;
  const deviation = 1 / Math.sqrt(cols);
  // Uniform bytes have a standard deviation of 74 as int8, of 4.6 as nibbles.
  const scale = f32ToF16(dtype === 'Q8_0' ? deviation / 74 : deviation / 4.6);
  const step = Math.max(1, Math.floor(2 ** 22 / perRow));
  for (let row = 0; row < rows; row += step) {
    const piece = new Uint8Array(Math.min(step, rows - row) * perRow);
    const words = new Uint32Array(piece.buffer, 0, piece.length >> 2);
    for (let i = 0; i < words.length; i++) words[i] = random();
    const view = new DataView(piece.buffer);
    if (dtype === 'F16') {
      for (let at = 0; at < piece.length; at += 2)
        view.setUint16(at, f32ToF16(((piece[at] - 127.5) / 74) * deviation), true);
    } else {
      for (let at = 0; at < piece.length; at += blockBytes) view.setUint16(at, scale, true);
    }
    yield piece;
  }
}

/** xorshift32 (Marsaglia 2003). */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
