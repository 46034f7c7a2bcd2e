// The body of one request of uWebSockets.js. Its chunks must be taken from the first moment on, and copied: they are lost otherwise.

import type { HttpResponse } from 'uWebSockets.js';
import { BodyError } from './transport.ts';

/** So much is kept before anybody has asked for the body; then the socket is paused. */
const unaskedBytes = 65_536;

/**
 * uWebSockets.js cuts who sends less than 160 kB in 10 s. Within so much time in all (as with `node:http`) slow senders are spared, as long as
 * something comes every few seconds.
 */
const patienceMs = 300_000;
const renewMs = 2_000;

/** Where the body goes. */
type Reader =
  | { readonly type: 'nobody' }
  | { readonly type: 'waiting'; readonly limit: number; resolve(body: Uint8Array): void; reject(error: Error): void }
  | { readonly type: 'done' };

export class UwsBody {
  readonly #response: HttpResponse;
  readonly #length: number;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #isComplete = false;
  #isPaused = false;
  readonly #startedAt = performance.now();
  #renewedAt = this.#startedAt;
  #reader: Reader = { type: 'nobody' };

  /** `length`: as the request declares it; `NaN` for a body in chunks. */
  constructor(response: HttpResponse, length: number) {
    this.#response = response;
    this.#length = length;
    response.onData((chunk, isLast) => this.#take(chunk, isLast));
  }

  get isComplete(): boolean {
    return this.#isComplete;
  }

  read(limitBytes: number): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      this.#reader = { type: 'waiting', limit: limitBytes, resolve, reject };
      if (this.#length > limitBytes || this.#bytes > limitBytes) this.#fail('too_large');
      else if (this.#isComplete) this.#succeed();
      else this.#resume();
    });
  }

  /** Nobody wants the rest: it is dropped as it comes, so that the answer reaches a client that still sends. */
  drop(): void {
    if (this.#reader.type === 'waiting') this.#fail('aborted');
    this.#finish();
    this.#resume();
  }

  /** The socket went away. */
  lost(): void {
    this.#isPaused = false;
    if (this.#reader.type === 'waiting') this.#fail('aborted');
    this.#finish();
  }

  #take(chunk: ArrayBuffer, isLast: boolean): void {
    this.#isComplete = isLast;
    const reader = this.#reader;
    if (reader.type === 'done') return;
    if (!isLast) this.#renew();
    if (chunk.byteLength > 0) {
      this.#bytes += chunk.byteLength;
      if (reader.type === 'waiting' && this.#bytes > reader.limit) {
        this.#fail('too_large');
        return;
      }
      this.#chunks.push(Buffer.from(new Uint8Array(chunk)));
    }
    if (reader.type === 'waiting') {
      if (isLast) this.#succeed();
    } else if (!isLast && !this.#isPaused && this.#bytes > unaskedBytes) {
      this.#isPaused = true;
      this.#response.pause();
    }
  }

  #renew(): void {
    const now = performance.now();
    if (this.#isPaused || now - this.#renewedAt < renewMs || now - this.#startedAt > patienceMs) return;
    this.#renewedAt = now;
    // Resuming starts the 10 s anew.
    this.#response.pause();
    this.#response.resume();
  }

  #succeed(): void {
    if (this.#reader.type !== 'waiting') return;
    const [first = Buffer.alloc(0)] = this.#chunks;
    this.#reader.resolve(this.#chunks.length <= 1 ? first : Buffer.concat(this.#chunks, this.#bytes));
    this.#finish();
  }

  #fail(reason: BodyError['reason']): void {
    if (this.#reader.type === 'waiting') this.#reader.reject(new BodyError(reason));
    this.#finish();
  }

  #finish(): void {
    this.#reader = { type: 'done' };
    this.#chunks = [];
  }

  #resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.#response.resume();
  }
}
