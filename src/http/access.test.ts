// Who may ask: host names, origins, keys.

import type { Test } from 'tap';
import { parse, type Start, post, good, json, gated, onEachTransport } from '../testing/http-server.ts';
import { RawClient, rawRequest } from '../testing/raw-http.ts';

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

onEachTransport(accessSuite);
