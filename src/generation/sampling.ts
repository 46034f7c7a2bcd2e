// What a request asks of the sampler -> what the engine is told: the model's own defaults for what it leaves out, ids for text.

import { ApiError } from '../core/errors.ts';
import type { SamplingParams, SamplingRequest } from '../core/sampling.ts';
import type { ModelParts } from './models.ts';

const none = { temperature: 1, topP: 1, topK: 0, minP: 0 } as const;

/** Throws an `ApiError` for ids that the model does not have. */
export function resolveSampling(request: SamplingRequest, { samplingDefaults = {} }: ModelParts): SamplingParams {
  const { seed, logitBias = [], dry, frequencyPenalty, presencePenalty, repetitionPenalty } = request;
  const isPenalized =
    logitBias.length > 0 ||
    (dry?.multiplier ?? 0) !== 0 ||
    (frequencyPenalty ?? 0) !== 0 ||
    (presencePenalty ?? 0) !== 0 ||
    (repetitionPenalty ?? 1) !== 1;
  if (isPenalized) {
    throw new ApiError('invalid_request', 'Penalties and biases are not supported by this server yet.', {
      code: 'unsupported_parameter',
    });
  }
  const either = (name: keyof typeof none): number => request[name] ?? samplingDefaults[name] ?? none[name];
  return { temperature: either('temperature'), topP: either('topP'), topK: either('topK'), minP: either('minP'), seed };
}
