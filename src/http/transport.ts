// Bytes in, bytes out: what the server needs of an HTTP implementation. One suite (`transport-*.test.ts`) holds for all of them.

export interface ListenOptions {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** Largest header block; beyond it 431. */
  readonly maxHeaderBytes: number;
  /** Answers what never becomes an exchange (broken request line, headers too large): a status -> headers and JSON body. */
  readonly refuse: (status: number) => Refusal;
}

export interface Refusal {
  readonly headers: Headers;
  readonly body: string;
}

export interface Transport {
  readonly name: string;
  /** Resolves with the port in use; rejects with the system's error (EADDRINUSE, EACCES, ...). */
  listen(options: ListenOptions, handle: (exchange: Exchange) => void): Promise<number>;
  /** Takes no new connections; resolves when every exchange has ended and the idle connections are closed. */
  drain(): Promise<void>;
  /** Ends everything at once. */
  close(): Promise<void>;
}

export type Headers = Readonly<Record<string, string>>;

/** The body grew beyond the limit, or the caller went away before it was complete. */
export class BodyError extends Error {
  override readonly name = 'BodyError';
  readonly reason: 'too_large' | 'aborted';
  constructor(reason: 'too_large' | 'aborted') {
    super(reason);
    this.reason = reason;
  }
}

/** One request and its answer. Exactly one of `send` or `start ... end` is called. */
export interface Exchange {
  readonly method: string;
  /** Raw path without the query, not percent-decoded. */
  readonly path: string;
  /** Raw query without `?`; empty if none. */
  readonly query: string;
  readonly remoteAddress: string;
  /** Header by lower-case name; repeated ones joined by a comma. */
  header(name: string): string | undefined;
  /** The whole body; rejects with `BodyError`. May be called once. */
  body(limitBytes: number): Promise<Uint8Array>;
  /** The socket went away before the answer was complete. */
  readonly isGone: boolean;
  /** Calls the one listener when that happens; at once if it has happened. */
  onGone(listener: () => void): void;
  /** Aborted when that happens; made when it is first asked for. */
  readonly signal: AbortSignal;
  /** The whole answer at once. Does nothing after the socket went away. */
  send(status: number, headers: Headers, body: Uint8Array | string): void;
  /** Begins a streamed answer: headers leave at once, or with the first piece. */
  start(status: number, headers: Headers): void;
  /** One piece, written in one go; `false` when the reader is behind: wait for `drained()`. */
  write(chunk: string): boolean;
  /** Resolves when the reader has caught up, or the socket went away. */
  drained(): Promise<void>;
  end(): void;
}
