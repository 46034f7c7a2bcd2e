// The conversation as chat templates expect it: the plain records that Hugging Face's `apply_chat_template` hands to a template,
// made from our own messages.

import { ApiError } from '../core/errors.ts';
import type { ContentPart, Message, Tool, ToolCall } from '../core/message.ts';
import type { TemplateShape } from './shape.ts';

export type TemplateMessage = Readonly<Record<string, unknown>>;

export function templateMessages(messages: readonly Message[], shape: TemplateShape): TemplateMessage[] {
  const names = new Map<string, string>();
  return placeSystemMessages(messages, shape).map((message) => {
    for (const call of message.toolCalls ?? []) names.set(call.id, call.name);
    const name = message.name ?? (message.toolCallId === undefined ? undefined : names.get(message.toolCallId));
    return {
      role: roleOf(message.role, shape),
      content: contentOf(message.content, shape),
      ...(name === undefined ? {} : { name }),
      ...(message.toolCallId === undefined ? {} : { tool_call_id: message.toolCallId }),
      ...(message.toolCalls === undefined || message.toolCalls.length === 0
        ? {}
        : { tool_calls: message.toolCalls.map((call) => templateCall(call, shape)) }),
      // Two names for the same thing, each used by several model families.
      ...(message.reasoning === undefined ? {} : { reasoning_content: message.reasoning, thinking: message.reasoning }),
    };
  });
}

export function templateTools(tools: readonly Tool[], shape: TemplateShape): readonly unknown[] | null {
  if (tools.length === 0) return shape.noTools === 'none' ? null : [];
  return tools.map((tool) => ({
    type: 'function',
    function: {
      name: tool.name,
      description: tool.description ?? '',
      parameters: tool.parameters ?? { type: 'object', properties: {} },
    },
  }));
}

/** System messages put where the template takes them: all as one in front, or in front of the first user's words. */
function placeSystemMessages(messages: readonly Message[], shape: TemplateShape): readonly Message[] {
  const isSystem = (message: Message): boolean => roleOf(message.role, shape) === 'system';
  const system = messages.filter(isSystem);
  if (shape.system === 'anywhere' || system.length === 0) return messages;
  if (shape.system === 'first' && system.length === 1 && isSystem(messages[0])) return messages;
  const rest = messages.filter((message) => !isSystem(message));
  const content = system.flatMap((message, i) => (i === 0 ? message.content : [blankLine, ...message.content]));
  if (shape.system === 'first') return [{ role: 'system', content }, ...rest];
  const at = rest.findIndex((message) => message.role === 'user');
  if (at < 0) return messages;
  return rest.map((message, i) =>
    i === at ? { ...message, content: [...content, blankLine, ...message.content] } : message,
  );
}

const blankLine: ContentPart = { type: 'text', text: '\n\n' };

function roleOf(role: string, shape: TemplateShape): string {
  if (role === 'developer' && !shape.knowsDeveloper) return 'system';
  return role === 'function' ? 'tool' : role;
}

function contentOf(parts: readonly ContentPart[], shape: TemplateShape): unknown {
  const hasMedia = parts.some((part) => part.type !== 'text');
  if (hasMedia && !shape.takesParts) {
    throw new ApiError('invalid_request', 'The chat template of this model takes text only.', {
      code: 'unsupported_content',
      param: 'messages',
    });
  }
  if (hasMedia || shape.content === 'parts') {
    return parts.map((part) =>
      part.type === 'text' ? { type: 'text', text: part.text } : { type: part.type, [part.type]: part.url },
    );
  }
  // Nothing in between: templates that walk parts write them one after the other, too.
  return parts.map((part) => (part.type === 'text' ? part.text : '')).join('');
}

function templateCall(call: ToolCall, shape: TemplateShape): unknown {
  return {
    id: call.id,
    type: 'function',
    function: {
      name: call.name,
      arguments: shape.toolArguments === 'object' ? argumentsObject(call.arguments) : call.arguments,
    },
  };
}

/** The object that the text describes; text that is no JSON object stays as the model wrote it. */
function argumentsObject(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : text;
  } catch {
    return text;
  }
}
