// Calls to uWebSockets.js that no client can see, against a response that records them: what is not corked may leave in several packets.

import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import t from 'tap';
import type { Headers } from './transport.ts';
import { UwsExchange } from './uws-exchange.ts';

interface Recorded {
  readonly exchange: UwsExchange;
  /** Every call that writes, marked where it was not corked. */
  readonly calls: string[];
  ended: number;
}

/** `isNew`: the callback of the request has not returned, so that everything is corked. */
function recorded(method = 'GET', isClosing = false, isNew = false): Recorded {
  const calls: string[] = [];
  let isCorked = isNew;
  const note = (call: string): void => void calls.push(isCorked ? call : `${call} UNCORKED`);
  const response: HttpResponse = {
    writeStatus: (status) => (
      note(`status ${typeof status === 'string' ? status : `in bytes ${Buffer.from(status).toString('latin1')}`}`),
      response
    ),
    writeHeader: (name, value) => (note(`header ${name}: ${value}`), response),
    write: (chunk) => (note(`write ${String(chunk)}`), true),
    end: (body, closes) => (note(`end ${String(body)}${closes === true ? ' closing' : ''}`), response),
    tryEnd: (body) => (note(`tryEnd ${body.length}`), [true, true]),
    endWithoutBody: () => (note('endWithoutBody'), response),
    getWriteOffset: () => 0,
    cork: (callback) => {
      isCorked = true;
      callback();
      isCorked = isNew;
      return response;
    },
    onWritable: () => response,
    onAborted: () => (calls.push('listens'), response),
    onData: () => response,
    pause: () => response,
    resume: () => response,
    getRemoteAddress: () => Uint8Array.of(127, 0, 0, 1).buffer,
  };
  const request: HttpRequest = {
    getCaseSensitiveMethod: () => method,
    getUrl: () => '/',
    getQuery: () => undefined,
    forEach: (each) => each('host', 'a'),
  };
  const result: Recorded = {
    exchange: new UwsExchange(response, request, { isClosing, ended: () => void result.ended++ }),
    calls,
    ended: 0,
  };
  if (!isNew) {
    result.exchange.keep();
    calls.length = 0;
  }
  return result;
}

void t.test('whatever is written is corked, and written once', async (t) => {
  const cases: readonly (readonly [string, boolean, (exchange: UwsExchange) => void, readonly string[]])[] = [
    ['GET', false, (e) => e.send(200, { a: '1', b: '2' }, 'x'), ['status 200 OK\r\na: 1\r\nb: 2', 'end x']],
    ['GET', true, (e) => e.send(200, {}, 'x'), ['status 200 OK', 'end x closing']],
    [
      'GET',
      false,
      (e) => e.send(503, { Connection: 'close' }, 'x'),
      ['status 503 Service Unavailable', 'end x closing'],
    ],
    ['GET', false, (e) => e.send(200, { 'content-length': '9', date: 'now' }, 'x'), ['status 200 OK', 'end x']],
    ['GET', false, (e) => e.send(200, { a: '\u00e9' }, 'x'), ['status in bytes 200 OK\r\na: \u00e9', 'end x']],
    ['HEAD', false, (e) => e.send(200, {}, 'h\u00e9'), ['status 200 OK', 'header content-length: 3', 'endWithoutBody']],
    ['GET', false, (e) => e.send(204, {}, ''), ['status 204 No Content', 'endWithoutBody']],
    [
      'GET',
      true,
      (e) => e.send(200, {}, Buffer.alloc(100_000)),
      ['status 200 OK', 'header connection: close', 'tryEnd 100000'],
    ],
    ['GET', false, (e) => e.refuse(400, { headers: {}, body: 'x' }), ['status 400 Bad Request', 'end x closing']],
    [
      'GET',
      true,
      (e) => {
        e.start(200, { a: '1' });
        e.write('one');
        e.write('two');
        e.end();
      },
      ['status 200 OK\r\na: 1', 'header connection: close', 'write one', 'write two', 'end undefined'],
    ],
    [
      'HEAD',
      false,
      (e) => {
        e.start(200, {});
        e.end();
      },
      ['status 200 OK', 'endWithoutBody'],
    ],
  ];
  for (const [method, isClosing, act, expected] of cases) {
    const made = recorded(method, isClosing);
    act(made.exchange);
    t.strictSame(made.calls, expected);
    t.equal(made.ended, 1);
    made.exchange.send(200, {}, 'again');
    t.equal(made.calls.length, expected.length, 'nothing after the end');
  }
});

void t.test('what is answered in the callback of its request is corked, and listens to nothing', async (t) => {
  const answered = recorded('GET', false, true);
  answered.exchange.send(200, { a: '1' }, 'x');
  t.notOk(answered.exchange.keep(), 'nothing to keep');
  t.strictSame(answered.calls, ['status 200 OK\r\na: 1', 'end x']);
  t.equal(answered.ended, 1);

  const later = recorded('GET', false, true);
  t.ok(later.exchange.keep());
  t.strictSame(later.calls, ['listens']);
  t.equal(later.exchange.remoteAddress, '127.0.0.1');
});

void t.test('a header that cannot be written is refused before anything is', async (t) => {
  const { exchange, calls } = recorded();
  const bad: readonly Headers[] = [{ a: 'x\r\ny: z' }, { 'a b': '1' }, { a: '\u0100' }];
  for (const headers of bad) {
    t.throws(() => exchange.send(200, headers, 'x'), { code: /^ERR_INVALID/ });
    t.throws(() => exchange.start(200, headers), { code: /^ERR_INVALID/ });
  }
  t.strictSame(calls, []);
  exchange.send(200, {}, 'x');
  t.equal(calls.length, 2);
});
