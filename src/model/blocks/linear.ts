// A projection: matrix, the bias if the file has one, and a slot for adapters.

import type { Activation } from '../../compute/ops.ts';
import type { Network } from '../network.ts';

/** `name.weight` [rows, x.cols] and, where it exists, `name.bias` [rows]. */
export function linear(network: Network, x: Activation, name: string, rows: number, layer: number): Activation {
  const { parameters, ops } = network;
  const weight = parameters.matrix(`${name}.weight`, rows, x.cols, layer);
  const bias = parameters.optionalVector(`${name}.bias`, rows, layer);
  return ops.linear(x, weight, { bias, adapterSlot: parameters.adapterSlot(name) });
}
