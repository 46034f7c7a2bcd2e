// RMSNorm with a weight per column (Zhang & Sennrich 2019), over whole rows or over each head.

import type { Activation } from '../../compute/ops.ts';
import type { Network } from '../network.ts';

/** `width`: columns that are normalised together; by default the whole row. */
export function norm(network: Network, x: Activation, name: string, layer: number, width: number = x.cols): Activation {
  const { config, parameters, ops } = network;
  return ops.rmsNorm(x, parameters.vector(`${name}.weight`, width, layer), config.normEpsilon, width);
}
