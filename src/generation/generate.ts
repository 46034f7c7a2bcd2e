// Messages in, events out: the pipeline of one request.
//
//   prompt -> ids -> engine ~> ids -> detokenizer -> stop strings -> format -> events

import { ApiError, invariant, toFailure } from '../core/errors.ts';
import type { Generate, GenerationEvent, GenerationRequest, Usage } from '../core/generation.ts';
import type { SubmitOptions } from '../engine/messages.ts';
import type { Accepted, EngineEvent } from '../engine/client.ts';
import { Detokenizer } from '../tokenizer/detokenizer.ts';
import type { FormatEvent, FormatParser } from './formats/format.ts';
import type { ModelParts, Models } from './models.ts';
import { writePrompt } from './prompt.ts';
import { StopMatcher } from './stop.ts';

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
  // Ends with the caller's signal, and also when we need no more: a stop string was found, or nobody reads.
  const run = new AbortController();
  const abort = (): void => run.abort(signal.reason);
  signal.throwIfAborted();
  signal.addEventListener('abort', abort);
  try {
    const { cachedTokens, events } = await submit(request, ids, parts, run.signal);
    const usage = { promptTokens: ids.length, completionTokens: 0, cachedTokens };
    const { seed } = request.sampling;
    yield { type: 'started', model: model.name, fingerprint: parts.fingerprint, seed, usage };
    yield* follow(events, new ChoiceText(request, parts), usage);
  } finally {
    signal.removeEventListener('abort', abort);
    run.abort();
  }
}

/** The events of one accepted run; `finished` or `failed` is the last. */
async function* follow(
  engineEvents: AsyncIterable<EngineEvent>,
  text: ChoiceText,
  { promptTokens, cachedTokens }: Usage,
): AsyncGenerator<GenerationEvent, void, void> {
  try {
    for await (const event of engineEvents) {
      if (event.type === 'begun') {
        ({ cachedTokens } = event);
        continue;
      }
      if (event.type === 'tokens') {
        yield* text.push(event.ids);
        if (text.stop === undefined) continue;
      }
      yield* text.end();
      const isCut = text.stop === undefined && event.type === 'finished' && event.cause === 'length';
      const reason = isCut ? 'length' : 'stop';
      const usage = { promptTokens, completionTokens: text.tokens, cachedTokens };
      yield { type: 'finished', choice: 0, reason, stop: text.stop, usage };
      return;
    }
    invariant(false, 'a run ends with finished or with an error');
  } catch (error) {
    // Other errors are defects, or the abort of a caller who hears nothing any more.
    if (!(error instanceof ApiError)) throw error;
    yield { type: 'failed', error: toFailure(error) };
  }
}

/** The way from ids to blocks of one choice. */
class ChoiceText {
  /** Ids seen, up to the one that completed a stop string. */
  tokens = 0;
  /** The stop string that was found. */
  stop: string | undefined;
  readonly #detokenizer: Detokenizer;
  readonly #stops: StopMatcher;
  readonly #parser: FormatParser;

  constructor(request: GenerationRequest, { tokenizer, format }: ModelParts) {
    this.#detokenizer = new Detokenizer(tokenizer);
    this.#stops = new StopMatcher(request.stop);
    this.#parser = format.parser();
  }

  push(ids: readonly number[]): GenerationEvent[] {
    let ready = '';
    for (const id of ids) {
      this.tokens++;
      ready += this.#unstopped(this.#detokenizer.push(id));
      if (this.stop !== undefined) break;
    }
    return this.#parser.push(ready).map(ofChoice);
  }

  /** No ids follow: what was held back is given out, and open blocks are closed. */
  end(): GenerationEvent[] {
    let rest = '';
    if (this.stop === undefined) rest += this.#unstopped(this.#detokenizer.end());
    if (this.stop === undefined) rest += this.#stops.end();
    return [...this.#parser.push(rest), ...this.#parser.end()].map(ofChoice);
  }

  #unstopped(text: string): string {
    const piece = this.#stops.push(text);
    this.stop = piece.stop;
    return piece.text;
  }
}

function ofChoice(event: FormatEvent): GenerationEvent {
  return { ...event, choice: 0 };
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
    sampling: request.sampling,
    constraint: request.constraint,
    // A limit beyond the context is no mistake: clients send large ones, and the answer then ends with `length`.
    maxTokens: Math.min(request.maxTokens ?? room, room),
    stopIds: [...tokenizer.vocabulary.endOfGeneration],
    output: request.output,
    adapter: request.adapter,
    tenant: request.tenant,
    traceId: request.traceId,
    deadlineMs: request.deadlineMs,
    priority: request.priority ?? 0,
  };
  return engine.submit(request.id, options, signal);
}

/** What the engine would not see and therefore could not refuse itself. */
function refuseUnsupported(request: GenerationRequest): void {
  const refuse = (what: string): never => {
    throw new ApiError('invalid_request', `${what} not supported by this server yet.`, {
      code: 'unsupported_parameter',
    });
  };
  const { prompt } = request;
  if (request.choices !== 1) refuse('More than one choice per request is');
  if (request.logprobs !== undefined) refuse('Log probabilities are');
  if (request.truncate) refuse('Shortening a prompt that is too long is');
  if (prompt.type === 'chat' && (prompt.tools.length > 0 || prompt.toolChoice.mode === 'required')) refuse('Tools are');
}
