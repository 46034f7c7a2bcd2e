// Streamed answers of every transport: piece by piece, to readers that are slow, behind or gone.

import type { Test } from 'tap';
import { RawClient, rawRequest } from '../testing/raw-http.ts';
import { type Candidate, start, open, onEachTransport } from '../testing/transports.ts';
import type { Exchange } from './transport.ts';

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

onEachTransport(streamSuite);
