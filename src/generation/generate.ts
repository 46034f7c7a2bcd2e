// Messages in, events out: the pipeline of one request.
//
//   prompt -> ids -> engine ~> ids of each choice -> choice-text.ts -> events

import { ApiError, fromFailure, toFailure } from '../core/errors.ts';
import type { Generate, GenerationEvent, GenerationRequest } from '../core/generation.ts';
import type { Accepted } from '../engine/client.ts';
import type { SubmitOptions } from '../engine/messages.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { Breakers } from './breakers.ts';
import { ChoiceText } from './choice-text.ts';
import { promptLogprobs } from './echo.ts';
import { follow, type Echo } from './follow.ts';
import type { ModelParts, Models } from './models.ts';
import { predictionIds } from './prediction.ts';
import { placeOf, promptText, writePrompt } from './prompt.ts';
import { ranked } from './ranking.ts';
import { breakersOf, resolveSampling } from './sampling.ts';
import { fitPrompt, type Fitted } from './truncate.ts';

export function createGenerate(models: Models): Generate {
  const known = new WeakMap<Tokenizer, Breakers>();
  const find: FindBreakers = (tokenizer, texts) => {
    const breakers = known.get(tokenizer) ?? new Breakers(tokenizer);
    known.set(tokenizer, breakers);
    return breakers.find(texts);
  };
  return (request, signal) => generate(models, find, request, signal);
}

type FindBreakers = (tokenizer: Tokenizer, texts: readonly string[]) => Promise<Int32Array>;

async function* generate(
  models: Models,
  findBreakers: FindBreakers,
  request: GenerationRequest,
  signal: AbortSignal,
): AsyncGenerator<GenerationEvent, void, void> {
  const model = models.find(request.model);
  const { parts } = model;
  refuseUnsupported(request);
  const fitted = fit(request, parts);
  const prediction = predictionIds(request, parts);
  const held = breakersOf(request.sampling);
  // Only DRY waits: others are with the engine at once.
  const breakers = held === undefined ? undefined : await findBreakers(parts.tokenizer, held);
  const { choices, bestOf = choices } = request;
  // Ends with the caller's signal, and also when we need no more: stop strings were found, or nobody reads.
  const stop = new AbortController();
  const abort = (): void => stop.abort(signal.reason);
  signal.throwIfAborted();
  signal.addEventListener('abort', abort);
  try {
    const options = submission(request, fitted, parts, breakers);
    const run = await submit({ ...options, prediction }, request, parts, stop.signal);
    const { ids, prompt, dropped } = fitted;
    yield {
      type: 'started',
      model: model.name,
      fingerprint: parts.fingerprint,
      seed: request.sampling.seed,
      usage: { promptTokens: ids.length, completionTokens: 0, cachedTokens: run.cachedTokens },
      ...(dropped > 0 && { truncatedTokens: dropped }),
    };
    const facts = { prediction, promptEnd: endOf(fitted, parts) };
    const texts = Array.from({ length: bestOf }, (_, choice) => new ChoiceText(choice, request, parts, facts));
    const echo = echoOf({ ...request, prompt }, ids, parts);
    const events = follow(run, {
      texts,
      promptTokens: ids.length,
      predictionTokens: prediction?.length,
      echo,
      now: () => performance.now(),
    });
    yield* bestOf > choices ? ranked(events, texts, choices) : events;
  } finally {
    signal.removeEventListener('abort', abort);
    stop.abort();
  }
}

/** Enough to see what a template opened for the model. */
const endTokens = 16;

function endOf({ ids, prompt }: Fitted, { tokenizer }: ModelParts): string {
  return prompt.type === 'chat' ? tokenizer.decode(ids.subarray(-endTokens), { special: true }) : '';
}

function fit(request: GenerationRequest, parts: ModelParts): Fitted {
  if (request.truncate) return fitPrompt(request, parts);
  return { ids: writePrompt(request, parts), prompt: request.prompt, dropped: 0 };
}

function submission(
  request: GenerationRequest,
  { ids }: Fitted,
  parts: ModelParts,
  breakers: Int32Array | undefined,
): SubmitOptions {
  const { choices, bestOf = choices, logprobs, echo = false } = request;
  const room = parts.contextLength - ids.length;
  return {
    input: { ids, spans: [] },
    sampling: resolveSampling(request.sampling, parts.samplingDefaults ?? {}, breakers),
    constraint: request.constraint,
    choices: bestOf,
    // A limit beyond the context is no mistake: clients send large ones, and the answer then ends with `length`.
    maxTokens: Math.min(request.maxTokens ?? room, room),
    stopIds: stopIdsOf(request, parts.tokenizer),
    // Continuations are ranked by the log probabilities of their tokens.
    logprobs: logprobs ?? (bestOf > choices ? 0 : undefined),
    promptLogprobs: echo && logprobs !== undefined,
    output: request.output,
    adapter: request.adapter,
    tenant: request.tenant,
    traceId: request.traceId,
    deadlineMs: request.deadlineMs,
    priority: request.priority ?? 0,
  };
}

async function submit(
  options: SubmitOptions,
  { id, prompt, choices, bestOf = choices }: GenerationRequest,
  { engine }: ModelParts,
  signal: AbortSignal,
): Promise<Accepted> {
  try {
    return await engine.submit(id, options, signal);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    // The engine does not know where the prompt stood in the request, or what the number of choices was called.
    if (error.param === 'messages') throw fromFailure({ ...toFailure(error), param: placeOf(prompt) });
    if (error.param === 'n' && bestOf > choices) throw fromFailure({ ...toFailure(error), param: 'best_of' });
    throw error;
  }
}

function echoOf(
  { echo = false, logprobs, prompt, choices, bestOf = choices }: GenerationRequest,
  ids: Int32Array,
  parts: ModelParts,
): Echo {
  if (!echo) return { isScored: false, events: () => [] };
  const text = promptText(prompt, ids, parts);
  const isScored = logprobs !== undefined;
  const events: Echo['events'] = (scores) => {
    const told = isScored ? { logprobs: promptLogprobs(prompt, ids, scores, parts) } : {};
    return Array.from({ length: bestOf }, (_, choice) => ({ type: 'prompt', choice, text, ...told }));
  };
  return { isScored, events };
}

function stopIdsOf({ prompt, ignoreEos = false }: GenerationRequest, { vocabulary }: Tokenizer): readonly number[] {
  const fills = prompt.type !== 'chat' && prompt.suffix !== undefined;
  // Nothing after the end of the middle belongs to it.
  const ofMiddle = fills ? (vocabulary.fillInMiddle?.ends ?? []) : [];
  return [...new Set([...(ignoreEos ? [] : vocabulary.endOfGeneration), ...ofMiddle])];
}

/** What the engine would not see and therefore could not refuse itself. */
function refuseUnsupported({ prompt, echo = false, logprobs }: GenerationRequest): void {
  if (prompt.type === 'chat') {
    if (prompt.tools.length > 0 || prompt.toolChoice.mode === 'required')
      throw unsupported('Tools are not supported by this server yet.');
  } else if (prompt.suffix !== undefined && echo && logprobs !== undefined) {
    throw unsupported(
      'The tokens of a text with a gap are not those of its text alone: ask for echo, logprobs or suffix, not all three.',
    );
  }
}

function unsupported(message: string): ApiError {
  return new ApiError('invalid_request', message, { code: 'unsupported_parameter' });
}
