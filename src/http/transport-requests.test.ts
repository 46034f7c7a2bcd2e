// What every transport makes of requests and their bodies.

import type { Test } from 'tap';
import { RawClient, rawRequest } from '../testing/raw-http.ts';
import {
  type Candidate,
  good,
  start,
  echo,
  open,
  refusedByParser,
  isAlive,
  onEachTransport,
} from '../testing/transports.ts';

function requestSuite(t: Test, { make, abilities }: Candidate): void {
  void t.test('a request arrives as it was sent', async (t) => {
    const seen: unknown[] = [];
    const port = await start(t, make(), (exchange) => {
      const { method, path, query, remoteAddress } = exchange;
      const headers = [exchange.header('x-one'), exchange.header('x-many'), exchange.header('x-none')];
      seen.push({ method, path, query, remoteAddress, headers });
      exchange.send(201, { 'x-answer': '1' }, 'h\u00e9');
    });
    const text = await RawClient.exchange(
      port,
      rawRequest('PUT /a%2Fb/%20?x=1&y=?', { 'X-One': '1', 'x-many': 'a\r\nX-Many: b', connection: 'close' }),
    );
    t.match(text, /^HTTP\/1.1 201 Created\r\n/);
    t.match(text, /x-answer: 1\r\n/i);
    t.match(text, /content-length: 3\r\n[^]*\r\nh\u00e9$/i, 'length in bytes');
    const headers = ['1', 'a, b', undefined];
    t.strictSame(seen, [{ method: 'PUT', path: '/a%2Fb/%20', query: 'x=1&y=?', remoteAddress: '127.0.0.1', headers }]);
  });

  void t.test('bodies arrive whole: with a length, in chunks, slowly, empty', async (t) => {
    const port = await start(t, make(), echo);
    t.match(
      await RawClient.exchange(port, rawRequest('POST /', { connection: 'close' }, '{"a":1}')),
      /\r\n\r\n{"a":1}$/,
    );
    const chunked = rawRequest('POST /', { 'transfer-encoding': 'chunked', connection: 'close' });
    t.match(await RawClient.exchange(port, `${chunked}3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n`), /\r\n\r\nabcdefg$/);
    for (const rare of ['3;x=y\r\nabc\r\n0\r\n\r\n', '3\r\nabc\r\n0\r\nx: y\r\n\r\n']) {
      const text = await RawClient.exchange(port, chunked + rare);
      t.match(text, abilities.readsAllOfHttp ? /\r\n\r\nabc$/ : /^HTTP\/1.1 (200|400|505) /, 'extensions, trailers');
    }
    t.match(
      await RawClient.exchange(port, rawRequest('POST /', { connection: 'close' })),
      /content-length: 0\r\n[^]*\r\n$/i,
    );
    const slow = await RawClient.connect(port);
    for (const byte of rawRequest('POST /', { connection: 'close' }, 'slow')) {
      await slow.send(byte);
      await new Promise((resolve) => setImmediate(resolve));
    }
    t.match(await slow.end(), /\r\n\r\nslow$/);
  });

  void t.test('one connection serves many requests', async (t) => {
    const port = await start(t, make(), echo);
    const client = await RawClient.connect(port);
    for (let i = 0; i < 5; i++) {
      await client.send(rawRequest('POST /', {}, `<${i}>`));
      await client.until(`<${i}>`);
    }
    t.equal(client.text.match(/HTTP\/1.1 200/g)?.length, 5);
    client.destroy();
  });

  void t.test('HEAD says the length and sends nothing', async (t) => {
    const port = await start(t, make(), (exchange) => exchange.send(200, {}, '12345'));
    const client = await RawClient.connect(port);
    await client.send(rawRequest('HEAD /') + good);
    const [head, next] = (await client.end()).split('\r\n\r\n');
    t.match(head, /content-length: 5/i);
    t.match(next, /^HTTP\/1.1 200/, 'the next answer follows at once');
  });

  void t.test('the form for proxies and fragments of requests harm nobody', async (t) => {
    const port = await start(t, make(), (exchange) => exchange.send(200, {}, `${exchange.path}|${exchange.query}`));
    const asked = (target: string): Promise<string> =>
      RawClient.exchange(port, rawRequest(`GET ${target}`, { connection: 'close' }));
    t.match(await asked('http://x.example/p?q=1'), abilities.readsAllOfHttp ? /\/p\|q=1$/ : refusedByParser);
    t.match(await asked('http://x.example'), abilities.readsAllOfHttp ? /\/\|$/ : refusedByParser);
    for (const piece of ['G', 'GET / HT', 'GET / HTTP/1.1\r\nhost']) {
      const client = await RawClient.connect(port);
      await client.send(piece);
      client.destroy();
    }
    await isAlive(t, port);
  });
}

