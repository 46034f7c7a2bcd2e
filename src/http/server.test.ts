// The whole way from bytes to operations and back, over a small hand-written table: every way of being wrong, event streams,
// access, shutdown.

import { once } from 'node:events';
import t, { type Test } from 'tap';
import { Channel } from '../core/channel.ts';
import { ApiError } from '../core/errors.ts';
import type { Log, LogFields } from '../core/log.ts';
import { EventStream, type Context, type Operation, type Route, type Validate } from '../core/operation.ts';
import { RawClient, rawRequest } from '../testing/raw-http.ts';
import { NodeTransport } from './node.ts';
import { createServer, type HttpServer, type ServerOptions, type ServerParts } from './server.ts';
import type { Transport } from './transport.ts';
import { loadUws, UwsTransport } from './uws.ts';

interface Candidate {
  readonly name: string;
  readonly make: () => Transport;
  readonly skip?: string | undefined;
  /** Broken requests and HTTP/1.0 are the parser's business: it answers with a page of its own (README.md). */
  readonly hasOwnPages: boolean;
}

const uws = await loadUws();

const transports: readonly Candidate[] = [
  { name: 'node:http', make: () => new NodeTransport({ lingerIdleMs: 100 }), hasOwnPages: false },
  {
    name: 'uWebSockets.js',
    make: () => {
      if (uws.module === undefined) throw new Error(uws.reason);
      return new UwsTransport(uws.module);
    },
    skip: uws.module === undefined ? uws.reason : undefined,
    hasOwnPages: true,
  },
];

interface ChatBody {
  readonly model?: string;
  readonly temperature?: number | null;
  readonly stream?: boolean;
}

const validateChat: Validate = (value) => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { param: '', message: 'The body must be an object.' };
  }
  const { model, temperature } = value as Record<string, unknown>;
  if (typeof model !== 'string') return { param: 'model', message: "'model' must be a string." };
  if (temperature === undefined || temperature === null) return undefined;
  if (typeof temperature !== 'number') return { param: 'temperature', message: "'temperature' must be a number." };
  const isFine = temperature >= 0 && temperature <= 2;
  return isFine ? undefined : { param: 'temperature', message: "'temperature' must be between 0 and 2." };
};

const chatBody: Route['body'] = {
  required: true,
  validate: validateChat,
  fields: {
    kind: 'object',
    fields: {
      model: { support: 'honoured' },
      temperature: { support: 'honoured' },
      stream: { support: 'honoured' },
      n: { support: 'refused', accepts: [1], reason: 'one answer per request' },
      messages: {
        support: 'honoured',
        inner: { kind: 'array', items: { kind: 'object', fields: { role: { support: 'honoured' } } } },
      },
    },
  },
};

const common = {
  access: 'key',
  dialect: 'openai',
  contentType: 'application/json',
  serialize: (result: unknown) => JSON.stringify(result),
} as const;

const routes: readonly Route[] = [
  {
    ...common,
    operationId: 'chat',
    method: 'POST',
    path: '/v1/chat',
    body: chatBody,
    stream: { serialize: (event) => JSON.stringify(event), named: false, end: '[DONE]' },
  },
  {
    ...common,
    operationId: 'responses',
    method: 'POST',
    path: '/v1/responses',
    body: chatBody,
    stream: { serialize: (event) => JSON.stringify(event), named: true, end: undefined },
  },
  {
    ...common,
    operationId: 'messages',
    method: 'POST',
    path: '/v1/messages',
    dialect: 'anthropic',
    body: chatBody,
    stream: { serialize: (event) => JSON.stringify(event), named: true, end: undefined },
  },
  {
    ...common,
    operationId: 'item',
    method: 'GET',
    path: '/v1/items/{item}',
    query: {
      parameters: [
        { name: 'limit', type: 'integer' },
        { name: 'ratio', type: 'number' },
        { name: 'deep', type: 'boolean' },
        { name: 'order', type: 'string' },
        { name: 'include', type: 'array' },
      ],
      validate: (value) => {
        const { limit } = value as { limit?: unknown };
        const isFine = limit === undefined || (typeof limit === 'number' && limit > 0);
        return isFine ? undefined : { param: 'limit', message: "'limit' must be a positive integer." };
      },
    },
  },
  {
    ...common,
    operationId: 'cancel',
    method: 'POST',
    path: '/v1/items/{item}/cancel',
    body: { required: false, validate: validateChat, fields: { kind: 'object', fields: {} } },
  },
  { ...common, operationId: 'health', method: 'GET', path: '/health', access: 'open' },
  { ...common, operationId: 'metrics', method: 'GET', path: '/metrics', access: 'open_on_loopback' },
];

