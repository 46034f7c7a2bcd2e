// GenerationEvents -> a chat completion, or its chunks.

import { invariant } from '../../core/errors.ts';
import type { FinishReason, GenerationEvent, TokenLogprob } from '../../core/generation.ts';
import type * as wire from '../../generated/types.ts';
import type { RequestFacts } from '../dialect.ts';
import { steps, type Started, type Step } from '../steps.ts';
import { writeTimings, writeUsage } from '../usage.ts';
import { writeLogprobs } from './logprobs.ts';

type Finished = Extract<Step, { type: 'finished' }>;

interface Choice {
  content: string;
  reasoning: string | undefined;
  readonly logprobs: TokenLogprob[];
  finish: wire.FinishReason | undefined;
}

export async function collect(
  events: AsyncIterable<GenerationEvent>,
  body: wire.ChatCompletionRequest,
  facts: RequestFacts,
): Promise<wire.ChatCompletion> {
  let started: Started | undefined;
  const choices: Choice[] = [];
  let end: Finished | undefined;
  for await (const step of steps(events)) {
    if (step.type === 'started') {
      started = step.event;
      continue;
    }
    const choice = (choices[step.choice] ??= { content: '', reasoning: undefined, logprobs: [], finish: undefined });
    if (step.type === 'text') {
      choice.content += step.text;
      choice.logprobs.push(...(step.logprobs ?? []));
    }
    if (step.type === 'reasoning') choice.reasoning = (choice.reasoning ?? '') + step.text;
    if (step.type === 'finished') {
      choice.finish = finishReasons[step.reason];
      end = step;
    }
  }
  invariant(started !== undefined && end !== undefined, 'an answer has a beginning and an end');
  const timings = writeTimings(end.usage, end.timings);
  return {
    id: facts.id,
    object: 'chat.completion',
    created: facts.created,
    model: started.model,
    choices: choices.map(({ content, reasoning, logprobs, finish }, index) => {
      invariant(finish !== undefined, 'every choice is finished');
      return {
        index,
        message: {
          role: 'assistant',
          content,
          refusal: null,
          ...(reasoning !== undefined && { reasoning_content: reasoning }),
        },
        logprobs: body.logprobs === true ? writeLogprobs(logprobs) : null,
        finish_reason: finish,
      };
    }),
    usage: writeUsage(end.usage, started),
    system_fingerprint: started.fingerprint,
    service_tier: 'default',
    ...(body.metadata && { metadata: body.metadata }),
    ...(timings && { timings }),
  };
}

export async function* stream(
  events: AsyncIterable<GenerationEvent>,
  body: wire.ChatCompletionRequest,
  facts: RequestFacts,
): AsyncGenerator<wire.ChatCompletionChunk, void, void> {
  const wantsUsage = body.stream_options?.include_usage === true;
  const roles = new Set<number>();
  let started: Started | undefined;
  let end: Finished | undefined;
  const chunk = (
    choices: wire.ChatCompletionChunkChoice[],
    more: Pick<wire.ChatCompletionChunk, 'usage' | 'timings'> = {},
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
      ...(wantsUsage && { usage: null }),
      ...more,
    };
  };
  const delta = (
    index: number,
    delta: wire.ChatCompletionDelta,
    logprobs: readonly TokenLogprob[] | undefined,
  ): wire.ChatCompletionChunk => {
    const written = logprobs === undefined ? null : writeLogprobs(logprobs);
    return chunk([{ index, delta, logprobs: written, finish_reason: null }]);
  };
  for await (const step of steps(events)) {
    if (step.type === 'started') started = step.event;
    // The first choice says its role at once: the reader learns that the request was accepted.
    const index = step.type === 'started' ? 0 : step.choice;
    if (!roles.has(index)) {
      roles.add(index);
      yield delta(index, { role: 'assistant', content: '', refusal: null }, body.logprobs === true ? [] : undefined);
    }
    if (step.type === 'text') yield delta(index, { content: step.text }, step.logprobs);
    if (step.type === 'reasoning') yield delta(index, { reasoning_content: step.text }, undefined);
    if (step.type === 'finished') {
      end = step;
      const last = { index, delta: {}, logprobs: null, finish_reason: finishReasons[step.reason] };
      // Where there is no further chunk, this one tells what is told at the end.
      const timings = wantsUsage ? undefined : writeTimings(step.usage, step.timings);
      yield chunk([last], timings && { timings });
    }
  }
  invariant(started !== undefined && end !== undefined, 'an answer has a beginning and an end');
  if (wantsUsage) {
    const timings = writeTimings(end.usage, end.timings);
    yield chunk([], { usage: writeUsage(end.usage, started), ...(timings && { timings }) });
  }
}

const finishReasons: Readonly<Record<FinishReason, wire.FinishReason>> = {
  stop: 'stop',
  length: 'length',
  tool: 'tool_calls',
};
