// The chat template of the fake model: a line per message.

import { isText } from './judge.ts';
import type { Body, Refusal } from './reply.ts';

/** The prompt of a conversation that `judgeMessages` finds fine. */
export function render(body: Body): string {
  return (body['messages'] as Body[])
    .map((message) => `${String(message['role'])}: ${textOf(message['content'])}`)
    .join('\n');
}

export function judgeMessages({ messages }: Body): Refusal | undefined {
  if (!Array.isArray(messages)) return { status: 400, message: 'messages is needed.', param: 'messages' };
  for (const [index, message] of (messages as Body[]).entries()) {
    if (!isText(message['role'])) return { status: 400, message: 'role is needed.', param: `messages[${index}].role` };
    if (typeof message['content'] === 'number')
      return { status: 400, message: 'content is text.', param: `messages[${index}].content` };
  }
  return undefined;
}

function textOf(content: unknown): string {
  if (Array.isArray(content)) return (content as Body[]).map((part) => String(part['text'])).join('\n');
  return typeof content === 'string' ? content : '';
}