/** Answers with what it was asked. */
const mirror: Operation = async (request: object, { requestId, traceId, principal }: Context) => ({
  ...request,
  requestId,
  traceId,
  principal: principal.id,
});

interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: LogFields;
}

function recorder(lines: LogLine[], more: LogFields = {}): Log {
  const at =
    (level: string) =>
    (message: string, fields: LogFields = {}): void =>
      void lines.push({ level, message, fields: { ...more, ...fields } });
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    with: (fields) => recorder(lines, { ...more, ...fields }),
  };
}

interface Setup {
  readonly operations?: Readonly<Record<string, Operation>>;
  readonly options?: Partial<ServerOptions>;
  readonly authenticate?: ServerParts['authenticate'];
}

interface Running {
  readonly server: HttpServer;
  readonly port: number;
  readonly lines: LogLine[];
  readonly fetch: (path: string, init?: RequestInit) => Promise<Response>;
}

type Start = (t: Test, setup?: Setup) => Promise<Running>;

function starter(make: () => Transport): Start {
  return async (t, setup = {}) => {
    const lines: LogLine[] = [];
    const everybody = Object.fromEntries(routes.map(({ operationId }) => [operationId, mirror]));
    const server = createServer({
      routes,
      operations: { ...everybody, ...setup.operations },
      transport: make(),
      log: recorder(lines),
      options: { host: '127.0.0.1', port: 0, ...setup.options },
      authenticate: setup.authenticate,
    });
    const port = await server.listen();
    t.teardown(() => server.close());
    return { server, port, lines, fetch: (path, init) => fetch(`http://127.0.0.1:${port}${path}`, init) };
  };
}

function post(body: unknown, headers: Readonly<Record<string, string>> = {}): RequestInit {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: text };
}

const good = post({ model: 'a' });

async function json(response: Response): Promise<Record<string, unknown>> {
  return (await response.json()) as Record<string, unknown>;
}

/** A stream under the control of the test. */
function gated(): {
  readonly channel: Channel<unknown>;
  readonly abandoned: Promise<unknown>;
  readonly operation: Operation;
} {
  let abandon: () => void = () => undefined;
  const abandoned = new Promise<void>((resolve) => {
    abandon = resolve;
  });
  const channel = new Channel<unknown>(1000, abandon);
  return { channel, abandoned, operation: async () => new EventStream(channel) };
}

