// SwiGLU (Shazeer 2020): down( silu(gate x) * (up x) ).

import type { Activation } from '../../compute/ops.ts';
import type { Network } from '../network.ts';
import { linear } from './linear.ts';

export function mlp(network: Network, x: Activation, layer: number): Activation {
  const { feedForward } = network.config;
  const gate = linear(network, x, `blk.${layer}.ffn_gate`, feedForward, layer);
  const up = linear(network, x, `blk.${layer}.ffn_up`, feedForward, layer);
  return linear(network, network.ops.gate('silu', gate, up), `blk.${layer}.ffn_down`, x.cols, layer);
}
