// Chat completion body -> GenerationRequest. The body is valid (generated validator) and asks for nothing that is refused (field plan);
// what concerns several fields at once is checked here.

import type { GenerationRequest } from '../../core/generation.ts';
import type * as wire from '../../generated/types.ts';
import type { RequestFacts } from '../dialect.ts';
import { checkDelivery, conflict, readLimit, readSampling, readStop } from '../generation-options.ts';
import { readContent, readMessages } from './messages.ts';
import { readVariables } from './variables.ts';

export function read(body: wire.ChatCompletionRequest, facts: RequestFacts): GenerationRequest {
  checkDelivery(body);
  return {
    id: facts.id,
    model: body.model ?? undefined,
    tenant: facts.tenant,
    prompt: {
      type: 'chat',
      messages: readMessages(body.messages, facts.ignored),
      tools: [],
      toolChoice: { mode: 'none' },
      template: readVariables(body),
    },
    sampling: readSampling(body, facts),
    stop: readStop(body.stop),
    ignoreEos: body.ignore_eos ?? false,
    maxTokens: readLimit(body),
    prediction: readPrediction(body),
    choices: body.n ?? 1,
    logprobs: readLogprobs(body),
    truncate: body.truncate_sequence ?? false,
    output: { type: 'logits' },
    traceId: facts.traceId,
  };
}

/** Parts of it are one text. */
function readPrediction({ prediction }: wire.ChatCompletionRequest): string | undefined {
  if (prediction === undefined || prediction === null) return undefined;
  return readContent(prediction.content, 'prediction.content')
    .map((part) => (part.type === 'text' ? part.text : ''))
    .join('');
}

/** How many alternatives; `undefined` is no log probabilities at all. */
function readLogprobs({ logprobs, top_logprobs: top }: wire.ChatCompletionRequest): number | undefined {
  if (logprobs === true) return top ?? 0;
  // None of nothing: that much is true.
  if ((top ?? 0) === 0) return undefined;
  throw conflict('top_logprobs', `top_logprobs is ${top}; it needs "logprobs": true.`);
}
