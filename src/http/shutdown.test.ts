// The end of a server, with requests in every state.

import { setTimeout as sleep } from 'node:timers/promises';
import type { Test } from 'tap';
import type { Channel } from '../core/channel.ts';
import { type Running, type Start, good, json, gated, onEachTransport } from '../testing/http-server.ts';
import { RawClient, rawRequest } from '../testing/raw-http.ts';

function shutdownSuite(t: Test, start: Start): void {
  const ask = rawRequest('POST /v1/chat', {}, '{"model":"a","stream":true}');

  /** A server with one stream that has begun. */
  async function streaming(t: Test): Promise<Running & { client: RawClient; channel: Channel<unknown> }> {
    const { channel, operation } = gated();
    const running = await start(t, { operations: { chat: operation } });
    const client = await RawClient.connect(running.port);
    await client.send(ask);
    channel.push({ n: 1 });
    await client.until('"n":1');
    return { ...running, client, channel };
  }

  void t.test('running streams finish, new requests are sent away, health still answers', async (t) => {
    const { server, fetch, port, client, channel } = await streaming(t);
    t.equal(server.isStopping, false);
    const drained = server.drain();
    t.equal(server.isStopping, true);
    const refused = await fetch('/v1/responses', good);
    t.equal(refused.status, 503);
    t.equal(refused.headers.get('retry-after'), '5');
    t.equal(refused.headers.get('connection'), 'close');
    t.match(await json(refused), { error: { code: 'shutting_down' } });
    t.equal((await fetch('/health')).status, 200);
    channel.push({ n: 2 });
    channel.close();
    t.match(await client.end(), /"n":2}\n\n\r\n[^]*\[DONE\]\n\n\r\n0\r\n\r\n$/);
    await drained;
    await t.rejects(RawClient.connect(port), { code: 'ECONNREFUSED' });
    await server.drain();
  });

  void t.test('after the grace period streams end with their error event', async (t) => {
    const { server, client, lines } = await streaming(t);
    await server.drain({ graceMs: 20 });
    t.match(
      await client.end(),
      /data: {"error":{"message":"The server is shutting down.*"code":"shutting_down"}}\n\n\r\n0\r\n\r\n$/,
    );
    t.notMatch(client.text, /DONE/);
    t.match(lines.find(({ message }) => message === 'request')?.fields, { failed: 'shutting_down' });
  });

  void t.test('after the grace period plain requests are told, whether the operation listens or not', async (t) => {
    for (const listens of [true, false]) {
      let call: () => void = () => undefined;
      const called = new Promise<void>((resolve) => {
        call = resolve;
      });
      const { server, fetch } = await start(t, {
        operations: {
          chat: (_request, { signal }) => {
            call();
            return new Promise((_resolve, reject) => {
              if (listens) signal.addEventListener('abort', () => reject(new DOMException('stopped', 'AbortError')));
            });
          },
        },
      });
      const answer = fetch('/v1/chat', good);
      await called;
      const drained = server.drain({ graceMs: 20 });
      const response = await answer;
      t.equal(response.status, 503);
      t.match(await json(response), { error: { code: 'shutting_down' } });
      await drained;
    }
  });

  void t.test('after the grace period nobody waits for the rest of a body', async (t) => {
    const { server, port } = await start(t);
    const client = await RawClient.connect(port);
    await client.send(rawRequest('POST /v1/chat', { 'content-length': '100', expect: '100-continue' }));
    await client.until('100 Continue\r\n\r\n');
    const drained = server.drain({ graceMs: 20 });
    t.match(await client.end(), /HTTP\/1.1 503 [^]*"code":"shutting_down"/);
    await drained;
  });

  void t.test('requests are served until the delay is over', async (t) => {
    const { server, fetch } = await start(t);
    const drained = server.drain({ delayMs: 250 });
    t.equal((await fetch('/v1/chat', good)).status, 200);
    await drained;
    await t.rejects(fetch('/v1/chat', good));
  });

  void t.test('a reader that stalls does not hold the end up', async (t) => {
    const { server, client, channel } = await streaming(t);
    client.socket.pause();
    for (let i = 0; i < 500; i++) channel.push({ text: 'x'.repeat(20_000) });
    await new Promise((resolve) => setTimeout(resolve, 30));
    const drained = server.drain({ graceMs: 20, flushMs: 20 }).then(() => 'drained');
    const patience = sleep(20_000, 'held up by the reader', { ref: false });
    t.equal(await Promise.race([drained, patience]), 'drained');
    client.destroy();
  });

  void t.test('close ends everything at once', async (t) => {
    const { server, client } = await streaming(t);
    await server.close();
    await client.end();
    t.notMatch(client.text, /DONE/);
    await server.close();
  });
}

onEachTransport(shutdownSuite);
