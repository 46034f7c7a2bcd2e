// Causal self-attention with grouped heads (Ainslie et al. 2023), rotated q and k, and the layer's cache.

import type { Activation, Weight } from '../../compute/ops.ts';
import type { Network } from '../network.ts';
import { linear } from './linear.ts';
import { norm } from './norm.ts';

export interface AttentionPlace {
  readonly layer: number;
  /** Table of cos and sin. */
  readonly rotations: Weight;
  /** Whether only the rows whose logits are wanted go on (the last layer). */
  readonly selects: boolean;
}

/** x: [tokens, width]; result [tokens or outputs, width], before the residual is added. */
export function attention(network: Network, x: Activation, { layer, rotations, selects }: AttentionPlace): Activation {
  const { config, ops } = network;
  const { heads, kvHeads, headDim, window } = config;
  const block = `blk.${layer}`;
  // The three products beside each other: a backend may run them without waiting in between.
  const projectedQ = linear(network, x, `${block}.attn_q`, heads * headDim, layer);
  const projectedK = linear(network, x, `${block}.attn_k`, kvHeads * headDim, layer);
  const v = linear(network, x, `${block}.attn_v`, kvHeads * headDim, layer);
  const q = normalised(network, projectedQ, `${block}.attn_q_norm`, layer);
  const k = normalised(network, projectedK, `${block}.attn_k_norm`, layer);
  const rotation = { headDim, dims: config.rope.dims, layout: config.rope.layout, table: rotations };
  ops.rope(q, { ...rotation, heads });
  ops.rope(k, { ...rotation, heads: kvHeads });
  ops.store(k, v, layer);
  const mixed = ops.attention(q, { layer, heads, kvHeads, headDim, scale: config.attentionScale, window });
  return linear(network, selects ? ops.select(mixed) : mixed, `${block}.attn_output`, config.width, layer);
}

/** Each head by itself, where the architecture does so. [tokens, heads * headDim] */
function normalised(network: Network, projected: Activation, name: string, layer: number): Activation {
  const { headDim, normalisesHeads } = network.config;
  return normalisesHeads ? norm(network, projected, name, layer, headDim) : projected;
}
