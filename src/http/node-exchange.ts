// One request of `node:http` and its answer, as an `Exchange`.

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Linger } from './node-refusal.ts';
import { BodyError, type Exchange, type Headers } from './transport.ts';

export interface NodeExchangeOptions {
  /** The client waits for `100 Continue` before it sends its body. */
  readonly expectsContinue: boolean;
  readonly linger: Linger;
  /** Whether the connection ends with this answer. */
  readonly isClosing: () => boolean;
}

/** An unread body of at most this size is read and dropped, so that the connection can be used again. */
const discardBytes = 65_536;

export class NodeExchange implements Exchange {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly remoteAddress: string;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #options: NodeExchangeOptions;
  #gone: AbortController | undefined;
  #onGone: (() => void) | undefined;
  #awaitsContinue: boolean;
  #isLost = false;
  #isLingering = false;
  #finishLingering: (() => void) | undefined;
  #giveUpBody: (() => void) | undefined;
  #wake: (() => void) | undefined;

  constructor(request: IncomingMessage, response: ServerResponse, options: NodeExchangeOptions) {
    this.#request = request;
    this.#response = response;
    this.#options = options;
    this.#awaitsContinue = options.expectsContinue;
    this.method = request.method ?? 'GET';
    this.remoteAddress = request.socket.remoteAddress ?? '';
    const target = originForm(request.url ?? '/');
    const mark = target.indexOf('?');
    this.path = mark < 0 ? target : target.slice(0, mark);
    this.query = mark < 0 ? '' : target.slice(mark + 1);
    // Both only repeat what the end of the socket says, which reaches us through `lost()`.
    request.on('error', () => undefined);
    response.on('error', () => undefined);
    response.on('drain', () => this.#caughtUp());
  }

  /** The whole request has arrived. */
  get isReceived(): boolean {
    return this.#request.complete;
  }

  /** The answer has begun. */
  get hasBegun(): boolean {
    return this.#response.headersSent;
  }

  /** The answer is out in full, the rest of the request is being dropped. */
  get isLingering(): boolean {
    return this.#isLingering;
  }

  /** Nothing more of the request will come. */
  stopLingering(): void {
    this.#finishLingering?.();
  }

  /** The socket went away. */
  lost(): void {
    if (this.#isLost || this.#response.writableFinished) return;
    this.#isLost = true;
    this.#giveUpBody?.();
    this.#caughtUp();
    this.#onGone?.();
    this.#gone?.abort(gone());
  }

  get isGone(): boolean {
    return this.#isLost;
  }

  onGone(listener: () => void): void {
    this.#onGone = listener;
    if (this.#isLost) listener();
  }

  get signal(): AbortSignal {
    if (this.#gone === undefined) {
      this.#gone = new AbortController();
      if (this.#isLost) this.#gone.abort(gone());
    }
    return this.#gone.signal;
  }

  header(name: string): string | undefined {
    const value = this.#request.headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  }

  body(limitBytes: number): Promise<Uint8Array> {
    const request = this.#request;
    if (this.#isLost) return Promise.reject(new BodyError('aborted'));
    if (Number(request.headers['content-length'] ?? 0) > limitBytes) return Promise.reject(new BodyError('too_large'));
    if (this.#awaitsContinue) {
      this.#awaitsContinue = false;
      this.#response.writeContinue();
    }
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let bytes = 0;
      const fail = (reason: BodyError['reason']): void => {
        this.#giveUpBody = undefined;
        request.off('data', take);
        request.pause();
        reject(new BodyError(reason));
      };
      const take = (chunk: Buffer): void => {
        bytes += chunk.length;
        if (bytes > limitBytes) fail('too_large');
        else chunks.push(chunk);
      };
      this.#giveUpBody = () => fail('aborted');
      request.on('data', take);
      request.once('end', () => {
        this.#giveUpBody = undefined;
        resolve(Buffer.concat(chunks, bytes));
      });
    });
  }

  send(status: number, headers: Headers, body: Uint8Array | string): void {
    if (this.#isLost) return;
    const bytes = typeof body === 'string' ? Buffer.from(body) : body;
    const response = this.#response;
    const isSending = !this.#request.complete && !this.#discardsCheaply();
    const length = status === 204 || status === 304 ? {} : { 'content-length': String(bytes.length) };
    response.writeHead(status, { ...headers, ...length, ...this.#closing(isSending) });
    if (isSending) {
      if (this.method === 'HEAD') response.flushHeaders();
      else response.write(bytes);
      this.#linger();
    } else response.end(this.method === 'HEAD' ? undefined : bytes);
  }

  start(status: number, headers: Headers): void {
    if (this.#isLost) return;
    this.#response.writeHead(status, { ...headers, ...this.#closing(false) });
    this.#response.flushHeaders();
  }

  write(chunk: string): boolean {
    // In one go: node corks the chunk with its length, so both leave in one `writev`.
    return !this.#isLost && this.#response.write(chunk);
  }

  drained(): Promise<void> {
    if (this.#isLost || !this.#response.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => {
      const earlier = this.#wake;
      this.#wake = () => {
        earlier?.();
        resolve();
      };
    });
  }

  end(): void {
    if (!this.#isLost) this.#response.end();
  }

  #caughtUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  #closing(isSending: boolean): Headers {
    return isSending || this.#options.isClosing() ? { connection: 'close' } : {};
  }

  #discardsCheaply(): boolean {
    const { headers } = this.#request;
    if (this.#awaitsContinue || headers['transfer-encoding'] !== undefined) return false;
    return Number(headers['content-length'] ?? 0) <= discardBytes;
  }

  /**
   * The answer is out in full, but the client still sends. Many read only when they are done sending, and closing now would
   * reset the connection under them: drop what comes until the body ends, the client falls silent, or the time is up.
   */
  #linger(): void {
    this.#isLingering = true;
    const request = this.#request;
    const finish = (): void => {
      clearTimeout(idle);
      clearTimeout(total);
      request.off('data', stir);
      this.#response.end();
    };
    this.#finishLingering = finish;
    const stir = (): void => void idle.refresh();
    const idle = setTimeout(finish, this.#options.linger.idleMs);
    const total = setTimeout(finish, this.#options.linger.totalMs);
    request.on('data', stir);
    // Reading a body that grew too large has paused it.
    request.resume();
    request.once('end', finish);
    request.once('close', finish);
  }
}

function gone(): Error {
  return new Error('the client closed the connection');
}

/** `http://host/path` (the form for proxies) -> `/path`; anything else as it is. */
function originForm(target: string): string {
  if (target.startsWith('/')) return target;
  const match = /^[a-z][a-z0-9+.-]*:\/\/[^/?]*(.*)$/i.exec(target);
  if (match === null) return target;
  return match[1].startsWith('/') ? match[1] : `/${match[1]}`;
}
