// A server over a small hand-written table of operations, on each transport, and what its tests share.

import t, { type Test } from 'tap';
import { Channel } from '../core/channel.ts';
import type { Log, LogFields } from '../core/log.ts';
import { EventStream, type Context, type Operation, type Route, type Validate } from '../core/operation.ts';
import { NodeTransport } from '../http/node.ts';
import { createServer, type HttpServer, type ServerOptions, type ServerParts } from '../http/server.ts';
import type { Transport } from '../http/transport.ts';
import { loadUws, UwsTransport } from '../http/uws.ts';

export interface Candidate {
  readonly name: string;
  readonly make: () => Transport;
  readonly skip?: string | undefined;
  /** Broken requests and HTTP/1.0 are the parser's business: it answers with a page of its own (README.md). */
  readonly hasOwnPages: boolean;
}

export const uws = await loadUws();

export const transports: readonly Candidate[] = [
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

export interface ChatBody {
  readonly model?: string;
  readonly temperature?: number | null;
  readonly stream?: boolean;
}

export const validateChat: Validate = (value) => {
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

export const chatBody: Route['body'] = {
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

export const common = {
  access: 'key',
  dialect: 'openai',
  contentType: 'application/json',
  serialize: (result: unknown) => JSON.stringify(result),
} as const;

export const routes: readonly Route[] = [
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
export const mirror: Operation = async (request: object, { requestId, traceId, principal }: Context) => ({
  ...request,
  requestId,
  traceId,
  principal: principal.id,
});

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: LogFields;
}

export function recorder(lines: LogLine[], more: LogFields = {}): Log {
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

export interface Setup {
  readonly operations?: Readonly<Record<string, Operation>>;
  readonly options?: Partial<ServerOptions>;
  readonly authenticate?: ServerParts['authenticate'];
}

export interface Running {
  readonly server: HttpServer;
  readonly port: number;
  readonly lines: LogLine[];
  readonly fetch: (path: string, init?: RequestInit) => Promise<Response>;
}

export type Start = (t: Test, setup?: Setup) => Promise<Running>;

export function starter(make: () => Transport): Start {
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

export function post(body: unknown, headers: Readonly<Record<string, string>> = {}): RequestInit {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: text };
}

export const good = post({ model: 'a' });

export async function json(response: Response): Promise<Record<string, unknown>> {
  return (await response.json()) as Record<string, unknown>;
}

/** A stream under the control of the test. */
export function gated(): {
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

/** A whole answer as it came. */
export function parse(text: string): { status: number; headers: Headers; body: string } {
  const [head, body] = [text.slice(0, text.indexOf('\r\n\r\n')), text.slice(text.indexOf('\r\n\r\n') + 4)];
  const [first, ...lines] = head.split('\r\n');
  const headers = new Headers(lines.map((line) => line.split(/: ?(.*)/s).slice(0, 2) as [string, string]));
  return { status: Number(first.split(' ')[1]), headers, body };
}

/** The suite over each transport that loads here. */
export function onEachTransport(suite: (t: Test, start: Start, candidate: Candidate) => void): void {
  for (const candidate of transports) {
    void t.test(candidate.name, { skip: candidate.skip ?? false }, async (t) => {
      suite(t, starter(candidate.make), candidate);
    });
  }
}
