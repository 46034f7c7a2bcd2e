import t, { type Test } from 'tap';
import { silentLog } from '../core/log.ts';
import type { Page } from '../core/page.ts';
import { NodeTransport } from './node.ts';
import { createServer, type HttpServer, type ServerParts } from './server.ts';

const page: Page = {
  path: '/page',
  type: 'text/html; charset=utf-8',
  headers: { 'content-security-policy': "default-src 'none'" },
  read: async () => Buffer.from('grüezi'),
};

async function start(t: Test, pages: readonly Page[], parts: Partial<ServerParts> = {}) {
  const server: HttpServer = createServer({
    routes: [],
    operations: {},
    pages,
    transport: new NodeTransport(),
    log: silentLog,
    options: { host: '127.0.0.1', port: 0 },
    ...parts,
  });
  const port = await server.listen();
  t.teardown(() => server.close());
  const at = (path: string, init?: RequestInit): Promise<Response> => fetch(`http://127.0.0.1:${port}${path}`, init);
  return { server, at };
}

void t.test('bytes with their type, their own headers, and those of every page', async (t) => {
  const { at } = await start(t, [page]);
  const answer = await at('/page');
  t.equal(answer.status, 200);
  t.match(Object.fromEntries(answer.headers), {
    'content-type': 'text/html; charset=utf-8',
    'content-length': '7',
    'content-security-policy': "default-src 'none'",
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-cache',
    'x-request-id': /^req_/,
  });
  t.equal(await answer.text(), 'grüezi');
  const head = await at('/page', { method: 'HEAD' });
  t.equal(head.headers.get('content-length'), '7');
  t.equal(await head.text(), '');
  t.equal((await at('/page?a=b')).status, 200, 'a query changes nothing');
  for (const path of ['/page/', '/Page', '/page/x', '/p']) t.equal((await at(path)).status, 404, path);
});

void t.test('who has these bytes already is told so', async (t) => {
  const { at } = await start(t, [page]);
  const etag = (await at('/page')).headers.get('etag') ?? '';
  t.match(etag, /^"[\w-]{22}"$/);
  for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
    const answer = await at('/page', { headers: { 'if-none-match': known } });
    t.equal(answer.status, 304, known);
    t.equal(answer.headers.get('etag'), etag);
    t.equal(await answer.text(), '');
  }
  for (const other of ['"other"', 'W/"other"', etag.slice(1, -1)]) {
    t.equal((await at('/page', { headers: { 'if-none-match': other } })).status, 200, other);
  }
});

void t.test('other methods are told what is allowed', async (t) => {
  const { at } = await start(t, [page]);
  const post = await at('/page', { method: 'POST', body: '{}' });
  t.equal(post.status, 405);
  t.equal(post.headers.get('allow'), 'GET, HEAD, OPTIONS');
  t.match(await post.json(), { error: { code: 'method_not_allowed' } });
  const options = await at('/page', { method: 'OPTIONS' });
  t.equal(options.status, 204);
  t.equal(options.headers.get('allow'), 'GET, HEAD, OPTIONS');
});

void t.test('pages need no key, but a name and an origin of ours', async (t) => {
  const { at } = await start(t, [page], { authenticate: () => undefined });
  t.equal((await at('/page')).status, 200);
  t.equal((await at('/page', { headers: { origin: 'https://elsewhere.example' } })).status, 403);
});

void t.test('a page that cannot be read is a 500, and is tried again', async (t) => {
  let reads = 0;
  const failing: Page = {
    ...page,
    read: async () => {
      if (++reads === 1) throw new Error('disk');
      return Buffer.from('there');
    },
  };
  const { at } = await start(t, [failing]);
  const failed = await at('/page');
  t.equal(failed.status, 500);
  t.match(await failed.json(), { error: { code: 'internal_error' } });
  t.equal(await (await at('/page')).text(), 'there');
  t.equal(await (await at('/page')).text(), 'there');
  t.equal(reads, 2, 'what was read is kept');
});

void t.test('a path has one page and no operation', async (t) => {
  const make = (parts: Partial<ServerParts>): HttpServer =>
    createServer({
      routes: [],
      operations: {},
      transport: new NodeTransport(),
      log: silentLog,
      options: { host: '127.0.0.1', port: 0 },
      ...parts,
    });
  t.throws(() => make({ pages: [page, page] }), { message: /page \/page is in the table once/ });
  const route = { operationId: 'x', method: 'GET', path: '/{any}', dialect: 'openai', access: 'open' } as const;
  const routes = [{ ...route, contentType: 'text/plain', serialize: () => '' }];
  t.throws(() => make({ pages: [page], routes, operations: { x: async () => undefined } }), { message: /a page$/ });
});
