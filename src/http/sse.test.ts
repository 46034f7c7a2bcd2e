// Event streams against an exchange under control: readers that stall, for as long as the test likes.

import t from 'tap';
import { ApiError, toFailure } from '../core/errors.ts';
import { Abortable } from './abortable.ts';
import { formatEvent, sendEvents, type StreamOptions } from './sse.ts';
import type { Exchange } from './transport.ts';

interface Recorded {
  readonly exchange: Exchange;
  readonly written: string[];
  /** The reader has caught up. */
  readonly catchUp: () => void;
}

/** An exchange whose reader takes `room` pieces and then stalls. */
function stalling(room: number): Recorded {
  const written: string[] = [];
  let left = room;
  const waiting: (() => void)[] = [];
  const unused = (): never => {
    throw new Error('not part of a stream');
  };
  const exchange: Exchange = {
    method: 'POST',
    path: '/',
    query: '',
    remoteAddress: '',
    isGone: false,
    onGone: () => undefined,
    signal: new AbortController().signal,
    header: unused,
    body: unused,
    send: unused,
    start: (status) => void written.push(`start ${status}`),
    write: (chunk) => written.push(chunk) > 0 && --left > 0,
    drained: () => new Promise((resolve) => void waiting.push(resolve)),
    end: () => void written.push('end'),
  };
  const catchUp = (): void => {
    left = 1000;
    for (const wake of waiting.splice(0)) wake();
  };
  return { exchange, written, catchUp };
}

function options(life: Abortable, keepAliveMs = 0): StreamOptions {
  const format = { serialize: String, named: false, end: '[DONE]', dialect: 'openai' } as const;
  return { format, headers: {}, requestId: 'id', life, keepAliveMs, explain: toFailure };
}

async function* numbers(count: number): AsyncGenerator {
  for (let n = 0; n < count; n++) yield n;
}

const tick = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 25));

/** However busy the machine is; a test that waits in vain ends with the runner's timeout. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await tick();
}

void t.test('nothing is pulled while the reader is behind, and comments do not pile up', async (t) => {
  const { exchange, written, catchUp } = stalling(2);
  const done = sendEvents(exchange, numbers(3), options(new Abortable(), 2));
  await until(() => written.length > 3);
  await tick();
  t.strictSame(written.slice(0, 3), ['start 200', 'data: 0\n\n', 'data: 1\n\n']);
  t.strictSame(written.slice(3), [': keep-alive\n\n'], 'one comment for a reader that is behind');
  catchUp();
  t.match(await done, { events: 3, failure: undefined });
  t.strictSame(written.slice(-3), ['data: 2\n\n', 'data: [DONE]\n\n', 'end']);
});

void t.test('a stalled stream ends with its error when the server stops', async (t) => {
  const { exchange, written } = stalling(1);
  const life = new Abortable();
  const done = sendEvents(exchange, numbers(3), options(life));
  await until(() => written.length > 1);
  await tick();
  life.abort(new ApiError('unavailable', 'over', { code: 'shutting_down' }));
  t.match(await done, { events: 1, failure: { code: 'shutting_down' } });
  t.strictSame(written.length, 4);
  t.match(written[2], /^data: {"error":{"message":"over".*\n\n$/);
  t.equal(written[3], 'end');
});

void t.test('nothing is written when the stream cannot begin', async (t) => {
  const { exchange, written } = stalling(1);
  const refused = sendEvents(exchange, numbers(1), {
    ...options(new Abortable()),
    format: {
      serialize: () => {
        throw new TypeError('breaks the spec');
      },
      named: false,
      end: undefined,
      dialect: 'openai',
    },
  });
  await t.rejects(refused, { message: 'breaks the spec' });
  t.strictSame(written, []);
});

void t.test('an event is its lines and a blank one', async (t) => {
  t.equal(formatEvent(undefined, '{}'), 'data: {}\n\n');
  t.equal(formatEvent('ping', '{}'), 'event: ping\ndata: {}\n\n');
  t.equal(formatEvent(undefined, 'a\nb'), 'data: a\ndata: b\n\n');
});
