// GenerationEvents -> a text completion, or its chunks.

import { invariant } from '../../core/errors.ts';
import type { FinishReason, GenerationEvent, TokenLogprob } from '../../core/generation.ts';
import type * as wire from '../../generated/types.ts';
import type { RequestFacts } from '../dialect.ts';
import { steps, type Started, type Step } from '../steps.ts';
import { writeTimings, writeUsage } from '../usage.ts';
import { LogprobLists } from './logprobs.ts';

type Finished = Extract<Step, { type: 'finished' }>;

export async function collect(
  events: AsyncIterable<GenerationEvent>,
  body: wire.CompletionRequest,
  facts: RequestFacts,
): Promise<wire.Completion> {
  let started: Started | undefined;
  const choices: { text: string; logprobs: TokenLogprob[]; finish: wire.CompletionFinishReason | undefined }[] = [];
  let end: Finished | undefined;
  for await (const step of steps(events)) {
    if (step.type === 'started') {
      started = step.event;
      continue;
    }
    const choice = (choices[step.choice] ??= { text: '', logprobs: [], finish: undefined });
    if (step.type === 'finished') {
      choice.finish = writeReason(step.reason);
      end = step;
    } else {
      choice.text += step.text;
      choice.logprobs.push(...(step.logprobs ?? []));
    }
  }
  invariant(started !== undefined && end !== undefined, 'an answer has a beginning and an end');
  const timings = writeTimings(end.usage, end.timings);
  return {
    ...head(facts, started),
    choices: choices.map(({ text, logprobs, finish }, index) => {
      invariant(finish !== undefined, 'every choice is finished');
      const written = wantsLogprobs(body) ? new LogprobLists().push(logprobs) : null;
      return { text, index, logprobs: written, finish_reason: finish };
    }),
    usage: writeUsage(end.usage, started),
    ...(timings && { timings }),
  };
}

export async function* stream(
  events: AsyncIterable<GenerationEvent>,
  body: wire.CompletionRequest,
  facts: RequestFacts,
): AsyncGenerator<wire.CompletionChunk, void, void> {
  const wantsUsage = body.stream_options?.include_usage === true;
  const lists: LogprobLists[] = [];
  let started: Started | undefined;
  let end: Finished | undefined;
  const chunk = (
    choices: wire.CompletionChunkChoice[],
    more: Pick<wire.CompletionChunk, 'usage' | 'timings'> = {},
  ): wire.CompletionChunk => {
    invariant(started !== undefined, 'events begin with started');
    return { ...head(facts, started), choices, ...(wantsUsage && { usage: null }), ...more };
  };
  const piece = (
    index: number,
    text: string,
    tokens: readonly TokenLogprob[] = [],
    finish: wire.CompletionFinishReason | null = null,
  ): wire.CompletionChunkChoice => {
    const logprobs = wantsLogprobs(body) ? (lists[index] ??= new LogprobLists()).push(tokens) : null;
    return { text, index, logprobs, finish_reason: finish };
  };
  for await (const step of steps(events)) {
    if (step.type === 'started') {
      started = step.event;
      // Without text, but at once: the reader learns that the request was accepted, and keep-alive can begin.
      yield chunk([piece(0, '')]);
    } else if (step.type === 'finished') {
      end = step;
      // Where there is no further chunk, this one tells what is told at the end.
      const timings = wantsUsage ? undefined : writeTimings(step.usage, step.timings);
      yield chunk([piece(step.choice, '', [], writeReason(step.reason))], timings && { timings });
    } else yield chunk([piece(step.choice, step.text, step.logprobs)]);
  }
  invariant(started !== undefined && end !== undefined, 'an answer has a beginning and an end');
  if (wantsUsage) {
    const timings = writeTimings(end.usage, end.timings);
    yield chunk([], { usage: writeUsage(end.usage, started), ...(timings && { timings }) });
  }
}

function wantsLogprobs({ logprobs }: wire.CompletionRequest): boolean {
  return (logprobs ?? undefined) !== undefined;
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
