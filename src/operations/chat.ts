// POST /v1/chat/completions.

import { randomInt } from 'node:crypto';
import type { Generate } from '../core/generation.ts';
import { newId } from '../core/ids.ts';
import { EventStream } from '../core/operation.ts';
import type { Operations } from '../generated/operations.ts';
import { chat } from '../protocol/chat/index.ts';
import { measured } from './measure.ts';

type ChatOperations = Pick<Operations, 'createChatCompletion'>;

export function chatOperations(generate: Generate): ChatOperations {
  return {
    async createChatCompletion({ body }, { principal, requestId, traceId, signal, note }) {
      const facts = {
        id: newId('chatcmpl-'),
        created: Math.floor(Date.now() / 1000),
        tenant: principal.id,
        seed: randomInt(2 ** 32),
        traceId: traceId ?? requestId,
      };
      const events = measured(generate(chat.read(body, facts), signal), note);
      if (body.stream !== true) return chat.collect(events, body, facts);
      return new EventStream(chat.stream(events, body, facts));
    },
  };
}
