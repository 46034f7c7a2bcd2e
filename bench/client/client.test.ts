// The client of benches and soak against servers that answer byte by byte, late, wrongly or not at all.

import { createServer, type Server, type Socket } from 'node:net';
import t, { type Test } from 'tap';
import { chat, type ChatRequest } from './chat.ts';
import { ExchangeError, HttpClient } from './http.ts';

const body: ChatRequest = { model: 'm', messages: [{ role: 'user', content: 'grüß dich' }], stream: true };

const streamHead =
  'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n';

function chunk(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
}

function delta(fields: object, finish: string | null = null): string {
  return `data: ${JSON.stringify({ choices: [{ index: 0, delta: fields, finish_reason: finish }] })}\n\n`;
}

const usage = { prompt_tokens: 9, completion_tokens: 2, prompt_tokens_details: { cached_tokens: 4 } };

const wholeStream = [
  delta({ role: 'assistant', content: '' }),
  delta({ content: 'grüß' }),
  ': keep-alive\n\n',
  delta({ content: ' dich' }),
  delta({}, 'stop'),
  `data: ${JSON.stringify({ choices: [], usage })}\n\n`,
  'data: [DONE]\n\n',
];

type Serve = (socket: Socket, request: string, count: number) => void;

/** Calls `serve` for each request that has come in whole. */
async function listen(t: Test, serve: Serve): Promise<{ client: HttpClient; connections: () => number }> {
  let requests = 0;
  let connections = 0;
  const server: Server = createServer((socket) => {
    connections++;
    let text = '';
    socket.on('error', () => undefined);
    socket.on('data', (piece: Buffer) => {
      text += piece.toString('latin1');
      const length = Number(/content-length: (\d+)/.exec(text)?.[1] ?? 0);
      const end = text.indexOf('\r\n\r\n') + 4;
      if (end < 4 || text.length < end + length) return;
      const request = Buffer.from(text, 'latin1').toString('utf8');
      text = '';
      serve(socket, request, ++requests);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const client = new HttpClient({ baseUrl: `http://127.0.0.1:${port}`, apiKey: 'secret', timeoutMs: 5_000 });
  t.teardown(() => {
    client.close();
    server.close();
  });
  return { client, connections: () => connections };
}

void t.test('a stream: text, usage, and a time for each piece of text', async (t) => {
  let request = '';
  const { client } = await listen(t, (socket, text) => {
    request = text;
    const bytes = Buffer.from(streamHead + wholeStream.map(chunk).join('') + '0\r\n\r\n');
    // Byte by byte, in packets of their own as far as the kernel lets us.
    let at = 0;
    const step = (): void => {
      if (at < bytes.length) socket.write(bytes.subarray(at, (at += 7)), () => setImmediate(step));
    };
    step();
  });
  const answer = await chat(client, body);
  t.match(answer, {
    status: 200,
    failure: undefined,
    text: 'grüß dich',
    finish: 'stop',
    usage: { promptTokens: 9, completionTokens: 2, cachedTokens: 4 },
  });
  t.equal(answer.pieces.length, 2, 'roles, comments, usage and ends are no pieces');
  t.ok(answer.pieces[0] > 0 && answer.pieces[1] > answer.pieces[0] && answer.endMs > answer.pieces[1]);
  t.match(request, /^POST \/v1\/chat\/completions HTTP\/1.1\r\n/);
  t.match(request, /\r\nauthorization: Bearer secret\r\n/);
  t.ok(request.endsWith(JSON.stringify(body)));
});

void t.test('tokens that are thought or calls are pieces, too', async (t) => {
  const events = [delta({ reasoning_content: 'hm' }), delta({ tool_calls: [{ index: 0 }] }), delta({}, 'tool_calls')];
  const { client } = await listen(t, (socket) => socket.write(streamHead + events.map(chunk).join('') + '0\r\n\r\n'));
  const answer = await chat(client, body);
  t.equal(answer.failure, undefined);
  t.equal(answer.pieces.length, 2);
});

void t.test('an object', async (t) => {
  const object = { choices: [{ index: 0, message: { content: 'ja' }, finish_reason: 'length' }], usage };
  const text = JSON.stringify(object);
  const { client, connections } = await listen(t, (socket) =>
    socket.write(`HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${text.length}\r\n\r\n${text}`),
  );
  for (let i = 0; i < 3; i++) t.match(await chat(client, body), { failure: undefined, text: 'ja', finish: 'length' });
  t.equal(connections(), 1, 'over one connection');
});

void t.test('whatever goes wrong has a name', async (t) => {
  const error = JSON.stringify({ error: { message: 'later', type: 'rate_limit', code: 'queue_full' } });
  const plain = `content-type: application/json\r\ncontent-length: ${error.length}\r\n`;
  const cases: Record<string, { send: string; failure: string; text?: string; code?: string }> = {
    refused: {
      send: `HTTP/1.1 429 Too Many Requests\r\nretry-after: 3\r\n${plain}\r\n${error}`,
      failure: 'status 429',
      code: 'queue_full',
    },
    'an error in the stream': {
      send: streamHead + chunk(wholeStream[1]) + chunk(`data: ${error}\n\n`) + chunk('data: [DONE]\n\n') + '0\r\n\r\n',
      failure: 'error queue_full',
      text: 'grüß',
    },
    'a stream without an end': { send: streamHead + chunk(wholeStream[1]), failure: 'cut off', text: 'grüß' },
    'a stream without a finish': {
      send: streamHead + chunk(wholeStream[1]) + chunk('data: [DONE]\n\n') + '0\r\n\r\n',
      failure: 'no finish',
    },
    'no JSON': { send: streamHead + chunk('data: {\n\n') + '0\r\n\r\n', failure: 'malformed event' },
    'no HTTP': { send: 'SSH-2.0-x\r\n\r\n', failure: 'closed without an answer' },
    nothing: { send: '', failure: 'cut off' },
  };
  const names = Object.keys(cases);
  const { client } = await listen(t, (socket, request) => {
    const name = (JSON.parse(request.slice(request.indexOf('\r\n\r\n') + 4)) as { user: string }).user;
    socket.end(cases[name].send);
  });
  for (const name of names) {
    const { failure, text, code } = cases[name];
    const answer = await chat(client, { ...body, user: name });
    if (name === 'nothing') t.ok(answer.failure !== undefined, `${name}: ${answer.failure}`);
    else t.equal(answer.failure, failure, name);
    if (text !== undefined) t.equal(answer.text, text, name);
    if (code !== undefined) t.equal(answer.code, code, name);
  }
});

void t.test('an idle connection that the server closed is not an error', async (t) => {
  const object = JSON.stringify({ choices: [{ message: { content: 'ja' }, finish_reason: 'stop' }] });
  const { client, connections } = await listen(t, (socket, _, count) => {
    // The second request finds the connection closing.
    if (count === 2) socket.destroy();
    else socket.write(`HTTP/1.1 200 OK\r\ncontent-length: ${object.length}\r\n\r\n${object}`);
  });
  t.equal((await chat(client, body)).text, 'ja');
  t.equal((await chat(client, body)).text, 'ja');
  t.equal(connections(), 2);
});

void t.test('an abort drops the connection', async (t) => {
  const closed: Promise<void>[] = [];
  const { client } = await listen(t, (socket) => {
    closed.push(new Promise((resolve) => socket.once('close', () => resolve())));
    socket.write(streamHead + chunk(wholeStream[1]));
  });
  const abort = new AbortController();
  const answer = await chat(client, body, { signal: abort.signal, onPiece: () => abort.abort() });
  t.match(answer, { failure: 'aborted', text: 'grüß' });
  await closed[0];
  t.equal((await chat(client, body, { signal: abort.signal })).failure, 'aborted');
  t.equal(closed.length, 1, 'nothing is sent for what is aborted before');
});

void t.test('a server that says nothing is given up', async (t) => {
  const { client } = await listen(t, () => undefined);
  const impatient = new HttpClient({ baseUrl: client.baseUrl.href, timeoutMs: 50 });
  t.equal((await chat(impatient, body)).failure, 'timeout');
  const nobody = new HttpClient({ baseUrl: 'http://127.0.0.1:1', timeoutMs: 50 });
  await t.rejects(nobody.send({ method: 'GET', path: '/health' }), new ExchangeError('no connection: ECONNREFUSED'));
  t.throws(() => new HttpClient({ baseUrl: 'localhost:1234', timeoutMs: 1 }), { name: 'UsageError' });
});
