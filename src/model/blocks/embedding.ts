// Token ids to rows, and rows to logits: one matrix serves both when the file has no `output.weight` (tied embeddings).

import type { Activation, Weight } from '../../compute/ops.ts';
import type { Network } from '../network.ts';
import { linear } from './linear.ts';

/** [tokens, width] */
export function embedding(network: Network): Activation {
  return network.ops.embed(table(network));
}

/** [outputs, vocabulary] */
export function head(network: Network, x: Activation): Activation {
  const { config, parameters, ops } = network;
  if (parameters.has('output.weight')) return linear(network, x, 'output', config.vocabularySize, config.layers);
  return ops.linear(x, table(network), { adapterSlot: parameters.adapterSlot('output') });
}

function table({ config, parameters }: Network): Weight {
  return parameters.matrix('token_embd.weight', config.vocabularySize, config.width, -1);
}
