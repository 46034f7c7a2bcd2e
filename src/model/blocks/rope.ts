// Rotary position embedding (Su et al. 2021) as a table of cos and sin, with every scaling that files ask for: linear,
// YaRN (Peng et al. 2023), per-pair factors (Llama 3.1: `rope_freqs`), LongRoPE (Ding et al. 2024: two sets of factors).

import type { Weight } from '../../compute/ops.ts';
import type { RopeConfig, RopeScaling } from '../config.ts';
import { ModelError } from '../error.ts';
import type { Network } from '../network.ts';

/** More would be a table that dwarfs the weights; the message says which context fits. */
const maxTableBytes = 2 ** 30;

/** [contextLength, dims]: per position and pair i cos at 2i and sin at 2i+1. */
export function ropeTable(network: Network): Weight {
  const { config, contextLength, parameters } = network;
  const { dims } = config.rope;
  const longest = Math.floor(maxTableBytes / (4 * dims));
  if (contextLength > longest) {
    throw new ModelError(`A context of ${contextLength} is not supported for this model; at most ${longest} is.`);
  }
  const rope = { ...config.rope, trainedContextLength: config.trainedContextLength };
  const values = rotations(rope, contextLength, pairFactors(network));
  return parameters.table('rope_table', contextLength, dims, values);
}

export interface RotationConfig extends RopeConfig {
  readonly trainedContextLength: number;
}

/** `factors`: divisor of each pair's frequency, [dims / 2]. Computed in float64, rounded once. */
export function rotations(rope: RotationConfig, positions: number, factors: Float32Array | undefined): Float32Array {
  const pairs = rope.dims / 2;
  const stretch = frequencyStretch(rope);
  const magnitude = rotationMagnitude(rope);
  const frequencies = Float64Array.from({ length: pairs }, (_, pair) => {
    return (rope.base ** ((-2 * pair) / rope.dims) / (factors?.[pair] ?? 1)) * stretch(pair);
  });
  const table = new Float32Array(positions * rope.dims);
  for (let position = 0; position < positions; position++) {
    for (let pair = 0; pair < pairs; pair++) {
      const angle = position * frequencies[pair];
      const at = position * rope.dims + 2 * pair;
      table[at] = magnitude * Math.cos(angle);
      table[at + 1] = magnitude * Math.sin(angle);
    }
  }
  return table;
}

/** By what each pair's frequency is multiplied. */
function frequencyStretch({ dims, base, scaling }: RopeConfig): (pair: number) => number {
  if (scaling.type === 'linear') return () => 1 / scaling.factor;
  if (scaling.type !== 'yarn') return () => 1;
  const { factor, originalContextLength, extrapolation, betaFast, betaSlow } = scaling;
  // The pair that turns `rotations` times within the original context.
  const pairOf = (turns: number): number =>
    (dims * Math.log(originalContextLength / (turns * 2 * Math.PI))) / (2 * Math.log(base));
  const first = Math.max(0, Math.floor(pairOf(betaFast)));
  const last = Math.min(dims - 1, Math.ceil(pairOf(betaSlow)));
  return (pair) => {
    const ramp = Math.min(1, Math.max(0, (pair - first) / Math.max(0.001, last - first)));
    const kept = (1 - ramp) * extrapolation;
    return kept + (1 - kept) / factor;
  };
}

function rotationMagnitude({ scaling, attentionFactor, trainedContextLength }: RotationConfig): number {
  switch (scaling.type) {
    case 'yarn': {
      // The paper's temperature; without extrapolation the scaling is a linear one and has none.
      const own = scaling.extrapolation === 0 || scaling.factor <= 1 ? 1 : 1 + 0.1 * Math.log(scaling.factor);
      return own * (attentionFactor ?? 1);
    }
    case 'longrope':
      return attentionFactor ?? longRopeMagnitude(scaling, trainedContextLength);
    case 'none':
    case 'linear':
      return attentionFactor ?? 1;
    default:
      return scaling satisfies never;
  }
}

function longRopeMagnitude(scaling: RopeScaling & { type: 'longrope' }, trainedContextLength: number): number {
  const original = scaling.originalContextLength;
  const stretch = trainedContextLength / original;
  return stretch <= 1 || original <= 1 ? 1 : Math.sqrt(1 + Math.log(stretch) / Math.log(original));
}

/** LongRoPE chooses by the context that is in use as a whole, not by the length of a sequence: its cached keys stay valid. */
function pairFactors({ config, contextLength, parameters }: Network): Float32Array | undefined {
  const pairs = config.rope.dims / 2;
  const { scaling } = config.rope;
  if (scaling.type === 'longrope') {
    const short = checked('rope_factors_short.weight', parameters.read('rope_factors_short.weight', pairs));
    const long = checked('rope_factors_long.weight', parameters.read('rope_factors_long.weight', pairs));
    return contextLength > scaling.originalContextLength ? long : short;
  }
  if (!parameters.has('rope_freqs.weight')) return undefined;
  return checked('rope_freqs.weight', parameters.read('rope_freqs.weight', pairs));
}

function checked(name: string, factors: Float32Array): Float32Array {
  if (factors.every((factor) => factor > 0 && Number.isFinite(factor))) return factors;
  throw new ModelError(`Tensor ${name} holds a factor that is not a positive number.`);
}
