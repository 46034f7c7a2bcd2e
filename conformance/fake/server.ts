// The sockets of the fake servers: collects a request, asks the handler, writes the answer, one write per event. What an
// answer should be is decided in good.ts and bad.ts.

import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface FakeRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** Of HTTP: `1.1` or `1.0`. */
  readonly version: string;
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
  /** Sends a list without chunks; the end of the connection is the end of the body. */
  readonly isUnframed?: boolean;
}

export interface FakeServer {
  answer(request: FakeRequest): FakeAnswer | Promise<FakeAnswer>;
  /** The caller hung up before its request or the answer was complete. */
  aborted?(incomplete: 'request' | 'answer'): void;
  /** What the parser of node:http makes of odd requests. */
  readonly parser?: {
    readonly insecureHTTPParser?: boolean;
    readonly requireHostHeader?: boolean;
    readonly maxHeaderSize?: number;
  };
  /** Body of the 431 that headers beyond the parser's limit get; without it the connection is closed. */
  readonly headersTooLarge?: string;
}

export interface Listening {
  /** `http://127.0.0.1:PORT/v1` */
  readonly baseUrl: string;
  readonly close: () => Promise<void>;
}

/** On loopback, at any free port. */
export async function listen(fake: FakeServer): Promise<Listening> {
  const server = createServer(fake.parser ?? {});
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const isLarge = error.code === 'HPE_HEADER_OVERFLOW';
    const body = isLarge ? fake.headersTooLarge : '';
    if (body === undefined || !socket.writable) socket.destroy();
    else {
      const status = isLarge ? '431 Request Header Fields Too Large' : '400 Bad Request';
      socket.end(
        `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`,
      );
    }
  });
  const handle = (request: IncomingMessage, response: ServerResponse): void => {
    response.on('close', () => {
      if (!response.writableFinished && !response.writableEnded)
        fake.aborted?.(request.complete ? 'answer' : 'request');
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
  if (!isHuge(request)) for await (const piece of request) pieces.push(piece as Buffer);
  const [path = '', query = ''] = (request.url ?? '').split('?');
  const answer = await fake.answer({
    method: request.method ?? '',
    path,
    query,
    version: request.httpVersion,
    headers: request.headers as Record<string, string | undefined>,
    body: Buffer.concat(pieces).toString('utf8'),
    pieces,
    connection: request.socket,
  });
  if (typeof answer.body === 'string') {
    response.writeHead(answer.status, answer.headers).end(answer.body);
    return;
  }
  if (answer.isUnframed === true) response.useChunkedEncodingByDefault = false;
  response.writeHead(answer.status, answer.headers);
  for (const write of answer.body) {
    if (answer.paceMs !== undefined) await new Promise((resolve) => setTimeout(resolve, answer.paceMs));
    if (response.destroyed) return;
    response.write(write);
  }
  if (answer.isCut === true) request.socket.end();
  else response.end();
}

/** Nobody waits for what will not be read. */
function isHuge(request: IncomingMessage): boolean {
  return Number(request.headers['content-length'] ?? 0) > 64 * 1024 * 1024;
}
