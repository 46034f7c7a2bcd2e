// GenerationEvents -> a text completion, or its chunks.

import { invariant } from '../../core/errors.ts';
import type { FinishReason, GenerationEvent, Usage } from '../../core/generation.ts';
import type * as wire from '../../generated/types.ts';
import type { RequestFacts } from '../dialect.ts';
import { steps, writeUsage, type Started } from '../steps.ts';

export async function collect(
  events: AsyncIterable<GenerationEvent>,
  _body: wire.CompletionRequest,
  facts: RequestFacts,
): Promise<wire.Completion> {
  let started: Started | undefined;
  const choices: { text: string; finish: wire.CompletionFinishReason | undefined }[] = [];
  let usage: Usage | undefined;
  for await (const step of steps(events)) {
    if (step.type === 'started') {
      started = step.event;
      continue;
    }
    const choice = (choices[step.choice] ??= { text: '', finish: undefined });
    if (step.type === 'finished') {
      choice.finish = writeReason(step.reason);
      usage = step.usage;
    } else choice.text += step.text;
  }
  invariant(started !== undefined && usage !== undefined, 'an answer has a beginning and an end');
  return {
    ...head(facts, started),
    choices: choices.map(({ text, finish }, index) => {
      invariant(finish !== undefined, 'every choice is finished');
      return { text, index, logprobs: null, finish_reason: finish };
    }),
    usage: writeUsage(usage),
  };
}

export async function* stream(
  events: AsyncIterable<GenerationEvent>,
  body: wire.CompletionRequest,
  facts: RequestFacts,
): AsyncGenerator<wire.CompletionChunk, void, void> {
  const wantsUsage = body.stream_options?.include_usage === true;
  let usage: Usage | undefined;
  let started: Started | undefined;
  const chunk = (
    choices: wire.CompletionChunkChoice[],
    total: wire.CompletionUsage | null = null,
  ): wire.CompletionChunk => {
    invariant(started !== undefined, 'events begin with started');
    return { ...head(facts, started), choices, ...(wantsUsage && { usage: total }) };
  };
  const piece = (
    index: number,
    text: string,
    finish: wire.CompletionFinishReason | null = null,
  ): wire.CompletionChunk => chunk([{ text, index, logprobs: null, finish_reason: finish }]);
  for await (const step of steps(events)) {
    if (step.type === 'started') {
      started = step.event;
      // Without text, but at once: the reader learns that the request was accepted, and keep-alive can begin.
      yield piece(0, '');
    } else if (step.type === 'finished') {
      usage = step.usage;
      yield piece(step.choice, '', writeReason(step.reason));
    } else yield piece(step.choice, step.text);
  }
  invariant(usage !== undefined, 'an answer has an end');
  if (wantsUsage) yield chunk([], writeUsage(usage));
}

/** What object and chunks have in common; here even the name of the object. */
function head(
  { id, created }: RequestFacts,
  { model, fingerprint }: Started,
): Pick<wire.Completion, 'id' | 'object' | 'created' | 'model' | 'system_fingerprint'> {
  return { id, object: 'text_completion', created, model, system_fingerprint: fingerprint };
}

function writeReason(reason: FinishReason): wire.CompletionFinishReason {
  invariant(reason !== 'tool', 'raw text calls no tools');
  return reason;
}
