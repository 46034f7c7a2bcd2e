// Random weights in the shape of a real model: speed does not depend on the values. Scales keep activations near 1.

import { writeGguf, type GgufValue, type NewTensor } from '../../src/weights/gguf-writer.ts';
import { readArguments, UsageError } from '../arguments.ts';
import { seededRandom } from '../random.ts';
import { randomMatrix } from './random-blocks.ts';
import { recipes, type MatrixPlace, type Recipe, type RecipeDType } from './recipes.ts';
import { shapes, type Shape } from './shapes.ts';

export async function benchSynth(args: readonly string[]): Promise<void> {
  const [shapeName, recipeName, out] = readArguments(args, [], []).positionals;
  const shape = shapes[shapeName ?? ''];
  const recipe = recipes[recipeName ?? ''];
  if (shape === undefined) throw new UsageError(`SHAPE is one of ${Object.keys(shapes).join(', ')}`);
  if (recipe === undefined) throw new UsageError(`RECIPE is one of ${Object.keys(recipes).join(', ')}`);
  if (out === undefined) throw new UsageError('OUT, the file to write, is missing');
  await synthesize(out, { name: shapeName, shape, recipe }, (done, total) => {
    if (process.stderr.isTTY) process.stderr.write(`\r${done} of ${total} tensors${done === total ? '\n' : ''}`);
  });
  process.stdout.write(`${out}\n`);
}

export interface SyntheticModel {
  readonly name: string;
  readonly shape: Shape;
  readonly recipe: Recipe;
}

/** Writes the file; the same bytes each time. */
export async function synthesize(
  path: string,
  { name, shape, recipe }: SyntheticModel,
  onProgress: (done: number, total: number) => void = () => undefined,
): Promise<void> {
  const random = seededRandom(1);
  const tensors = tensorsOf(shape, recipe);
  let done = 0;
  await writeGguf(path, { metadata: metadataOf(name, shape), tensors }, function* (tensor) {
    const [cols, rows = 1] = tensor.shape;
    if (tensor.dtype === 'F32') yield ones(cols);
    else yield* randomMatrix(tensor.dtype as RecipeDType, { cols, rows }, random);
    onProgress(++done, tensors.length);
  });
}

/** Matrices in the recipe's types, norms in F32. */
export function tensorsOf(shape: Shape, recipe: Recipe): NewTensor[] {
  const { width, heads, kvHeads, headDim, feedForward, layers } = shape;
  const norm = (name: string, length: number): NewTensor => ({ name, shape: [length], dtype: 'F32' });
  const blocks = Array.from({ length: layers }, (_, layer) => {
    const prefix = `blk.${layer}.`;
    const matrix = (name: string, role: MatrixPlace['role'], cols: number, rows: number): NewTensor => ({
      name: `${prefix}${name}.weight`,
      shape: [cols, rows],
      dtype: recipe({ role, cols, layer, layers }),
    });
    return [
      norm(`${prefix}attn_norm.weight`, width),
      matrix('attn_q', 'query', width, heads * headDim),
      matrix('attn_k', 'key', width, kvHeads * headDim),
      matrix('attn_v', 'value', width, kvHeads * headDim),
      matrix('attn_output', 'attention output', heads * headDim, width),
      ...(shape.architecture === 'qwen3'
        ? [norm(`${prefix}attn_q_norm.weight`, headDim), norm(`${prefix}attn_k_norm.weight`, headDim)]
        : []),
      norm(`${prefix}ffn_norm.weight`, width),
      matrix('ffn_gate', 'gate', width, feedForward),
      matrix('ffn_up', 'up', width, feedForward),
      matrix('ffn_down', 'down', feedForward, width),
    ];
  });
  const embedding: NewTensor = {
    name: 'token_embd.weight',
    shape: [width, shape.vocabulary],
    dtype: recipe({ role: 'embedding', cols: width, layer: 0, layers }),
  };
  return [embedding, ...blocks.flat(), norm('output_norm.weight', width)];
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

/** The 256 bytes of a byte-level vocabulary, words that only answers have (there are no merges), and an end token. */
function vocabularyOf(size: number): Record<string, GgufValue> {
  const printable = (byte: number): boolean => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
  let moved = 256;
  const bytes = Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : moved++));
  const space = bytes[32];
  const tokens = Array.from({ length: size }, (_, id) => (id < 256 ? bytes[id] : `${space}w${id}`));
  tokens[size - 1] = '<|im_end|>';
  return {
    'tokenizer.ggml.model': { type: 'string', value: 'gpt2' },
    'tokenizer.ggml.pre': { type: 'string', value: 'qwen2' },
    'tokenizer.ggml.tokens': { type: 'array', of: 'string', value: tokens },
    'tokenizer.ggml.token_type': {
      type: 'array',
      of: 'i32',
      value: tokens.map((_, id) => (id === size - 1 ? 3 : 1)),
    },
    'tokenizer.ggml.merges': { type: 'array', of: 'string', value: [] },
    'tokenizer.ggml.eos_token_id': { type: 'u32', value: size - 1 },
    'tokenizer.ggml.add_bos_token': { type: 'bool', value: false },
  };
}

function ones(count: number): Uint8Array {
  return new Uint8Array(new Float32Array(count).fill(1).buffer);
}
