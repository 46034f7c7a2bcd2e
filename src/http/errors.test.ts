// Every way of being wrong, over the whole way of a request.

import { once } from 'node:events';
import type { Test } from 'tap';
import { ApiError } from '../core/errors.ts';
import type { Context, Operation } from '../core/operation.ts';
import {
  type Candidate,
  type ChatBody,
  mirror,
  type Start,
  post,
  good,
  json,
  onEachTransport,
  parse,
} from '../testing/http-server.ts';
import { RawClient, rawRequest } from '../testing/raw-http.ts';

interface Wrong {
  readonly name: string;
  readonly path?: string;
  readonly init?: RequestInit;
  /** Bytes for the socket instead. */
  readonly raw?: string;
  /** Not readable as HTTP: the statuses that a parser with pages of its own gives it. */
  readonly unreadable?: readonly number[];
  readonly status: number;
  readonly error: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, string | RegExp>>;
}

const bodyLimit = 10_000;

const wrongs: readonly Wrong[] = [
  { name: 'empty body', init: post(''), status: 400, error: { code: 'missing_body' } },
  { name: 'no body at all', init: { method: 'POST' }, status: 400, error: { code: 'missing_body' } },
  { name: 'malformed JSON', init: post('{"model": }'), status: 400, error: { code: 'invalid_json', param: null } },
  { name: 'JSON cut short', init: post('{"model": "a'), status: 400, error: { code: 'invalid_json' } },
  { name: 'two JSON values', init: post('{} {}'), status: 400, error: { code: 'invalid_json' } },
  {
    name: 'JSON wrong in its third line',
    init: post('{\n"model":\n  nope}'),
    status: 400,
    error: { message: /\(line 3, column 4\)|line 3|unexpected/i },
  },
  { name: 'deep nesting', init: post('['.repeat(5000)), status: 400, error: { message: /nested deeper than 256/ } },
  {
    name: '__proto__',
    init: post('{"model":"a","x":[{"__proto__":{}}]}'),
    status: 400,
    error: { message: /__proto__/ },
  },
  { name: 'escaped __proto__', init: post('{"_\\u005fproto__":1}'), status: 400, error: { message: /__proto__/ } },
  {
    name: 'invalid UTF-8',
    init: { ...post(''), body: Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d]) },
    status: 400,
    error: { code: 'invalid_encoding' },
  },
  { name: 'an array for a body', init: post([]), status: 400, error: { code: 'invalid_value', param: null } },
  { name: 'a missing field', init: post({}), status: 400, error: { code: 'invalid_value', param: 'model' } },
  {
    name: 'a wrong type',
    init: post({ model: 'a', temperature: '1' }),
    status: 400,
    error: { message: "'temperature' must be a number.", type: 'invalid_request_error', param: 'temperature' },
  },
  {
    name: 'a value out of range',
    init: post({ model: 'a', temperature: 3 }),
    status: 400,
    error: { message: /between 0 and 2/, param: 'temperature' },
  },
  {
    name: 'an unsupported field',
    init: post({ model: 'a', n: 2 }),
    status: 400,
    error: { code: 'unsupported_parameter', param: 'n', message: /one answer per request/ },
  },
  {
    name: 'an unknown model',
    init: post({ model: 'gpt-4' }),
    status: 404,
    error: { type: 'not_found_error', code: 'model_not_found', param: 'model' },
  },
  {
    name: 'a form instead of JSON',
    init: post('a=b', { 'content-type': 'application/x-www-form-urlencoded' }),
    status: 415,
    error: { code: 'unsupported_content_type', message: /send application\/json/ },
  },
  {
    name: 'another charset',
    init: post('{}', { 'content-type': 'application/json; charset=latin1' }),
    status: 415,
    error: { code: 'unsupported_charset' },
  },
  {
    name: 'a compressed body',
    init: post('{}', { 'content-encoding': 'gzip' }),
    status: 415,
    error: { code: 'unsupported_content_encoding' },
  },
  {
    name: 'a large body',
    init: post({ model: 'x'.repeat(bodyLimit) }),
    status: 413,
    error: { code: 'request_too_large', message: /10000 bytes/ },
  },
  {
    name: 'a large body in chunks',
    raw: `${rawRequest('POST /v1/chat', { 'transfer-encoding': 'chunked' })}4e20\r\n${' '.repeat(20_000)}\r\n0\r\n\r\n`,
    status: 413,
    error: { code: 'request_too_large' },
  },
  { name: 'an unknown route', path: '/v1/chats', status: 404, error: { code: 'unknown_route', message: /openapi/ } },
  { name: 'a forgotten /v1', path: '/chat', init: good, status: 404, error: { message: /Did you mean \/v1\/chat\?/ } },
  {
    name: 'a wrong method',
    path: '/v1/chat',
    status: 405,
    error: { code: 'method_not_allowed', message: /Allowed: OPTIONS, POST/ },
    headers: { allow: 'OPTIONS, POST' },
  },
  { name: 'a method of its own', path: '/v1/chat', init: { method: 'PURGE' }, status: 405, error: {} },
  { name: 'a broken path', path: '/v1/items/%ff', status: 400, error: { code: 'invalid_path' } },
  { name: 'a query out of range', path: '/v1/items/a?limit=0', status: 400, error: { param: 'limit' } },
  { name: 'a query of the wrong type', path: '/v1/items/a?limit=many', status: 400, error: { param: 'limit' } },
  { name: 'a query given twice', path: '/v1/items/a?limit=1&limit=2', status: 400, error: { param: 'limit' } },
  {
    name: 'too many requests',
    init: post({ model: 'full' }),
    status: 429,
    error: { type: 'rate_limit_error', code: 'queue_full' },
    headers: { 'retry-after': '2' },
  },
  {
    name: 'something not built',
    init: post({ model: 'later' }),
    status: 501,
    error: { type: 'server_error', code: null },
    headers: { 'x-should-retry': 'false' },
  },
  {
    name: 'our own fault',
    init: post({ model: 'bug' }),
    status: 500,
    error: { type: 'server_error', message: 'The server failed while handling this request.', code: 'internal_error' },
  },
  {
    name: 'a header that cannot be written',
    init: post({ model: 'header' }),
    status: 500,
    error: { code: 'internal_error' },
  },
  {
    name: 'an answer that breaks the spec',
    init: post({ model: 'loop' }),
    status: 500,
    error: { code: 'internal_error' },
  },
  {
    name: 'no HTTP',
    raw: 'hello there\r\n\r\n',
    unreadable: [505, 400],
    status: 400,
    error: { code: 'malformed_request' },
  },
  {
    name: 'no Host',
    raw: 'GET / HTTP/1.1\r\n\r\n',
    unreadable: [400],
    status: 400,
    error: { code: 'malformed_request' },
  },
  {
    name: 'large headers',
    raw: rawRequest('GET /health', { 'x-large': 'x'.repeat(70_000) }),
    unreadable: [431, 400],
    status: 431,
    error: { code: 'headers_too_large' },
  },
];

