// POST /v1/completions.

import type { Generate } from '../core/generation.ts';
import { EventStream } from '../core/operation.ts';
import type { Operations } from '../generated/operations.ts';
import { createGenerateTogether } from '../generation/choices.ts';
import { completions } from '../protocol/completions/index.ts';
import { factsOf } from './facts.ts';
import { measured } from './measure.ts';

type CompletionOperations = Pick<Operations, 'createCompletion'>;

export function completionOperations(generate: Generate): CompletionOperations {
  const generateTogether = createGenerateTogether(generate);
  return {
    async createCompletion({ body }, context) {
      const facts = factsOf(context, 'cmpl-');
      const events = measured(generateTogether(completions.read(body, facts), context.signal), context.note);
      if (body.stream !== true) return completions.collect(events, body, facts);
      return new EventStream(completions.stream(events, body, facts));
    },
  };
}
