// One request while it is with us: its names, what is known of it so far, and what was answered.

import { newId } from '../core/ids.ts';
import type { Log } from '../core/log.ts';
import type { Dialect, Route } from '../core/operation.ts';
import { Abortable } from './abortable.ts';
import { isUnexpected, type Answer } from './failure.ts';
import type { Exchange, Headers } from './transport.ts';

export class Visit {
  readonly exchange: Exchange;
  readonly requestId: string;
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
    this.log = log.with({ requestId: this.requestId });
    this.headers = this.names;
    exchange.onGone(() => this.life.abort(new Error('the client closed the connection')));
  }

  /** On every answer, whatever happens: OpenAI's clients read the one, Anthropic's the other. */
  get names(): Headers {
    return { 'x-request-id': this.requestId, 'request-id': this.requestId };
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

  /** One line per request, without bodies and queries. Probes and pages are not worth one unless they fail. */
  logAccess(): void {
    const { exchange, route } = this;
    const { isGone } = exchange;
    const fields = {
      method: exchange.method,
      path: exchange.path.slice(0, 200),
      operation: route?.operationId,
      // nginx's number for a caller who did not wait.
      status: isGone && this.status === 0 ? 499 : this.status,
      ms: Math.round((performance.now() - this.#startedAt) * 10) / 10,
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut,
      ...this.notes,
      ...(isGone ? { aborted: true } : {}),
    };
    if ((this.isPage || route?.access === 'open') && this.status < 400) this.log.debug('request', fields);
    else this.log.info('request', fields);
  }
}