function answerSuite(t: Test, start: Start, { hasOwnPages }: Candidate): void {
  void t.test('an operation receives body, path, query and context', async (t) => {
    const { fetch, lines } = await start(t);
    const response = await fetch('/v1/chat', good);
    t.equal(response.status, 200);
    t.equal(response.headers.get('content-type'), 'application/json');
    const id = response.headers.get('x-request-id');
    t.match(id, /^req_\w{24}$/);
    t.equal(response.headers.get('request-id'), id);
    t.equal(response.headers.get('x-ignored-fields'), null);
    t.strictSame(await json(response), {
      body: { model: 'a' },
      path: {},
      query: {},
      requestId: id,
      principal: 'anonymous',
    });
    const line = lines.find(({ message }) => message === 'request');
    t.match(line?.fields, {
      requestId: id,
      method: 'POST',
      operation: 'chat',
      status: 200,
      bytesIn: 13,
      bytesOut: Number,
    });
    const item = await json(
      await fetch('/v1/items/a%2Fb?limit=3&ratio=-1.5&deep=true&order=asc&include[]=x&include[]=y'),
    );
    t.strictSame(item['path'], { item: 'a/b' });
    t.strictSame(item['query'], { limit: 3, ratio: -1.5, deep: true, order: 'asc', include: ['x', 'y'] });
    const cancelled = await fetch('/v1/items/a/cancel', { method: 'POST' });
    t.equal(cancelled.status, 200, 'a body that is not required may be missing');
  });

  void t.test('request ids are honoured when they are sane', async (t) => {
    const { fetch } = await start(t);
    const sent = await fetch('/nowhere', { headers: { 'x-request-id': 'trace:1.a-b_C' } });
    t.equal(sent.headers.get('x-request-id'), 'trace:1.a-b_C');
    t.equal(sent.headers.get('request-id'), 'trace:1.a-b_C');
    for (const odd of ['a b', 'ä', 'x'.repeat(129), '"']) {
      const response = await fetch('/health', { headers: { 'x-request-id': odd } });
      t.match(response.headers.get('x-request-id'), /^req_\w{24}$/);
    }
  });

  void t.test('the trace of a caller is kept, and answered with a span of our own', async (t) => {
    const { fetch, lines } = await start(t);
    const id = '0af7651916cd43dd8448eb211c80319c';
    const ask = async (traceparent: string): Promise<[string | null, unknown]> => {
      lines.length = 0;
      const response = await fetch('/v1/chat', {
        ...good,
        headers: { 'content-type': 'application/json', traceparent },
      });
      t.equal(response.status, 200, traceparent);
      const { traceId } = await json(response);
      const fields = lines.find(({ message }) => message === 'request')?.fields;
      t.equal(fields?.['traceId'], traceId, 'the log has it, too');
      return [response.headers.get('traceresponse'), traceId];
    };
    for (const [sent, flags] of [
      [`00-${id}-b7ad6b7169203331-01`, '01'],
      [`00-${id}-b7ad6b7169203331-00`, '00'],
      [`01-${id}-b7ad6b7169203331-03-more`, '01'],
    ]) {
      const [answered, traceId] = await ask(sent);
      t.equal(traceId, id);
      t.match(answered, new RegExp(`^00-${id}-[0-9a-f]{16}-${flags}$`));
      t.notMatch(answered, 'b7ad6b7169203331');
    }
    for (const invalid of [
      `00-${id}-b7ad6b7169203331`,
      `00-${id}-b7ad6b7169203331-01-more`,
      `ff-${id}-b7ad6b7169203331-01`,
      `00-${id.toUpperCase()}-b7ad6b7169203331-01`,
      `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
      `00-${id}-${'0'.repeat(16)}-01`,
      `00-${id}-b7ad6b7169203331-01, 00-${id}-b7ad6b7169203331-01`,
      'nonsense',
    ]) {
      t.same(await ask(invalid), [null, undefined], invalid);
    }
    const traceparent = `00-${id}-b7ad6b7169203331-01`;
    t.match((await fetch('/nowhere', { headers: { traceparent } })).headers.get('traceresponse'), id, 'errors as well');
  });

  void t.test('HEAD and OPTIONS', async (t) => {
    const { fetch, port } = await start(t);
    const head = await fetch('/v1/items/a', { method: 'HEAD' });
    t.equal(head.status, 200);
    t.ok(Number(head.headers.get('content-length')) > 20);
    t.equal(await head.text(), '');
    const options = await fetch('/v1/items/a', { method: 'OPTIONS' });
    t.equal(options.status, 204);
    t.equal(options.headers.get('allow'), 'GET, HEAD, OPTIONS');
    t.match(options.headers.get('x-request-id'), /^req_/);
    const all = await RawClient.exchange(port, rawRequest('OPTIONS *', { connection: 'close' }));
    t.match(all, hasOwnPages ? /^HTTP\/1.1 (505|400) / : /204 [^]*allow: .*POST/i);
  });

  void t.test('unknown fields are named in the answer and logged once', async (t) => {
    const { fetch, lines } = await start(t);
    const odd = post({ model: 'a', foo: 1, messages: [{ role: 'user', bar: 1 }, { bar: 2 }] });
    for (let i = 0; i < 2; i++) {
      const response = await fetch('/v1/chat?beta=true', odd);
      t.equal(response.status, 200);
      t.equal(response.headers.get('x-ignored-fields'), '?beta, foo, messages[].bar');
    }
    t.equal(lines.filter(({ level }) => level === 'warn').length, 1);
    t.match(lines.filter(({ message }) => message === 'request')[1].fields, { ignored: '?beta, foo, messages[].bar' });
  });

  void t.test('strict servers refuse unknown fields', async (t) => {
    const { fetch } = await start(t, { options: { strictFields: true } });
    const response = await fetch('/v1/chat', post({ model: 'a', foo: 1 }));
    t.equal(response.status, 400);
    t.match(await json(response), { error: { code: 'unknown_parameter', param: 'foo' } });
    t.match(await json(await fetch('/v1/chat?beta=1', good)), { error: { code: 'unknown_parameter', param: 'beta' } });
    t.equal((await fetch('/v1/chat', good)).status, 200);
  });
}

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
function parse(text: string): { status: number; headers: Headers; body: string } {
  const [head, body] = [text.slice(0, text.indexOf('\r\n\r\n')), text.slice(text.indexOf('\r\n\r\n') + 4)];
  const [first, ...lines] = head.split('\r\n');
  const headers = new Headers(lines.map((line) => line.split(/: ?(.*)/s).slice(0, 2) as [string, string]));
  return { status: Number(first.split(' ')[1]), headers, body };
}

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
    t.match((fault?.fields['error'] as Error | undefined)?.stack, /server\.test/);
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

function streamSuite(t: Test, start: Start): void {
  const ask = rawRequest('POST /v1/chat', {}, '{"model":"a","stream":true}');

  void t.test('events leave one by one and whole', async (t) => {
    const { channel, operation } = gated();
    const { port, lines } = await start(t, { operations: { chat: operation } });
    const client = await RawClient.connect(port);
    await client.send(ask);
    channel.push({ n: 0 });
    await client.until('data: {"n":0}\n\n');
    t.match(client.text, /^HTTP\/1.1 200 OK\r\n/);
    t.match(client.text, /content-type: text\/event-stream\r\n/i);
    t.match(client.text, /cache-control: no-cache/i);
    t.match(client.text, /x-request-id: req_\w{24}\r\n/i);
    const pieces: string[] = [];
    client.socket.on('data', (piece: string) => pieces.push(piece));
    for (const n of [1, 2, 3]) {
      channel.push({ n, text: 'zwölf\n' });
      await client.until(`data: {"n":${n},"text":"zwölf\\n"}\n\n`);
    }
    t.equal(pieces.length, 3, 'one piece per event');
    channel.close();
    await client.until('data: [DONE]\n\n\r\n0\r\n\r\n');
    await client.send(rawRequest('GET /health', { connection: 'close' }));
    t.match(await client.end(), /"anonymous"}$/, 'the connection goes on');
    t.match(lines.find(({ message }) => message === 'request')?.fields, { status: 200, events: 4, bytesOut: 128 });
  });

  void t.test('named events carry their type, without an end marker', async (t) => {
    const { channel, operation } = gated();
    const { fetch } = await start(t, { operations: { messages: operation } });
    channel.push({ type: 'message_start' });
    channel.push({ type: 'message_stop' });
    channel.close();
    const response = await fetch('/v1/messages', good);
    t.equal(
      await response.text(),
      'event: message_start\ndata: {"type":"message_start"}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n',
    );
  });

  void t.test('silence is filled with comments', async (t) => {
    const { channel, operation } = gated();
    const { port } = await start(t, { operations: { chat: operation }, options: { keepAliveMs: 20 } });
    const client = await RawClient.connect(port);
    await client.send(ask);
    channel.push({ n: 1 });
    await client.until(/(: keep-alive\n\n[^:]*){3}/);
    channel.push({ n: 2 });
    channel.close();
    await client.until('[DONE]');
    t.match(client.text, /data: {"n":1}\n\n[^]*: keep-alive\n\n[^]*data: {"n":2}\n\n/);
    client.destroy();
  });

  void t.test('a slow reader slows the producer down', async (t) => {
    let produced = 0;
    const events = async function* (): AsyncGenerator {
      for (; produced < 3_000; produced++) yield { text: 'x'.repeat(10_000) };
    };
    const { port } = await start(t, { operations: { chat: async () => new EventStream(events()) } });
    const client = await RawClient.connect(port);
    client.socket.pause();
    await client.send(rawRequest('POST /v1/chat', { connection: 'close' }, '{"model":"a"}'));
    for (let last = -1; last <= 0 || produced !== last;) {
      last = produced;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    t.ok(produced > 0 && produced < 2_000, `${produced} events of 10 kB, then it waits`);
    client.socket.resume();
    t.equal((await client.end()).match(/data: [{[]/g)?.length, 3_001, 'nothing is lost');
  });

  void t.test('a caller who goes away ends the producer', async (t) => {
    let signal: AbortSignal | undefined;
    let returned = 0;
    let asked = 0;
    const iterator: AsyncIterator<unknown> = {
      next: async () => {
        if (asked++ > 0) await new Promise(() => undefined);
        return { value: { n: 1 }, done: false };
      },
      return: async () => {
        returned++;
        throw new Error('nobody wants to know');
      },
    };
    const { port, lines } = await start(t, {
      operations: {
        chat: async (_request, context) => {
          signal = context.signal;
          return new EventStream({ [Symbol.asyncIterator]: () => iterator });
        },
      },
    });
    const client = await RawClient.connect(port);
    await client.send(ask);
    await client.until('"n":1');
    t.equal(signal?.aborted, false);
    client.destroy();
    while (!lines.some(({ message }) => message === 'request')) await new Promise((resolve) => setImmediate(resolve));
    t.equal(signal?.aborted, true);
    t.strictSame([asked, returned], [2, 1]);
    t.match(lines.find(({ message }) => message === 'request')?.fields, { aborted: true, events: 1 });
    t.notOk(lines.some(({ level }) => level === 'error'));
  });

  void t.test('a caller who goes away before the answer aborts the operation', async (t) => {
    const called = new Promise<Context>((resolve) => {
      void start(t, {
        operations: {
          chat: (_request, context) => {
            resolve(context);
            return new Promise(() => undefined);
          },
        },
      }).then((running) => {
        server = running;
        return RawClient.connect(running.port).then((made) => (client = made).send(ask));
      });
    });
    let server: Running | undefined;
    let client: RawClient | undefined;
    const { signal } = await called;
    client?.destroy();
    if (!signal.aborted) await once(signal, 'abort');
    while (server?.lines.some(({ message }) => message === 'request') !== true) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    t.match(server.lines.find(({ message }) => message === 'request')?.fields, { status: 499 });
  });

  void t.test('an error before the first event is a plain answer', async (t) => {
    const { channel, operation } = gated();
    const { fetch } = await start(t, { operations: { chat: operation } });
    channel.fail(new ApiError('invalid_request', 'too long', { code: 'context_length_exceeded', param: 'messages' }));
    const response = await fetch('/v1/chat', good);
    t.equal(response.status, 400);
    t.equal(response.headers.get('content-type'), 'application/json');
    t.match(await json(response), { error: { code: 'context_length_exceeded' } });
  });

  void t.test('an event that cannot be written, first or later', async (t) => {
    const loop: Record<string, unknown> = { type: 'a' };
    loop['loop'] = loop;
    const first = gated();
    const later = gated();
    const { fetch } = await start(t, { operations: { chat: first.operation, responses: later.operation } });
    first.channel.push(loop);
    t.equal((await fetch('/v1/chat', good)).status, 500);
    await first.abandoned;
    later.channel.push({ type: 'ok' });
    later.channel.push(loop);
    const text = await (await fetch('/v1/responses', good)).text();
    t.match(
      text,
      /^event: ok\n[^]*\n\nevent: error\ndata: {"type":"error","code":"internal_error",.*"sequence_number":1}\n\n$/,
    );
    await later.abandoned;
  });

  void t.test('an error in mid-stream is one event of the dialect, and the end', async (t) => {
    const failure = new ApiError('unavailable', 'The engine died.', { code: 'engine_down' });
    const ends: Readonly<Record<string, string>> = {
      '/v1/chat':
        'data: {"error":{"message":"The engine died.","type":"server_error","param":null,"code":"engine_down"}}\n\n',
      '/v1/responses':
        'event: error\ndata: {"type":"error","code":"engine_down","message":"The engine died.","param":null,"sequence_number":1}\n\n',
      '/v1/messages':
        'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"The engine died."},"request_id":"mine"}\n\n',
    };
    for (const [path, end] of Object.entries(ends)) {
      const { channel, operation } = gated();
      const { fetch, lines } = await start(t, { operations: { [path.slice(4)]: operation } });
      channel.push({ type: 'first' });
      channel.fail(failure);
      const response = await fetch(path, post({ model: 'a' }, { 'x-request-id': 'mine' }));
      t.equal(response.status, 200);
      const text = await response.text();
      t.ok(text.endsWith(`data: {"type":"first"}\n\n${end}`), text);
      t.match(lines.find(({ message }) => message === 'request')?.fields, { failed: 'engine_down' });
    }
  });

  void t.test('our own fault in mid-stream is bland outside and logged inside', async (t) => {
    const { channel, operation } = gated();
    const { fetch, lines } = await start(t, { operations: { chat: operation } });
    channel.push({ n: 1 });
    channel.fail(new TypeError('secret'));
    const text = await (await fetch('/v1/chat', good)).text();
    t.match(text, /"code":"internal_error"}}\n\n$/);
    t.notMatch(text, /secret|DONE/);
    t.match(lines.find(({ level }) => level === 'error')?.fields, { error: { message: 'secret' }, operation: 'chat' });
  });

  void t.test('an empty stream is a stream', async (t) => {
    const { channel, operation } = gated();
    const { fetch } = await start(t, { operations: { chat: operation } });
    channel.close();
    const response = await fetch('/v1/chat', good);
    t.equal(response.headers.get('content-type'), 'text/event-stream');
    t.equal(await response.text(), 'data: [DONE]\n\n');
  });
}

function accessSuite(t: Test, start: Start): void {
  const foreign = 'https://evil.example';

  void t.test('on loopback only loopback names are served', async (t) => {
    const { port } = await start(t, { options: { allowedHosts: ['box.lan'] } });
    const status = async (host: string): Promise<number> =>
      parse(await RawClient.exchange(port, rawRequest('GET /health', { host, connection: 'close' }))).status;
    for (const host of [
      'localhost',
      `LOCALHOST:${port}`,
      '127.0.0.1:1',
      '127.8.9.1',
      '[::1]:80',
      'a.localhost',
      'box.lan:9',
    ]) {
      t.equal(await status(host), 200, host);
    }
    for (const host of [
      'evil.example',
      '127.0.0.1.evil.example',
      'localhost.evil.example',
      '',
      'box.lan.evil',
      '[::1',
      '10.0.0.1',
    ]) {
      t.equal(await status(host), 403, host);
    }
  });

  void t.test('pages of loopback origins may read, others are refused', async (t) => {
    const { fetch, port } = await start(t, { options: { corsOrigins: ['https://app.example'] } });
    for (const origin of ['http://localhost:3000', `http://127.0.0.1:${port}`, 'https://app.example']) {
      const response = await fetch('/v1/chat', post({ model: 'a' }, { origin }));
      t.equal(response.status, 200, origin);
      t.equal(response.headers.get('access-control-allow-origin'), origin);
      t.match(response.headers.get('access-control-expose-headers'), /x-request-id, request-id, x-ignored-fields/);
      t.equal(response.headers.get('vary'), 'origin');
    }
    for (const origin of [foreign, 'null', 'https://app.example.evil', 'http://localhost.evil.example', 'app://x']) {
      const response = await fetch('/v1/chat', post({ model: 'a' }, { origin }));
      t.equal(response.status, 403, origin);
      t.equal(response.headers.get('access-control-allow-origin'), null);
      t.match(await json(response), { error: { type: 'permission_error', code: 'origin_not_allowed' } });
    }
    const preflight = await fetch('/v1/chat', {
      method: 'OPTIONS',
      headers: {
        origin: 'https://app.example',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization, content-type, x-stainless-lang',
      },
    });
    t.equal(preflight.status, 204);
    t.equal(preflight.headers.get('access-control-allow-origin'), 'https://app.example');
    t.equal(preflight.headers.get('access-control-allow-methods'), 'OPTIONS, POST');
    t.equal(preflight.headers.get('access-control-allow-headers'), 'authorization, content-type, x-stainless-lang');
    t.ok(Number(preflight.headers.get('access-control-max-age')) > 0);
    t.equal((await fetch('/v1/chat', { method: 'OPTIONS', headers: { origin: foreign } })).status, 403);
  });

  void t.test('errors and streams can be read by the page as well', async (t) => {
    const { channel, operation } = gated();
    const { fetch } = await start(t, { operations: { chat: operation } });
    channel.close();
    const origin = 'http://localhost:3000';
    for (const path of ['/v1/chat', '/nowhere']) {
      const response = await fetch(path, post({ model: 'a' }, { origin }));
      t.equal(response.headers.get('access-control-allow-origin'), origin, path);
    }
  });

  void t.test('everybody may be allowed', async (t) => {
    const { fetch } = await start(t, { options: { corsOrigins: ['*'], allowedHosts: ['*'] } });
    const response = await fetch('/health', { headers: { origin: foreign } });
    t.equal(response.headers.get('access-control-allow-origin'), '*');
  });

  void t.test('keys are asked for where they are configured', async (t) => {
    const keys = new Map([['right', { id: 'anna' }]]);
    const { fetch, lines } = await start(t, { authenticate: (key) => keys.get(key) });
    const given: readonly (readonly [Readonly<Record<string, string>>, number])[] = [
      [{ authorization: 'Bearer right' }, 200],
      [{ authorization: 'bearer  right' }, 200],
      [{ 'x-api-key': 'right' }, 200],
      [{ authorization: 'Basic dXNlcjpw', 'x-api-key': 'right' }, 200],
      [{ authorization: 'Bearer not-used', 'x-api-key': 'right' }, 200],
      [{ authorization: 'Bearer right', 'x-api-key': 'EMPTY' }, 200],
      [{ 'x-api-key': 'wrong' }, 401],
      [{ 'x-api-key': '' }, 401],
      [{ authorization: 'Bearer ' }, 401],
      [{ authorization: 'Bearer wrong' }, 401],
      [{ authorization: 'Basic right' }, 401],
      [{ authorization: 'right' }, 401],
      [{}, 401],
    ];
    for (const [headers, status] of given) {
      const response = await fetch('/v1/chat', post({ model: 'a' }, headers));
      t.equal(response.status, status, JSON.stringify(headers));
      const body = await json(response);
      if (status === 200) t.equal(body['principal'], 'anna');
      else {
        t.match(body, { error: { type: 'authentication_error', code: 'invalid_api_key' } });
        const isWrong = Object.values(headers).some((value) => /wrong/.test(value));
        const challenge = String(response.headers.get('www-authenticate'));
        if (isWrong) t.equal(challenge, 'Bearer error="invalid_token"');
        else t.match(challenge, /^Bearer/);
        t.notMatch(JSON.stringify(body), /wrong|dXNlcjpw/, 'what was sent is not repeated');
      }
    }
    t.equal((await fetch('/health')).status, 200, 'open routes ask nobody');
    t.equal((await fetch('/metrics')).status, 200, 'nor do those that are open on loopback');
    t.notMatch(JSON.stringify(lines), /right|wrong/, 'keys are not logged');
    t.match(lines.find(({ message }) => message === 'request')?.fields, { principal: 'anna' });
    t.match(await json(await fetch('/v1/messages', good)), { type: 'error', error: { type: 'authentication_error' } });
  });

  void t.test('bound wider, what is open on loopback asks for a key, too', async (t) => {
    const options = { host: '0.0.0.0' };
    const { fetch } = await start(t, {
      options,
      authenticate: (key) => (key === 'right' ? { id: 'anna' } : undefined),
    });
    t.equal((await fetch('/metrics')).status, 401);
    t.equal((await fetch('/metrics', { headers: { 'x-api-key': 'right' } })).status, 200);
    t.equal((await fetch('/health')).status, 200);
    const keyless = await start(t, { options });
    t.equal((await keyless.fetch('/metrics')).status, 200, 'there is no key to ask for');
  });

  void t.test('without keys any header will do', async (t) => {
    const { fetch } = await start(t);
    const sent = ['Bearer not-used', 'Bearer EMPTY', 'Basic odd', 'nonsense', ''];
    for (const authorization of sent) {
      t.equal(
        (await fetch('/v1/chat', post({ model: 'a' }, { authorization, 'x-api-key': authorization }))).status,
        200,
      );
    }
  });
}

function shutdownSuite(t: Test, start: Start): void {
  const ask = rawRequest('POST /v1/chat', {}, '{"model":"a","stream":true}');

  /** A server with one stream that has begun. */
  async function streaming(t: Test): Promise<Running & { client: RawClient; channel: Channel<unknown> }> {
    const { channel, operation } = gated();
    const running = await start(t, { operations: { chat: operation } });
    const client = await RawClient.connect(running.port);
    await client.send(ask);
    channel.push({ n: 1 });
    await client.until('"n":1');
    return { ...running, client, channel };
  }

  void t.test('running streams finish, new requests are sent away, health still answers', async (t) => {
    const { server, fetch, port, client, channel } = await streaming(t);
    t.equal(server.isStopping, false);
    const drained = server.drain();
    t.equal(server.isStopping, true);
    const refused = await fetch('/v1/responses', good);
    t.equal(refused.status, 503);
    t.equal(refused.headers.get('retry-after'), '5');
    t.equal(refused.headers.get('connection'), 'close');
    t.match(await json(refused), { error: { code: 'shutting_down' } });
    t.equal((await fetch('/health')).status, 200);
    channel.push({ n: 2 });
    channel.close();
    t.match(await client.end(), /"n":2}\n\n\r\n[^]*\[DONE\]\n\n\r\n0\r\n\r\n$/);
    await drained;
    await t.rejects(RawClient.connect(port), { code: 'ECONNREFUSED' });
    await server.drain();
  });

  void t.test('after the grace period streams end with their error event', async (t) => {
    const { server, client, lines } = await streaming(t);
    await server.drain({ graceMs: 20 });
    t.match(
      await client.end(),
      /data: {"error":{"message":"The server is shutting down.*"code":"shutting_down"}}\n\n\r\n0\r\n\r\n$/,
    );
    t.notMatch(client.text, /DONE/);
    t.match(lines.find(({ message }) => message === 'request')?.fields, { failed: 'shutting_down' });
  });

  void t.test('after the grace period plain requests are told, whether the operation listens or not', async (t) => {
    for (const listens of [true, false]) {
      let call: () => void = () => undefined;
      const called = new Promise<void>((resolve) => {
        call = resolve;
      });
      const { server, fetch } = await start(t, {
        operations: {
          chat: (_request, { signal }) => {
            call();
            return new Promise((_resolve, reject) => {
              if (listens) signal.addEventListener('abort', () => reject(new DOMException('stopped', 'AbortError')));
            });
          },
        },
      });
      const answer = fetch('/v1/chat', good);
      await called;
      const drained = server.drain({ graceMs: 20 });
      const response = await answer;
      t.equal(response.status, 503);
      t.match(await json(response), { error: { code: 'shutting_down' } });
      await drained;
    }
  });

  void t.test('after the grace period nobody waits for the rest of a body', async (t) => {
    const { server, port } = await start(t);
    const client = await RawClient.connect(port);
    await client.send(rawRequest('POST /v1/chat', { 'content-length': '100', expect: '100-continue' }));
    await client.until('100 Continue\r\n\r\n');
    const drained = server.drain({ graceMs: 20 });
    t.match(await client.end(), /HTTP\/1.1 503 [^]*"code":"shutting_down"/);
    await drained;
  });

  void t.test('requests are served until the delay is over', async (t) => {
    const { server, fetch } = await start(t);
    const drained = server.drain({ delayMs: 250 });
    t.equal((await fetch('/v1/chat', good)).status, 200);
    await drained;
    await t.rejects(fetch('/v1/chat', good));
  });

  void t.test('a reader that stalls does not hold the end up', async (t) => {
    const { server, client, channel } = await streaming(t);
    client.socket.pause();
    for (let i = 0; i < 500; i++) channel.push({ text: 'x'.repeat(20_000) });
    await new Promise((resolve) => setTimeout(resolve, 30));
    await server.drain({ graceMs: 20, flushMs: 20 });
    client.destroy();
    t.pass('drained');
  });

  void t.test('close ends everything at once', async (t) => {
    const { server, client } = await streaming(t);
    await server.close();
    await client.end();
    t.notMatch(client.text, /DONE/);
    await server.close();
  });
}

void t.test('a table without its handlers is refused', async (t) => {
  const log = recorder([]);
  const options = { host: '127.0.0.1', port: 0 };
  t.throws(
    () => createServer({ routes, operations: {}, transport: new NodeTransport(), log, options }),
    /operation chat/,
  );
});

for (const candidate of transports) {
  void t.test(candidate.name, { skip: candidate.skip ?? false }, async (t) => {
    const start = starter(candidate.make);
    answerSuite(t, start, candidate);
    wrongSuite(t, start, candidate);
    streamSuite(t, start);
    accessSuite(t, start);
    shutdownSuite(t, start);
  });
}
