// Connections of every transport, from the first request to the end of the server, and every ugly thing that comes in through them.

import { once } from 'node:events';
import { networkInterfaces } from 'node:os';
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
import type { Exchange } from './transport.ts';

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

onEachTransport((t, candidate) => {
  connectionSuite(t, candidate);
  lifeSuite(t, candidate);
});
