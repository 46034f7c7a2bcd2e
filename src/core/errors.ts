// The caller's fault and the world's fault, in words every dialect can render. Statuses and envelopes: wire.md rules of the
// OpenAI and Anthropic APIs; `http/failure.ts` decides the status once, each dialect's `fail` the body once.

export type FailureKind =
  | 'invalid_request' // 400
  | 'authentication' // 401
  | 'permission' // 403
  | 'not_found' // 404
  | 'method_not_allowed' // 405
  | 'timeout' // 408
  | 'conflict' // 409
  | 'too_large' // 413
  | 'unsupported_media_type' // 415
  | 'headers_too_large' // 431
  | 'rate_limit' // 429
  | 'internal' // 500
  | 'not_implemented' // 501
  | 'unavailable'; // 503

export interface FailureDetails {
  /** Stable, machine-readable: `model_not_found`, `context_length_exceeded`, `unsupported_parameter`, ... */
  readonly code?: string | undefined;
  /** The request parameter at fault, as the caller spelled it: `messages[0].content`. */
  readonly param?: string | undefined;
  /** Seconds after which a repetition makes sense (sent as `Retry-After`). */
  readonly retryAfterSeconds?: number | undefined;
  /** Further answer headers, lower case. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly cause?: unknown;
}

/** A failure that may be shown to the caller; its message says what would be accepted or what to do next. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly kind: FailureKind;
  readonly code: string | undefined;
  readonly param: string | undefined;
  readonly retryAfterSeconds: number | undefined;
  readonly headers: Readonly<Record<string, string>> | undefined;

  constructor(kind: FailureKind, message: string, details: FailureDetails = {}) {
    super(message, { cause: details.cause });
    this.kind = kind;
    this.code = details.code;
    this.param = details.param;
    this.retryAfterSeconds = details.retryAfterSeconds;
    this.headers = details.headers;
  }
}

/** The plain form of an `ApiError`, for process borders and event streams. */
export interface Failure {
  readonly kind: FailureKind;
  readonly message: string;
  readonly code?: string | undefined;
  readonly param?: string | undefined;
  readonly retryAfterSeconds?: number | undefined;
}

/** Anything thrown -> what may be said of it. Unknown errors say nothing of their insides. */
export function toFailure(error: unknown): Failure {
  if (error instanceof ApiError) {
    const { kind, message, code, param, retryAfterSeconds } = error;
    return { kind, message, code, param, retryAfterSeconds };
  }
  return { kind: 'internal', message: 'The server failed while handling this request.', code: 'internal_error' };
}

export function fromFailure(failure: Failure): ApiError {
  return new ApiError(failure.kind, failure.message, failure);
}

/** A broken invariant of our own: never the caller's fault. */
export function invariant(holds: unknown, message: string): asserts holds {
  if (!holds) throw new Error(`broken invariant: ${message}`);
}
