// What a generation cost, in tokens and in time.

import type { Timings, Usage } from '../core/generation.ts';
import type * as wire from '../generated/types.ts';
import type { Started } from './steps.ts';

export function writeUsage(usage: Usage, { truncatedTokens = 0 }: Started): wire.CompletionUsage {
  const { promptTokens, completionTokens, cachedTokens, reasoningTokens = 0 } = usage;
  const { acceptedPredictionTokens, rejectedPredictionTokens } = usage;
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: {
      cached_tokens: cachedTokens,
      ...(truncatedTokens > 0 && { truncated_tokens: truncatedTokens }),
    },
    completion_tokens_details: {
      reasoning_tokens: reasoningTokens,
      ...(acceptedPredictionTokens !== undefined && {
        accepted_prediction_tokens: acceptedPredictionTokens,
        rejected_prediction_tokens: rejectedPredictionTokens,
      }),
    },
  };
}

/** `undefined` where nothing was measured. Speeds are left out where there is nothing to divide. */
export function writeTimings(usage: Usage, timings: Timings | undefined): wire.Timings | undefined {
  if (timings === undefined) return undefined;
  const { promptTokens, completionTokens, cachedTokens } = usage;
  const { queueMs, promptMs, generationMs } = timings;
  const computed = promptTokens - cachedTokens;
  // The first token of each choice is the prompt's work; llama.cpp counts it all the same.
  return {
    queue_ms: rounded(queueMs),
    cache_n: cachedTokens,
    prompt_n: computed,
    prompt_ms: rounded(promptMs),
    ...(computed > 0 && promptMs > 0 && speeds('prompt', computed, promptMs)),
    predicted_n: completionTokens,
    predicted_ms: rounded(generationMs),
    ...(completionTokens > 0 && generationMs > 0 && speeds('predicted', completionTokens, generationMs)),
  };
}

function speeds(name: 'prompt' | 'predicted', tokens: number, ms: number): Record<string, number> {
  return { [`${name}_per_token_ms`]: rounded(ms / tokens), [`${name}_per_second`]: rounded((tokens * 1000) / ms) };
}

/** Microseconds are all that is known. */
function rounded(value: number): number {
  return Math.round(value * 1000) / 1000;
}
