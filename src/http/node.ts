// Transport over `node:http` (RFC 9112). Serves everywhere; the server above never sees a socket.
//
// Requests that a client pipelines are handled one after the other: node parses them ahead, we hold them back. A caller who
// closes its sending side is gone (as nginx, Go and uWebSockets.js see it): nobody could tell it from a closed socket, and
// generations must not run on for nobody.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Server as NetServer, type AddressInfo, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { silentLog, type Log } from '../core/log.ts';
import { NodeExchange } from './node-exchange.ts';
import { refuseSocket, type Linger } from './node-refusal.ts';
import type { Exchange, ListenOptions, Transport } from './transport.ts';

export interface NodeTransportOptions {
  readonly log?: Log;
  /** Idle time between two requests of a connection. Longer than the 60 s of common proxies, so that they close first. */
  readonly keepAliveTimeoutMs?: number;
  /** Time for the header block; then 408. */
  readonly headersTimeoutMs?: number;
  /** Time for the whole request with its body; then 408. */
  readonly requestTimeoutMs?: number;
  /** How often the two above are looked at. */
  readonly timeoutCheckMs?: number;
  /** How long a sender that still sends is listened to after its request was refused (nginx's lingering_time: 30 s), */
  readonly lingerMs?: number;
  /** and how long it may be silent meanwhile (lingering_timeout: 5 s). */
  readonly lingerIdleMs?: number;
}

/** Requests of one connection that may wait behind the one being answered; a client that sends more is cut off. */
const maxPipelined = 64;

/** One socket: the exchange being answered, those waiting behind it, and the refusal that comes after all of them. */
interface Connection {
  readonly socket: Socket;
  current: NodeExchange | undefined;
  readonly waiting: NodeExchange[];
  refusedWith: number | undefined;
}

export class NodeTransport implements Transport {
  readonly name = 'http';
  readonly #options: NodeTransportOptions;
  readonly #linger: Linger;
  readonly #connections = new Map<Duplex, Connection>();
  #server: Server | undefined;
  #listening: ListenOptions | undefined;
  #handle: (exchange: Exchange) => void = () => undefined;
  #draining = false;
  #drained: (() => void)[] = [];

  constructor(options: NodeTransportOptions = {}) {
    this.#options = options;
    this.#linger = { totalMs: options.lingerMs ?? 30_000, idleMs: options.lingerIdleMs ?? 5_000 };
  }

