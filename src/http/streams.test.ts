// Event streams over the whole way of a request: whole, slow, broken off at either end.

import { once } from 'node:events';
import type { Test } from 'tap';
import { ApiError } from '../core/errors.ts';
import { EventStream, type Context } from '../core/operation.ts';
import { type Running, type Start, post, good, json, gated, onEachTransport } from '../testing/http-server.ts';
import { RawClient, rawRequest } from '../testing/raw-http.ts';

function streamSuite(t: Test, start: Start): void {
  const ask = rawRequest('POST /v1/chat', {}, '{"model":"a","stream":true}');

  void t.test('events leave one by one and whole', async (t) => {
    const { channel, operation } = gated();
    const { port, lines } = await start(t, { operations: { chat: operation } });
    const client = await RawClient.connect(port);
    await client.send(ask);
    channel.push({ n: 0 });
    await client.until('data: {"n":0}\n\n');
    t.match(client.text, /^HTTP\/1.1 200 OK\r\n/);
    t.match(client.text, /content-type: text\/event-stream\r\n/i);
    t.match(client.text, /cache-control: no-cache/i);
    t.match(client.text, /x-request-id: req_\w{24}\r\n/i);
    const pieces: string[] = [];
    client.socket.on('data', (piece: string) => pieces.push(piece));
    for (const n of [1, 2, 3]) {
      channel.push({ n, text: 'zwölf\n' });
      await client.until(`data: {"n":${n},"text":"zwölf\\n"}\n\n`);
    }
    t.equal(pieces.length, 3, 'one piece per event');
    channel.close();
    await client.until('data: [DONE]\n\n\r\n0\r\n\r\n');
    await client.send(rawRequest('GET /health', { connection: 'close' }));
    t.match(await client.end(), /"anonymous"}$/, 'the connection goes on');
    t.match(lines.find(({ message }) => message === 'request')?.fields, { status: 200, events: 4, bytesOut: 128 });
  });

  void t.test('named events carry their type, without an end marker', async (t) => {
    const { channel, operation } = gated();
    const { fetch } = await start(t, { operations: { messages: operation } });
    channel.push({ type: 'message_start' });
    channel.push({ type: 'message_stop' });
    channel.close();
    const response = await fetch('/v1/messages', good);
    t.equal(
      await response.text(),
      'event: message_start\ndata: {"type":"message_start"}\n\nevent: message_stop\ndata: {"type":"message_stop"}\n\n',
    );
  });

  void t.test('silence is filled with comments', async (t) => {
    const { channel, operation } = gated();
    const { port } = await start(t, { operations: { chat: operation }, options: { keepAliveMs: 20 } });
    const client = await RawClient.connect(port);
    await client.send(ask);
    channel.push({ n: 1 });
    await client.until(/(: keep-alive\n\n[^:]*){3}/);
    channel.push({ n: 2 });
    channel.close();
    await client.until('[DONE]');
    t.match(client.text, /data: {"n":1}\n\n[^]*: keep-alive\n\n[^]*data: {"n":2}\n\n/);
    client.destroy();
  });

  void t.test('a slow reader slows the producer down', async (t) => {
    let produced = 0;
    const events = async function* (): AsyncGenerator {
      for (; produced < 3_000; produced++) yield { text: 'x'.repeat(10_000) };
    };
    const { port } = await start(t, { operations: { chat: async () => new EventStream(events()) } });
    const client = await RawClient.connect(port);
    client.socket.pause();
    await client.send(rawRequest('POST /v1/chat', { connection: 'close' }, '{"model":"a"}'));
    for (let last = -1; last <= 0 || produced !== last;) {
      last = produced;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    t.ok(produced > 0 && produced < 2_000, `${produced} events of 10 kB, then it waits`);
    client.socket.resume();
    t.equal((await client.end()).match(/data: [{[]/g)?.length, 3_001, 'nothing is lost');
  });

  void t.test('a caller who goes away ends the producer', async (t) => {
    let signal: AbortSignal | undefined;
    let returned = 0;
    let asked = 0;
    const iterator: AsyncIterator<unknown> = {
      next: async () => {
        if (asked++ > 0) await new Promise(() => undefined);
        return { value: { n: 1 }, done: false };
      },
      return: async () => {
        returned++;
        throw new Error('nobody wants to know');
      },
    };
    const { port, lines } = await start(t, {
      operations: {
        chat: async (_request, context) => {
          signal = context.signal;
          return new EventStream({ [Symbol.asyncIterator]: () => iterator });
        },
      },
    });
    const client = await RawClient.connect(port);
    await client.send(ask);
    await client.until('"n":1');
    t.equal(signal?.aborted, false);
    client.destroy();
    while (!lines.some(({ message }) => message === 'request')) await new Promise((resolve) => setImmediate(resolve));
    t.equal(signal?.aborted, true);
    t.strictSame([asked, returned], [2, 1]);
    t.match(lines.find(({ message }) => message === 'request')?.fields, { aborted: true, events: 1 });
    t.notOk(lines.some(({ level }) => level === 'error'));
  });

  void t.test('a caller who goes away before the answer aborts the operation', async (t) => {
    const called = new Promise<Context>((resolve) => {
      void start(t, {
        operations: {
          chat: (_request, context) => {
            resolve(context);
            return new Promise(() => undefined);
          },
        },
      }).then((running) => {
        server = running;
        return RawClient.connect(running.port).then((made) => (client = made).send(ask));
      });
    });
    let server: Running | undefined;
    let client: RawClient | undefined;
    const { signal } = await called;
    client?.destroy();
    if (!signal.aborted) await once(signal, 'abort');
    while (server?.lines.some(({ message }) => message === 'request') !== true) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    t.match(server.lines.find(({ message }) => message === 'request')?.fields, { status: 499 });
  });

  void t.test('an error before the first event is a plain answer', async (t) => {
    const { channel, operation } = gated();
    const { fetch } = await start(t, { operations: { chat: operation } });
    channel.fail(new ApiError('invalid_request', 'too long', { code: 'context_length_exceeded', param: 'messages' }));
    const response = await fetch('/v1/chat', good);
    t.equal(response.status, 400);
    t.equal(response.headers.get('content-type'), 'application/json');
    t.match(await json(response), { error: { code: 'context_length_exceeded' } });
  });

  void t.test('an event that cannot be written, first or later', async (t) => {
    const loop: Record<string, unknown> = { type: 'a' };
    loop['loop'] = loop;
    const first = gated();
    const later = gated();
    const { fetch } = await start(t, { operations: { chat: first.operation, responses: later.operation } });
    first.channel.push(loop);
    t.equal((await fetch('/v1/chat', good)).status, 500);
    await first.abandoned;
    later.channel.push({ type: 'ok' });
    later.channel.push(loop);
    const text = await (await fetch('/v1/responses', good)).text();
    t.match(
      text,
      /^event: ok\n[^]*\n\nevent: error\ndata: {"type":"error","code":"internal_error",.*"sequence_number":1}\n\n$/,
    );
    await later.abandoned;
  });

  void t.test('an error in mid-stream is one event of the dialect, and the end', async (t) => {
    const failure = new ApiError('unavailable', 'The engine died.', { code: 'engine_down' });
    const ends: Readonly<Record<string, string>> = {
      '/v1/chat':
        'data: {"error":{"message":"The engine died.","type":"server_error","param":null,"code":"engine_down"}}\n\n',
      '/v1/responses':
        'event: error\ndata: {"type":"error","code":"engine_down","message":"The engine died.","param":null,"sequence_number":1}\n\n',
      '/v1/messages':
        'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"The engine died."},"request_id":"mine"}\n\n',
    };
    for (const [path, end] of Object.entries(ends)) {
      const { channel, operation } = gated();
      const { fetch, lines } = await start(t, { operations: { [path.slice(4)]: operation } });
      channel.push({ type: 'first' });
      channel.fail(failure);
      const response = await fetch(path, post({ model: 'a' }, { 'x-request-id': 'mine' }));
      t.equal(response.status, 200);
      const text = await response.text();
      t.ok(text.endsWith(`data: {"type":"first"}\n\n${end}`), text);
      t.match(lines.find(({ message }) => message === 'request')?.fields, { failed: 'engine_down' });
    }
  });

  void t.test('our own fault in mid-stream is bland outside and logged inside', async (t) => {
    const { channel, operation } = gated();
    const { fetch, lines } = await start(t, { operations: { chat: operation } });
    channel.push({ n: 1 });
    channel.fail(new TypeError('secret'));
    const text = await (await fetch('/v1/chat', good)).text();
    t.match(text, /"code":"internal_error"}}\n\n$/);
    t.notMatch(text, /secret|DONE/);
    t.match(lines.find(({ level }) => level === 'error')?.fields, { error: { message: 'secret' }, operation: 'chat' });
  });

  void t.test('an empty stream is a stream', async (t) => {
    const { channel, operation } = gated();
    const { fetch } = await start(t, { operations: { chat: operation } });
    channel.close();
    const response = await fetch('/v1/chat', good);
    t.equal(response.headers.get('content-type'), 'text/event-stream');
    t.equal(await response.text(), 'data: [DONE]\n\n');
  });
}

onEachTransport(streamSuite);
