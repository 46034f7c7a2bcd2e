// Messages in, events out: the pipeline of one request.
//
//   prompt -> ids -> engine ~> ids of each choice -> choice-text.ts -> events

import { ApiError, fromFailure, invariant, toFailure } from '../core/errors.ts';
import type { Generate, GenerationEvent, GenerationRequest, Prompt } from '../core/generation.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { SubmitOptions } from '../engine/messages.ts';
import type { Accepted } from '../engine/client.ts';
import { ChoiceText } from './choice-text.ts';
import type { ModelParts, Models } from './models.ts';
import { placeOf, promptText, writePrompt } from './prompt.ts';
import { resolveSampling } from './sampling.ts';

export function createGenerate(models: Models): Generate {
  return (request, signal) => generate(models, request, signal);
}

async function* generate(
  models: Models,
  request: GenerationRequest,
  signal: AbortSignal,
): AsyncGenerator<GenerationEvent, void, void> {
  const model = models.find(request.model);
  const { parts } = model;
  refuseUnsupported(request);
  const ids = writePrompt(request, parts);
  // Ends with the caller's signal, and also when we need no more: stop strings were found, or nobody reads.
  const stop = new AbortController();
  const abort = (): void => stop.abort(signal.reason);
  signal.throwIfAborted();
  signal.addEventListener('abort', abort);
  try {
    const run = await submit(request, ids, parts, stop.signal);
    const usage = { promptTokens: ids.length, completionTokens: 0, cachedTokens: run.cachedTokens };
    const { seed } = request.sampling;
    yield { type: 'started', model: model.name, fingerprint: parts.fingerprint, seed, usage };
    const texts = Array.from({ length: request.choices }, (_, choice) => new ChoiceText(choice, request, parts));
    if (request.echo === true) {
      const text = promptText(request.prompt, ids, parts);
      for (const { choice } of texts) yield { type: 'prompt', choice, text };
    }
    yield* follow(run, texts, ids.length);
  } finally {
    signal.removeEventListener('abort', abort);
    stop.abort();
  }
}

/** The events of one accepted run, choices as they come; `failed`, or the last choice's `finished`, is the last. */
async function* follow(
  { cachedTokens, events, cancel }: Accepted,
  texts: readonly ChoiceText[],
  promptTokens: number,
): AsyncGenerator<GenerationEvent, void, void> {
  const open = new Set(texts);
  try {
    for await (const event of events) {
      if (event.type === 'begun') {
        ({ cachedTokens } = event);
        continue;
      }
      invariant(event.type !== 'prompt', 'log probabilities are refused');
      const text = texts[event.choice];
      // It ended with a stop string; the engine may not have heard of it yet.
      if (!open.has(text)) continue;
      if (event.type === 'tokens') {
        yield* text.push(event.ids);
        if (text.stop === undefined) continue;
        cancel(text.choice);
      }
      yield* text.end();
      open.delete(text);
      const isCut = text.stop === undefined && event.type === 'finished' && event.cause === 'length';
      const completionTokens = texts.reduce((sum, { tokens }) => sum + tokens, 0);
      const usage = { promptTokens, completionTokens, cachedTokens };
      yield { type: 'finished', choice: text.choice, reason: isCut ? 'length' : 'stop', stop: text.stop, usage };
      if (open.size === 0) return;
    }
    invariant(false, 'a run ends when all choices are finished, or with an error');
  } catch (error) {
    // Other errors are defects, or the abort of a caller who hears nothing any more.
    if (!(error instanceof ApiError)) throw error;
    yield { type: 'failed', error: toFailure(error) };
  }
}

async function submit(
  request: GenerationRequest,
  ids: Int32Array,
  parts: ModelParts,
  signal: AbortSignal,
): Promise<Accepted> {
  const { engine, tokenizer, contextLength } = parts;
  const room = contextLength - ids.length;
  const options: SubmitOptions = {
    input: { ids, spans: [] },
    sampling: resolveSampling(request.sampling, parts),
    constraint: request.constraint,
    choices: request.choices,
    // A limit beyond the context is no mistake: clients send large ones, and the answer then ends with `length`.
    maxTokens: Math.min(request.maxTokens ?? room, room),
    stopIds: stopIdsOf(request.prompt, tokenizer),
    output: request.output,
    adapter: request.adapter,
    tenant: request.tenant,
    traceId: request.traceId,
    deadlineMs: request.deadlineMs,
    priority: request.priority ?? 0,
  };
  try {
    return await engine.submit(request.id, options, signal);
  } catch (error) {
    // The engine does not know where the prompt stood in the request.
    if (!(error instanceof ApiError) || error.param !== 'messages') throw error;
    throw fromFailure({ ...toFailure(error), param: placeOf(request.prompt) });
  }
}

function stopIdsOf(prompt: Prompt, { vocabulary }: Tokenizer): readonly number[] {
  const fills = prompt.type !== 'chat' && prompt.suffix !== undefined;
  return [...new Set([...vocabulary.endOfGeneration, ...(fills ? (vocabulary.fillInMiddle?.ends ?? []) : [])])];
}

/** What the engine would not see and therefore could not refuse itself. */
function refuseUnsupported(request: GenerationRequest): void {
  const refuse = (what: string): never => {
    throw new ApiError('invalid_request', `${what} not supported by this server yet.`, {
      code: 'unsupported_parameter',
    });
  };
  const { prompt } = request;
  if (request.logprobs !== undefined) refuse('Log probabilities are');
  if (request.truncate) refuse('Shortening a prompt that is too long is');
  if (request.ignoreEos === true) refuse('Going on after the end of a turn is');
  if ((request.bestOf ?? request.choices) !== request.choices) refuse('Ranked continuations are');
  if (prompt.type === 'chat' && (prompt.tools.length > 0 || prompt.toolChoice.mode === 'required')) refuse('Tools are');
}
