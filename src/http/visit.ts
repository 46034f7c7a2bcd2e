// One request while it is with us: its names, what is known of it so far, and what was answered. What only some requests need (a log of
// their own, a way to be called off) is made when it is first asked for.

import { newId } from '../core/ids.ts';
import type { Log, LogFields } from '../core/log.ts';
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
  /** Shape of errors: the route's, as soon as it is known. */
  dialect: Dialect = 'openai';
  route: Route | undefined;
  /** A page or a part of one, not an operation. */
  isPage = false;
  /** Go out with whatever is answered. */
  headers: Record<string, string>;
  status = 0;
  bytesIn = 0;
  bytesOut = 0;
  readonly #log: Log;
  #ownLog: Log | undefined;
  #life: Abortable | undefined;
  #notes: Record<string, unknown> | undefined;
  readonly #startedAt = performance.now();

  constructor(exchange: Exchange, log: Log) {
    this.exchange = exchange;
    this.#log = log;
    const given = exchange.header('x-request-id');
    this.requestId = given !== undefined && /^[\w.:-]{1,128}$/.test(given) ? given : newId('req_');
    const trace = exchange.header('traceparent');
    this.trace = trace === undefined ? undefined : readTrace(trace);
    this.headers = this.names;
  }

  /** On every answer, whatever happens: OpenAI's clients read the one, Anthropic's the other. */
  get names(): Record<string, string> {
    const { requestId, trace } = this;
    const names: Record<string, string> = { 'x-request-id': requestId, 'request-id': requestId };
    if (trace !== undefined) names['traceresponse'] = traceResponse(trace);
    return names;
  }

  /** Names the request in every line. */
  get log(): Log {
    this.#ownLog ??= this.#log.with(this.#ids);
    return this.#ownLog;
  }

  /** Called off when the caller is gone, or by `stop`. */
  get life(): Abortable {
    if (this.#life === undefined) {
      const life = new Abortable();
      this.#life = life;
      this.exchange.onGone(() => life.abort(new Error('the client closed the connection')));
    }
    return this.#life;
  }

  stop(reason: Error): void {
    this.life.abort(reason);
  }

  /** Headers for whatever is answered. */
  add(headers: Headers): void {
    for (const name in headers) this.headers[name] = headers[name];
  }

  /** Facts for the access log. */
  note(facts: LogFields): void {
    this.#notes = this.#notes === undefined ? { ...facts } : Object.assign(this.#notes, facts);
  }

  send({ status, headers, body }: Answer<string | Uint8Array>): void {
    this.add(headers);
    this.exchange.send(status, this.headers, body);
    this.status = status;
    this.bytesOut = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
  }

  /** Our own faults go to the log, with their stack. */
  report(error: unknown): void {
    if (!isUnexpected(error) || this.exchange.isGone) return;
    this.log.error('request failed', { operation: this.route?.operationId, error });
  }

  /** What it has come to: one line in the log, without bodies and queries. Probes and pages are not worth one unless they fail. */
  end(): Answered {
    const { exchange, route, isPage } = this;
    const { method, path, isGone } = exchange;
    const seconds = (performance.now() - this.#startedAt) / 1000;
    const answered = {
      // Templates of RFC 6570 (`{+model}`) are the router's business.
      route: isPage ? path : route?.path.replace('{+', '{'),
      method,
      // nginx's number for a caller who did not wait.
      status: isGone && this.status === 0 ? 499 : this.status,
      seconds,
    };
    const isQuiet = isPage || (route !== undefined && route.access !== 'key');
    const fields: Record<string, unknown> = {
      requestId: this.requestId,
      method,
      path: path.length > 200 ? path.slice(0, 200) : path,
      route: answered.route,
      operation: route?.operationId,
      status: answered.status,
      ms: Math.round(seconds * 10_000) / 10,
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut,
    };
    if (this.trace !== undefined) Object.assign(fields, this.#ids);
    if (this.#notes !== undefined) Object.assign(fields, this.#notes);
    if (isGone) fields['aborted'] = true;
    if (isQuiet && answered.status < 400) this.#log.debug('request', fields);
    else this.#log.info('request', fields);
    return answered;
  }

  get #ids(): LogFields {
    const { requestId, trace } = this;
    return trace === undefined ? { requestId } : { requestId, traceId: trace.traceId, spanId: trace.spanId };
  }
}