function bodyLimitSuite(t: Test, { make, abilities }: Candidate): void {
  void t.test('a body that is too large is refused by its length, unread', async (t) => {
    const port = await start(t, make(), echo);
    const request = rawRequest('POST /', { 'content-length': '1000001' });
    const text = await (abilities.closesAfterRefusal
      ? RawClient.exchange(port, request)
      : RawClient.answer(port, request));
    t.match(text, /^HTTP\/1.1 413 [^]*connection: close[^]*{"reason":"too_large"}$/i);
    await isAlive(t, port);
  });

  void t.test('a client that sends all before it reads still gets its 413', async (t) => {
    const port = await start(t, make(), echo);
    const bulk = Buffer.alloc(16 * 2 ** 20, 'x');
    for (const head of [
      rawRequest('POST /', { 'content-length': String(bulk.length) }),
      `${rawRequest('POST /', { 'transfer-encoding': 'chunked' })}${bulk.length.toString(16)}\r\n`,
    ]) {
      const client = await RawClient.connect(port);
      client.socket.pause();
      await client.send(head);
      await client.send(bulk);
      if (head.includes('chunked')) await client.send('\r\n0\r\n\r\n');
      client.socket.resume();
      const whole = /^HTTP\/1.1 413 [^]*{"reason":"too_large"}$/;
      t.match(abilities.closesAfterRefusal ? await client.end() : await client.until(whole), whole);
      client.destroy();
    }
    await isAlive(t, port);
  });

  void t.test('nor does garbage in the rest of that body cost it its 413', async (t) => {
    const port = await start(t, make(), echo);
    const client = await RawClient.connect(port);
    client.socket.pause();
    const chunk = `${(2_000_000).toString(16)}\r\n${'x'.repeat(2_000_000)}\r\n`;
    await client.send(`${rawRequest('POST /', { 'transfer-encoding': 'chunked' })}${chunk}`);
    await client.send(`no chunk\r\n${'x'.repeat(8_000_000)}`);
    client.socket.resume();
    const text = await client.end();
    // The parser closes with bytes unread: the reset takes the answer away from who has not read it yet.
    if (abilities.refusesInOurWords) t.match(text, /^HTTP\/1.1 413 [^]*{"reason":"too_large"}$/);
    else t.match(text, /^($|HTTP\/1.1 413 )/);
    await isAlive(t, port);
  });

  void t.test('a body that comes before it is asked for is kept, and held back beyond some kilobytes', async (t) => {
    const port = await start(t, make(), (exchange) => {
      setTimeout(() => echo(exchange), 20);
    });
    for (const bytes of [10, 200_000, 900_000]) {
      const body = 'x'.repeat(bytes);
      const text = await RawClient.exchange(port, rawRequest('POST /', { connection: 'close' }, body));
      t.ok(text.endsWith(`\r\n\r\n${body}`), `${bytes} bytes`);
    }
    const { exchange, client } = await open(t, make(), rawRequest('POST /', { 'content-length': '30000000' }));
    const sent = client.send('x'.repeat(30_000_000));
    await new Promise((resolve) => setTimeout(resolve, 50));
    t.ok(client.socket.writableLength > 0, 'more than the kernel takes is not taken');
    exchange.send(200, {}, 'unread');
    await Promise.all([client.until('unread'), sent]);
    client.destroy();
  });

  void t.test('a body that breaks off is an aborted one', async (t) => {
    const { exchange, client } = await open(t, make(), rawRequest('POST /', { 'content-length': '50' }, 'half'));
    const body = exchange.body(100);
    client.destroy();
    await t.rejects(body, { name: 'BodyError', reason: 'aborted' });
    t.ok(exchange.signal.aborted);
    exchange.send(200, {}, 'nobody');
  });

  void t.test('100 Continue is said when the body is wanted, and only then', async (t) => {
    const port = await start(t, make(), (exchange) => {
      if (exchange.path === '/no') exchange.send(401, {}, 'no');
      else echo(exchange);
    });
    const head = { expect: '100-continue', 'content-length': '4', connection: 'close' };
    const client = await RawClient.connect(port);
    await client.send(rawRequest('POST /', head));
    await client.until('HTTP/1.1 100 Continue\r\n\r\n');
    await client.send('body');
    t.match(await client.end(), /HTTP\/1.1 200[^]*body$/);
    const refused = await RawClient.exchange(port, rawRequest('POST /no', head));
    const early = abilities.continuesOnDemand ? '' : 'HTTP/1.1 100 Continue\r\n\r\n';
    t.match(refused, new RegExp(`^${early}HTTP/1.1 401[^]*no$`));
  });
}

onEachTransport((t, candidate) => {
  requestSuite(t, candidate);
  bodyLimitSuite(t, candidate);
});
