// What a request asks of the sampler -> what the engine is told: the model's own defaults for what it leaves out, ids for text.

import type { SamplingParams, SamplingRequest } from '../core/sampling.ts';
import type { Breakers } from './breakers.ts';
import type { SamplingDefaults } from './models.ts';

const none = { temperature: 1, topP: 1, topK: 0, minP: 0, repetitionPenalty: 1 } as const;

export function resolveSampling(
  request: SamplingRequest,
  defaults: SamplingDefaults,
  breakers: Breakers,
): SamplingParams {
  const { seed, logitBias, dry, frequencyPenalty, presencePenalty } = request;
  const either = (name: keyof typeof none): number => request[name] ?? defaults[name] ?? none[name];
  return {
    temperature: either('temperature'),
    topP: either('topP'),
    topK: either('topK'),
    minP: either('minP'),
    seed,
    repetitionPenalty: either('repetitionPenalty'),
    ...(logitBias !== undefined && { logitBias }),
    ...(frequencyPenalty !== undefined && { frequencyPenalty }),
    ...(presencePenalty !== undefined && { presencePenalty }),
    ...(dry !== undefined && dry.multiplier !== 0 && { dry: resolveDry(dry, breakers) }),
  };
}

function resolveDry(
  { multiplier, base, allowedLength, sequenceBreakers }: NonNullable<SamplingRequest['dry']>,
  breakers: Breakers,
): SamplingParams['dry'] {
  return { multiplier, base, allowedLength, breakers: breakers.find(sequenceBreakers) };
}
