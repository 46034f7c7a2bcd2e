// The server: its life (listen, drain, close) and what surrounds each request (ids, errors, the access log). The way of one
// request from match to reply is in `handler.ts`.

import { ApiError } from '../core/errors.ts';
import { newId } from '../core/ids.ts';
import { errorAnswer, refusalAnswer } from './failure.ts';
import { Handler } from './handler.ts';
import type { ServerParts } from './options.ts';
import type { Exchange, Refusal } from './transport.ts';
import { Visit } from './visit.ts';

export type { Answered, ServerOptions, ServerParts } from './options.ts';

export interface DrainOptions {
  /** Requests that arrive within this time are still served; default 0. */
  readonly delayMs?: number;
  /** Then running ones may finish for so long; default 30 s. */
  readonly graceMs?: number;
  /** Then the last bytes have so long to leave; default 2 s. Readers that stall longer are cut off. */
  readonly flushMs?: number;
}

export interface HttpServer {
  /** Resolves with the port in use. */
  listen(): Promise<number>;
  /** True from the first call of `drain` or `close`: readiness probes say no. */
  readonly isStopping: boolean;
  /** Requests that are being answered now. */
  readonly running: number;
  /**
   * The orderly end: new requests get 503 (routes with open access are still answered), running ones finish or, after the grace period,
   * end with their error. Resolves when everything is closed. Later calls join the first.
   */
  drain(options?: DrainOptions): Promise<void>;
  /** Ends everything at once. */
  close(): Promise<void>;
}

export function createServer(parts: ServerParts): HttpServer {
  return new Server(parts);
}

class Server implements HttpServer {
  readonly #parts: ServerParts;
  readonly #handler: Handler;
  readonly #running = new Set<Visit>();
  #whenIdle: (() => void) | undefined;
  #isStopping = false;
  #drained: Promise<void> | undefined;

  constructor(parts: ServerParts) {
    this.#parts = parts;
    this.#handler = new Handler(parts);
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  get running(): number {
    return this.#running.size;
  }

  listen(): Promise<number> {
    const { transport, options } = this.#parts;
    const { host, port, maxHeaderBytes = 65_536 } = options;
    return transport.listen({ host, port, maxHeaderBytes, refuse: (status) => this.#refuse(status) }, (exchange) => {
      this.#accept(exchange);
    });
  }

  drain(options: DrainOptions = {}): Promise<void> {
    this.#isStopping = true;
    this.#drained ??= this.#drain(options);
    return this.#drained;
  }

  async close(): Promise<void> {
    this.#isStopping = true;
    this.#handler.refusesNew = true;
    this.#stopRunning();
    await this.#parts.transport.close();
  }

  async #drain({ delayMs = 0, graceMs = 30_000, flushMs = 2_000 }: DrainOptions): Promise<void> {
    const { transport, log } = this.#parts;
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
    this.#handler.refusesNew = true;
    log.debug('draining', { running: this.#running.size, graceMs });
    await withinMs(this.#idle(), graceMs);
    if (this.#running.size > 0)
      log.warn('requests did not finish within the grace period', { running: this.#running.size });
    this.#stopRunning();
    await withinMs(this.#idle(), flushMs);
    await withinMs(transport.drain(), flushMs);
    await transport.close();
  }

  #idle(): Promise<void> {
    if (this.#running.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenIdle = resolve;
    });
  }

  #stopRunning(): void {
    const reason = new ApiError('unavailable', 'The server is shutting down; send the request again.', {
      code: 'shutting_down',
      retryAfterSeconds: 5,
    });
    for (const visit of this.#running) visit.stop(reason);
  }

  #accept(exchange: Exchange): void {
    const visit = new Visit(exchange, this.#parts.log);
    let answering: Promise<void> | undefined;
    try {
      answering = this.#handler.handle(visit);
    } catch (error) {
      this.#fail(visit, error);
    }
    if (answering === undefined) this.#end(visit);
    else void this.#finish(visit, answering);
  }

  async #finish(visit: Visit, answering: Promise<void>): Promise<void> {
    this.#running.add(visit);
    try {
      await answering;
    } catch (error) {
      this.#fail(visit, error);
    }
    this.#running.delete(visit);
    if (this.#running.size === 0) this.#whenIdle?.();
    this.#end(visit);
  }

  #end(visit: Visit): void {
    const answered = visit.end();
    this.#parts.onAnswered?.(answered);
  }

  #fail(visit: Visit, error: unknown): void {
    const { exchange } = visit;
    if (exchange.isGone) return;
    visit.report(error);
    try {
      visit.send(errorAnswer(error, visit.dialect, visit.requestId));
    } catch (sendError) {
      // A header that cannot be written, and our own fault: the caller still gets an answer.
      visit.log.error('cannot send this answer', { error: sendError });
      visit.headers = visit.names;
      visit.send(errorAnswer(sendError, visit.dialect, visit.requestId));
    }
  }

  #refuse(status: number): Refusal {
    const requestId = newId('req_');
    const { headers, body } = refusalAnswer(status, requestId);
    this.#parts.log.info('refused', { requestId, status });
    this.#parts.onAnswered?.({ route: undefined, method: 'unknown', status, seconds: 0 });
    return { headers: { ...headers, 'x-request-id': requestId, 'request-id': requestId }, body };
  }
}

/** Resolves with the promise, at the latest after so many milliseconds. */
async function withinMs(promise: Promise<void>, ms: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  await Promise.race([promise, late]);
  clearTimeout(timer);
}
