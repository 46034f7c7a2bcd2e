// The border between HTTP and what the server does: an operation is a typed function from a validated request to a result or
// to a stream of events. It sees neither bytes nor sockets; the generated route table knows the rest.

import type { Log, LogFields } from './log.ts';

/** Who asks. Without configured keys everybody is `anonymous`. */
export interface Principal {
  readonly id: string;
}

export interface Context {
  readonly requestId: string;
  /** Of the trace that the caller sent with the request (W3C), 32 hexadecimal digits. */
  readonly traceId?: string | undefined;
  readonly principal: Principal;
  /** Aborted when the caller is gone or the server must stop. */
  readonly signal: AbortSignal;
  readonly log: Log;
  /** Adds facts to this request's line in the access log: counts and times, never content. */
  readonly note: (facts: LogFields) => void;
  /** Names a field (`min_p`, `messages[].tool_call_id`) that had no effect in the header `x-ignored-fields`; before the answer begins. */
  readonly ignored: (field: string) => void;
}

/** A result that arrives piece by piece; the route's serializer turns each piece into one server-sent event. */
export class EventStream<Event> {
  readonly events: AsyncIterable<Event>;
  constructor(events: AsyncIterable<Event>) {
    this.events = events;
  }
}

/** What every operation receives. Parts the operation does not declare are `undefined` in its generated type. */
export interface OperationRequest {
  readonly body: unknown;
  readonly path: Readonly<Record<string, string>>;
  readonly query: Readonly<Record<string, unknown>>;
}

/** What is known at once is answered at once. */
export type Eventually<Result> = Result | Promise<Result>;

/** A frozen result never changes: its text is kept, and sent again when the same object is returned again. */
export type Operation = (request: never, context: Context) => unknown;

/** One problem of a value, in words for the caller. */
export interface Violation {
  /** As the caller would write it: `messages[0].role`; empty for the whole body. */
  readonly param: string;
  readonly message: string;
}

/** Standalone validator: `undefined` when the value is fine. */
export type Validate = (value: unknown) => Violation | undefined;

/**
 * What is done with a known field. `honoured`: it has its effect. `echoed`: validated, kept where the answer shows it, cannot change
 * the result. `refused`: anything but null and the values in `accepts` (the default and other harmless ones) is answered with 400
 * `unsupported_parameter`; `reason` is the sentence that says why and what to do instead.
 */
export type FieldSupport =
  | { readonly support: 'honoured' | 'echoed'; readonly inner?: FieldPlan | undefined }
  | { readonly support: 'refused'; readonly accepts: readonly unknown[]; readonly reason: string };

/** The known fields of an object, as the spec lists them; `undefined` in place of a plan: a free-form value. */
export type FieldPlan =
  | { readonly kind: 'object'; readonly fields: Readonly<Record<string, FieldSupport>> }
  | { readonly kind: 'array'; readonly items: FieldPlan }
  /** A tagged union: the plan of the branch named by the tag; `otherwise` for a value with another tag, or without one. */
  | {
      readonly kind: 'tagged';
      readonly tag: string;
      readonly branches: Readonly<Record<string, FieldPlan>>;
      readonly otherwise?: FieldPlan | undefined;
    }
  /** A known kind of value that is refused as a whole (an image among the parts of a message): 400 `unsupported_parameter`. */
  | { readonly kind: 'refused'; readonly reason: string }
  /** A value that may be of several JSON types (`string` or array of parts); scalars have no fields. */
  | { readonly kind: 'either'; readonly plans: readonly FieldPlan[] };

export type Dialect = 'openai' | 'anthropic';

/** One operation as the server sees it. Written by the generator from spec/, never by hand. */
export interface Route {
  readonly operationId: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /**
   * Template: `/v1/files/{file}` takes one segment, `/v1/models/{+model}` (RFC 6570, always last) the rest of the path with
   * its slashes. Values are percent-decoded.
   */
  readonly path: string;
  /** Shape of this route's errors. */
  readonly dialect: Dialect;
  /** `open`: never asks for a key. `open_on_loopback`: asks for one only where the server is bound wider than to this machine. */
  readonly access: 'key' | 'open' | 'open_on_loopback';
  readonly body?: { readonly required: boolean; readonly validate: Validate; readonly fields: FieldPlan } | undefined;
  /** Coerces and checks query parameters (strings in, typed values out). */
  readonly query?: { readonly validate: Validate; readonly parameters: readonly QueryParameter[] } | undefined;
  /** Media type of a plain result. */
  readonly contentType: string;
  /** Text of a plain result, JSON where `contentType` says so; throws when the result breaks the spec. */
  readonly serialize: (result: unknown) => string;
  readonly stream?:
    | {
        /** JSON text of one event. */
        readonly serialize: (event: unknown) => string;
        /** Whether each event carries an `event:` line with its own `type`. */
        readonly named: boolean;
        /** Last data line of a complete stream, `[DONE]` in some dialects. */
        readonly end: string | undefined;
      }
    | undefined;
}

export interface QueryParameter {
  readonly name: string;
  /** `object`: a map of texts, written `name[key]=value`. */
  readonly type: 'string' | 'integer' | 'number' | 'boolean' | 'array' | 'object';
}
