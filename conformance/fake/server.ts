// The sockets of the fake servers: collects a request, asks the handler, writes the answer, one write per event. What an
// answer should be is decided in good.ts and bad.ts.

import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface FakeRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  readonly query: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
  /** The body as it arrived. */
  readonly pieces: readonly Buffer[];
  /** The same object for all requests of one connection. */
  readonly connection: object;
}

export interface FakeAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** A string is sent with its length; a list is sent in transfer chunks, one write each. */
  readonly body: string | readonly string[];
  /** Waits before each write, in milliseconds. */
  readonly paceMs?: number;
  /** Ends the connection without the last chunk. */
  readonly isCut?: boolean;
}

export interface FakeServer {
  answer(request: FakeRequest): FakeAnswer | Promise<FakeAnswer>;
  /** The caller hung up before the answer was complete. */
  aborted?(): void;
}

export interface Listening {
  /** `http://127.0.0.1:PORT/v1` */
  readonly baseUrl: string;
  close(): Promise<void>;
}

/** On loopback, at any free port. */
export async function listen(fake: FakeServer): Promise<Listening> {
  const server = createServer();
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    response.on('close', () => {
      if (!response.writableFinished && !response.writableEnded) fake.aborted?.();
    });
    serve(fake, request, response).catch(() => response.destroy());
  };
  server.on('request', handle);
  server.on('checkContinue', (request, response) => {
    response.writeContinue();
    handle(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function serve(fake: FakeServer, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece as Buffer);
  const [path = '', query = ''] = (request.url ?? '').split('?');
  const answer = await fake.answer({
    method: request.method ?? '',
    path,
    query,
    headers: request.headers as Record<string, string | undefined>,
    body: Buffer.concat(pieces).toString('utf8'),
    pieces,
    connection: request.socket,
  });
  if (typeof answer.body === 'string') {
    response.writeHead(answer.status, answer.headers).end(answer.body);
    return;
  }
  response.writeHead(answer.status, answer.headers);
  for (const write of answer.body) {
    if (answer.paceMs !== undefined) await new Promise((resolve) => setTimeout(resolve, answer.paceMs));
    if (response.destroyed) return;
    response.write(write);
  }
  if (answer.isCut === true) request.socket.end();
  else response.end();
}
