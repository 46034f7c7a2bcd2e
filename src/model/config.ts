// The numbers of one network, read from a checkpoint's metadata (GGUF hyper-parameter keys), each with its cap.

import type { RopeLayout } from '../compute/backend.ts';
import type { Metadata } from '../core/metadata.ts';
import { ModelError } from './error.ts';
import { HyperParameters } from './hyper-parameters.ts';

export interface ModelConfig {
  /** `general.architecture`. */
  readonly architecture: string;
  readonly vocabularySize: number;
  readonly trainedContextLength: number;
  /** Length of the residual stream's rows. */
  readonly width: number;
  readonly layers: number;
  /** Inner length of the feed-forward part. */
  readonly feedForward: number;
  readonly heads: number;
  /** Key and value heads; each serves `heads / kvHeads` query heads. */
  readonly kvHeads: number;
  readonly headDim: number;
  /** Factor of the attention scores. */
  readonly attentionScale: number;
  readonly normEpsilon: number;
  /** A token sees itself and `window - 1` tokens before it; 0: all. */
  readonly window: number;
  /** Whether each head of q and k is normalised before its rotation. */
  readonly normalisesHeads: boolean;
  readonly rope: RopeConfig;
}

export interface RopeConfig {
  /** Rotated dimensions at the beginning of each head; even. */
  readonly dims: number;
  readonly base: number;
  readonly layout: RopeLayout;
  readonly scaling: RopeScaling;
  /** Factor of cos and sin beside what the scaling itself brings; `undefined`: the scaling's own default. */
  readonly attentionFactor: number | undefined;
}

/** How rotations are stretched beyond the context of the first training. Per-pair factors come as tensors, not as keys. */
export type RopeScaling =
  | { readonly type: 'none' }
  | { readonly type: 'linear'; readonly factor: number }
  | {
      readonly type: 'yarn';
      readonly factor: number;
      readonly originalContextLength: number;
      /** Share of the extrapolated frequencies in the mix; 1 in the paper. */
      readonly extrapolation: number;
      /** Rotations within the original context above which a pair is left alone, and below which it is fully stretched. */
      readonly betaFast: number;
      readonly betaSlow: number;
    }
  | { readonly type: 'longrope'; readonly originalContextLength: number };

/** What a family of networks fixes without saying so in the file. */
export interface DecoderTraits {
  readonly ropeLayout: RopeLayout;
  readonly normalisesHeads: boolean;
}

/**
 * Caps: several times the largest published network of each kind, and small enough that products of two stay exact and that a
 * hostile file fails here, by name, rather than in an allocation.
 */
const caps = {
  vocabularySize: 1 << 21,
  contextLength: 1 << 24,
  width: 1 << 16,
  layers: 1024,
  feedForward: 1 << 20,
  heads: 1024,
  headDim: 1024,
  ropeBase: 1e12,
  ropeFactor: 1e6,
} as const;

/** Longest context that a model may be given. */
export const maxContextLength: number = caps.contextLength;

/** Keys that ask for arithmetic which the standard decoder lacks; ignoring them would give wrong text without a word. */
const refusedKeys = {
  expert_count: { neutral: 0, reason: 'mixtures of experts are not supported yet' },
  'attention.causal': { neutral: true, reason: 'only causal decoders are supported' },
  'attention.temperature_scale': { neutral: 0, reason: 'scaling queries by position is not supported' },
  'attention.clamp_kqv': { neutral: 0, reason: 'clamped projections are not supported' },
  'attention.max_alibi_bias': { neutral: 0, reason: 'ALiBi is not supported' },
  'attention.sliding_window_pattern': { neutral: 0, reason: 'a window is supported in all layers or in none' },
  attn_logit_softcapping: { neutral: 0, reason: 'capped attention scores belong to other architectures' },
  final_logit_softcapping: { neutral: 0, reason: 'capped logits belong to other architectures' },
  embedding_scale: { neutral: 1, reason: 'scaled embeddings belong to other architectures' },
  residual_scale: { neutral: 1, reason: 'scaled residuals belong to other architectures' },
  logit_scale: { neutral: 1, reason: 'scaled logits belong to other architectures' },
  nextn_predict_layers: { neutral: 0, reason: 'layers that predict further tokens are not supported yet' },
  'rope.dimension_sections': { neutral: 0, reason: 'sectioned rotations belong to other architectures' },
  'rope.scaling.yarn_log_multiplier': { neutral: 0, reason: 'it belongs to other architectures' },
} as const;

/** `general.architecture`, or why there is none. */
export function architectureName(metadata: Metadata): string {
  const name = metadata['general.architecture'];
  if (typeof name === 'string') return name;
  throw new ModelError('general.architecture is missing; without it nobody knows which network this is.');
}

