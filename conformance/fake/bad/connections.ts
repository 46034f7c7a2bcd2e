// Servers that stumble over the way in which requests arrive.

import type { Socket } from 'node:net';
import { goodServer } from '../good.ts';
import type { FakeRequest, FakeServer } from '../server.ts';
import { changeAnswer, changeRequest, except, isChat, refusal } from './break.ts';
import type { BadServer } from './break.ts';

const typeOf = ({ headers }: FakeRequest): string => headers['content-type'] ?? '';

export const badListeners: readonly BadServer[] = [
  {
    name: 'decodes every chunk of a body by itself',
    fails: ['http/bodies/chunked'],
    make: () =>
      changeRequest((request) =>
        request.headers['transfer-encoding'] === 'chunked'
          ? {
              ...request,
              body: request.pieces.map((piece) => piece.toString('utf8').replaceAll('\ufffd', ' x ')).join(''),
            }
          : request,
      ),
  },
  {
    name: 'refuses bodies without a length',
    fails: ['http/bodies/chunked'],
    make: () =>
      except((request) =>
        request.headers['transfer-encoding'] === undefined ? undefined : refusal(411, 'Give a length.'),
      ),
  },
  {
    name: 'reads only the first packet of a body',
    fails: ['http/bodies/slow'],
    make: () =>
      changeRequest((request) =>
        Number(request.headers['content-length']) < 1000
          ? { ...request, body: request.pieces[0]?.toString('utf8') ?? '' }
          : request,
      ),
  },
  {
    name: 'knows no charset',
    fails: ['http/bodies/charset'],
    make: () =>
      except((request) => (typeOf(request).includes('charset') ? refusal(415, 'Send application/json.') : undefined)),
  },
  {
    name: 'compares media types exactly',
    fails: ['http/bodies/header-case'],
    make: () =>
      except((request) => (/[A-Z]/.test(typeOf(request)) ? refusal(415, 'Send application/json.') : undefined)),
  },
  {
    name: 'reads any content type',
    fails: ['http/errors/content-type'],
    make: () =>
      changeRequest((request) => ({ ...request, headers: { ...request.headers, 'content-type': 'application/json' } })),
  },
  {
    name: 'meets no expectations',
    fails: ['http/bodies/expect-continue'],
    make: () => except((request) => (request.headers['expect'] === undefined ? undefined : refusal(417, 'No.'))),
  },
  {
    name: 'refuses an odd authorization',
    fails: ['http/bodies/odd-authorization'],
    make: () =>
      except((request) =>
        request.headers['authorization'] === 'nonsense' ? refusal(401, 'Bearer, please.') : undefined,
      ),
  },
  {
    name: 'closes every connection',
    fails: ['http/connections/kept'],
    make: () => changeAnswer((answer) => ({ ...answer, headers: { ...answer.headers, connection: 'close' } })),
  },
  {
    name: 'closes the connection after a refusal',
    fails: ['http/connections/kept-after-error'],
    make: () =>
      changeAnswer((answer) =>
        answer.status >= 400 ? { ...answer, headers: { ...answer.headers, connection: 'close' } } : undefined,
      ),
  },
  { name: 'mixes up requests of one connection', fails: ['http/connections/pipelined'], make: mixesUp },
  { name: 'cuts off who sends ahead', fails: ['http/connections/pipelined-all'], make: cutsPipelined },
  {
    name: 'is confused after a caller hung up',
    fails: ['http/connections/abort-then-good'],
    make: () => confusedByAbort('answer'),
  },
  { name: 'serves one caller at a time', fails: ['http/connections/parallel'], make: oneAtATime },
  {
    name: 'is confused after half a request',
    fails: ['http/connections/half-a-request'],
    make: () => confusedByAbort('request'),
  },
  {
    name: 'sends chunks to callers of HTTP/1.0',
    fails: ['http/connections/http-1-0'],
    make: () =>
      changeAnswer((answer, { version }) =>
        version === '1.0' ? { ...answer, headers: { ...answer.headers, 'transfer-encoding': 'chunked' } } : undefined,
      ),
  },
  {
    name: 'refuses HTTP/1.0',
    fails: ['http/connections/http-1-0-served'],
    make: () => except(({ version }) => (version === '1.0' ? refusal(505, 'Speak HTTP/1.1.') : undefined)),
  },
  {
    name: 'waits for bodies of any size',
    fails: ['http/errors/too-large'],
    make: () =>
      except((request) =>
        Number(request.headers['content-length']) > 1e9 ? refusal(400, 'Give me more.') : undefined,
      ),
  },
  { name: 'hangs up on long headers', fails: ['http/errors/headers-too-large'], make: withoutHeadersTooLarge },
  {
    name: 'needs no Host',
    fails: ['http/errors/no-host'],
    make: () => ({ ...goodServer(), parser: { requireHostHeader: false } }),
  },
  {
    name: 'takes a body with two framings',
    fails: ['http/errors/two-framings'],
    make: () => ({ ...goodServer(), parser: { insecureHTTPParser: true } }),
  },
];

function withoutHeadersTooLarge(): FakeServer {
  const { headersTooLarge: _, ...rest } = goodServer();
  return rest;
}

const soon = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 2));

/** A request that comes while another of its connection is under way gets that one's answer. */
function mixesUp(): FakeServer {
  const good = goodServer();
  const open = new WeakMap<object, FakeRequest>();
  return {
    ...good,
    async answer(request) {
      const meant = open.get(request.connection) ?? request;
      open.set(request.connection, request);
      if (isChat(request)) await soon();
      open.delete(request.connection);
      return good.answer(meant);
    },
  };
}

/** A request that comes while another of its connection is under way ends the connection. */
function cutsPipelined(): FakeServer {
  const good = goodServer();
  const open = new WeakSet<object>();
  return {
    ...good,
    async answer(request) {
      if (open.has(request.connection)) (request.connection as Socket).destroy();
      open.add(request.connection);
      if (isChat(request)) await soon();
      open.delete(request.connection);
      return good.answer(request);
    },
  };
}

/** The first request after the first caller who hung up fails. */
function confusedByAbort(by: 'request' | 'answer'): FakeServer {
  const good = goodServer();
  let isConfused = false;
  let isOver = false;
  return {
    ...good,
    answer(request) {
      if (!isConfused) return good.answer(request);
      isConfused = false;
      isOver = true;
      return refusal(500, 'the slot is busy');
    },
    aborted(incomplete) {
      if (incomplete === by && !isOver) isConfused = true;
    },
  };
}

/** Requests of another connection are refused while one is under way. */
function oneAtATime(): FakeServer {
  const good = goodServer();
  let busy: object | undefined;
  return {
    ...good,
    async answer(request) {
      if (busy !== undefined && busy !== request.connection) return refusal(503, 'busy');
      busy = request.connection;
      if (isChat(request)) await soon();
      const answer = await good.answer(request);
      busy = undefined;
      return answer;
    },
  };
}
