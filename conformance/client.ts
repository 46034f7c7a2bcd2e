// A raw HTTP/1.1 client over a socket: sends exactly the bytes that a case asks for, one or several requests on a connection,
// hangs up early where that is the point, and reports exactly what came back.

import { connect as connectTcp } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { AnswerParser, MalformedAnswer } from './answer.ts';
import type { AnswerHead, AnswerPart } from './answer.ts';
import { EventParser } from './events.ts';
import type { ServerSentEvent } from './events.ts';
import { encodeRequest } from './request.ts';
import type { EncodedRequest, Request } from './request.ts';

export interface Answer extends AnswerHead {
  readonly body: Buffer;
  readonly text: string;
  /** The body as JSON; `undefined` when it is none. */
  readonly json: unknown;
  readonly events: readonly ServerSentEvent[];
  /** Whether the body ended as its framing promised; false after an early hang-up, too. */
  readonly complete: boolean;
  /** Statuses of interim answers (100, 103). */
  readonly interim: readonly number[];
}

export interface SendOptions {
  /** Hang up after so many events. */
  readonly stopAfterEvents?: number | undefined;
  /** Instead of the client's own limit. */
  readonly timeoutMs?: number | undefined;
}

/** The server could not be spoken with; the message says what was tried. */
export class ConnectionFailure extends Error {
  override readonly name = 'ConnectionFailure';
}

export interface ClientOptions {
  /** Where an SDK would be pointed: the address under which `chat/completions` lies. */
  readonly baseUrl: URL;
  readonly apiKey?: string | undefined;
  readonly timeoutMs: number;
}

export class Client {
  readonly options: ClientOptions;
  readonly #apiPath: string;
  readonly #rootPath: string;

  constructor(options: ClientOptions) {
    this.options = options;
    const path = options.baseUrl.pathname.replace(/\/+$/, '');
    // An address without a path means the usual place.
    this.#apiPath = path === '' ? '/v1' : path;
    this.#rootPath = this.#apiPath.replace(/\/v1$/, '');
  }

  /** The base address in full, as shown to people. */
  get baseUrl(): string {
    return this.options.baseUrl.origin + this.#apiPath;
  }

  /** One request on a connection of its own. */
  async send(request: Request, options: SendOptions = {}): Promise<Answer> {
    const connection = await this.connect();
    try {
      return await connection.send(request, options);
    } finally {
      connection.close();
    }
  }

