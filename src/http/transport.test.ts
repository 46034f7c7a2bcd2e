// One suite for every transport: what the server above relies on, and every ugly thing that comes in through a socket.

import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
import t, { type Test } from 'tap';
import { RawClient, rawRequest } from '../testing/raw-http.ts';
import { NodeTransport } from './node.ts';
import type { BodyError, Exchange, Transport } from './transport.ts';
import { loadUws, UwsTransport } from './uws.ts';

interface Candidate {
  readonly name: string;
  readonly make: () => Transport;
  /** Why it cannot run here. */
  readonly skip?: string | undefined;
  readonly abilities: Abilities;
}

/** What the parser of uWebSockets.js decides without asking us. Each `false` is under test, and a line of README.md. */
interface Abilities {
  /** Broken requests are refused in our words; else by a page of the parser, which then cuts the connection. */
  readonly refusesInOurWords: boolean;
  /** HTTP/1.0, the form for proxies, chunk extensions, trailers. */
  readonly readsAllOfHttp: boolean;
  /** Requests sent ahead are answered in order; else the connection is cut. */
  readonly pipelines: boolean;
  /** `100 Continue` is said when the body is wanted; else always. */
  readonly continuesOnDemand: boolean;
  /** Ends a connection itself whose request it did not read to its end; else says `connection: close` and drops the rest. */
  readonly closesAfterRefusal: boolean;
  /** Else with the first piece. */
  readonly sendsHeadersAtOnce: boolean;
  /** Else when the last exchange has ended. */
  readonly closesIdleAtOnce: boolean;
}

const uws = await loadUws();

const candidates: readonly Candidate[] = [
  {
    name: 'node:http',
    make: () => new NodeTransport({ lingerIdleMs: 200 }),
    abilities: {
      refusesInOurWords: true,
      readsAllOfHttp: true,
      pipelines: true,
      continuesOnDemand: true,
      closesAfterRefusal: true,
      sendsHeadersAtOnce: true,
      closesIdleAtOnce: true,
    },
  },
  {
    name: 'uWebSockets.js',
    make: () => {
      if (uws.module === undefined) throw new Error(uws.reason);
      return new UwsTransport(uws.module);
    },
    skip: uws.module === undefined ? uws.reason : undefined,
    abilities: {
      refusesInOurWords: false,
      readsAllOfHttp: false,
      pipelines: false,
      continuesOnDemand: false,
      closesAfterRefusal: false,
      sendsHeadersAtOnce: false,
      closesIdleAtOnce: false,
    },
  },
];

const good = rawRequest('GET /good', { connection: 'close' });

/** Listens on a free port; `/good` always answers, the rest is up to the test. */
async function start(t: Test, transport: Transport, handle: (exchange: Exchange) => void): Promise<number> {
  const port = await transport.listen(
    {
      host: '127.0.0.1',
      port: 0,
      maxHeaderBytes: 65_536,
      refuse: (status) => ({ headers: { 'x-refused': 'yes' }, body: `{"refused":${status}}` }),
    },
    (exchange) => {
      if (exchange.path === '/good') exchange.send(200, { 'content-type': 'text/plain' }, 'good');
      else handle(exchange);
    },
  );
  t.teardown(() => transport.close());
  return port;
}

function echo(exchange: Exchange): void {
  void exchange.body(1_000_000).then(
    (body) => exchange.send(200, {}, body),
    (error: unknown) => {
      exchange.send(413, { 'content-type': 'application/json' }, `{"reason":"${(error as BodyError).reason}"}`);
    },
  );
}

/** The first exchange of a fresh server, and the client that made it. */
async function open(
  t: Test,
  transport: Transport,
  request: string,
): Promise<{ exchange: Exchange; client: RawClient }> {
  let opened: (exchange: Exchange) => void = () => undefined;
  const first = new Promise<Exchange>((resolve) => {
    opened = resolve;
  });
  const client = await RawClient.connect(await start(t, transport, (exchange) => opened(exchange)));
  await client.send(request);
  return { exchange: await first, client };
}

/** The version in use says 505 where newer ones say 400, and 400 where they say 431. */
const refusedByParser = /^HTTP\/1.1 (400|431|505) [^]*connection: close\r\n/i;

