// The whole way from bytes to an operation and back: what it receives, what goes out beside the answer.

import t, { type Test } from 'tap';
import {
  type Candidate,
  routes,
  recorder,
  type Start,
  post,
  good,
  json,
  onEachTransport,
} from '../testing/http-server.ts';
import { RawClient, rawRequest } from '../testing/raw-http.ts';
import { NodeTransport } from './node.ts';
import { createServer } from './server.ts';

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

onEachTransport(answerSuite);

void t.test('a table without its handlers is refused', async (t) => {
  const log = recorder([]);
  const options = { host: '127.0.0.1', port: 0 };
  t.throws(
    () => createServer({ routes, operations: {}, transport: new NodeTransport(), log, options }),
    /operation chat/,
  );
});
