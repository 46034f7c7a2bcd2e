// The fields that dialects for generated text share (spec/schemas/generation-options.yaml), read into the words of the house. Bodies are
// valid (generated validator) and ask for nothing that is refused (field plan).

import { ApiError } from '../core/errors.ts';
import { dryDefaults, type DryRequest, type SamplingRequest, type TokenBias } from '../core/sampling.ts';
import type * as wire from '../generated/types.ts';
import type { RequestFacts } from './dialect.ts';

type Given<Value> = Value | null | undefined;

export interface SamplingFields {
  readonly temperature?: Given<number>;
  readonly top_p?: Given<number>;
  readonly top_k?: Given<number>;
  readonly min_p?: Given<number>;
  readonly seed?: Given<number>;
  readonly presence_penalty?: Given<number>;
  readonly frequency_penalty?: Given<number>;
  readonly repetition_penalty?: Given<number>;
  readonly dry_multiplier?: Given<number>;
  readonly dry_base?: Given<number>;
  readonly dry_allowed_length?: Given<number>;
  readonly dry_sequence_breakers?: Given<readonly string[]>;
  readonly logit_bias?: Given<Readonly<Record<string, number>>>;
}

/** What the body leaves out is left to the model's own defaults, the seed aside. */
export function readSampling(body: SamplingFields, { seed, ignored }: RequestFacts): SamplingRequest {
  const { temperature, top_p: topP, top_k: topK } = body;
  return {
    temperature: temperature ?? undefined,
    topP: topP ?? undefined,
    // 0 and -1 both mean no limit.
    topK: (topK ?? undefined) === undefined ? undefined : Math.max(0, Number(topK)),
    minP: readMinP(body.min_p ?? undefined, ignored),
    seed: body.seed ?? seed,
    logitBias: readBias(body.logit_bias ?? {}),
    dry: readDry(body),
    frequencyPenalty: body.frequency_penalty ?? undefined,
    presencePenalty: body.presence_penalty ?? undefined,
    repetitionPenalty: body.repetition_penalty ?? undefined,
  };
}

/** The field is documented to have no effect outside of 0..1. */
function readMinP(minP: number | undefined, ignored: RequestFacts['ignored']): number | undefined {
  if (minP === undefined || (minP >= 0 && minP <= 1)) return minP;
  ignored?.('min_p');
  return 0;
}

function readDry(body: SamplingFields): DryRequest | undefined {
  const multiplier = body.dry_multiplier ?? 0;
  if (multiplier === 0) return undefined;
  return {
    multiplier,
    base: body.dry_base ?? dryDefaults.base,
    allowedLength: body.dry_allowed_length ?? dryDefaults.allowedLength,
    sequenceBreakers: body.dry_sequence_breakers ?? dryDefaults.sequenceBreakers,
  };
}

/** `{"50256": -100}`: the ids are keys, hence text. Which of them a model has is for generation to say. */
function readBias(map: Readonly<Record<string, number>>): readonly TokenBias[] | undefined {
  const biases = Object.entries(map).map(([key, bias]) => {
    if (/^(0|[1-9]\d{0,9})$/.test(key)) return { id: Number(key), bias };
    const shown = JSON.stringify(key.slice(0, 40));
    throw new ApiError(
      'invalid_request',
      `${shown} is not a token id: the keys of logit_bias are integers of at least 0.`,
      {
        code: 'invalid_value',
        param: 'logit_bias',
      },
    );
  });
  return biases.length === 0 ? undefined : biases;
}

export function readStop(stop: wire.StopOption | null | undefined): readonly string[] {
  return typeof stop === 'string' ? [stop] : (stop ?? []);
}

export interface LimitFields {
  readonly max_tokens?: Given<number>;
  readonly max_completion_tokens?: Given<number>;
}

/** The two spellings of the token limit; different values are refused. */
export function readLimit(body: LimitFields): number | undefined {
  const older = body.max_tokens ?? undefined;
  const newer = body.max_completion_tokens ?? undefined;
  if (older !== undefined && newer !== undefined && older !== newer) {
    throw conflict(
      'max_tokens',
      `max_tokens is ${older} and max_completion_tokens is ${newer}; they mean the same, so send one of them.`,
    );
  }
  return newer ?? older;
}

export interface DeliveryFields {
  readonly stream?: Given<boolean>;
  readonly stream_options?: Given<wire.StreamOptions>;
}

export function checkDelivery(body: DeliveryFields): void {
  if ((body.stream_options ?? undefined) === undefined || body.stream === true) return;
  throw conflict('stream_options', 'stream_options needs "stream": true; leave it out of requests that do not stream.');
}

export function conflict(param: string, message: string): ApiError {
  return new ApiError('invalid_request', message, { code: 'conflicting_parameters', param });
}

export function unsupported(param: string, message: string): ApiError {
  return new ApiError('invalid_request', message, { code: 'unsupported_parameter', param });
}
