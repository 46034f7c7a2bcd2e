// The transports that load here, what each can do, and what the tests of all of them share.

import t, { type Test } from 'tap';
import { RawClient, rawRequest } from './raw-http.ts';
import { NodeTransport } from '../http/node.ts';
import type { BodyError, Exchange, Transport } from '../http/transport.ts';
import { loadUws, UwsTransport } from '../http/uws.ts';

export interface Candidate {
  readonly name: string;
  readonly make: () => Transport;
  /** Why it cannot run here. */
  readonly skip?: string | undefined;
  readonly abilities: Abilities;
}

/** What the parser of uWebSockets.js decides without asking us. Each `false` is under test, and a line of README.md. */
export interface Abilities {
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

export const uws = await loadUws();

export const candidates: readonly Candidate[] = [
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

export const good = rawRequest('GET /good', { connection: 'close' });

/** Listens on a free port; `/good` always answers, the rest is up to the test. */
export async function start(t: Test, transport: Transport, handle: (exchange: Exchange) => void): Promise<number> {
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

export function echo(exchange: Exchange): void {
  void exchange.body(1_000_000).then(
    (body) => exchange.send(200, {}, body),
    (error: unknown) => {
      exchange.send(413, { 'content-type': 'application/json' }, `{"reason":"${(error as BodyError).reason}"}`);
    },
  );
}

/** The first exchange of a fresh server, and the client that made it. */
export async function open(
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
export const refusedByParser = /^HTTP\/1.1 (400|431|505) [^]*connection: close\r\n/i;

export async function isAlive(t: Test, port: number): Promise<void> {
  t.match(
    await RawClient.exchange(port, good),
    /^HTTP\/1.1 200 OK\r\n[^]*good$/,
    'a good request is answered afterwards',
  );
}

/** The suite over each transport that loads here. */
export function onEachTransport(suite: (t: Test, candidate: Candidate) => void): void {
  for (const candidate of candidates) {
    void t.test(candidate.name, { skip: candidate.skip ?? false }, async (t) => {
      suite(t, candidate);
    });
  }
}
