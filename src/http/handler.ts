// The way of one request: match -> access -> body -> validate -> fields -> call -> serialize -> reply. Whatever is wrong is thrown.

import { ApiError, invariant } from '../core/errors.ts';
import type { Log, LogFields } from '../core/log.ts';
import { EventStream, type Context, type Operation, type Principal, type Route } from '../core/operation.ts';
import { Access, anonymous } from './access.ts';
import { readJson } from './body.ts';
import { failureOf } from './failure.ts';
import { checkFields, ignoredHeader, refuseUnknown, type UnknownFields } from './fields.ts';
import type { ServerParts } from './options.ts';
import { Pages } from './pages.ts';
import { readQuery, type Query } from './query.ts';
import { Router, type Match } from './router.ts';
import { sendEvents } from './sse.ts';
import type { Exchange } from './transport.ts';
import type { Visit } from './visit.ts';

/** Fields that were logged as ignored are remembered, so that each is logged once; beyond this many none is logged any more. */
const maxReported = 1000;

export class Handler {
  /** Set when the server stops: only routes for operators (health, readiness, metrics) are answered. */
  refusesNew = false;
  readonly #router: Router;
  readonly #pages: Pages;
  readonly #access: Access;
  readonly #endpoints: ReadonlyMap<Route, Endpoint>;
  readonly #options: ServerParts['options'];
  readonly #reported = new Set<string>();

  constructor({ routes, operations, pages = [], options, authenticate }: ServerParts) {
    this.#router = new Router(routes);
    this.#pages = new Pages(pages);
    for (const { path } of pages) {
      invariant(this.#router.match('GET', path).type === 'unknown', `no operation answers at ${path}, a page`);
    }
    const { host, allowedHosts, corsOrigins } = options;
    this.#access = new Access({ host, allowedHosts, corsOrigins, authenticate });
    this.#options = options;
    this.#endpoints = new Map(
      routes.map((route) => {
        invariant(Object.hasOwn(operations, route.operationId), `operation ${route.operationId} has a handler`);
        return [route, { route, operation: operations[route.operationId], lasting: undefined }];
      }),
    );
  }

  /** Answers at once (`undefined`) or later; throws, or rejects with, what is to be answered. */
  handle(visit: Visit): Promise<void> | undefined {
    const { exchange } = visit;
    visit.add(this.#access.corsHeaders(exchange));
    const { method, path } = exchange;
    const match = this.#pages.match(method, path) ?? this.#router.match(method, path);
    if (match.type === 'route') {
      visit.route = match.route;
      visit.dialect = match.route.dialect;
    } else if (match.type === 'wrong_method') visit.dialect = match.dialect;
    this.#access.check(exchange);
    switch (match.type) {
      case 'page':
        visit.isPage = true;
        return this.#pages.answer(match.page, exchange.header('if-none-match')).then((answer) => visit.send(answer));
      case 'route':
        return this.#call(visit, match);
      case 'options': {
        const wanted = exchange.header('access-control-request-headers');
        visit.send({ status: 204, headers: this.#access.preflightHeaders(match.allow, wanted), body: '' });
        return undefined;
      }
      case 'wrong_method':
        throw wrongMethod(exchange, match.allow);
      case 'unknown':
        throw unknownRoute(exchange, match.suggestion);
      default:
        return match satisfies never;
    }
  }

  #call(visit: Visit, match: Match & { type: 'route' }): Promise<void> | undefined {
    const { exchange } = visit;
    const { route, parameters } = match;
    if (this.refusesNew && route.access === 'key') throw shuttingDown();
    const principal = this.#access.isOpen(route) ? anonymous : this.#access.principal(exchange);
    if (principal !== anonymous) visit.note({ principal: principal.id });
    const call: Call = { visit, principal, parameters, query: readQuery(exchange.query, route.query) };
    const endpoint = this.#endpoints.get(route);
    invariant(endpoint !== undefined, `operation ${route.operationId} has a handler`);
    if (route.body === undefined) return this.#run(endpoint, call, undefined);
    return this.#body(visit, route.body).then((body) => this.#run(endpoint, call, body));
  }

  #run(endpoint: Endpoint, { visit, principal, parameters, query }: Call, body: unknown): Promise<void> | undefined {
    const { route, operation } = endpoint;
    const fields = route.body === undefined || body === undefined ? none : checkFields(route.body.fields, body);
    const hasUnknown = fields.size + query.unknown.length > 0;
    const unknown = hasUnknown
      ? new Map([...query.unknown.map((name) => [`?${name}`, name] as const), ...fields])
      : none;
    if (hasUnknown) this.#ignore(visit, route, unknown);

    const request = { body, path: parameters, query: query.values };
    const result = operation(request as never, new VisitContext(visit, principal, unknown));
    if (result instanceof Promise) return visit.life.wait(result).then((value) => this.#reply(endpoint, visit, value));
    return this.#reply(endpoint, visit, result);
  }

  #reply(endpoint: Endpoint, visit: Visit, result: unknown): Promise<void> | undefined {
    const { route } = endpoint;
    if (result instanceof EventStream) return this.#stream(visit, route, result);
    visit.send({ status: 200, headers: { 'content-type': route.contentType }, body: bodyOf(endpoint, result) });
    return undefined;
  }

  async #body(visit: Visit, body: NonNullable<Route['body']>): Promise<unknown> {
    const { exchange } = visit;
    const { bodyLimitBytes = 50 * 2 ** 20 } = this.#options;
    const { value, bytes } = await visit.life.wait(readJson(exchange, bodyLimitBytes, body.required));
    visit.bytesIn = bytes;
    if (bytes === 0) return undefined;
    const violation = body.validate(value);
    if (violation === undefined) return value;
    const param = violation.param === '' ? undefined : violation.param;
    throw new ApiError('invalid_request', violation.message, { param, code: 'invalid_value' });
  }

