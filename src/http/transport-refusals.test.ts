// What every transport refuses itself; and what one of them alone does.

import t, { type Test } from 'tap';
import { RawClient, rawRequest } from '../testing/raw-http.ts';
import { type Candidate, uws, start, echo, refusedByParser, isAlive, onEachTransport } from '../testing/transports.ts';
import { NodeTransport } from './node.ts';
import { loadUws, UwsTransport } from './uws.ts';

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

onEachTransport(refusalSuite);

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
