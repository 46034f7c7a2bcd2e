// A small window that slides forward over a file: what a header parser needs, without ever holding the file.

import { decodeUtf8 } from '../core/utf8.ts';
import { CheckpointError } from './checkpoint.ts';

export interface ByteSource {
  /** For error messages. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  /** Reads into `target` from byte `position`; the number of bytes read, 0 at the end. */
  read(target: Uint8Array, position: number): Promise<number>;
}

const firstChunk = 64 * 1024;
const largestChunk = 4 * 1024 * 1024;
/** Headers of large vocabularies have some 10 MB. This bounds all text that a header can make us keep. */
const maxHeaderBytes = 128 * 1024 * 1024;

/**
 * `ensure(n)` makes the next n bytes present (awaited only when it is not already so); the getters then consume them. The buffer
 * is reused: it grows to the largest `ensure` or 4 MiB, whichever is more. The file's end is a `CheckpointError`.
 */
export class ByteWindow {
  readonly #source: ByteSource;
  #bytes = Buffer.alloc(0);
  #view = new DataView(new ArrayBuffer(0));
  /** Read position and end of data inside the buffer. */
  #at = 0;
  #end = 0;
  /** Absolute position of the buffer's first byte. */
  #base = 0;
  #chunk = firstChunk;

  constructor(source: ByteSource) {
    this.#source = source;
  }

  get position(): number {
    return this.#base + this.#at;
  }

  get remaining(): number {
    return this.#source.size - this.position;
  }

  has(bytes: number): boolean {
    return this.#end - this.#at >= bytes;
  }

  async ensure(bytes: number): Promise<void> {
    if (this.has(bytes)) return;
    if (bytes > this.remaining) throw this.#cut();
    if (this.position + bytes > maxHeaderBytes) {
      throw new CheckpointError(
        `${this.#source.name} has a header of more than ${maxHeaderBytes} bytes: it is no model.`,
      );
    }
    this.#slide(Math.max(bytes, Math.min(this.#chunk, this.remaining)));
    this.#chunk = Math.min(this.#chunk * 2, largestChunk);
    while (!this.has(bytes)) {
      const read = await this.#source.read(this.#bytes.subarray(this.#end), this.#base + this.#end);
      // The file became shorter while it was read.
      if (read === 0) throw this.#cut();
      this.#end += read;
    }
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }
  i8(): number {
    return this.#view.getInt8(this.#take(1));
  }
  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }
  i16(): number {
    return this.#view.getInt16(this.#take(2), true);
  }
  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }
  i32(): number {
    return this.#view.getInt32(this.#take(4), true);
  }
  f32(): number {
    return this.#view.getFloat32(this.#take(4), true);
  }
  f64(): number {
    return this.#view.getFloat64(this.#take(8), true);
  }
  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }
  i64(): bigint {
    return this.#view.getBigInt64(this.#take(8), true);
  }

  /** An unsigned 64-bit number as a double; `undefined` from 2^53 on. */
  size(): number | undefined {
    const at = this.#take(8);
    const value = this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * 2 ** 32;
    return Number.isSafeInteger(value) ? value : undefined;
  }

  /** Invalid UTF-8 survives: see `decodeUtf8`. */
  text(bytes: number): string {
    const at = this.#take(bytes);
    return decodeUtf8(this.#bytes, at, at + bytes);
  }

  /** A string with its length before it, if all of it is present and it has at most `maxBytes`; else nothing happens. */
  presentString(maxBytes: number): string | undefined {
    if (!this.has(8)) return undefined;
    const length = this.size();
    if (length !== undefined && length <= maxBytes && this.has(length)) return this.text(length);
    this.#at -= 8;
    return undefined;
  }

  #take(bytes: number): number {
    const at = this.#at;
    this.#at += bytes;
    return at;
  }

  /** Moves what is unread to the front of a buffer of at least `capacity` bytes. */
  #slide(capacity: number): void {
    const unread = this.#bytes.subarray(this.#at, this.#end);
    if (this.#bytes.length < capacity) {
      const grown = new Uint8Array(capacity);
      grown.set(unread);
      this.#bytes = Buffer.from(grown.buffer);
      this.#view = new DataView(grown.buffer);
    } else this.#bytes.copyWithin(0, this.#at, this.#end);
    this.#base += this.#at;
    this.#end -= this.#at;
    this.#at = 0;
  }

  #cut(): CheckpointError {
    const { name, size } = this.#source;
    return new CheckpointError(
      `${name} ends after ${size} bytes, inside its header: the download was cut. Fetch the file again.`,
    );
  }
}
