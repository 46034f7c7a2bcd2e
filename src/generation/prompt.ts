// A prompt in whatever form -> token ids.

import { ApiError } from '../core/errors.ts';
import type { GenerationRequest, Prompt } from '../core/generation.ts';
import type { Message } from '../core/message.ts';
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
    case 'chat': {
      refuseMedia(prompt.messages);
      const { bos, eos } = tokenizer.vocabulary;
      const textOf = (id: number | undefined): string => (id === undefined ? '' : tokenizer.vocabulary.piece(id));
      const text = template.render({
        messages: prompt.messages,
        tools: prompt.tools,
        addGenerationPrompt: true,
        bos: textOf(bos),
        eos: textOf(eos),
        variables: prompt.template,
      });
      return promptIds(tokenizer, text);
    }
    case 'text':
      return withBos(tokenizer, tokenizer.encode(prompt.text));
    case 'tokens':
      return Int32Array.from(prompt.ids);
    default:
      throw prompt satisfies never;
  }
}

/** A template could place them, but no engine of this release looks at them. */
function refuseMedia(messages: readonly Message[]): void {
  for (const [index, { content }] of messages.entries()) {
    const at = content.findIndex((part) => part.type !== 'text');
    if (at < 0) continue;
    throw new ApiError('invalid_request', `This model reads text only, no parts of type ${content[at].type}.`, {
      code: 'unsupported_content',
      param: `messages[${index}].content[${at}]`,
    });
  }
}
