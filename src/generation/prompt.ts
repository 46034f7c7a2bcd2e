// A prompt in whatever form -> token ids.

import { ApiError } from '../core/errors.ts';
import type { GenerationRequest, Prompt } from '../core/generation.ts';
import type { Message } from '../core/message.ts';
import { promptIds, withBos } from '../tokenizer/prompt.ts';
import type { ModelParts } from './models.ts';

/** Throws an `ApiError` for what cannot be written, and for a prompt that leaves no room for an answer. */
export function writePrompt({ prompt }: GenerationRequest, model: ModelParts): Int32Array {
  // Templates and tokenizers run on the server's only thread: what cannot fit is refused before they see it.
  const least = leastTokens(prompt, model.longestToken);
  if (least >= model.contextLength) throw tooLong(`at least ${least}`, prompt, model);
  const ids = encode(prompt, model);
  if (ids.length >= model.contextLength) throw tooLong(String(ids.length), prompt, model);
  return ids;
}

/** A lower bound that costs nothing to find. */
function leastTokens(prompt: Prompt, longestToken: number): number {
  switch (prompt.type) {
    case 'tokens':
      return prompt.ids.length;
    case 'text':
      return Math.ceil(prompt.text.length / longestToken);
    case 'chat': {
      const { messages } = prompt;
      let characters = 0;
      for (const { content } of messages)
        for (const part of content) if (part.type === 'text') characters += part.text.length;
      // Every template marks where a message begins with at least one token.
      return messages.length + Math.ceil(characters / longestToken);
    }
    default:
      throw prompt satisfies never;
  }
}

function tooLong(tokens: string, prompt: Prompt, { contextLength }: ModelParts): ApiError {
  return new ApiError(
    'invalid_request',
    `The prompt has ${tokens} tokens, and the context of this model holds ${contextLength}, at least one of them for the answer. ` +
      'Shorten the prompt, or start the server with a larger --ctx.',
    { code: 'context_length_exceeded', param: prompt.type === 'chat' ? 'messages' : 'prompt' },
  );
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
