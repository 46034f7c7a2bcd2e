// POST /v1/chat/completions.

import type { Generate } from '../core/generation.ts';
import { EventStream } from '../core/operation.ts';
import type { Operations } from '../generated/operations.ts';
import type { Models } from '../generation/models.ts';
import { chat } from '../protocol/chat/index.ts';
import { measured } from './measure.ts';
import { readChat } from './read-chat.ts';
import { keep, streamAndKeep, type ChatStore } from './stored.ts';

type ChatOperations = Pick<Operations, 'createChatCompletion'>;

export function chatOperations(models: Models, generate: Generate, store: ChatStore): ChatOperations {
  return {
    async createChatCompletion({ body }, context) {
      const { request, facts } = readChat(body, context, models);
      const events = measured(generate(request, context.signal), context.note);
      const kept = body.store === true ? { store, owner: context.principal.id, body, facts } : undefined;
      if (body.stream === true) {
        return new EventStream(kept === undefined ? chat.stream(events, body, facts) : streamAndKeep(events, kept));
      }
      const answer = await chat.collect(events, body, facts);
      if (kept !== undefined) await keep(answer, kept);
      return answer;
    },
  };
}
