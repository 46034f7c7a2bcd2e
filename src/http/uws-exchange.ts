// One request of uWebSockets.js and its answer, as an `Exchange`.
//
// What must be known of the implementation: request and chunks are gone when the callback returns; the response must not be touched after its
// end or its abort; only corked writes leave in one piece; `end` in mid-stream must not ask for the connection's end (the header would
// land in the body); a write that was not taken arms a 10 s timeout, which `onWritable` takes away, so that it must always be registered
// before anything is streamed.

import { STATUS_CODES, validateHeaderName, validateHeaderValue } from 'node:http';
import { SocketAddress } from 'node:net';
import type { HttpRequest, HttpResponse } from 'uWebSockets.js';
import { BodyError, type Exchange, type Headers, type Refusal } from './transport.ts';
import { UwsBody } from './uws-body.ts';

/** What the exchange needs of its transport. */
export interface UwsOwner {
  /** Whether connections end with their answers. */
  readonly isClosing: boolean;
  /** The answer is out, or the socket went away. */
  ended(exchange: UwsExchange): void;
}

/** An unread body of at most this size is read and dropped, and the connection may be used again. */
const discardBytes = 65_536;

/** Larger answers are handed over piece by piece, so that their end is known. */
const wholeBytes = 65_536;

export class UwsExchange implements Exchange {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  /** The status of what the parser lets through and we do not. */
  readonly fault: number | undefined;
  readonly #owner: UwsOwner;
  /** Names and values by turns: looked through a few times, never kept in order. */
  readonly #headers: string[] = [];
  #remoteAddress: string | undefined;
  /** Until the callback of the request returns: everything is corked, and nothing can go away. */
  #isNew = true;
  #gone: AbortController | undefined;
  #isGone = false;
  #onGone: (() => void) | undefined;
  readonly #body: UwsBody | undefined;
  /** `undefined` as soon as it must not be touched any more. */
  #response: HttpResponse | undefined;
  /** Of a streamed answer, until they leave with the first piece. */
  #head: Head | undefined;
  #isBehind = false;
  readonly #waiting: string[] = [];
  #isEnding = false;
  #wake: (() => void) | undefined;

  constructor(response: HttpResponse, request: HttpRequest, owner: UwsOwner) {
    this.#response = response;
    this.#owner = owner;
    this.method = request.getCaseSensitiveMethod();
    this.path = request.getUrl();
    this.query = request.getQuery() ?? '';
    const headers = this.#headers;
    request.forEach((name, value) => {
      headers.push(name, value);
    });
    const length = this.header('content-length');
    const coding = this.header('transfer-encoding');
    const expected = this.header('expect');
    // Repeated headers come joined by a comma.
    if (length !== undefined && !/^\d+$/.test(length)) this.fault = 400;
    else if (coding !== undefined && coding.toLowerCase() !== 'chunked') this.fault = 400;
    else if (expected !== undefined && expected.toLowerCase() !== '100-continue') this.fault = 417;
    if (length !== undefined || coding !== undefined) {
      this.#body = new UwsBody(response, length === undefined ? Number.NaN : Number(length));
    }
  }

