// Paths and methods against a small table.

import t from 'tap';
import type { Route } from '../core/operation.ts';
import { Router } from './router.ts';

function route(method: Route['method'], path: string): Route {
  return {
    operationId: `${method} ${path}`,
    method,
    path,
    dialect: 'openai',
    access: 'key',
    contentType: 'application/json',
    serialize: JSON.stringify,
  };
}

const router = new Router([
  route('GET', '/v1/models'),
  route('GET', '/v1/models/{model}'),
  route('DELETE', '/v1/models/{model}'),
  route('POST', '/v1/models/default'),
  route('GET', '/v1/files/{file}/content'),
  route('GET', '/v1/skills/{skill}/versions/{version}'),
  route('GET', '/'),
]);

function matched(method: string, path: string): unknown {
  const match = router.match(method, path);
  return match.type === 'route' ? [match.route.operationId, match.parameters] : match;
}

void t.test('templates match whole segments and decode them', async (t) => {
  t.strictSame(matched('GET', '/v1/models'), ['GET /v1/models', {}]);
  t.strictSame(matched('GET', '/v1/models/org%2Fname%20%C3%A4'), ['GET /v1/models/{model}', { model: 'org/name ä' }]);
  t.strictSame(matched('GET', '/v1/m%6Fdels/a'), ['GET /v1/models/{model}', { model: 'a' }]);
  t.strictSame(matched('GET', '/v1/skills/s/versions/2'), [
    'GET /v1/skills/{skill}/versions/{version}',
    { skill: 's', version: '2' },
  ]);
  t.strictSame(matched('GET', '/v1/models/__proto__'), ['GET /v1/models/{model}', { model: '__proto__' }]);
  t.strictSame(matched('GET', '/'), ['GET /', {}]);
});

void t.test('literal segments win, parameters serve the other methods', async (t) => {
  t.strictSame(matched('POST', '/v1/models/default'), ['POST /v1/models/default', {}]);
  t.strictSame(matched('GET', '/v1/models/default'), ['GET /v1/models/{model}', { model: 'default' }]);
});

void t.test('HEAD is served by GET; other methods are named', async (t) => {
  t.strictSame(matched('HEAD', '/v1/models'), ['GET /v1/models', {}]);
  t.strictSame(matched('PUT', '/v1/models/default'), {
    type: 'wrong_method',
    allow: ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'POST'],
    dialect: 'openai',
  });
  t.strictSame(matched('OPTIONS', '/v1/models'), { type: 'options', allow: ['GET', 'HEAD', 'OPTIONS'] });
  t.strictSame(matched('OPTIONS', '*'), { type: 'options', allow: ['DELETE', 'GET', 'HEAD', 'OPTIONS', 'POST'] });
});

void t.test('unknown paths get a hint where one is obvious', async (t) => {
  const hints: readonly (readonly [string, string | undefined])[] = [
    ['/models', '/v1/models'],
    ['/v1/models/', '/v1/models'],
    ['/v1//models', '/v1/models'],
    ['/v1/v1/models', '/v1/models'],
    ['/v1/model', undefined],
    ['/v1/files/a', undefined],
    ['/v1', undefined],
    ['*', undefined],
    ['', undefined],
  ];
  for (const [path, suggestion] of hints) t.strictSame(matched('GET', path), { type: 'unknown', suggestion }, path);
});

void t.test("a broken percent-encoding is the caller's fault", async (t) => {
  t.throws(() => router.match('GET', '/v1/models/%ff'), { name: 'ApiError', kind: 'invalid_request' });
  t.throws(() => router.match('GET', '/v1/models/100%'), { name: 'ApiError', kind: 'invalid_request' });
});

void t.test('a table that contradicts itself is refused', async (t) => {
  t.throws(() => new Router([route('GET', '/a/{x}'), route('GET', '/a/{y}')]), /once/);
  t.throws(() => new Router([route('GET', '/a/{x}:go')]), /whole segment/);
});
