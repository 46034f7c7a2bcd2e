// A raw HTTP/1.1 client for measurements: sockets that are kept open, times taken as bytes arrive, and connections that can be slowed,
// dropped and reset. Answers and events are read by the parsers of the conformance suite.

import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { AnswerParser, MalformedAnswer, type AnswerHead } from '../../conformance/answer.ts';
import { EventParser, type ServerSentEvent } from '../../conformance/events.ts';
import { UsageError } from '../arguments.ts';

export interface ClientOptions {
  /** Where an SDK would be pointed. An address without a path means `/v1`. */
  readonly baseUrl: string;
  readonly apiKey?: string | undefined;
  /** For a whole answer. */
  readonly timeoutMs: number;
}

export interface Request {
  readonly method: 'GET' | 'POST';
  /** Below the base URL; with a slash in front, below the root of the server. */
  readonly path: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly onHead?: (head: AnswerHead, socket: Socket) => void;
  /** As it arrives. May slow down or end the socket. */
  readonly onEvent?: (event: ServerSentEvent, socket: Socket) => void;
  /** Drops the connection. */
  readonly signal?: AbortSignal | undefined;
}

export interface Answer extends AnswerHead {
  /** Of an event stream only what is no event. */
  readonly text: string;
}

/** There is no answer, or half of one. `message` is short enough to be counted by. */
export class ExchangeError extends Error {
  override readonly name = 'ExchangeError';
}

/** Not a byte of an answer came. */
class UnusedError extends ExchangeError {}

export class HttpClient {
  readonly baseUrl: URL;
  readonly #apiPath: string;
  readonly #options: ClientOptions;
  /** Kept alive, between two exchanges. */
  readonly #idle: Socket[] = [];

  /** Throws `UsageError` for what is no address. */
  constructor(options: ClientOptions) {
    this.#options = options;
    if (!/^https?:/.test(options.baseUrl) || !URL.canParse(options.baseUrl))
      throw new UsageError(`${options.baseUrl} is no address as http://localhost:1234/v1`);
    this.baseUrl = new URL(options.baseUrl);
    const path = this.baseUrl.pathname.replace(/\/+$/, '');
    this.#apiPath = path === '' ? '/v1' : path;
  }

  /** Throws `ExchangeError` when no whole answer comes, whatever its status; the signal's reason when it was aborted. */
  async send(request: Request): Promise<Answer> {
    const { signal } = request;
    signal?.throwIfAborted();
    const kept = this.#kept();
    if (kept === undefined) return await this.#sendOver(await this.connect(), request);
    try {
      return await this.#sendOver(kept, request);
    } catch (error) {
      // The server closed it in the moment we took it.
      if (!(error instanceof UnusedError)) throw error;
      return await this.#sendOver(await this.connect(), request);
    }
  }

  async #sendOver(socket: Socket, request: Request): Promise<Answer> {
    const { signal } = request;
    const drop = (): void => void socket.destroy();
    signal?.addEventListener('abort', drop);
    try {
      const { answer, isReusable } = await exchange(socket, request, this.encode(request), this.#options.timeoutMs);
      if (isReusable) this.#keep(socket);
      else socket.destroy();
      return answer;
    } catch (error) {
      socket.destroy();
      signal?.throwIfAborted();
      throw error;
    } finally {
      signal?.removeEventListener('abort', drop);
    }
  }

  /** Ends the idle connections. */
  close(): void {
    for (const socket of this.#idle.splice(0)) socket.destroy();
  }

  #kept(): Socket | undefined {
    for (;;) {
      const socket = this.#idle.pop();
      if (socket === undefined || (!socket.destroyed && socket.writable && !socket.readableEnded)) return socket;
      socket.destroy();
    }
  }

  #keep(socket: Socket): void {
    socket.removeAllListeners();
    // A server may close what is idle at any time.
    socket.on('error', () => undefined);
    socket.resume();
    this.#idle.push(socket);
  }

  /** A connection of its own, for whoever knows better what to send. Throws `ExchangeError`. */
  async connect(): Promise<Socket> {
    const { hostname, port, protocol } = this.baseUrl;
    const host = hostname.replace(/^\[(.*)\]$/, '$1');
    const isSecure = protocol === 'https:';
    const at = { host, port: port === '' ? (isSecure ? 443 : 80) : Number(port), noDelay: true };
    const socket = isSecure ? connectTls({ ...at, servername: host }) : connectTcp(at);
    return await new Promise((resolve, reject) => {
      socket.once('error', (error: NodeJS.ErrnoException) =>
        reject(new ExchangeError(`no connection: ${error.code ?? error.message}`)),
      );
      socket.once(isSecure ? 'secureConnect' : 'connect', () => resolve(socket.removeAllListeners('error')));
    });
  }

  /** The bytes of a request. */
  encode({ method, path, body }: Request): string {
    const target = path.startsWith('/') ? path : `${this.#apiPath}/${path}`;
    const text = body === undefined ? '' : JSON.stringify(body);
    const { apiKey } = this.#options;
    const lines = [
      `${method} ${target} HTTP/1.1`,
      `host: ${this.baseUrl.host}`,
      'user-agent: tramontane-bench',
      'accept: */*',
      ...(apiKey === undefined ? [] : [`authorization: Bearer ${apiKey}`]),
      ...(text === '' ? [] : ['content-type: application/json', `content-length: ${Buffer.byteLength(text)}`]),
    ];
    return `${lines.join('\r\n')}\r\n\r\n${text}`;
  }
}

const timedOut = 'timeout';

interface Exchanged {
  readonly answer: Answer;
  readonly isReusable: boolean;
}

function exchange(socket: Socket, request: Request, bytes: string, timeoutMs: number): Promise<Exchanged> {
  return new Promise((resolve, reject) => {
    const parser = new AnswerParser(request.method);
    const events = new EventParser();
    const texts: Uint8Array[] = [];
    let head: AnswerHead | undefined;
    let isStream = false;
    const bytesBefore = socket.bytesRead;
    const fail = (what: string): void => {
      clearTimeout(timer);
      reject(socket.bytesRead === bytesBefore && what !== timedOut ? new UnusedError(what) : new ExchangeError(what));
      socket.destroy();
    };
    const timer = setTimeout(() => fail(timedOut), timeoutMs);
    const take = (parts: ReturnType<AnswerParser['push']>): void => {
      for (const part of parts) {
        if (part.type === 'head') {
          head = part.head;
          isStream = head.headers['content-type']?.startsWith('text/event-stream') ?? false;
          request.onHead?.(head, socket);
        } else if (part.type === 'chunk') {
          if (!isStream) texts.push(part.bytes);
          else for (const event of events.push(part.bytes)) request.onEvent?.(event, socket);
        } else if (part.type === 'end') {
          if (!part.complete || head === undefined) return fail('cut off');
          clearTimeout(timer);
          const isReusable = head.version === '1.1' && head.headers['connection'] !== 'close' && !socket.readableEnded;
          resolve({ answer: { ...head, text: Buffer.concat(texts).toString('utf8') }, isReusable });
        }
      }
    };
    const parse = (read: () => ReturnType<AnswerParser['push']>): void => {
      try {
        take(read());
      } catch (error) {
        if (error instanceof MalformedAnswer)
          fail(head === undefined ? 'closed without an answer' : 'malformed answer');
        else fail(error instanceof Error ? error.message : String(error));
      }
    };
    socket.on('data', (piece: Buffer) => parse(() => parser.push(piece)));
    socket.on('end', () => parse(() => parser.end()));
    socket.on('error', (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
    socket.on('close', () => fail('closed'));
    socket.write(bytes);
  });
}
