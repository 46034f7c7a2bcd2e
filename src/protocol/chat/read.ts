// Chat completion body -> GenerationRequest. The body is valid (generated validator) and asks for nothing that is refused (field plan);
// what concerns several fields at once is checked here.

import type { GenerationRequest } from '../../core/generation.ts';
import type * as wire from '../../generated/types.ts';
import type { RequestFacts } from '../dialect.ts';
import { checkDelivery, readLimit, readSampling, readStop } from '../generation-options.ts';
import { readMessages } from './messages.ts';

export function read(body: wire.ChatCompletionRequest, facts: RequestFacts): GenerationRequest {
  checkDelivery(body);
  return {
    id: facts.id,
    model: body.model ?? undefined,
    tenant: facts.tenant,
    prompt: {
      type: 'chat',
      messages: readMessages(body.messages),
      tools: [],
      toolChoice: { mode: 'none' },
      template: {},
    },
    sampling: readSampling(body, facts.seed),
    stop: readStop(body.stop),
    maxTokens: readLimit(body),
    choices: body.n ?? 1,
    truncate: false,
    output: { type: 'logits' },
    traceId: facts.traceId,
  };
}
