// Events -> bytes of an event stream (HTML standard §9.2): one write per event, back-pressure, keep-alive comments, and an
// orderly end whatever happens.

import type { Failure } from '../core/errors.ts';
import type { Dialect } from '../core/operation.ts';
import type { Abortable } from './abortable.ts';
import { envelope } from './failure.ts';
import type { Exchange, Headers } from './transport.ts';

export interface StreamFormat {
  /** JSON text of one event. */
  readonly serialize: (event: unknown) => string;
  readonly named: boolean;
  /** Last data line of a complete stream. */
  readonly end: string | undefined;
  readonly dialect: Dialect;
}

export interface StreamOptions {
  readonly format: StreamFormat;
  readonly headers: Headers;
  readonly requestId: string;
  /** Called off when the caller is gone, or when the server wants to stop: then its reason is the stream's error. */
  readonly life: Abortable;
  /** A comment is sent after so long a silence; 0 never. */
  readonly keepAliveMs: number;
  /** Says of anything thrown what the caller may know (and logs the rest). */
  readonly explain: (error: unknown) => Failure;
}

/** How a stream that had begun ended. */
export interface StreamOutcome {
  readonly events: number;
  /** Without keep-alive comments. */
  readonly bytes: number;
  readonly failure: Failure | undefined;
}

const streamHeaders: Headers = {
  'content-type': 'text/event-stream',
  'cache-control': 'no-cache, no-transform',
  // nginx would collect events otherwise.
  'x-accel-buffering': 'no',
};

/**
 * Answers with a stream. Rejects only before the first byte: the first event is awaited before the headers go out, so that a
 * request that cannot be served is a plain status with a JSON body. No keep-alive is needed during that wait, because a
 * stream's first event (role, `message_start`) comes as soon as the engine has accepted the request, before any computing.
 */
export async function sendEvents(
  exchange: Exchange,
  events: AsyncIterable<unknown>,
  options: StreamOptions,
): Promise<StreamOutcome> {
  const { format, life } = options;
  const iterator = events[Symbol.asyncIterator]();
  let isExhausted = false;
  const next = async (): Promise<string | undefined> => {
    const step = await life.wait(iterator.next());
    isExhausted = step.done === true;
    return step.done === true ? undefined : eventText(step.value, format);
  };
  try {
    let text = await next();
    exchange.start(200, { ...streamHeaders, ...options.headers });
    const alive = keepAlive(exchange, options.keepAliveMs);
    let events = 0;
    let bytes = 0;
    let failure: Failure | undefined;
    const write = (piece: string): boolean => {
      bytes += Buffer.byteLength(piece);
      alive.refresh();
      return exchange.write(piece);
    };
    try {
      for (; text !== undefined && exchange.method !== 'HEAD'; text = await next()) {
        const isFast = write(text);
        events++;
        if (!isFast) await life.wait(exchange.drained());
      }
      if (format.end !== undefined) write(formatEvent(undefined, format.end));
    } catch (error) {
      // No end marker after an error: a cut answer must not look like a whole one.
      failure = options.explain(error);
      if (!exchange.isGone) write(errorText(failure, options, events));
    } finally {
      alive.stop();
      exchange.end();
    }
    return { events, bytes, failure };
  } finally {
    // Not awaited: a producer that sleeps hears of it when it wakes. What it throws then concerns nobody.
    if (!isExhausted) void Promise.resolve(iterator.return?.()).catch(() => undefined);
  }
}

/** One event: lines and the blank line that ends it, meant for a single write. */
export function formatEvent(name: string | undefined, data: string): string {
  const lines = data.includes('\n') ? data.replaceAll('\n', '\ndata: ') : data;
  return name === undefined ? `data: ${lines}\n\n` : `event: ${name}\ndata: ${lines}\n\n`;
}

function eventText(event: unknown, format: StreamFormat): string {
  return formatEvent(format.named ? (event as { readonly type: string }).type : undefined, format.serialize(event));
}

function errorText(failure: Failure, { format, requestId }: StreamOptions, sent: number): string {
  if (!format.named) return formatEvent(undefined, JSON.stringify(envelope(failure, format.dialect, requestId)));
  if (format.dialect === 'anthropic') {
    return formatEvent('error', JSON.stringify(envelope(failure, format.dialect, requestId)));
  }
  // The error event of the Responses API is flat and numbered like its other events.
  const { code = null, message, param = null } = failure;
  return formatEvent('error', JSON.stringify({ type: 'error', code, message, param, sequence_number: sent }));
}

interface KeepAlive {
  refresh(): void;
  stop(): void;
}

function keepAlive(exchange: Exchange, intervalMs: number): KeepAlive {
  if (intervalMs <= 0) return { refresh: () => undefined, stop: () => undefined };
  let isBehind = false;
  const timer = setInterval(() => {
    // A reader that is behind has bytes to read; more comments would only pile up.
    if (isBehind) return;
    isBehind = !exchange.write(': keep-alive\n\n');
    if (isBehind) void exchange.drained().then(() => (isBehind = false));
  }, intervalMs);
  return { refresh: () => timer.refresh(), stop: () => clearInterval(timer) };
}
