// What every dialect offers: a request read, and events written as one object or as a stream of pieces. Pure translation: no I/O, no
// clock, no randomness; whatever an answer needs beyond the events is in its facts. Errors are shaped at the HTTP border.

import type { GenerationEvent, GenerationRequest } from '../core/generation.ts';

/** What the server knows of one request and the body does not say. */
export interface RequestFacts {
  /** Of the answer, in this dialect's shape. */
  readonly id: string;
  /** Seconds since 1970. */
  readonly created: number;
  readonly tenant: string;
  /** In use when the request names none. */
  readonly seed: number;
  readonly traceId?: string | undefined;
  /** Told of fields that have no effect although they are fine (`min_p`, `messages[].tool_call_id`), so that the caller hears of it. */
  readonly ignored?: ((param: string) => void) | undefined;
}

/**
 * The law (fold.test.ts): folding `stream` gives what `collect` gives. Both throw the `ApiError` of a `failed` event, and both pull
 * the events one by one, as fast as they are read. `Request` is a list where one body may ask for several generations.
 */
export interface Dialect<Body, Answer, Piece, Request = GenerationRequest> {
  read(body: Body, facts: RequestFacts): Request;
  collect(events: AsyncIterable<GenerationEvent>, body: Body, facts: RequestFacts): Promise<Answer>;
  stream(events: AsyncIterable<GenerationEvent>, body: Body, facts: RequestFacts): AsyncIterable<Piece>;
}
