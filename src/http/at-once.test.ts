// Operations whose result is known at once: answered in the same turn, and no worse than those that take their time.

import t, { type Test } from 'tap';
import { ApiError } from '../core/errors.ts';
import type { Log, LogFields } from '../core/log.ts';
import type { Operation, Route } from '../core/operation.ts';
import { NodeTransport } from './node.ts';
import type { Answered } from './options.ts';
import { createServer } from './server.ts';
import type { Transport } from './transport.ts';
import { loadUws, UwsTransport } from './uws.ts';

const { module: uws } = await loadUws();
const transports: readonly (readonly [string, () => Transport])[] = [
  ['node:http', () => new NodeTransport()],
  ...(uws === undefined ? [] : [['uWebSockets.js', () => new UwsTransport(uws)] as const]),
];

interface Served {
  readonly url: string;
  readonly answered: Answered[];
  readonly logged: LogFields[];
  /** Results that were written as text. */
  readonly serialized: unknown[];
}

async function serve(t: Test, transport: Transport, operation: Operation): Promise<Served> {
  const answered: Answered[] = [];
  const logged: LogFields[] = [];
  const serialized: unknown[] = [];
  const take = (_message: string, fields: LogFields = {}): void => void logged.push(fields);
  const log: Log = { debug: take, info: take, warn: take, error: take, with: () => log };
  const route: Route = {
    operationId: 'list',
    method: 'GET',
    path: '/v1/list',
    dialect: 'openai',
    access: 'key',
    contentType: 'application/json',
    serialize: (result) => (serialized.push(result), JSON.stringify(result)),
  };
  const options = { host: '127.0.0.1', port: 0 };
  const onAnswered = (each: Answered): void => void answered.push(each);
  const server = createServer({
    routes: [route],
    operations: { list: operation },
    transport,
    log,
    options,
    onAnswered,
  });
  t.teardown(() => server.close());
  return { url: `http://127.0.0.1:${await server.listen()}/v1/list`, answered, logged, serialized };
}

for (const [name, make] of transports) {
  void t.test(`${name}: a result, and what is thrown, at once`, async (t) => {
    let result: unknown = { a: 1 };
    const { url, answered, logged, serialized } = await serve(t, make(), () => {
      if (result instanceof Error) throw result;
      return result;
    });
    const ask = async (): Promise<unknown> => (await fetch(url, { headers: { 'x-request-id': 'mine' } })).json();
    t.same(await ask(), { a: 1 });
    t.same(await ask(), { a: 1 });
    t.equal(serialized.length, 2, 'what may change is written each time');
    (result as { a: number }).a = 2;
    t.same(await ask(), { a: 2 });
    result = new ApiError('conflict', 'No.', { code: 'no' });
    t.match(await ask(), { error: { message: 'No.', code: 'no' } });
    result = new Error('our fault');
    t.match(await ask(), { error: { type: 'server_error' } });
    t.same(
      answered.map(({ route, method, status }) => [route, method, status]),
      [200, 200, 200, 409, 500].map((status) => ['/v1/list', 'GET', status]),
    );
    const lines = logged.filter(({ path }) => path === '/v1/list');
    t.equal(lines.length, 5);
    t.ok(lines.every(({ requestId, bytesOut }) => requestId === 'mine' && Number(bytesOut) > 5));
  });

  void t.test(`${name}: the text of a frozen result is kept, until there is another one`, async (t) => {
    let result: { readonly text: string } = Object.freeze({ text: 'h\u00e9' });
    const { url, serialized, logged } = await serve(t, make(), () => result);
    const ask = async (init?: RequestInit): Promise<string> => (await fetch(url, init)).text();
    for (let i = 0; i < 3; i++) t.equal(await ask(), '{"text":"h\u00e9"}');
    t.equal(await ask({ method: 'HEAD' }), '');
    t.equal(serialized.length, 1);
    result = Object.freeze({ text: 'b' });
    for (let i = 0; i < 2; i++) t.equal(await ask(), '{"text":"b"}');
    t.equal(serialized.length, 2);
    const bytes = logged.flatMap(({ bytesOut }) => (bytesOut === undefined ? [] : [bytesOut]));
    t.same(bytes, [14, 14, 14, 14, 12, 12]);
  });
}
