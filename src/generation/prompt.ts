// A prompt in whatever form -> token ids.

import { ApiError } from '../core/errors.ts';
import type { GenerationRequest, Prompt } from '../core/generation.ts';
import type { ContentPart, Message } from '../core/message.ts';
import { promptIds, withBos } from '../tokenizer/prompt.ts';
import type { ModelParts } from './models.ts';

/** Throws an `ApiError` for what cannot be written, and for a prompt that leaves no room for an answer. */
export function writePrompt(request: GenerationRequest, model: ModelParts): Int32Array {
  const ids = encode(request.prompt, model);
  const { contextLength } = model;
  if (ids.length >= contextLength) {
    throw new ApiError(
      'invalid_request',
      `The prompt has ${ids.length} tokens, and the context of this model holds ${contextLength}, at least one of them for the answer. ` +
        'Shorten the prompt, or start the server with a larger --ctx.',
      { code: 'context_length_exceeded', param: request.prompt.type === 'chat' ? 'messages' : 'prompt' },
    );
  }
  return ids;
}

function encode(prompt: Prompt, { tokenizer, template }: ModelParts): Int32Array {
  switch (prompt.type) {
    case 'chat':
      return promptIds(
        tokenizer,
        template.render({
          ...prompt.template,
          messages: prompt.messages.map(templateMessage),
          tools: undefined,
          add_generation_prompt: true,
        }),
      );
    case 'text':
      return withBos(tokenizer, tokenizer.encode(prompt.text));
    case 'tokens':
      return Int32Array.from(prompt.ids);
    default:
      throw prompt satisfies never;
  }
}

/** As chat templates read messages: the published names, content as one string. */
function templateMessage(message: Message, index: number): Record<string, unknown> {
  return {
    role: message.role,
    content: message.content.map((part, at) => textOf(part, `messages[${index}].content[${at}]`)).join(''),
    ...(message.name !== undefined && { name: message.name }),
    ...(message.reasoning !== undefined && { reasoning_content: message.reasoning }),
  };
}

function textOf(part: ContentPart, param: string): string {
  if (part.type === 'text') return part.text;
  throw new ApiError('invalid_request', `This model reads text only; the part of type ${part.type} cannot be used.`, {
    code: 'unsupported_content',
    param,
  });
}
