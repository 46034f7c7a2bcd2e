// A client that writes bytes and looks at bytes: for requests that no HTTP library would send.

import { connect, type Socket } from 'node:net';

/** No test waits longer for bytes that should be there in milliseconds. */
const patienceMs = 5_000;

export class RawClient {
  readonly socket: Socket;
  /** Everything received so far. */
  text = '';
  isClosed = false;
  readonly #watchers = new Set<() => void>();

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (piece: string) => {
      this.text += piece;
      this.#notify();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.isClosed = true;
      this.#notify();
    });
  }

  static connect(port: number, host = '127.0.0.1'): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host, noDelay: true, allowHalfOpen: true });
      socket.once('error', reject);
      socket.once('connect', () => resolve(new RawClient(socket)));
    });
  }

  /** Connects, sends, and returns everything up to the end of the connection. */
  static async exchange(port: number, data: string | Uint8Array): Promise<string> {
    const client = await RawClient.connect(port);
    void client.send(data);
    return client.end();
  }

  /** Connects, sends, and returns one answer: up to the end of the connection, or as long as the answer says it is. */
  static async answer(port: number, data: string | Uint8Array): Promise<string> {
    const client = await RawClient.connect(port);
    void client.send(data);
    await client.#wait(() => client.isClosed || client.socket.readableEnded || isWhole(client.text));
    client.destroy();
    return client.text;
  }

  /** Resolves when the bytes have left. */
  send(data: string | Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      this.socket.write(data, () => resolve());
    });
  }

  /** The text received, as soon as it has the pattern. */
  async until(pattern: string | RegExp): Promise<string> {
    const found = (): boolean => (typeof pattern === 'string' ? this.text.includes(pattern) : pattern.test(this.text));
    await this.#wait(() => found() || this.isClosed);
    if (!found()) throw new Error(`${String(pattern)} did not come, but: ${JSON.stringify(this.text.slice(0, 2000))}`);
    return this.text;
  }

  /** Everything received, when the other side has closed. */
  async end(): Promise<string> {
    this.socket.once('end', () => this.socket.end());
    await this.#wait(() => this.isClosed || this.socket.readableEnded);
    return this.text;
  }

  destroy(): void {
    this.socket.destroy();
  }

  async #wait(isDone: () => boolean): Promise<void> {
    const deadline = Date.now() + patienceMs;
    while (!isDone()) {
      const left = deadline - Date.now();
      if (left <= 0) throw new Error(`nothing more came: ${JSON.stringify(this.text.slice(0, 2000))}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(wake, left);
        const watchers = this.#watchers;
        function wake(): void {
          clearTimeout(timer);
          watchers.delete(wake);
          resolve();
        }
        watchers.add(wake);
      });
    }
  }

  #notify(): void {
    for (const watcher of this.#watchers) watcher();
  }
}

function isWhole(text: string): boolean {
  const end = text.indexOf('\r\n\r\n');
  const length = /\r\ncontent-length: (\d+)\r\n/i.exec(text.slice(0, end + 2))?.[1];
  return end >= 0 && length !== undefined && Buffer.byteLength(text.slice(end + 4)) >= Number(length);
}

/** `GET` or another method with these headers and this body (its length is added). */
export function rawRequest(line: string, headers: Readonly<Record<string, string>> = {}, body = ''): string {
  const length = body === '' ? {} : { 'content-length': String(Buffer.byteLength(body)) };
  const all = { host: '127.0.0.1', ...length, ...headers };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${line} HTTP/1.1\r\n${lines.join('')}\r\n${body}`;
}
