// The contract between a model, its architecture and the blocks: what is known while a network is being built, and what it brings.

import type { KvLayer } from '../compute/backend.ts';
import type { Activation, Ops } from '../compute/ops.ts';
import type { Metadata } from '../core/metadata.ts';
import type { ModelConfig } from './config.ts';
import type { Parameters } from './parameters.ts';

export interface Architecture {
  /** As `general.architecture` spells them. */
  readonly names: readonly string[];
  /** Throws `ModelError` for numbers out of range and for keys whose effect is not implemented. */
  config(metadata: Metadata): ModelConfig;
  build(network: Network): Built;
}

/** A model under construction: what every block sees. */
export interface Network {
  readonly config: ModelConfig;
  readonly contextLength: number;
  readonly parameters: Parameters;
  readonly ops: Ops;
}

/** What building the blocks brought. */
export interface Built {
  /** [outputs, vocabulary] */
  readonly logits: Activation;
  readonly states: readonly LayerState[];
  readonly kvLayers: readonly KvLayer[];
}

/** What a sequence of a layer keeps between steps; declared by the model, followed by pool, rollback and prefix cache. */
export type LayerState =
  | { readonly kind: 'paged' }
  | { readonly kind: 'window'; readonly tokens: number }
  | { readonly kind: 'recurrent'; readonly bytes: number }
  | { readonly kind: 'sharedWith'; readonly layer: number };
