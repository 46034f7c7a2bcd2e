// Chat messages as callers write them -> the messages of the house.

import type { ContentPart, Message, ToolCall } from '../../core/message.ts';
import type * as wire from '../../generated/types.ts';
import type { RequestFacts } from '../dialect.ts';
import { unsupported } from '../generation-options.ts';

/** `ignored` is told of results that answer no call: templates show them without a name, or not at all. */
export function readMessages(messages: wire.Conversation, ignored?: RequestFacts['ignored']): readonly Message[] {
  if (typeof messages === 'string') return [{ role: 'user', content: [{ type: 'text', text: messages }] }];
  const read = messages.map((message, index) => readMessage(message, `messages[${index}]`));
  const calls = new Set(read.flatMap(({ toolCalls = [] }) => toolCalls.map(({ id }) => id)));
  if (read.some(({ toolCallId }) => toolCallId !== undefined && !calls.has(toolCallId)))
    ignored?.('messages[].tool_call_id');
  return read;
}

/** What messages of all roles can have. */
interface AnyMessage {
  readonly role: string;
  readonly content?: wire.MessageContent | undefined;
  readonly name?: string | null | undefined;
  readonly tool_calls?: readonly wire.ToolCall[] | null | undefined;
  readonly tool_call_id?: string | null | undefined;
  readonly reasoning_content?: string | null | undefined;
  readonly reasoning?: string | null | undefined;
}

/** Roles go through as they are: which of them a template knows is the template's business (`developer` becomes `system` there). */
function readMessage(message: AnyMessage, param: string): Message {
  return {
    role: message.role,
    content: readContent(message.content, `${param}.content`),
    name: message.name ?? undefined,
    toolCallId: message.tool_call_id ?? undefined,
    toolCalls: message.tool_calls?.map((call, index) => readCall(call, index, `${param}.tool_calls[${index}]`)),
    reasoning: message.reasoning_content ?? message.reasoning ?? undefined,
  };
}

/** Throws an `ApiError` for what is no text. */
export function readContent(content: wire.MessageContent | undefined, param: string): readonly ContentPart[] {
  if (typeof content === 'string') return [{ type: 'text', text: content }];
  return (content ?? []).map((part, index) => {
    // A part without a type is text.
    if ((part.type ?? 'text') === 'text' && 'text' in part) return { type: 'text', text: part.text };
    throw unsupported(`${param}[${index}]`, `Parts of type ${part.type} are not supported; send text.`);
  });
}

function readCall(call: wire.ToolCall, index: number, param: string): ToolCall {
  if (call.type === 'custom')
    throw unsupported(param, 'Custom tool calls are not supported; describe the call in the content.');
  const { name, arguments: given } = call.function;
  return {
    // A name of its own for a call that has none; nothing can refer to it.
    id: call.id ?? `call_${index}`,
    name,
    arguments: typeof given === 'string' ? given : JSON.stringify(given),
  };
}