  listen(options: ListenOptions, handle: (exchange: Exchange) => void): Promise<number> {
    const log = this.#options.log ?? silentLog;
    this.#listening = options;
    this.#handle = handle;
    const server = createServer({
      maxHeaderSize: options.maxHeaderBytes,
      keepAliveTimeout: this.#options.keepAliveTimeoutMs ?? 65_000,
      headersTimeout: this.#options.headersTimeoutMs ?? 60_000,
      requestTimeout: this.#options.requestTimeoutMs ?? 300_000,
      connectionsCheckingInterval: this.#options.timeoutCheckMs ?? 5_000,
      joinDuplicateHeaders: true,
      // node's own answer to a missing Host has no body; ours has.
      requireHostHeader: false,
    });
    this.#server = server;
    server.on('connection', (socket) => this.#connected(socket));
    server.on('request', (request, response) => this.#requested(request, response, false));
    server.on('checkContinue', (request, response) => this.#requested(request, response, true));
    server.on('checkExpectation', (request: IncomingMessage) => this.#refuse(request.socket, 417));
    server.on('connect', (_request, socket) => this.#refuse(socket, 405));
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => this.#clientError(error, socket));
    return new Promise((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: options.host, port: options.port, backlog: 1024 }, () => {
        server.off('error', reject);
        // A failed accept harms nobody who is already here.
        server.on('error', (error) => log.error('cannot accept connections', { error }));
        resolve((server.address() as AddressInfo).port);
      });
    });
  }

  drain(): Promise<void> {
    this.#draining = true;
    // The HTTP server's own `close` would also destroy sockets whose answer is still leaving; idle is what we say is idle.
    if (this.#server !== undefined) NetServer.prototype.close.call(this.#server);
    for (const connection of this.#connections.values()) this.#closeIfIdle(connection);
    return new Promise((resolve) => {
      this.#drained.push(resolve);
      this.#settle();
    });
  }

  async close(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const sockets = [...this.#connections.keys()];
    const closed = sockets.map((socket) => new Promise((resolve) => void socket.once('close', resolve)));
    closed.push(new Promise((resolve) => void server.close(resolve)));
    for (const socket of sockets) socket.destroy();
    await Promise.all(closed);
  }

  #connected(socket: Socket): void {
    const connection: Connection = { socket, current: undefined, waiting: [], refusedWith: undefined };
    this.#connections.set(socket, connection);
    socket.once('close', () => {
      this.#connections.delete(socket);
      for (const exchange of [connection.current, ...connection.waiting]) exchange?.lost();
      connection.current = undefined;
      connection.waiting.length = 0;
      this.#settle();
    });
    if (this.#draining) socket.destroy();
  }

  #requested(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
    const connection = this.#connections.get(request.socket);
    if (connection === undefined || connection.refusedWith !== undefined) return;
    if (request.httpVersion === '1.1' && request.headers.host === undefined) {
      this.#refuse(request.socket, 400);
      return;
    }
    const exchange = new NodeExchange(request, response, {
      expectsContinue,
      linger: this.#linger,
      isClosing: () => this.#draining,
    });
    response.once('finish', () => this.#finished(connection));
    if (connection.current === undefined) {
      connection.current = exchange;
      this.#handle(exchange);
    } else if (connection.waiting.length < maxPipelined) connection.waiting.push(exchange);
    else connection.socket.destroy();
  }

  #finished(connection: Connection): void {
    let next = connection.waiting.shift();
    if (next?.isReceived === false && connection.refusedWith !== undefined) {
      next.lost();
      next = undefined;
    }
    connection.current = next;
    if (next !== undefined) this.#handle(next);
    else if (connection.refusedWith !== undefined) this.#writeRefusal(connection, connection.refusedWith);
    else if (this.#draining) this.#closeIfIdle(connection);
    this.#settle();
  }

  /** What the parser could not read, what took too long, and sockets that broke. */
  #clientError(error: NodeJS.ErrnoException, socket: Duplex): void {
    const connection = this.#connections.get(socket);
    // A refused sender that still sends makes the parser fail again and again; nobody minds.
    if (connection?.refusedWith !== undefined && error.code !== 'ECONNRESET') return;
    // One that is listened to has hung up in the middle of its body: a socket less to keep.
    if (error.code === 'HPE_INVALID_EOF_STATE') connection?.current?.stopLingering();
    if (error.code === 'ECONNRESET' || !socket.writable) socket.destroy();
    else if (error.code === 'HPE_HEADER_OVERFLOW') this.#refuse(socket, 431);
    else if (error.code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') this.#refuse(socket, 413);
    else if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') this.#refuse(socket, 408);
    else this.#refuse(socket, 400);
  }

  #refuse(socket: Duplex, status: number): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined) {
      socket.destroy();
      return;
    }
    const { current } = connection;
    if (connection.refusedWith !== undefined || current?.isLingering === true) return;
    connection.refusedWith = status;
    if (current === undefined) this.#writeRefusal(connection, status);
    else if (!current.isReceived) {
      // The broken bytes are this request's own body. An answer that has begun can only be cut.
      const begun = current.hasBegun;
      connection.current = undefined;
      current.lost();
      if (begun) socket.destroy();
      else this.#writeRefusal(connection, status);
    }
    // Else they follow a good request: that one is answered first (`#finished`).
  }

  #writeRefusal(connection: Connection, status: number): void {
    const refusal = this.#listening?.refuse(status) ?? { headers: {}, body: '' };
    if (connection.socket.writable) refuseSocket(connection.socket, status, refusal, this.#linger);
  }

  #closeIfIdle(connection: Connection): void {
    if (connection.current === undefined && connection.refusedWith === undefined) connection.socket.destroySoon();
  }

  #settle(): void {
    if (!this.#draining) return;
    for (const { current } of this.#connections.values()) if (current !== undefined) return;
    for (const resolve of this.#drained.splice(0)) resolve();
  }
}