async function isAlive(t: Test, port: number): Promise<void> {
  t.match(
    await RawClient.exchange(port, good),
    /^HTTP\/1.1 200 OK\r\n[^]*good$/,
    'a good request is answered afterwards',
  );
}

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

function refusalSuite(t: Test, { make, abilities }: Candidate): void {
  const hello = Buffer.from('16030100c8010000c403030000000000000000000000000000000000000000', 'hex');
  const bad: readonly (readonly [name: string, status: number, bytes: string | Uint8Array])[] = [
    ['no HTTP at all', 400, 'hello there\r\n\r\n'],
    ['a TLS handshake', 400, hello],
    ['another protocol', 400, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['an unknown version', 400, 'GET / HTTP/9.9\r\nhost: a\r\n\r\n'],
    ['no Host header', 400, 'GET / HTTP/1.1\r\n\r\n'],
    ['a header without colon', 400, 'GET / HTTP/1.1\r\nhost: a\r\nnonsense\r\n\r\n'],
    ['a space in a header name', 400, 'GET / HTTP/1.1\r\nhost: a\r\nbad name: 1\r\n\r\n'],
    ['a length that is no number', 400, rawRequest('POST /', { 'content-length': '1x' })],
    ['two lengths', 400, rawRequest('POST /', { 'content-length': '1\r\ncontent-length: 2' })],
    ['length and chunks at once', 400, rawRequest('POST /', { 'transfer-encoding': 'chunked' }, 'smuggled')],
    ['a broken chunk', 400, `${rawRequest('POST /', { 'transfer-encoding': 'chunked' })}zz\r\n`],
    ['headers of 70 kB', 431, rawRequest('GET /', { 'x-large': 'x'.repeat(70_000) })],
    ['a path of 70 kB', 431, rawRequest(`GET /${'x'.repeat(70_000)}`)],
    ['endless headers', 431, `GET / HTTP/1.1\r\n${'x-more: yyyy\r\n'.repeat(20_000)}`],
    ['another expectation', 417, rawRequest('POST /', { expect: 'wonders' })],
    ['a tunnel', 405, 'CONNECT example.com:443 HTTP/1.1\r\nhost: example.com\r\n\r\n'],
  ];
  for (const [name, status, bytes] of bad) {
    const answer = abilities.refusesInOurWords ? `${status} and JSON` : 'a page of the parser, if not by us';
    void t.test(`${name} is refused with ${answer}`, async (t) => {
      const port = await start(t, make(), echo);
      const text = await RawClient.exchange(port, bytes);
      if (abilities.refusesInOurWords || text.includes('x-refused')) {
        t.match(text, new RegExp(`^HTTP/1.1 ${status} [^]*x-refused: yes[^]*\r\n\r\n{"refused":${status}}$`, 'i'));
      } else t.match(text, refusedByParser);
      await isAlive(t, port);
    });
  }

  void t.test('headers of 60 kB pass', async (t) => {
    const port = await start(t, make(), (exchange) => exchange.send(200, {}, `${exchange.header('x-large')?.length}`));
    const request = rawRequest('GET /', { 'x-large': 'x'.repeat(60_000), connection: 'close' });
    t.match(await RawClient.exchange(port, request), /60000$/);
  });

  void t.test('the refusal reaches a client that goes on sending', async (t) => {
    const port = await start(t, make(), echo);
    const client = await RawClient.connect(port);
    client.socket.pause();
    await client.send(rawRequest('GET /', { 'x-large': 'x'.repeat(8_000_000) }));
    client.socket.resume();
    // The parser closes with bytes unread, which may take the page away again.
    if (abilities.refusesInOurWords) t.match(await client.end(), /^HTTP\/1.1 431/);
    else t.match(await client.end(), /^($|HTTP\/1.1 4)/);
    await isAlive(t, port);
  });
}

function connectionSuite(t: Test, { make, abilities }: Candidate): void {
  void t.test('pipelined requests are answered in order, one at a time', async (t) => {
    let open = 0;
    const port = await start(t, make(), (exchange) => {
      t.equal(++open, 1, 'nobody else is being served');
      setTimeout(
        () => {
          open--;
          exchange.send(200, {}, `<${exchange.path}>`);
        },
        exchange.path === '/1' ? 20 : 1,
      );
    });
    const text = await RawClient.exchange(
      port,
      rawRequest('GET /1') + rawRequest('POST /2', {}, 'x') + rawRequest('GET /3') + good,
    );
    if (abilities.pipelines) t.strictSame(text.match(/<\/\d>|good/g), ['</1>', '</2>', '</3>', 'good']);
    else t.equal(text, '');
    await isAlive(t, port);
  });

  void t.test('a good request before garbage gets its own answer first', async (t) => {
    const port = await start(t, make(), (exchange) => {
      setTimeout(() => exchange.send(200, {}, 'mine'), 10);
    });
    const client = await RawClient.connect(port);
    await client.send(`${rawRequest('GET /')}garbage\r\n\r\n`);
    if (abilities.refusesInOurWords) {
      t.match(await client.end(), /^HTTP\/1.1 200 [^]*mineHTTP\/1.1 400 [^]*{"refused":400}$/);
    } else t.match(await client.until('mine'), /^HTTP\/1.1 200 [^]*mine/);
    client.destroy();
    await isAlive(t, port);
  });

  void t.test('a flood of pipelined requests is cut off', async (t) => {
    let handled = 0;
    const port = await start(t, make(), () => handled++);
    const client = await RawClient.connect(port);
    void client.send(rawRequest('GET /').repeat(1000));
    await client.end();
    t.equal(handled, 1);
    await isAlive(t, port);
  });

  void t.test('HTTP/1.0 is answered, plain and streamed, and closed', async (t) => {
    const port = await start(t, make(), (exchange) => {
      exchange.start(200, {});
      exchange.write('one ');
      setTimeout(() => {
        exchange.write('two');
        exchange.end();
      }, 5);
    });
    const asked = (path: string): Promise<string> => RawClient.exchange(port, `GET ${path} HTTP/1.0\r\n\r\n`);
    t.match(await asked('/good'), abilities.readsAllOfHttp ? /\r\n\r\ngood$/ : refusedByParser);
    t.match(await asked('/stream'), abilities.readsAllOfHttp ? /\r\n\r\none two$/ : refusedByParser);
    await isAlive(t, port);
  });

  void t.test('who closes its sending side gets what is ready, and is gone for the rest', async (t) => {
    let aborted = 0;
    const port = await start(t, make(), (exchange) => {
      if (exchange.method === 'POST') echo(exchange);
      else exchange.signal.addEventListener('abort', () => aborted++);
    });
    const quick = await RawClient.connect(port);
    quick.socket.end(rawRequest('POST /', {}, 'quick'));
    t.match(await quick.end(), /quick$/);
    const slow = await RawClient.connect(port);
    slow.socket.end(rawRequest('GET /slow'));
    t.equal(await slow.end(), '');
    t.equal(aborted, 1);
    const half = await RawClient.connect(port);
    half.socket.end('GET /half HTTP/1.1\r\nho');
    t.match(await half.end(), abilities.refusesInOurWords ? /^HTTP\/1.1 400/ : /^$/);
    await isAlive(t, port);
  });

  void t.test('a socket that goes away aborts its exchange, those waiting behind it too', async (t) => {
    const exchanges: Exchange[] = [];
    const port = await start(t, make(), (exchange) => exchanges.push(exchange));
    const client = await RawClient.connect(port);
    await client.send(rawRequest('GET /1') + (abilities.pipelines ? rawRequest('GET /2') : ''));
    while (exchanges.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const gone = once(exchanges[0].signal, 'abort');
    client.destroy();
    await gone;
    t.equal(exchanges.length, 1, 'nobody serves the second');
    exchanges[0].send(200, {}, 'nobody');
    exchanges[0].start(200, {});
    t.equal(exchanges[0].write('nobody'), false);
    await exchanges[0].drained();
    exchanges[0].end();
    await isAlive(t, port);
  });

  void t.test('a socket that goes away is noticed in the next turns of the event loop', async (t) => {
    for (const isStreaming of [false, true]) {
      const { exchange, client } = await open(t, make(), rawRequest('GET /'));
      if (isStreaming) {
        exchange.start(200, {});
        exchange.write('begun');
        await client.until('begun');
      }
      client.destroy();
      let turns = 0;
      for (; !exchange.signal.aborted && turns < 1000; turns++) await new Promise((resolve) => setImmediate(resolve));
      // One in which the client lets go, one in which we hear of it; `node:http` says it in the next one.
      t.ok(turns <= 3, `${turns} turns`);
    }
  });

  void t.test('a complete answer is not aborted afterwards', async (t) => {
    const exchanges: Exchange[] = [];
    const port = await start(t, make(), (exchange) => {
      exchanges.push(exchange);
      exchange.send(200, {}, 'done');
    });
    const client = await RawClient.connect(port);
    await client.send(rawRequest('GET /'));
    await client.until('done');
    client.destroy();
    await isAlive(t, port);
    t.equal(exchanges[0].signal.aborted, false);
  });
}

function streamSuite(t: Test, { make, abilities }: Candidate): void {
  void t.test('headers leave before or with the first piece, pieces one by one', async (t) => {
    const { exchange, client } = await open(t, make(), rawRequest('GET /', { connection: 'close' }));
    exchange.start(200, { 'content-type': 'text/event-stream' });
    if (abilities.sendsHeadersAtOnce) await client.until('\r\n\r\n');
    else t.equal(client.text, '');
    const pieces: string[] = [];
    client.socket.on('data', (piece: string) => pieces.push(piece));
    for (const piece of ['data: 1\n\n', 'data: zw\u00f6lf\n\n', 'data: 3\n\n']) {
      t.equal(exchange.write(piece), true);
      await client.until(piece);
    }
    t.match(client.text, /content-type: text\/event-stream\r\n/);
    t.equal(pieces.length, 3, 'length and piece come together');
    exchange.end();
    t.match(await client.end(), /data: 3\n\n\r\n0\r\n\r\n$/);
  });

  void t.test('a reader that stalls is noticed within bounds, and waited for', async (t) => {
    const { exchange, client } = await open(t, make(), rawRequest('GET /', { connection: 'close' }));
    client.socket.pause();
    exchange.start(200, {});
    const piece = 'x'.repeat(10_000);
    let written = 0;
    while (exchange.write(piece)) {
      written++;
      // Let the kernel take what it takes.
      await new Promise((resolve) => setImmediate(resolve));
      if (written > 2_000) throw new Error('20 MB and no back-pressure');
    }
    let isDrained = false;
    const drained = exchange.drained().then(() => (isDrained = true));
    await new Promise((resolve) => setTimeout(resolve, 20));
    t.equal(isDrained, false);
    client.socket.resume();
    await drained;
    const bytes = (written + 1) * piece.length;
    // All of it leaves, though nothing more is written for a while.
    while (client.text.length < bytes) await new Promise((resolve) => setImmediate(resolve));
    exchange.end();
    const text = await client.end();
    t.equal(text.match(/x/g)?.length, bytes, 'nothing is lost');
  });

  void t.test('the end of a stream waits for a reader that is behind, and so does drain', async (t) => {
    const transport = make();
    let opened: ((exchange: Exchange) => void) | undefined;
    const first = new Promise<Exchange>((resolve) => (opened = resolve));
    const client = await RawClient.connect(await start(t, transport, (exchange) => opened?.(exchange)));
    await client.send(rawRequest('GET /'));
    client.socket.pause();
    const exchange = await first;
    exchange.start(200, {});
    const piece = 'x'.repeat(100_000);
    // More than the kernel takes for a reader that does not read.
    const pieces = 150;
    for (let i = 0; i < pieces; i++) exchange.write(piece);
    exchange.write('last');
    exchange.end();
    let isDrained = false;
    const drained = transport.drain().then(() => (isDrained = true));
    await new Promise((resolve) => setTimeout(resolve, 20));
    t.equal(isDrained, false);
    client.socket.resume();
    await drained;
    await transport.close();
    const text = await client.end();
    t.equal(text.match(/x{1000}/g)?.length, pieces * 100, 'nothing is lost');
    t.match(text.slice(-20), /last\r\n0\r\n\r\n$/);
  });

  void t.test('a large answer reaches a slow reader whole, and drain waits for it', async (t) => {
    const body = Buffer.alloc(12_000_000, 'xyz');
    const transport = make();
    const port = await start(t, transport, (exchange) => exchange.send(200, { 'x-answer': '1' }, body));
    const client = await RawClient.connect(port);
    client.socket.pause();
    await client.send(rawRequest('GET /'));
    await new Promise((resolve) => setTimeout(resolve, 20));
    let isDrained = false;
    const drained = transport.drain().then(() => (isDrained = true));
    await new Promise((resolve) => setTimeout(resolve, 20));
    t.equal(isDrained, false);
    client.socket.resume();
    await drained;
    await transport.close();
    const text = await client.end();
    t.match(text.slice(0, 300), /^HTTP\/1.1 200 OK\r\n[^]*content-length: 12000000\r\n/i);
    t.ok(text.endsWith(`\r\n\r\n${body.toString()}`));
  });

  void t.test('waiting for a reader ends when it goes away', async (t) => {
    const { exchange, client } = await open(t, make(), rawRequest('GET /', {}));
    client.socket.pause();
    exchange.start(200, {});
    while (exchange.write('x'.repeat(100_000))) await new Promise((resolve) => setImmediate(resolve));
    const drained = exchange.drained();
    client.destroy();
    await drained;
    t.ok(exchange.signal.aborted);
  });
}

function lifeSuite(t: Test, { make, abilities }: Candidate): void {
  void t.test('drain closes idle connections, lets the others finish, takes no new ones', async (t) => {
    const transport = make();
    const opened: Exchange[] = [];
    const port = await start(t, transport, (exchange) => opened.push(exchange));
    const idle = await RawClient.connect(port);
    await idle.send(rawRequest('GET /good'));
    await idle.until('good');
    const silent = await RawClient.connect(port);
    const busy = await RawClient.connect(port);
    await busy.send(rawRequest('GET /busy'));
    while (opened.length === 0) await new Promise((resolve) => setImmediate(resolve));
    let isDrained = false;
    const drained = transport.drain().then(() => (isDrained = true));
    const idleClosed = Promise.all([idle.end(), silent.end()]);
    if (abilities.closesIdleAtOnce) await idleClosed;
    await t.rejects(RawClient.connect(port), { code: 'ECONNREFUSED' });
    t.equal(isDrained, false);
    opened[0].send(200, {}, 'finished');
    t.match(await busy.end(), /connection: close[^]*finished$/i);
    await Promise.all([drained, idleClosed]);
    await transport.close();
    await transport.close();
  });

  void t.test('close cuts everything', async (t) => {
    const transport = make();
    const opened: Exchange[] = [];
    const port = await start(t, transport, (exchange) => opened.push(exchange));
    const client = await RawClient.connect(port);
    await client.send(rawRequest('GET /busy'));
    while (opened.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await transport.close();
    t.ok(opened[0].signal.aborted);
    t.equal(await client.end(), '');
  });

  void t.test('addresses of both families, and names', async (t) => {
    const refuse = (): { headers: Record<string, string>; body: string } => ({ headers: {}, body: '' });
    const heard = async (host: string, from: string): Promise<string> => {
      const transport = make();
      const port = await transport.listen({ host, port: 0, maxHeaderBytes: 65_536, refuse }, (exchange) =>
        exchange.send(200, {}, exchange.remoteAddress),
      );
      const client = await RawClient.connect(port, from);
      await client.send(rawRequest('GET /', { connection: 'close' }));
      const text = await client.end();
      await transport.close();
      return text.slice(text.indexOf('\r\n\r\n') + 4);
    };
    t.equal(await heard('0.0.0.0', '127.0.0.1'), '127.0.0.1');
    t.match(await heard('localhost', 'localhost'), /^(127\.0\.0\.1|::1)$/);
    if (Object.values(networkInterfaces()).some((each) => each?.some(({ address }) => address === '::1'))) {
      t.equal(await heard('::1', '::1'), '::1');
      t.equal(await heard('::', '127.0.0.1'), '::ffff:127.0.0.1');
    } else t.comment('no IPv6 here');
    await t.rejects(heard('no-such-host.invalid', '127.0.0.1'), { code: /^(ENOTFOUND|EAI_AGAIN)$/ });
    await t.rejects(heard('192.0.2.1', '127.0.0.1'), { code: 'EADDRNOTAVAIL' });
  });

  void t.test('a port in use is the error of the system', async (t) => {
    const port = await start(t, make(), echo);
    const second = make();
    const refuse = (): { headers: Record<string, string>; body: string } => ({ headers: {}, body: '' });
    await t.rejects(
      second.listen({ host: '127.0.0.1', port, maxHeaderBytes: 65_536, refuse }, () => undefined),
      { code: 'EADDRINUSE' },
    );
    await second.close();
  });

  void t.test('random bytes never kill it', async (t) => {
    const port = await start(t, make(), echo);
    const random = generator(7);
    const words = [
      'GET ',
      'POST ',
      '/',
      ' HTTP/1.1',
      '\r\n',
      '\r\n\r\n',
      'content-length: ',
      'transfer-encoding: chunked',
      '0\r\n',
    ];
    const attack = async (): Promise<void> => {
      const client = await RawClient.connect(port);
      const pieces: Buffer[] = [];
      for (let n = 1 + (random() % 12); n > 0; n--) {
        const bytes = Buffer.from(Array.from({ length: random() % 40 }, () => random() % 256));
        pieces.push(random() % 2 === 0 ? Buffer.from(words[random() % words.length]) : bytes);
      }
      await client.send(Buffer.concat(pieces));
      if (random() % 2 === 0) client.socket.end();
      await new Promise((resolve) => setImmediate(resolve));
      client.destroy();
    };
    for (let round = 0; round < 150; round++) await Promise.all(Array.from({ length: 20 }, attack));
    await isAlive(t, port);
  });
}

/** xorshift32: the same attack in every run. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

for (const candidate of candidates) {
  void t.test(candidate.name, { skip: candidate.skip ?? false }, async (t) => {
    requestSuite(t, candidate);
    bodyLimitSuite(t, candidate);
    refusalSuite(t, candidate);
    connectionSuite(t, candidate);
    streamSuite(t, candidate);
    lifeSuite(t, candidate);
  });
}

void t.test('node:http: a refused sender that hangs up is not listened to any longer', async (t) => {
  const port = await start(t, new NodeTransport({ lingerIdleMs: 600_000 }), echo);
  const client = await RawClient.connect(port);
  await client.send(rawRequest('POST /', { 'content-length': '1000001' }, 'x'));
  await client.until('{"reason":"too_large"}');
  client.socket.end();
  await client.end();
  t.ok(client.isClosed || client.socket.readableEnded, 'our side is closed at once, not after ten minutes');
});

void t.test('node:http: requests that do not arrive in time are refused with 408', async (t) => {
  const transport = new NodeTransport({ headersTimeoutMs: 60, requestTimeoutMs: 120, timeoutCheckMs: 20 });
  const port = await start(t, transport, echo);
  const slowHead = RawClient.exchange(port, 'GET / HTTP/1.1\r\nhost:');
  const slowBody = RawClient.exchange(port, rawRequest('POST /', { 'content-length': '10' }));
  t.match(await slowHead, /^HTTP\/1.1 408 [^]*{"refused":408}$/);
  t.match(await slowBody, /^HTTP\/1.1 408 [^]*{"refused":408}$/);
  await isAlive(t, port);
});

void t.test('uWebSockets.js: why it does not load', async (t) => {
  const missing = (): never => {
    throw Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' });
  };
  const broken = (): never => {
    throw new Error("libc.so.6: version `GLIBC_2.38' not found\nRequire stack: ...");
  };
  const none = await loadUws([missing, missing]);
  t.match(none, { module: undefined, reason: /^no uWebSockets.js for Node \d+ on \w+-\w+$/ });
  const foreign = (): never => {
    throw new Error(
      "The module 'uws.node'\nwas compiled against a different Node.js version using\nNODE_MODULE_VERSION 115.",
    );
  };
  const other = await loadUws([foreign, missing]);
  t.match(other, { module: undefined, reason: /^uWebSockets.js is installed for another Node than \S+: npm install$/ });
  const old = await loadUws([missing, broken, missing]);
  t.match(old, {
    module: undefined,
    reason: "uWebSockets.js does not load: libc.so.6: version `GLIBC_2.38' not found",
  });
});

void t.test(
  'uWebSockets.js: its header limit cannot be chosen',
  { skip: uws.module ? false : uws.reason },
  async (t) => {
    if (uws.module === undefined) return;
    const refuse = (): { headers: Record<string, string>; body: string } => ({ headers: {}, body: '' });
    const options = { host: '127.0.0.1', port: 0, maxHeaderBytes: 1000, refuse };
    await t.rejects(
      new UwsTransport(uws.module).listen(options, () => undefined),
      { name: 'RangeError' },
    );
  },
);
