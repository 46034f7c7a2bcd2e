// What a request asks of the sampler -> what the engine is told: the model's own defaults for what it leaves out, ids for text.

import type { SamplingParams, SamplingRequest } from '../core/sampling.ts';
import type { SamplingDefaults } from './models.ts';

const none = { temperature: 1, topP: 1, topK: 0, minP: 0, repetitionPenalty: 1 } as const;

/** Texts whose tokens it has to be told, where DRY is asked for. */
export function breakersOf({ dry }: SamplingRequest): readonly string[] | undefined {
  return dry === undefined || dry.multiplier === 0 ? undefined : dry.sequenceBreakers;
}

/** `breakers`: ids of the tokens that hold one of those texts; `undefined`: no DRY. */
export function resolveSampling(
  request: SamplingRequest,
  defaults: SamplingDefaults,
  breakers: Int32Array | undefined,
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
    ...(dry !== undefined && breakers !== undefined && { dry: resolveDry(dry, breakers) }),
  };
}

function resolveDry(
  { multiplier, base, allowedLength }: NonNullable<SamplingRequest['dry']>,
  breakers: Int32Array,
): SamplingParams['dry'] {
  return { multiplier, base, allowedLength, breakers };
}