  /** The callback of the request returns. Most small requests have been answered by then, and the work on others is not for them. */
  keep(): boolean {
    this.#isNew = false;
    const response = this.#response;
    if (response === undefined) return false;
    response.onAborted(() => this.#lost());
    this.#remoteAddress ??= addressText(response.getRemoteAddress());
    return true;
  }

  get remoteAddress(): string {
    if (this.#response !== undefined) this.#remoteAddress ??= addressText(this.#response.getRemoteAddress());
    return this.#remoteAddress ?? '';
  }

  get isGone(): boolean {
    return this.#isGone;
  }

  onGone(listener: () => void): void {
    this.#onGone = listener;
    if (this.#isGone) listener();
  }

  get signal(): AbortSignal {
    if (this.#gone === undefined) {
      this.#gone = new AbortController();
      if (this.#isGone) this.#gone.abort(gone());
    }
    return this.#gone.signal;
  }

  header(name: string): string | undefined {
    const headers = this.#headers;
    let found: string | undefined;
    for (let i = 0; i < headers.length; i += 2) {
      if (headers[i].length === name.length && headers[i] === name)
        found = found === undefined ? headers[i + 1] : `${found}, ${headers[i + 1]}`;
    }
    return found;
  }

  body(limitBytes: number): Promise<Uint8Array> {
    if (this.#isGone) return Promise.reject(new BodyError('aborted'));
    return this.#body?.read(limitBytes) ?? Promise.resolve(new Uint8Array());
  }

  send(status: number, headers: Headers, body: Uint8Array | string): void {
    const response = this.#response;
    if (response === undefined) return;
    const isSending = this.#body?.isComplete === false;
    const head = headOf(status, headers, (isSending && !this.#discardsCheaply()) || this.#owner.isClosing);
    this.#body?.drop();
    if (this.method === 'HEAD' || status === 204 || status === 304) {
      response.cork(() => {
        response.writeStatus(head.text);
        if (head.isClosing) response.writeHeader('connection', 'close');
        if (this.method === 'HEAD') response.writeHeader('content-length', String(Buffer.byteLength(body)));
        response.endWithoutBody();
      });
      this.#end();
    } else if (body.length <= wholeBytes) {
      // Closing under a client that still sends would reset the connection: that one is only told.
      if (this.#isNew) sendWhole(response, head, body, isSending);
      else response.cork(() => sendWhole(response, head, body, isSending));
      this.#end();
    } else this.#sendInPieces(response, head, typeof body === 'string' ? Buffer.from(body) : body);
  }

  /** Answers what must not be read any further, and closes at once. */
  refuse(status: number, { headers, body }: Refusal): void {
    const response = this.#response;
    if (response === undefined) return;
    const head = headOf(status, headers, true);
    this.#body?.drop();
    response.cork(() => {
      response.writeStatus(head.text);
      response.end(body, true);
    });
    this.#end();
  }

  start(status: number, headers: Headers): void {
    const response = this.#response;
    if (response === undefined) return;
    this.#head = headOf(status, headers, this.#owner.isClosing);
    this.#body?.drop();
    response.onWritable(() => {
      this.#caughtUp(response);
      return true;
    });
  }

  write(chunk: string): boolean {
    if (this.#response === undefined || this.#isEnding) return false;
    // What a reader who is behind cannot take stays with us, so that the end of the stream is known to be out.
    if (this.#isBehind) this.#waiting.push(chunk);
    else this.#writePiece(this.#response, chunk);
    return !this.#isBehind;
  }

  drained(): Promise<void> {
    if (!this.#isBehind || this.#response === undefined) return Promise.resolve();
    return new Promise((resolve) => {
      const earlier = this.#wake;
      this.#wake = () => {
        earlier?.();
        resolve();
      };
    });
  }

  end(): void {
    const response = this.#response;
    if (response === undefined) return;
    this.#isEnding = true;
    if (this.#isBehind) return;
    response.cork(() => {
      const isEmpty = this.#writeHead(response);
      if (isEmpty && this.method === 'HEAD') response.endWithoutBody();
      else response.end();
    });
    this.#end();
  }

  /** Says whether nothing was written before. */
  #writeHead(response: HttpResponse): boolean {
    const head = this.#head;
    if (head === undefined) return false;
    this.#head = undefined;
    response.writeStatus(head.text);
    if (head.isClosing) response.writeHeader('connection', 'close');
    return true;
  }

  #sendInPieces(response: HttpResponse, head: Head, body: Uint8Array): void {
    const pour = (): boolean => {
      let [isTaken, isDone] = [false, false];
      response.cork(() => {
        [isTaken, isDone] = response.tryEnd(body.subarray(response.getWriteOffset()), body.length);
      });
      if (isDone) this.#end();
      return isTaken;
    };
    response.onWritable(pour);
    response.cork(() => {
      response.writeStatus(head.text);
      if (head.isClosing) response.writeHeader('connection', 'close');
    });
    pour();
  }

  #writePiece(response: HttpResponse, chunk: string): void {
    response.cork(() => {
      this.#writeHead(response);
      this.#isBehind = !response.write(chunk);
    });
  }

  /** The socket takes bytes again. */
  #caughtUp(response: HttpResponse): void {
    // Flushes what uWebSockets.js has kept: with `onWritable` registered it does not do so itself.
    response.cork(() => undefined);
    this.#isBehind = false;
    for (let chunk; !this.#isBehind && (chunk = this.#waiting.shift()) !== undefined;)
      this.#writePiece(response, chunk);
    if (this.#isBehind) return;
    this.#wakeUp();
    if (this.#isEnding) this.end();
  }

  #wakeUp(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }

  #end(): void {
    this.#response = undefined;
    this.#owner.ended(this);
  }

  #lost(): void {
    if (this.#response === undefined) return;
    this.#response = undefined;
    this.#waiting.length = 0;
    this.#body?.lost();
    this.#wakeUp();
    this.#isGone = true;
    this.#onGone?.();
    this.#gone?.abort(gone());
    this.#owner.ended(this);
  }

  #discardsCheaply(): boolean {
    return Number(this.header('content-length') ?? Number.POSITIVE_INFINITY) <= discardBytes;
  }
}

function gone(): Error {
  return new Error('the client closed the connection');
}

interface Head {
  /** The connection ends with this answer. */
  readonly isClosing: boolean;
  /** Status and headers without the last line end. */
  readonly text: string | Uint8Array;
}

function sendWhole(response: HttpResponse, head: Head, body: Uint8Array | string, isSending: boolean): void {
  response.writeStatus(head.text);
  if (head.isClosing && isSending) response.writeHeader('connection', 'close');
  response.end(body, head.isClosing && !isSending);
}

/** Written by uWebSockets.js itself, or decided by us. */
const ownHeaders = new Set(['content-length', 'transfer-encoding', 'date', 'connection']);

/** Names that are written as they are (the program's own few, over and over), with their last value: many never have another one. */
const plain = new Map<string, string>();

/** Throws what `node:http` throws for names and values that cannot be written. */
function headOf(status: number, headers: Headers, isClosing: boolean): Head {
  let text = `${status} ${STATUS_CODES[status] ?? 'Unknown'}`;
  let closes = isClosing;
  let isAscii = true;
  for (const name in headers) {
    const value = headers[name];
    const last = plain.get(name);
    if (last !== value) {
      if (/[^\t -~]/.test(value)) {
        validateHeaderValue(name, value);
        isAscii = false;
      }
      if (last === undefined) {
        validateHeaderName(name);
        const key = name.toLowerCase();
        if (key === 'connection' && value.toLowerCase() === 'close') closes = true;
        if (ownHeaders.has(key)) continue;
      }
      if (isAscii && (last !== undefined || plain.size < 1000)) plain.set(name, value);
    }
    text += `\r\n${name}: ${value}`;
  }
  // Strings are written as UTF-8, headers are Latin-1.
  return { isClosing: closes, text: isAscii ? text : Buffer.from(text, 'latin1') };
}

/** As `node:http` says it: `127.0.0.1`, `::1`, `::ffff:127.0.0.1`. */
function addressText(bytes: ArrayBuffer): string {
  const octets = new Uint8Array(bytes);
  if (octets.length === 4) return octets.join('.');
  if (octets.length !== 16) return '';
  const groups = Array.from({ length: 8 }, (_, i) => ((octets[2 * i] << 8) | octets[2 * i + 1]).toString(16));
  return new SocketAddress({ address: groups.join(':'), family: 'ipv6' }).address;
}