/** The configuration of a standard decoder: attention and feed-forward blocks over one residual stream. */
export function readDecoderConfig(metadata: Metadata, traits: DecoderTraits): ModelConfig {
  const architecture = architectureName(metadata);
  const keys = new HyperParameters(metadata, architecture);
  keys.refuse(refusedKeys);

  const width = keys.integer('embedding_length', { least: 1, most: caps.width });
  const heads = keys.integerOfAllLayers('attention.head_count', { least: 1, most: caps.heads });
  const kvHeads = keys.integerOfAllLayers('attention.head_count_kv', { least: 1, most: heads, fallback: heads });
  if (heads % kvHeads !== 0) {
    throw new ModelError(
      `${architecture}.attention.head_count is ${heads}; supported: multiples of head_count_kv, which is ${kvHeads}.`,
    );
  }
  const headDim = readHeadDim(keys, width, heads);
  const trainedContextLength = keys.integer('context_length', { least: 1, most: caps.contextLength });
  return {
    architecture,
    vocabularySize: readVocabularySize(keys, metadata),
    trainedContextLength,
    width,
    layers: keys.integer('block_count', { least: 1, most: caps.layers }),
    feedForward: keys.integerOfAllLayers('feed_forward_length', { least: 1, most: caps.feedForward }),
    heads,
    kvHeads,
    headDim,
    attentionScale: keys.number('attention.scale', { least: 1e-6, most: 1e3, fallback: 1 / Math.sqrt(headDim) }),
    normEpsilon: keys.number('attention.layer_norm_rms_epsilon', { least: 0, most: 1 }),
    window: keys.integer('attention.sliding_window', { least: 0, most: caps.contextLength, fallback: 0 }),
    normalisesHeads: traits.normalisesHeads,
    rope: readRope(keys, headDim, trainedContextLength, traits.ropeLayout),
  };
}

function readVocabularySize(keys: HyperParameters, metadata: Metadata): number {
  const tokens = metadata['tokenizer.ggml.tokens'];
  const listed = Array.isArray(tokens) ? tokens.length : undefined;
  return keys.integer('vocab_size', { least: 1, most: caps.vocabularySize, fallback: listed });
}

function readHeadDim(keys: HyperParameters, width: number, heads: number): number {
  const range = { least: 1, most: caps.headDim };
  // A width that the heads do not divide is fine when the file names the head size.
  const fallback = width % heads === 0 && width / heads <= caps.headDim ? width / heads : undefined;
  const headDim = keys.integer('attention.key_length', { ...range, fallback });
  const valueDim = keys.integer('attention.value_length', { ...range, fallback: headDim });
  if (valueDim !== headDim) {
    throw new ModelError(
      `${keys.architecture}.attention.value_length is ${valueDim}; supported is the key length, ${headDim}.`,
    );
  }
  return headDim;
}

function readRope(keys: HyperParameters, headDim: number, trained: number, layout: RopeLayout): RopeConfig {
  const dims = keys.integer('rope.dimension_count', { least: 2, most: headDim, fallback: headDim });
  if (dims % 2 !== 0) {
    throw new ModelError(`${keys.architecture}.rope.dimension_count is ${dims}; supported: even numbers.`);
  }
  const positive = { least: 1e-6, most: caps.ropeFactor };
  return {
    dims,
    base: keys.number('rope.freq_base', { least: 2, most: caps.ropeBase, fallback: 10_000 }),
    layout,
    scaling: readScaling(keys, trained),
    attentionFactor: keys.has('rope.scaling.attn_factor')
      ? keys.number('rope.scaling.attn_factor', positive)
      : undefined,
  };
}

function readScaling(keys: HyperParameters, trained: number): RopeScaling {
  // Files without a type but with a factor mean a linear one; `rope.scale_linear` is that factor's first name.
  const type = keys.text('rope.scaling.type', ['none', 'linear', 'yarn', 'longrope'], 'linear');
  const positive = { least: 1e-6, most: caps.ropeFactor };
  const oldFactor = keys.number('rope.scale_linear', { ...positive, fallback: 1 });
  const factor = keys.number('rope.scaling.factor', { ...positive, fallback: oldFactor });
  const context = { least: 1, most: caps.contextLength, fallback: trained };
  const originalContextLength = keys.integer('rope.scaling.original_context_length', context);
  switch (type) {
    case 'linear':
      return factor === 1 ? { type: 'none' } : { type: 'linear', factor };
    case 'yarn':
      return {
        type: 'yarn',
        factor,
        originalContextLength,
        extrapolation: keys.number('rope.scaling.yarn_ext_factor', { least: 0, most: 1, fallback: 1 }),
        betaFast: keys.number('rope.scaling.yarn_beta_fast', { ...positive, fallback: 32 }),
        betaSlow: keys.number('rope.scaling.yarn_beta_slow', { ...positive, fallback: 1 }),
      };
    case 'longrope':
      return { type: 'longrope', originalContextLength };
    default:
      return { type: 'none' };
  }
}
