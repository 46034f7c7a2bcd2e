// Requests that look into tokenizer and template, in the spellings of llama.cpp's server and of vLLM, read into the words of the house.

import { ApiError } from '../core/errors.ts';
import type { ChatPrompt, TextPrompt } from '../core/generation.ts';
import type { Tool } from '../core/message.ts';
import type { TokenizationRequest } from '../core/tokenization.ts';
import type * as wire from '../generated/types.ts';
import { readMessages } from './chat/messages.ts';
import { conflict } from './generation-options.ts';

/** Three spellings of what is to be tokenized, of which a body has exactly one. They differ in whether the beginning is put in front. */
export function readTokenize(body: wire.TokenizeRequest): TokenizationRequest {
  const source = readSource(body);
  return {
    prompt: source.type === 'messages' ? readConversation({ ...body, messages: source.value }) : textOf(source, body),
    addsBos: readAddsSpecial(body) ?? source.type !== 'content',
    special: body.parse_special ?? true,
  };
}

interface TextSource {
  readonly type: 'content' | 'prompt';
  readonly value: string;
}

type Source = TextSource | { readonly type: 'messages'; readonly value: wire.Conversation };

function readSource({ content, prompt, messages }: wire.TokenizeRequest): Source {
  const given: Source[] = [];
  if (typeof content === 'string') given.push({ type: 'content', value: content });
  if (typeof prompt === 'string') given.push({ type: 'prompt', value: prompt });
  if ((messages ?? undefined) !== undefined) given.push({ type: 'messages', value: messages as wire.Conversation });
  if (given.length === 1) return given[0];
  if (given.length > 1) {
    const names = given.map(({ type }) => type);
    throw conflict(names[1], `${names.join(' and ')} each say what is to be tokenized; send one of them.`);
  }
  throw new ApiError('invalid_request', 'A text in content or prompt, or a conversation in messages is required.', {
    code: 'invalid_value',
    param: 'content',
  });
}

function textOf({ type, value }: TextSource, body: wire.TokenizeRequest): TextPrompt {
  refuseForText(body);
  return { type: 'text', text: value, param: type };
}

export interface ConversationFields {
  readonly messages: wire.Conversation;
  readonly tools?: wire.TemplateTools | null | undefined;
  readonly add_generation_prompt?: boolean | null | undefined;
  readonly chat_template_kwargs?: wire.TemplateVariables | null | undefined;
}

export function readConversation(body: ConversationFields): ChatPrompt {
  return {
    type: 'chat',
    messages: readMessages(body.messages),
    tools: (body.tools ?? []).map(readTool),
    toolChoice: { mode: 'auto' },
    template: body.chat_template_kwargs ?? {},
    opensTurn: body.add_generation_prompt ?? true,
  };
}

function readTool({ function: { name, description, parameters, strict } }: wire.TemplateTool): Tool {
  return {
    name,
    description: description ?? undefined,
    parameters: parameters ?? undefined,
    strict: strict ?? false,
  };
}

function readAddsSpecial(body: wire.TokenizeRequest): boolean | undefined {
  const one = body.add_special ?? undefined;
  const other = body.add_special_tokens ?? undefined;
  if (one !== undefined && other !== undefined && one !== other) {
    throw conflict(
      'add_special_tokens',
      `add_special is ${one} and add_special_tokens is ${other}; they mean the same, so send one of them.`,
    );
  }
  return one ?? other;
}

/** What only a conversation can have would be dropped unseen. */
function refuseForText(body: wire.TokenizeRequest): void {
  const strays = {
    tools: (body.tools ?? []).length > 0,
    chat_template_kwargs: Object.keys(body.chat_template_kwargs ?? {}).length > 0,
    add_generation_prompt: body.add_generation_prompt === false,
  };
  for (const [name, isStray] of Object.entries(strays))
    if (isStray) throw conflict(name, `${name} needs messages: a text is tokenized without a template.`);
}
