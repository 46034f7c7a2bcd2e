// The way of one request: match -> access -> body -> validate -> fields -> call -> serialize -> reply. Whatever is wrong is thrown.

import { ApiError, invariant } from '../core/errors.ts';
import { EventStream, type Context, type Operation, type Route } from '../core/operation.ts';
import { Access, anonymous, type Credentials } from './access.ts';
import { readJson } from './body.ts';
import { failureOf } from './failure.ts';
import { checkFields, ignoredHeader, refuseUnknown } from './fields.ts';
import type { ServerParts } from './options.ts';
import { Pages } from './pages.ts';
import { readQuery } from './query.ts';
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
  readonly #operations: ReadonlyMap<string, Operation>;
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
    this.#operations = new Map(
      routes.map(({ operationId }) => {
        invariant(Object.hasOwn(operations, operationId), `operation ${operationId} has a handler`);
        return [operationId, operations[operationId]];
      }),
    );
  }

  /** Answers, or throws what is to be answered. */
  async handle(visit: Visit): Promise<void> {
    const { exchange } = visit;
    const credentials = credentialsOf(exchange);
    visit.headers = { ...visit.headers, ...this.#access.corsHeaders(credentials) };
    const { method, path } = exchange;
    const match = this.#pages.match(method, path) ?? this.#router.match(method, path);
    if (match.type === 'route') {
      visit.route = match.route;
      visit.dialect = match.route.dialect;
    } else if (match.type === 'wrong_method') visit.dialect = match.dialect;
    this.#access.check(credentials);
    switch (match.type) {
      case 'page':
        visit.isPage = true;
        visit.send(await this.#pages.answer(match.page, exchange.header('if-none-match')));
        return;
      case 'route':
        await this.#call(visit, match, credentials);
        return;
      case 'options': {
        const wanted = exchange.header('access-control-request-headers');
        visit.send({ status: 204, headers: this.#access.preflightHeaders(match.allow, wanted), body: '' });
        return;
      }
      case 'wrong_method':
        throw wrongMethod(exchange, match.allow);
      case 'unknown':
        throw unknownRoute(exchange, match.suggestion);
      default:
        match satisfies never;
    }
  }

  async #call(visit: Visit, match: Match & { type: 'route' }, credentials: Credentials): Promise<void> {
    const { exchange } = visit;
    const { route, parameters } = match;
    if (this.refusesNew && route.access === 'key') throw shuttingDown();
    const principal = this.#access.isOpen(route) ? anonymous : this.#access.principal(credentials);
    if (principal !== anonymous) visit.notes['principal'] = principal.id;
    const query = readQuery(exchange.query, route.query);
    const body = await this.#body(visit, route);
    const unknown = new Map<string, string>(query.unknown.map((name) => [`?${name}`, name]));
    if (route.body !== undefined && body !== undefined) {
      for (const [pattern, param] of checkFields(route.body.fields, body)) unknown.set(pattern, param);
    }
    if (unknown.size > 0) this.#ignore(visit, route, unknown);

    const context: Context = {
      requestId: visit.requestId,
      traceId: visit.trace?.traceId,
      principal,
      // Made only for those who read it.
      get signal() {
        return visit.life.signal;
      },
      log: visit.log,
      note: (facts) => Object.assign(visit.notes, facts),
      ignored: (field) => {
        unknown.set(field, field);
        tellIgnored(visit, unknown);
      },
    };
    const request = { body, path: parameters, query: query.values };
    const operation = this.#operations.get(route.operationId);
    invariant(operation !== undefined, `operation ${route.operationId} has a handler`);
    const result = await visit.life.wait(operation(request as never, context));
    if (result instanceof EventStream) await this.#stream(visit, route, result);
    else visit.send({ status: 200, headers: { 'content-type': route.contentType }, body: route.serialize(result) });
  }

  async #body(visit: Visit, { body }: Route): Promise<unknown> {
    if (body === undefined) return undefined;
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
    visit.notes['events'] = outcome.events;
    if (outcome.failure !== undefined) visit.notes['failed'] = outcome.failure.code ?? outcome.failure.kind;
  }
}

function tellIgnored(visit: Visit, fields: ReadonlyMap<string, string>): string {
  const header = ignoredHeader(fields);
  visit.headers = { ...visit.headers, 'x-ignored-fields': header };
  visit.notes['ignored'] = header;
  return header;
}

function credentialsOf(exchange: Exchange): Credentials {
  return {
    host: exchange.header('host'),
    origin: exchange.header('origin'),
    authorization: exchange.header('authorization'),
    apiKey: exchange.header('x-api-key'),
  };
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
