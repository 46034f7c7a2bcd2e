// What the client makes of bytes: the same answer however they are cut, and a clear word about bytes that are no HTTP.

import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { AnswerParser, MalformedAnswer } from './answer.ts';
import type { AnswerPart } from './answer.ts';
import { Client } from './client.ts';
import { EventParser } from './events.ts';

/** All ways to cut `bytes` in two, and one byte at a time. */
function cuts(bytes: Buffer): Buffer[][] {
  const halves = Array.from({ length: bytes.length - 1 }, (_, at) => [
    bytes.subarray(0, at + 1),
    bytes.subarray(at + 1),
  ]);
  return [[bytes], ...halves, [...bytes].map((byte) => Buffer.from([byte]))];
}

function read(
  pieces: readonly Buffer[],
  method = 'GET',
  isClosed = false,
): { head: unknown; body: string; complete: unknown; interim: number[]; rest: string } {
  const parser = new AnswerParser(method);
  const parts: AnswerPart[] = pieces.flatMap((piece) => parser.push(piece));
  if (isClosed) parts.push(...parser.end());
  const of = <T extends AnswerPart['type']>(type: T) =>
    parts.filter((part): part is Extract<AnswerPart, { type: T }> => part.type === type);
  return {
    head: of('head')[0]?.head,
    body: Buffer.concat(of('chunk').map(({ bytes }) => bytes)).toString('utf8'),
    complete: of('end')[0]?.complete,
    interim: of('interim').map(({ status }) => status),
    rest: parser.rest().toString('utf8'),
  };
}

void t.test('an answer is the same however its bytes are cut', async (t) => {
  const chunked = Buffer.from(
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-A: 1\r\nx-a:  2 \r\n\r\n5;x=y\r\nhällo'.replace(
      '5;',
      '6;',
    ) + '\r\n3\r\nabc\r\n0\r\nTrailer: x\r\n\r\nrest',
  );
  const expected = {
    head: { version: '1.1', status: 200, reason: 'OK', headers: { 'transfer-encoding': 'chunked', 'x-a': '1, 2' } },
    body: 'hälloabc',
    complete: true,
    interim: [100],
    rest: 'rest',
  };
  for (const pieces of cuts(chunked)) t.strictSame(read(pieces), expected);
  const sized = Buffer.from('HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\nbodyHTTP');
  for (const pieces of cuts(sized)) t.match(read(pieces), { body: 'body', complete: true, rest: 'HTTP' });
});

void t.test('a chunk is there with its last byte, whenever its line end comes', async (t) => {
  const parser = new AnswerParser('GET');
  const push = (text: string): string[] => parser.push(Buffer.from(text)).map((part) => part.type);
  t.strictSame(push('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nab'), ['head']);
  t.strictSame(push('c'), ['chunk']);
  t.strictSame(push('\r'), []);
  t.strictSame(push('\n1\r\nd'), ['chunk']);
  t.strictSame(push('\r\n0\r\n\r\n'), ['end']);
});

void t.test('the end of an answer is what its framing says', async (t) => {
  const answer = (text: string, method?: string, isClosed?: boolean) => read([Buffer.from(text)], method, isClosed);
  t.match(answer('HTTP/1.1 204 No Content\r\nallow: GET\r\n\r\n'), { body: '', complete: true });
  t.match(answer('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n', 'HEAD'), { body: '', complete: true });
  t.match(answer('HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n'), { body: '', complete: true });
  t.match(answer('HTTP/1.0 200 OK\r\n\r\nuntil closed', 'GET', true), { body: 'until closed', complete: true });
  t.match(answer('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort', 'GET', true), { body: 'short', complete: false });
  t.match(answer('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n', 'GET', true), {
    body: 'abc',
    complete: false,
  });
});

void t.test('what is no HTTP is said to be none', async (t) => {
  const refused: readonly (readonly [string, RegExp])[] = [
    ['SSH-2.0-x\r\n\r\n', /the answer begins with "SSH/],
    ['HTTP/1.1 200 OK\r\nno colon\r\n\r\n', /header line/],
    ['HTTP/1.1 200 OK\r\ncontent-length: x\r\n\r\n', /content-length/],
    ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n', /chunk size/],
    ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nfffffffffff\r\n', /a chunk of/],
    ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc', /longer than its size/],
    [`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(300_000)}`, /bytes of headers/],
  ];
  for (const [text, message] of refused)
    t.throws(() => read([Buffer.from(text)]), { constructor: MalformedAnswer, message });
  t.throws(() => read([Buffer.from('HTTP/1.1 2')], 'GET', true), { message: /closed before an answer/ });
});

void t.test('events are the same however their bytes are cut, and know their chunks', async (t) => {
  const stream = Buffer.from(
    ': hello\n\nevent: one\ndata: ä\ndata:  b\n\nid: 5\ndata\r\n\r\ndata: 🦊\r\rretry: 1\nevent: empty\n\ndata: cut',
  );
  const expected = [
    { name: 'one', data: 'ä\n b', terminated: true },
    { name: undefined, data: '', terminated: true },
    { name: undefined, data: '🦊', terminated: true },
    { name: undefined, data: 'cut', terminated: false },
  ];
  for (const pieces of cuts(stream)) {
    const parser = new EventParser();
    const events = [...pieces.flatMap((piece) => parser.push(piece)), ...parser.end()];
    t.strictSame(
      events.map(({ name, data, terminated }) => ({ name, data, terminated })),
      expected,
    );
  }
  const parser = new EventParser();
  const events = ['data: a\n\ndata: b\n', '\n', 'data: c\n\n'].flatMap((text) => parser.push(Buffer.from(text)));
  t.strictSame(
    events.map(({ firstChunk, lastChunk }) => [firstChunk, lastChunk]),
    [
      [0, 0],
      [0, 1],
      [2, 2],
    ],
  );
});

void t.test('a server that says nothing, hangs up or talks nonsense is a failure in words', async (t) => {
  const behaviours = ['HTTP/1.1 2', '', 'nonsense\r\n\r\n'];
  let turn = 0;
  const server = createServer((socket) => {
    const text = behaviours[turn];
    turn += 1;
    socket.on('error', () => undefined);
    socket.once('data', () => {
      if (text === undefined) return;
      socket.end(text);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const client = new Client({
    baseUrl: new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    timeoutMs: 100,
  });
  const request = { method: 'GET', path: 'models' };
  await t.rejects(client.send(request), { message: /closed before an answer/ });
  await t.rejects(client.send(request), { message: /closed before an answer/ });
  await t.rejects(client.send(request), { message: /the answer begins with "nonsense"/ });
  await t.rejects(client.send(request), { message: /no complete answer to GET models within 100 ms/ });
});
