// A prompt in whatever form -> token ids.

import { ApiError } from '../core/errors.ts';
import type { ChatPrompt, GenerationRequest, Prompt, TextPrompt, TokenPrompt } from '../core/generation.ts';
import type { Message } from '../core/message.ts';
import { promptIds, withBos } from '../tokenizer/prompt.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { ModelParts } from './models.ts';

/** Throws an `ApiError` for what cannot be written, and for a prompt that leaves no room for an answer. */
export function writePrompt({ prompt }: GenerationRequest, model: ModelParts): Int32Array {
  const ids = encodeWithin(prompt, model);
  if (ids.length >= model.contextLength) throw tooLong(String(ids.length), prompt, model);
  return ids;
}

/** How many tokens a prompt has, also of one that is too long; only what could not fit in any way is refused. */
export function countPrompt({ prompt }: GenerationRequest, model: ModelParts): number {
  return encodeWithin(prompt, model).length;
}

/** Templates and tokenizers run on the server's only thread: what cannot fit is refused before they see it. */
function encodeWithin(prompt: Prompt, model: ModelParts): Int32Array {
  const least = leastTokens(prompt, model.longestToken);
  if (least >= model.contextLength) throw tooLong(`at least ${least}`, prompt, model);
  return encode(prompt, model);
}

/** The conversation as the model reads it. Throws an `ApiError` in the words of a template that refuses it. */
export function renderPrompt(prompt: ChatPrompt, { tokenizer, template }: ModelParts): string {
  refuseMedia(prompt.messages);
  const { bos, eos } = tokenizer.vocabulary;
  const textOf = (id: number | undefined): string => (id === undefined ? '' : tokenizer.vocabulary.piece(id));
  return template.render({
    messages: prompt.messages,
    tools: prompt.tools,
    addGenerationPrompt: prompt.opensTurn ?? true,
    bos: textOf(bos),
    eos: textOf(eos),
    variables: prompt.template,
  });
}

/** What a caller who asked for `echo` is shown. */
export function promptText(prompt: Prompt, ids: Int32Array, { tokenizer }: ModelParts): string {
  if (prompt.type === 'text') return prompt.text;
  return tokenizer.decode(prompt.type === 'tokens' ? prompt.ids : ids, { special: true });
}

/** What the caller calls it. */
export function placeOf(prompt: Prompt): string {
  return prompt.type === 'chat' ? 'messages' : prompt.param;
}

/** A lower bound that costs nothing to find. */
export function leastTokens(prompt: Prompt, longestToken: number): number {
  switch (prompt.type) {
    case 'tokens':
      return prompt.ids.length + Math.ceil((prompt.suffix ?? '').length / longestToken);
    case 'text':
      return Math.ceil((prompt.text.length + (prompt.suffix ?? '').length) / longestToken);
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

export function tooLong(tokens: string, prompt: Prompt, { contextLength }: ModelParts): ApiError {
  return new ApiError(
    'invalid_request',
    `The prompt has ${tokens} tokens, and the context of this model holds ${contextLength}, at least one of them for the answer. ` +
      'Shorten the prompt, or start the server with a larger --ctx.',
    { code: 'context_length_exceeded', param: placeOf(prompt) },
  );
}

/** However long it is. */
export function encode(prompt: Prompt, model: ModelParts): Int32Array {
  const { tokenizer } = model;
  if (prompt.type !== 'chat' && prompt.suffix !== undefined) return aroundGap(prompt, prompt.suffix, tokenizer);
  switch (prompt.type) {
    case 'chat':
      return promptIds(tokenizer, renderPrompt(prompt, model));
    case 'text': {
      const ids = promptIds(tokenizer, prompt.text);
      return ids.length > 0 ? ids : documentStart(prompt, tokenizer);
    }
    case 'tokens':
      checkIds(prompt.ids, prompt.param, tokenizer);
      return Int32Array.from(prompt.ids);
    default:
      throw prompt satisfies never;
  }
}

/** The text with its gap at the end: prefix, suffix, then the token that asks for the middle. Throws 400 for a model without such tokens. */
function aroundGap(prompt: TextPrompt | TokenPrompt, suffix: string, tokenizer: Tokenizer): Int32Array {
  const tokens = tokenizer.vocabulary.fillInMiddle;
  if (tokens === undefined) {
    throw new ApiError(
      'invalid_request',
      'This model has no tokens for the text around a gap, so it cannot fill one. Leave suffix out, or use a model that was trained to ' +
        'fill in the middle.',
      { code: 'unsupported_parameter', param: 'suffix' },
    );
  }
  if (prompt.type === 'tokens') checkIds(prompt.ids, prompt.param, tokenizer);
  const before = prompt.type === 'tokens' ? prompt.ids : tokenizer.encode(prompt.text, { special: true });
  const after = tokenizer.encode(suffix, { special: true });
  const ids =
    tokens.middle === undefined
      ? [tokens.suffix, ...after, tokens.prefix, ...before]
      : [tokens.prefix, ...before, tokens.suffix, ...after, tokens.middle];
  return withBos(tokenizer, Int32Array.from(ids));
}

/** Where a model has no token for the beginning of a text, the one that ends a document also parts it from the next. */
function documentStart({ param }: TextPrompt, { vocabulary }: Tokenizer): Int32Array {
  const start = vocabulary.bos ?? vocabulary.eos;
  if (start !== undefined) return Int32Array.of(start);
  throw new ApiError('invalid_request', 'The prompt is empty, and this model has no token that begins a document.', {
    code: 'empty_prompt',
    param,
  });
}

/** Throws 400 for the first that is no token of this vocabulary. `param`: what the caller calls the list. */
export function checkIds(ids: readonly number[], param: string, { vocabulary }: Tokenizer): void {
  const at = ids.findIndex((id) => id < 0 || id >= vocabulary.size);
  if (at < 0) return;
  throw new ApiError(
    'invalid_request',
    `${ids[at]} is not a token id: this model has the ids 0 to ${vocabulary.size - 1}.`,
    { code: 'invalid_token_id', param: `${param}[${at}]` },
  );
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
