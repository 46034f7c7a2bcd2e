// A chat body -> a request, for every operation that takes one; what has no effect with the model in question is told to the caller.

import type { GenerationRequest } from '../core/generation.ts';
import type { Context } from '../core/operation.ts';
import type { ChatCompletionRequest } from '../generated/types.ts';
import type { ModelParts, Models } from '../generation/models.ts';
import { chat } from '../protocol/chat/index.ts';
import type { RequestFacts } from '../protocol/dialect.ts';
import { factsOf } from './facts.ts';

export interface ReadChat {
  readonly request: GenerationRequest;
  readonly facts: RequestFacts;
}

/** Throws the `ApiError` of a body that contradicts itself, and of a model that is not there. */
export function readChat(body: ChatCompletionRequest, context: Context, models: Models): ReadChat {
  const facts = factsOf(context, 'chatcmpl-');
  const request = chat.read(body, facts);
  if (variableFields.some((name) => (body[name] ?? undefined) !== undefined)) {
    const { template } = models.find(request.model).parts;
    for (const field of unasked(body, template)) context.ignored(field);
  }
  return { request, facts };
}

const variableFields = ['enable_thinking', 'reasoning_effort', 'chat_template_kwargs'] as const;

/** More are not told of. */
const maxNames = 32;

/** Variables that the template does not ask for. */
function unasked(body: ChatCompletionRequest, template: ModelParts['template']): readonly string[] {
  const { enable_thinking: thinks, reasoning_effort: effort, chat_template_kwargs: variables } = body;
  const names = Object.keys(variables ?? {}).slice(0, maxNames);
  const fields = names.filter((name) => !template.mentions(name)).map((name) => `chat_template_kwargs.${name}`);
  const { switchesThinking } = template.shape;
  if ((thinks ?? undefined) !== undefined && !switchesThinking) fields.push('enable_thinking');
  if ((effort ?? undefined) !== undefined && !switchesThinking && !template.mentions('reasoning_effort')) {
    fields.push('reasoning_effort');
  }
  return fields;
}
