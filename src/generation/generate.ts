// Messages in, events out: the pipeline of one request.
//
//   prompt -> ids -> engine ~> ids -> detokenizer -> stop strings -> format -> events

import { ApiError, toFailure } from '../core/errors.ts';
import type { Generate, GenerationEvent, GenerationRequest, Usage } from '../core/generation.ts';
import { Detokenizer } from '../tokenizer/detokenizer.ts';
import type { FormatEvent, FormatParser } from './formats/format.ts';
import type { EngineRun, ModelParts, Models } from './models.ts';
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
  signal.throwIfAborted();
  const run = await submit(request, ids, parts);
  const cancel = (): void => run.cancel();
  signal.addEventListener('abort', cancel);
  try {
    // The abort may have come while the engine had not answered yet.
    signal.throwIfAborted();
    const usage = (completionTokens: number): Usage => ({
      promptTokens: ids.length,
      completionTokens,
      cachedTokens: run.cachedTokens,
    });
    yield {
      type: 'started',
      model: model.name,
      fingerprint: parts.fingerprint,
      seed: request.sampling.seed,
      usage: usage(0),
    };
    yield* follow(run, new ChoiceText(request, parts), usage, signal);
  } finally {
    signal.removeEventListener('abort', cancel);
    run.cancel();
  }
}

/** The events of one accepted run; `finished` or `failed` is the last. */
async function* follow(
  run: EngineRun,
  text: ChoiceText,
  usage: (completionTokens: number) => Usage,
  signal: AbortSignal,
): AsyncGenerator<GenerationEvent, void, void> {
  try {
    for await (const event of run.events) {
      if (event.type === 'tokens') {
        yield* text.push(event.ids);
        if (text.stop === undefined) continue;
      }
      yield* text.end();
      const reason =
        text.stop === undefined && event.type === 'finished' && event.cause === 'length' ? 'length' : 'stop';
      yield { type: 'finished', choice: 0, reason, stop: text.stop, usage: usage(text.tokens) };
      return;
    }
    // Cancelled from outside: the caller is gone, or the server must stop and says so.
    yield { type: 'failed', error: toFailure(signal.reason) };
  } catch (error) {
    // Anything else is a defect of ours and not a fact about this run.
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

async function submit(request: GenerationRequest, ids: Int32Array, parts: ModelParts): Promise<EngineRun> {
  const { engine, tokenizer, contextLength } = parts;
  const room = contextLength - ids.length;
  return engine.submit(request.id, {
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
  });
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
