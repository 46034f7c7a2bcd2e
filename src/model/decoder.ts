// The standard decoder: embed, blocks of attention and feed-forward around one residual stream, norm, head.

import type { KvLayer } from '../compute/backend.ts';
import { attention } from './blocks/attention.ts';
import { embedding, head } from './blocks/embedding.ts';
import { mlp } from './blocks/mlp.ts';
import { norm } from './blocks/norm.ts';
import { ropeTable } from './blocks/rope.ts';
import type { ModelConfig } from './config.ts';
import type { Built, LayerState, Network } from './network.ts';

export function buildDecoder(network: Network): Built {
  const { config, ops } = network;
  const rotations = ropeTable(network);
  const states: LayerState[] = [];
  const kvLayers: KvLayer[] = [];
  let x = embedding(network);
  for (let layer = 0; layer < config.layers; layer++) {
    // After the last attention nobody looks at a token whose logits are not wanted.
    const isLast = layer === config.layers - 1;
    const attended = attention(network, norm(network, x, `blk.${layer}.attn_norm`, layer), {
      layer,
      rotations,
      selects: isLast,
    });
    x = ops.add(isLast ? ops.select(x) : x, attended);
    x = ops.add(x, mlp(network, norm(network, x, `blk.${layer}.ffn_norm`, layer), layer));
    states.push(stateOf(config));
    kvLayers.push({ layer, kvHeads: config.kvHeads, headDim: config.headDim });
  }
  return { logits: head(network, norm(network, x, 'output_norm', config.layers)), states, kvLayers };
}

function stateOf(config: ModelConfig): LayerState {
  return config.window === 0 ? { kind: 'paged' } : { kind: 'window', tokens: config.window };
}
