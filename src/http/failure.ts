// Whatever was thrown -> status, headers and body. The envelopes are those of the OpenAI API (four keys, always) and of the
// Anthropic API; the route says which.

import { ApiError, toFailure, type Failure, type FailureKind } from '../core/errors.ts';
import type { Dialect } from '../core/operation.ts';
import { BodyError, type Headers } from './transport.ts';

export interface Answer<Body extends string | Uint8Array = string> {
  readonly status: number;
  readonly headers: Headers;
  readonly body: Body;
}

interface KindFacts {
  readonly status: number;
  readonly openai: string;
  readonly anthropic: string;
}

const kinds: Readonly<Record<FailureKind, KindFacts>> = {
  invalid_request: { status: 400, openai: 'invalid_request_error', anthropic: 'invalid_request_error' },
  authentication: { status: 401, openai: 'authentication_error', anthropic: 'authentication_error' },
  permission: { status: 403, openai: 'permission_error', anthropic: 'permission_error' },
  not_found: { status: 404, openai: 'not_found_error', anthropic: 'not_found_error' },
  method_not_allowed: { status: 405, openai: 'invalid_request_error', anthropic: 'invalid_request_error' },
  timeout: { status: 408, openai: 'timeout_error', anthropic: 'timeout_error' },
  conflict: { status: 409, openai: 'conflict_error', anthropic: 'invalid_request_error' },
  too_large: { status: 413, openai: 'invalid_request_error', anthropic: 'request_too_large' },
  unsupported_media_type: { status: 415, openai: 'invalid_request_error', anthropic: 'invalid_request_error' },
  rate_limit: { status: 429, openai: 'rate_limit_error', anthropic: 'rate_limit_error' },
  headers_too_large: { status: 431, openai: 'invalid_request_error', anthropic: 'invalid_request_error' },
  internal: { status: 500, openai: 'server_error', anthropic: 'api_error' },
  not_implemented: { status: 501, openai: 'server_error', anthropic: 'api_error' },
  unavailable: { status: 503, openai: 'server_error', anthropic: 'overloaded_error' },
};

/** Requests that never become an exchange: what the transport found wrong with them. */
const refusals: Readonly<Record<number, Failure>> = {
  400: {
    kind: 'invalid_request',
    message: 'This is not a valid HTTP/1.1 request (request line, header or chunk malformed, or no Host header).',
    code: 'malformed_request',
  },
  405: { kind: 'method_not_allowed', message: 'This server is no proxy: CONNECT is not supported.', code: 'no_proxy' },
  408: { kind: 'timeout', message: 'The request did not arrive in time; send it again.', code: 'request_timeout' },
  413: { kind: 'too_large', message: 'The chunk extensions of the body are too large.', code: 'request_too_large' },
  417: {
    kind: 'invalid_request',
    message: 'The only expectation that this server meets is "Expect: 100-continue".',
    code: 'expectation_failed',
  },
  431: {
    kind: 'headers_too_large',
    message: 'The request line and headers are larger than this server accepts; send fewer or shorter ones.',
    code: 'headers_too_large',
  },
};

/** The plain form of anything thrown. */
export function failureOf(error: unknown): Failure {
  if (error instanceof BodyError && error.reason === 'too_large') {
    return { kind: 'too_large', message: 'The request body is too large.', code: 'request_too_large' };
  }
  return toFailure(error);
}

/** Our own fault: worth a stack in the log. */
export function isUnexpected(error: unknown): boolean {
  return !(error instanceof ApiError) && !(error instanceof BodyError);
}

export function statusOf(failure: Failure): number {
  return kinds[failure.kind].status;
}

/** A whole answer for anything thrown before the answer began. */
export function errorAnswer(error: unknown, dialect: Dialect, requestId: string): Answer {
  const failure = failureOf(error);
  const retryAfter = failure.retryAfterSeconds;
  return {
    status: statusOf(failure),
    headers: {
      'content-type': 'application/json',
      ...(retryAfter === undefined ? {} : { 'retry-after': String(Math.max(1, Math.ceil(retryAfter))) }),
      // SDKs repeat every 5xx; what is not there will not be there the next time.
      ...(failure.kind === 'not_implemented' ? { 'x-should-retry': 'false' } : {}),
      ...(error instanceof ApiError ? error.headers : {}),
    },
    body: JSON.stringify(envelope(failure, dialect, requestId)),
  };
}

/** A whole answer for a request that the transport could not read. */
export function refusalAnswer(status: number, requestId: string): Answer {
  const failure = refusals[status] ?? refusals[400];
  return {
    status,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(envelope(failure, 'openai', requestId)),
  };
}

/** The object that says a failure in a dialect; also the data of its error event. */
export function envelope(failure: Failure, dialect: Dialect, requestId: string): object {
  switch (dialect) {
    case 'openai':
      return { error: openaiError(failure) };
    case 'anthropic': {
      const error = { type: kinds[failure.kind].anthropic, message: failure.message };
      return { type: 'error', error, request_id: requestId };
    }
    default:
      return dialect satisfies never;
  }
}

function openaiError({ kind, message, param, code }: Failure): object {
  return { message, type: kinds[kind].openai, param: param ?? null, code: code ?? null };
}