const moody: Operation = async ({ body }: { body: ChatBody }, context: Context) => {
  switch (body.model ?? '') {
    case 'gpt-4':
      throw new ApiError('not_found', "There is no model 'gpt-4' here.", { code: 'model_not_found', param: 'model' });
    case 'full':
      throw new ApiError('rate_limit', 'The queue is full.', { code: 'queue_full', retryAfterSeconds: 1.2 });
    case 'later':
      throw new ApiError('not_implemented', 'Not yet.');
    case 'bug':
      throw new Error('secret path /etc/passwd');
    case 'header':
      throw new ApiError('conflict', 'no', { headers: { 'x-bad': 'line\r\nbreak' } });
    case 'loop': {
      const loop: Record<string, unknown> = {};
      return Object.assign(loop, { loop });
    }
    default:
      return mirror({ body } as never, context);
  }
};

/** Status, headers and body of an answer, read from bytes. */

function wrongSuite(t: Test, start: Start, { hasOwnPages }: Candidate): void {
  void t.test('every way of being wrong has its status and says what it is', async (t) => {
    const { fetch, port, lines } = await start(t, {
      operations: { chat: moody },
      options: { bodyLimitBytes: bodyLimit },
    });
    for (const { name, path, init, raw, unreadable = [], status, error, headers = {} } of wrongs) {
      let answer;
      if (raw === undefined) {
        const response = await fetch(path ?? '/v1/chat', init);
        answer = { status: response.status, headers: response.headers, body: await response.text() };
      } else answer = parse(await RawClient.answer(port, raw));
      if (hasOwnPages && unreadable.length > 0) {
        t.ok(unreadable.includes(answer.status), `${name}: ${answer.status}`);
        t.equal((await fetch('/v1/chat', good)).status, 200, `${name}: the next one is served`);
        continue;
      }
      t.equal(answer.status, status, `${name}: ${status}`);
      t.equal(answer.headers.get('content-type'), 'application/json', `${name}: JSON`);
      t.match(answer.headers.get('x-request-id'), /^req_\w{24}$/, `${name}: id`);
      t.equal(answer.headers.get('request-id'), answer.headers.get('x-request-id'));
      const body = JSON.parse(answer.body) as { error: object };
      t.strictSame(Object.keys(body.error), ['message', 'type', 'param', 'code'], `${name}: four keys`);
      t.match(body.error, { message: /^[^\n]{3,500}$/, type: /^\w+_error$/, ...error }, name);
      t.notMatch(answer.body, /secret|passwd/);
      for (const [key, value] of Object.entries(headers)) t.match(answer.headers.get(key), value, `${name}: ${key}`);
      t.equal((await fetch('/v1/chat', good)).status, 200, `${name}: the next one is served`);
    }
    const fault = lines.find(({ level, fields }) => level === 'error' && String(fields['error']).includes('secret'));
    t.match(
      fault?.fields,
      { requestId: /^req_/, operation: 'chat' },
      'our own faults are in the log with their request',
    );
    t.match((fault?.fields['error'] as Error | undefined)?.stack, /errors\.test/);
  });

  void t.test('what is unusual but right is served', async (t) => {
    const { fetch, port } = await start(t);
    const fine: readonly (readonly [string, RequestInit])[] = [
      ['charset', post({ model: 'a' }, { 'content-type': 'Application/JSON; charset="UTF-8"' })],
      ['a structured suffix', post({ model: 'a' }, { 'content-type': 'application/vnd.api+json' })],
      ['a byte order mark', post('\ufeff{"model":"a"}')],
      ['explicit null and defaults', post({ model: 'a', temperature: null, n: null, messages: null })],
      ['a listed value', post({ model: 'a', n: 1 })],
      ['__proto__ in text', post('{"model":"\\"__proto__\\": 1","metadata":"__proto__"}')],
      ['brackets in text', post({ model: `"${'['.repeat(300)}` })],
      ['any authorization', post({ model: 'a' }, { authorization: 'odd', 'x-api-key': '' })],
    ];
    for (const [name, init] of fine) t.equal((await fetch('/v1/chat', init)).status, 200, name);
    const untyped = await RawClient.exchange(
      port,
      rawRequest('POST /v1/chat', { connection: 'close' }, '{"model":"a"}'),
    );
    t.match(untyped, /^HTTP\/1.1 200/, 'no content type');
    const old = await RawClient.exchange(port, 'GET /health HTTP/1.0\r\n\r\n');
    t.match(old, hasOwnPages ? /^HTTP\/1.1 (505|400) / : /^HTTP\/1.1 200 [^]*}$/, 'HTTP/1.0');
  });

  void t.test('errors have the shape of their dialect', async (t) => {
    const { fetch } = await start(t);
    const response = await fetch('/v1/messages', post({ model: 1 }));
    t.equal(response.status, 400);
    t.strictSame(await json(response), {
      type: 'error',
      error: { type: 'invalid_request_error', message: "'model' must be a string." },
      request_id: response.headers.get('request-id'),
    });
    const wrong = await fetch('/v1/messages');
    t.match(await json(wrong), { type: 'error', error: { type: 'invalid_request_error' } });
    const large = await fetch('/v1/messages', post({ model: 'x' }, { 'content-type': 'text/plain' }));
    t.match(await json(large), { type: 'error', request_id: /^req_/ });
  });

  void t.test('random bytes never stop it', async (t) => {
    const { port, fetch } = await start(t);
    let state = 99;
    const random = (below: number): number => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return Math.floor((state / 2 ** 32) * below);
    };
    const body = '{"model":"a","stream":true,"messages":[{"role":"user"}]}';
    const request = Buffer.from(rawRequest('POST /v1/chat', { 'content-type': 'application/json' }, body));
    const attack = async (): Promise<void> => {
      const bytes = Buffer.from(request);
      for (let n = 1 + random(4); n > 0; n--) bytes[random(bytes.length)] = random(256);
      const client = await RawClient.connect(port);
      await client.send(bytes.subarray(0, random(3) === 0 ? random(bytes.length) : undefined));
      client.socket.end();
      await once(client.socket, 'close');
    };
    for (let round = 0; round < 60; round++) await Promise.all(Array.from({ length: 20 }, attack));
    t.equal((await fetch('/v1/chat', good)).status, 200);
  });
}

onEachTransport(wrongSuite);
