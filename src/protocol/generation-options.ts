// The fields that dialects for generated text share (spec/schemas/generation-options.yaml), read into the words of the house. Bodies are
// valid (generated validator) and ask for nothing that is refused (field plan).

import { ApiError } from '../core/errors.ts';
import type { SamplingRequest } from '../core/sampling.ts';
import type * as wire from '../generated/types.ts';

export interface SamplingFields {
  readonly temperature?: number | null | undefined;
  readonly top_p?: number | null | undefined;
  readonly top_k?: number | null | undefined;
  readonly min_p?: number | null | undefined;
  readonly seed?: number | null | undefined;
}

/** `seed`: in use when the body names none. */
export function readSampling(body: SamplingFields, seed: number): SamplingRequest {
  const minP = body.min_p ?? 0;
  return {
    temperature: body.temperature ?? 1,
    topP: body.top_p ?? 1,
    // 0, -1 and null all mean no limit.
    topK: Math.max(0, body.top_k ?? 0),
    // The field is documented to have no effect outside of 0..1.
    minP: minP >= 0 && minP <= 1 ? minP : 0,
    seed: body.seed ?? seed,
  };
}

export function readStop(stop: wire.StopOption | null | undefined): readonly string[] {
  return typeof stop === 'string' ? [stop] : (stop ?? []);
}

export interface LimitFields {
  readonly max_tokens?: number | null | undefined;
  readonly max_completion_tokens?: number | null | undefined;
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
  readonly stream?: boolean | null | undefined;
  readonly stream_options?: wire.StreamOptions | null | undefined;
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
