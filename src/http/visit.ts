// One request while it is with us: its names, what is known of it so far, and what was answered.

import { newId } from '../core/ids.ts';
import type { Log } from '../core/log.ts';
import type { Dialect, Route } from '../core/operation.ts';
import { Abortable } from './abortable.ts';
import { isUnexpected, type Answer } from './failure.ts';
import type { Answered } from './options.ts';
import { readTrace, traceResponse, type Trace } from './trace.ts';
import type { Exchange, Headers } from './transport.ts';

export class Visit {
  readonly exchange: Exchange;
  readonly requestId: string;
  readonly trace: Trace | undefined;
  readonly log: Log;
  /** Called off when the caller is gone, or by `stop`. */
  readonly life = new Abortable();
  /** Shape of errors: the route's, as soon as it is known. */
  dialect: Dialect = 'openai';
  route: Route | undefined;
  /** A page or a part of one, not an operation. */
  isPage = false;
  /** Go out with whatever is answered. */
  headers: Headers;
  status = 0;
  bytesIn = 0;
  bytesOut = 0;
  /** Facts for the access log. */
  notes: Record<string, unknown> = {};
  readonly #startedAt = performance.now();

  constructor(exchange: Exchange, log: Log) {
    this.exchange = exchange;
    const given = exchange.header('x-request-id');
    this.requestId = given !== undefined && /^[\w.:-]{1,128}$/.test(given) ? given : newId('req_');
    this.trace = readTrace(exchange.header('traceparent'));
    const { requestId, trace } = this;
    this.log = log.with({ requestId, ...(trace !== undefined && { traceId: trace.traceId, spanId: trace.spanId }) });
    this.headers = this.names;
    exchange.onGone(() => this.life.abort(new Error('the client closed the connection')));
  }

  /** On every answer, whatever happens: OpenAI's clients read the one, Anthropic's the other. */
  get names(): Headers {
    const { requestId, trace } = this;
    return {
      'x-request-id': requestId,
      'request-id': requestId,
      ...(trace !== undefined && { traceresponse: traceResponse(trace) }),
    };
  }

  stop(reason: Error): void {
    this.life.abort(reason);
  }

  send({ status, headers, body }: Answer<string | Uint8Array>): void {
    this.exchange.send(status, { ...this.headers, ...headers }, body);
    this.status = status;
    this.bytesOut = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
  }

  /** Our own faults go to the log, with their stack. */
  report(error: unknown): void {
    if (!isUnexpected(error) || this.exchange.isGone) return;
    this.log.error('request failed', { operation: this.route?.operationId, error });
  }

  /** What it has come to. */
  get answered(): Answered {
    const { exchange, route, status } = this;
    return {
      // Templates of RFC 6570 (`{+model}`) are the router's business.
      route: this.isPage ? exchange.path : route?.path.replace('{+', '{'),
      method: exchange.method,
      // nginx's number for a caller who did not wait.
      status: exchange.isGone && status === 0 ? 499 : status,
      seconds: (performance.now() - this.#startedAt) / 1000,
    };
  }

  /** One line per request, without bodies and queries. Probes and pages are not worth one unless they fail. */
  logAccess(): void {
    const { exchange } = this;
    const { route, method, status, seconds } = this.answered;
    const fields = {
      method,
      path: exchange.path.slice(0, 200),
      route,
      operation: this.route?.operationId,
      status,
      ms: Math.round(seconds * 10_000) / 10,
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut,
      ...this.notes,
      ...(exchange.isGone ? { aborted: true } : {}),
    };
    const isQuiet = this.isPage || (this.route !== undefined && this.route.access !== 'key');
    if (isQuiet && status < 400) this.log.debug('request', fields);
    else this.log.info('request', fields);
  }
}
