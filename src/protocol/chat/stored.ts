// The messages of a request as they are listed with a stored completion: as they were sent, with ids.

import type * as wire from '../../generated/types.ts';
import { readMessages } from './messages.ts';

/** `id`: of the completion. */
export function writeStoredMessages(messages: wire.Conversation, id: string): readonly wire.StoredMessage[] {
  return readMessages(messages).map((message, index) => {
    const { content } = typeof messages === 'string' ? { content: messages } : messages[index];
    // Other parts are refused.
    const texts = message.content.flatMap((part) => (part.type === 'text' ? [part.text] : []));
    return {
      id: `${id}-${index}`,
      role: message.role,
      content: (content ?? null) === null ? null : texts.join(''),
      refusal: null,
      name: message.name ?? null,
      content_parts: Array.isArray(content) ? texts.map((text) => ({ type: 'text', text })) : null,
      ...(message.reasoning !== undefined && { reasoning_content: message.reasoning }),
      ...(message.toolCallId !== undefined && { tool_call_id: message.toolCallId }),
      ...(message.toolCalls !== undefined && {
        tool_calls: message.toolCalls.map((call) => ({
          id: call.id,
          type: 'function',
          function: { name: call.name, arguments: call.arguments },
        })),
      }),
    };
  });
}
