// GenerationEvents -> a chat completion, or its chunks.

import { invariant } from '../../core/errors.ts';
import type { FinishReason, GenerationEvent, Usage } from '../../core/generation.ts';
import type * as wire from '../../generated/types.ts';
import type { RequestFacts } from '../dialect.ts';
import { steps, writeUsage, type Started } from '../steps.ts';

export async function collect(
  events: AsyncIterable<GenerationEvent>,
  body: wire.ChatCompletionRequest,
  facts: RequestFacts,
): Promise<wire.ChatCompletion> {
  let started: Started | undefined;
  const choices: { content: string; reasoning: string | undefined; finish: wire.FinishReason | undefined }[] = [];
  let usage: Usage | undefined;
  for await (const step of steps(events)) {
    if (step.type === 'started') {
      started = step.event;
      continue;
    }
    const choice = (choices[step.choice] ??= { content: '', reasoning: undefined, finish: undefined });
    if (step.type === 'text') choice.content += step.text;
    if (step.type === 'reasoning') choice.reasoning = (choice.reasoning ?? '') + step.text;
    if (step.type === 'finished') {
      choice.finish = finishReasons[step.reason];
      usage = step.usage;
    }
  }
  invariant(started !== undefined && usage !== undefined, 'an answer has a beginning and an end');
  return {
    id: facts.id,
    object: 'chat.completion',
    created: facts.created,
    model: started.model,
    choices: choices.map(({ content, reasoning, finish }, index) => {
      invariant(finish !== undefined, 'every choice is finished');
      return {
        index,
        message: {
          role: 'assistant',
          content,
          refusal: null,
          ...(reasoning !== undefined && { reasoning_content: reasoning }),
        },
        logprobs: null,
        finish_reason: finish,
      };
    }),
    usage: writeUsage(usage),
    system_fingerprint: started.fingerprint,
    service_tier: 'default',
    metadata: body.metadata ?? undefined,
  };
}

export async function* stream(
  events: AsyncIterable<GenerationEvent>,
  body: wire.ChatCompletionRequest,
  facts: RequestFacts,
): AsyncGenerator<wire.ChatCompletionChunk, void, void> {
  const wantsUsage = body.stream_options?.include_usage === true;
  const roles = new Set<number>();
  let usage: Usage | undefined;
  let started: Started | undefined;
  const chunk = (
    choices: wire.ChatCompletionChunkChoice[],
    total: wire.CompletionUsage | null,
  ): wire.ChatCompletionChunk => {
    invariant(started !== undefined, 'events begin with started');
    return {
      id: facts.id,
      object: 'chat.completion.chunk',
      created: facts.created,
      model: started.model,
      system_fingerprint: started.fingerprint,
      service_tier: 'default',
      choices,
      ...(wantsUsage && { usage: total }),
    };
  };
  const delta = (
    index: number,
    delta: wire.ChatCompletionDelta,
    finish: wire.FinishReason | null = null,
  ): wire.ChatCompletionChunk => chunk([{ index, delta, logprobs: null, finish_reason: finish }], null);
  for await (const step of steps(events)) {
    if (step.type === 'started') started = step.event;
    // The first choice says its role at once: the reader learns that the request was accepted.
    const index = step.type === 'started' ? 0 : step.choice;
    if (!roles.has(index)) {
      roles.add(index);
      yield delta(index, { role: 'assistant', content: '', refusal: null });
    }
    if (step.type === 'text') yield delta(index, { content: step.text });
    if (step.type === 'reasoning') yield delta(index, { reasoning_content: step.text });
    if (step.type === 'finished') {
      usage = step.usage;
      yield delta(index, {}, finishReasons[step.reason]);
    }
  }
  invariant(usage !== undefined, 'an answer has an end');
  if (wantsUsage) yield chunk([], writeUsage(usage));
}

const finishReasons: Readonly<Record<FinishReason, wire.FinishReason>> = {
  stop: 'stop',
  length: 'length',
  tool: 'tool_calls',
};
