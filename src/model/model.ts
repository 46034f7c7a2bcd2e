// A checkpoint becomes a model: the program that computes its logits, the weights it needs, and what its layers keep.

import type { KvLayer, Program, WeightSpec } from '../compute/backend.ts';
import { Ops } from '../compute/ops.ts';
import type { Checkpoint } from '../weights/checkpoint.ts';
import { describeCheckpoint } from '../weights/describe.ts';
import { architectureOf } from './architectures/index.ts';
import type { ModelConfig } from './config.ts';
import { maxContextLength } from './config.ts';
import { ModelError } from './error.ts';
import type { LayerState } from './network.ts';
import { Parameters } from './parameters.ts';

export type { LayerState } from './network.ts';

export interface Model {
  readonly config: ModelConfig;
  /** Positions a sequence may have. */
  readonly contextLength: number;
  readonly layers: number;
  /** Per layer. */
  readonly states: readonly LayerState[];
  readonly weights: readonly WeightSpec[];
  readonly program: Program;
  readonly kvLayers: readonly KvLayer[];
  /** Matrix name (without `.weight`) of each adapter slot. */
  readonly adapterSlots: readonly string[];
  /** Values in the file. */
  readonly parameters: number;
  /** What the matrices are stored in, as `Q8_0` or `Q4_K_M`. */
  readonly quantization: string;
}

/** Context of a model whose user did not ask for one: rotation tables and caches grow with it. */
export const defaultContextLength = 8192;

export interface ModelOptions {
  /** Positions a sequence may have, trained for or not; `undefined` is the trained length, at most 8192. */
  readonly contextLength?: number | undefined;
}

/** @throws ModelError for what the checkpoint or the options ask for and this engine does not do. */
export function buildModel(checkpoint: Checkpoint, options: ModelOptions = {}): Model {
  const architecture = architectureOf(checkpoint.metadata);
  const config = architecture.config(checkpoint.metadata);
  const contextLength = options.contextLength ?? Math.min(config.trainedContextLength, defaultContextLength);
  if (!Number.isInteger(contextLength) || contextLength < 1 || contextLength > maxContextLength) {
    throw new ModelError(`A context of ${contextLength} is not supported; integers from 1 to ${maxContextLength} are.`);
  }
  const ops = new Ops();
  const parameters = new Parameters(checkpoint, ops);
  const { logits, states, kvLayers } = architecture.build({ config, contextLength, parameters, ops });
  parameters.refuseUnused(config.architecture);
  const { weights, program } = ops.finish(logits);
  const description = describeCheckpoint(checkpoint);
  return {
    config,
    contextLength,
    layers: config.layers,
    states,
    weights,
    program,
    kvLayers,
    adapterSlots: parameters.adapterSlots,
    parameters: description.parameters,
    quantization: description.quantization,
  };
}