  async connect(): Promise<Connection> {
    const { baseUrl, timeoutMs } = this.options;
    const host = baseUrl.hostname.replace(/^\[(.*)\]$/, '$1');
    const isSecure = baseUrl.protocol === 'https:';
    const port = baseUrl.port === '' ? (isSecure ? 443 : 80) : Number(baseUrl.port);
    const socket = isSecure ? connectTls({ host, port, servername: host }) : connectTcp({ host, port, noDelay: true });
    await new Promise<void>((resolve, reject) => {
      const fail = (why: string): void => {
        socket.destroy();
        reject(new ConnectionFailure(`no connection to ${baseUrl.host}: ${why}`));
      };
      socket.setTimeout(Math.min(timeoutMs, 10_000), () => fail('no answer'));
      socket.once('error', (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
      socket.once(isSecure ? 'secureConnect' : 'connect', () => {
        socket.setTimeout(0);
        socket.removeAllListeners('timeout').removeAllListeners('error');
        resolve();
      });
    });
    return new Connection(socket, this);
  }

  /** The request's head and the pieces of its body, as they go over the wire. */
  encode(request: Request): EncodedRequest {
    const { baseUrl, apiKey } = this.options;
    const path = request.path.startsWith('/') ? this.#rootPath + request.path : `${this.#apiPath}/${request.path}`;
    return encodeRequest(request, { path, host: baseUrl.host, apiKey });
  }
}

interface Exchange {
  readonly parser: AnswerParser;
  readonly events: EventParser;
  readonly seen: ServerSentEvent[];
  readonly chunks: Uint8Array[];
  readonly interim: number[];
  readonly stopAfterEvents: number;
  head: AnswerHead | undefined;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

/** Several `send` calls may be under way: the requests go out at once and are answered in order (pipelining). */
export class Connection {
  readonly #socket: Socket;
  readonly #client: Client;
  readonly #waiting: Exchange[] = [];
  #isClosed = false;

  constructor(socket: Socket, client: Client) {
    this.#socket = socket;
    this.#client = client;
    socket.on('data', (bytes: Buffer) => this.#receive(bytes));
    socket.on('error', () => this.#closed());
    socket.on('close', () => this.#closed());
    socket.on('end', () => this.#closed());
  }

  /** Whether the server has closed it. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  async send(request: Request, options: SendOptions = {}): Promise<Answer> {
    const timeoutMs = options.timeoutMs ?? this.#client.options.timeoutMs;
    let timer: NodeJS.Timeout | undefined;
    const answer = new Promise<Answer>((resolve, reject) => {
      if (this.#isClosed) {
        reject(new ConnectionFailure('the server has closed the connection'));
        return;
      }
      timer = setTimeout(() => {
        reject(new ConnectionFailure(`no complete answer to ${request.method} ${request.path} within ${timeoutMs} ms`));
        this.close();
      }, timeoutMs);
      this.#waiting.push({
        parser: new AnswerParser(request.method),
        events: new EventParser(),
        seen: [],
        chunks: [],
        interim: [],
        stopAfterEvents: options.stopAfterEvents ?? Infinity,
        head: undefined,
        resolve,
        reject,
      });
    });
    try {
      const [result] = await Promise.all([answer, this.#write(request)]);
      return result;
    } finally {
      clearTimeout(timer);
    }
  }

  /** The head and half of the body, then nothing more: resolves when they have left. */
  async sendHalf(request: Request): Promise<void> {
    const { head, pieces } = this.#client.encode(request);
    const body = Buffer.concat(pieces);
    await new Promise<void>((resolve) => {
      this.#socket.write(Buffer.concat([Buffer.from(head, 'latin1'), body.subarray(0, body.length / 2)]), () =>
        resolve(),
      );
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  async #write(request: Request): Promise<void> {
    const { head, pieces } = this.#client.encode(request);
    const pauseMs = request.transfer?.pauseMs ?? 0;
    if (pauseMs === 0) {
      this.#socket.write(Buffer.concat([Buffer.from(head, 'latin1'), ...pieces]));
      return;
    }
    this.#socket.write(head, 'latin1');
    for (const piece of pieces) {
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      if (this.#isClosed) return;
      this.#socket.write(piece);
    }
  }

  #receive(bytes: Uint8Array): void {
    const exchange = this.#waiting[0];
    if (exchange === undefined) return;
    try {
      this.#take(exchange, exchange.parser.push(bytes));
    } catch (error) {
      this.#fail(error);
    }
  }

  #take(exchange: Exchange, parts: readonly AnswerPart[]): void {
    for (const part of parts) {
      if (part.type === 'interim') exchange.interim.push(part.status);
      else if (part.type === 'head') exchange.head = part.head;
      else if (part.type === 'chunk') {
        exchange.chunks.push(part.bytes);
        exchange.seen.push(...exchange.events.push(part.bytes));
        if (exchange.seen.length >= exchange.stopAfterEvents) {
          this.close();
          this.#finish(exchange, false);
          return;
        }
      } else {
        this.#finish(exchange, part.complete);
        const rest = exchange.parser.rest();
        if (rest.length > 0) this.#receive(rest);
      }
    }
  }

  #finish(exchange: Exchange, complete: boolean): void {
    this.#waiting.shift();
    exchange.seen.push(...exchange.events.end());
    const body = Buffer.concat(exchange.chunks);
    const text = body.toString('utf8');
    const head = exchange.head;
    if (head === undefined) throw new MalformedAnswer('a body without headers');
    exchange.resolve({
      ...head,
      body,
      text,
      json: parseJson(text),
      events: exchange.seen,
      complete,
      interim: exchange.interim,
    });
  }

  #closed(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    try {
      const exchange = this.#waiting[0];
      if (exchange !== undefined) this.#take(exchange, exchange.parser.end());
    } catch (error) {
      this.#fail(error);
    }
    this.#fail(new ConnectionFailure('the server closed the connection before it had answered'));
  }

  #fail(error: unknown): void {
    const failure = error instanceof Error ? error : new Error(String(error));
    for (const exchange of this.#waiting.splice(0)) exchange.reject(failure);
    this.close();
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