  #ignore(visit: Visit, { operationId }: Route, unknown: ReadonlyMap<string, string>): void {
    if (this.#options.strictFields === true) refuseUnknown(unknown);
    const header = tellIgnored(visit, unknown);
    const names = [...unknown.keys()].map((name) => `${operationId} ${name.slice(0, 100)}`);
    const isNew = names.some((name) => !this.#reported.has(name));
    if (!isNew || this.#reported.size + names.length > maxReported) return;
    for (const name of names) this.#reported.add(name);
    visit.log.warn('unknown fields are ignored (further requests with them are not reported)', { fields: header });
  }

  async #stream(visit: Visit, route: Route, { events }: EventStream<unknown>): Promise<void> {
    const { exchange, headers, requestId, life } = visit;
    invariant(route.stream !== undefined, `${route.operationId} declares an event stream`);
    const outcome = await sendEvents(exchange, events, {
      format: { ...route.stream, dialect: route.dialect },
      headers,
      requestId,
      life,
      keepAliveMs: this.#options.keepAliveMs ?? 10_000,
      explain: (error) => {
        visit.report(error);
        return failureOf(error);
      },
    });
    visit.status = 200;
    visit.bytesOut = outcome.bytes;
    visit.note({ events: outcome.events });
    if (outcome.failure !== undefined) visit.note({ failed: outcome.failure.code ?? outcome.failure.kind });
  }
}

interface Endpoint {
  readonly route: Route;
  readonly operation: Operation;
  /** The last result that does not change, as it was sent. */
  lasting: { readonly result: unknown; readonly body: Uint8Array } | undefined;
}

interface Call {
  readonly visit: Visit;
  readonly principal: Principal;
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: Query;
}

class VisitContext implements Context {
  readonly principal: Principal;
  readonly #visit: Visit;
  #ignored: UnknownFields;

  constructor(visit: Visit, principal: Principal, ignored: UnknownFields) {
    this.#visit = visit;
    this.principal = principal;
    this.#ignored = ignored;
  }

  get requestId(): string {
    return this.#visit.requestId;
  }

  get traceId(): string | undefined {
    return this.#visit.trace?.traceId;
  }

  get signal(): AbortSignal {
    return this.#visit.life.signal;
  }

  get log(): Log {
    return this.#visit.log;
  }

  readonly note = (facts: LogFields): void => this.#visit.note(facts);

  readonly ignored = (field: string): void => {
    this.#ignored = new Map([...this.#ignored, [field, field]]);
    tellIgnored(this.#visit, this.#ignored);
  };
}

function tellIgnored(visit: Visit, fields: UnknownFields): string {
  const header = ignoredHeader(fields);
  visit.add({ 'x-ignored-fields': header });
  visit.note({ ignored: header });
  return header;
}

const none: UnknownFields = new Map();

function bodyOf(endpoint: Endpoint, result: unknown): string | Uint8Array {
  const { route, lasting } = endpoint;
  if (lasting !== undefined && lasting.result === result) return lasting.body;
  const text = route.serialize(result);
  // What is no object is frozen, too, and may be any text.
  if (typeof result !== 'object' || !Object.isFrozen(result)) return text;
  endpoint.lasting = { result, body: Buffer.from(text) };
  return endpoint.lasting.body;
}

function unknownRoute({ method, path }: Exchange, suggestion: string | undefined): ApiError {
  const hint = suggestion === undefined ? 'GET /openapi.json lists all routes.' : `Did you mean ${suggestion}?`;
  return new ApiError('not_found', `There is no route ${method} ${path.slice(0, 200)}. ${hint}`, {
    code: 'unknown_route',
  });
}

function wrongMethod({ method, path }: Exchange, allow: readonly string[]): ApiError {
  const list = allow.join(', ');
  return new ApiError('method_not_allowed', `${path.slice(0, 200)} does not answer ${method}. Allowed: ${list}.`, {
    code: 'method_not_allowed',
    headers: { allow: list },
  });
}

function shuttingDown(): ApiError {
  return new ApiError('unavailable', 'The server is shutting down and takes no new requests.', {
    code: 'shutting_down',
    retryAfterSeconds: 5,
    headers: { connection: 'close' },
  });
}
