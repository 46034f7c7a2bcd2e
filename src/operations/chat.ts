// POST /v1/chat/completions.

import type { Generate } from '../core/generation.ts';
import { EventStream } from '../core/operation.ts';
import type { Operations } from '../generated/operations.ts';
import { chat } from '../protocol/chat/index.ts';
import { factsOf } from './facts.ts';
import { measured } from './measure.ts';

type ChatOperations = Pick<Operations, 'createChatCompletion'>;

export function chatOperations(generate: Generate): ChatOperations {
  return {
    async createChatCompletion({ body }, context) {
      const facts = factsOf(context, 'chatcmpl-');
      const events = measured(generate(chat.read(body, facts), context.signal), context.note);
      if (body.stream !== true) return chat.collect(events, body, facts);
      return new EventStream(chat.stream(events, body, facts));
    },
  };
}
