// Reads the answers of an HTTP/1.1 connection (RFC 9112 §§2-7) from bytes, keeping what a comfortable client hides: interim
// answers, the borders of transfer chunks, and whether the body ended as its framing promised.

/** Largest header block and body that are read; an answer beyond them is an error, not a memory problem. */
const maxHeadBytes = 256 * 1024;
const maxBodyBytes = 256 * 1024 * 1024;

export interface AnswerHead {
  readonly version: string;
  readonly status: number;
  readonly reason: string;
  /** Lower-case name -> value; repeated fields joined by `, `. */
  readonly headers: Readonly<Record<string, string>>;
}

export type AnswerPart =
  | { readonly type: 'interim'; readonly status: number }
  | { readonly type: 'head'; readonly head: AnswerHead }
  /** One transfer chunk; without chunked coding, whatever arrived together. */
  | { readonly type: 'chunk'; readonly bytes: Uint8Array }
  /** `complete`: the framing (length, last chunk, or close) was honoured. */
  | { readonly type: 'end'; readonly complete: boolean };

/** What the peer sent is not HTTP/1.x. */
export class MalformedAnswer extends Error {
  override readonly name = 'MalformedAnswer';
}

type State =
  | { readonly in: 'head' | 'chunk-size' | 'chunk-end' | 'trailer' | 'until-close' | 'done' }
  | { readonly in: 'length'; readonly left: number }
  | { readonly in: 'chunk'; readonly size: number };

/** One parser per answer; bytes that follow it are left in `rest()`. */
export class AnswerParser {
  readonly #isHead: boolean;
  #buffer: Buffer = Buffer.alloc(0);
  #state: State = { in: 'head' };
  #bodyBytes = 0;

  /** `method` of the request: an answer to HEAD has no body whatever its headers say. */
  constructor(method: string) {
    this.#isHead = method === 'HEAD';
  }

  push(bytes: Uint8Array): AnswerPart[] {
    this.#buffer = this.#buffer.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#buffer, bytes]);
    const parts: AnswerPart[] = [];
    while (this.#step(parts));
    return parts;
  }

  /** The peer closed its side. */
  end(): AnswerPart[] {
    const state = this.#state.in;
    this.#state = { in: 'done' };
    if (state === 'done') return [];
    if (state === 'head') throw new MalformedAnswer('the connection was closed before an answer');
    return [{ type: 'end', complete: state === 'until-close' }];
  }

  rest(): Buffer {
    return this.#buffer;
  }

  /** One step of the machine; false when more bytes are needed. */
  #step(parts: AnswerPart[]): boolean {
    const state = this.#state;
    switch (state.in) {
      case 'head':
        return this.#readHead(parts);
      case 'length':
        return this.#readLength(state.left, parts);
      case 'chunk-size':
        return this.#readChunkSize();
      case 'chunk':
        return this.#readChunk(state.size, parts);
      case 'chunk-end':
        return this.#readChunkEnd();
      case 'trailer':
        return this.#readTrailer(parts);
      case 'until-close':
        if (this.#buffer.length > 0) this.#give(this.#take(this.#buffer.length), parts);
        return false;
      case 'done':
        return false;
      default:
        return state satisfies never;
    }
  }

  #readHead(parts: AnswerPart[]): boolean {
    const end = this.#buffer.indexOf('\r\n\r\n');
    if (end < 0) {
      if (this.#buffer.length > maxHeadBytes) throw new MalformedAnswer(`more than ${maxHeadBytes} bytes of headers`);
      return false;
    }
    const head = parseHead(this.#take(end + 4).toString('latin1'));
    if (head.status < 200) {
      parts.push({ type: 'interim', status: head.status });
      return true;
    }
    parts.push({ type: 'head', head });
    if (this.#isHead || head.status === 204 || head.status === 304) return this.#finish(parts);
    // RFC 9112 §6.3: transfer coding overrides the length; neither means until close.
    const length = head.headers['content-length'];
    if (/\bchunked\s*$/i.test(head.headers['transfer-encoding'] ?? '')) this.#state = { in: 'chunk-size' };
    else if (length === undefined) this.#state = { in: 'until-close' };
    else if (!/^\d+$/.test(length)) throw new MalformedAnswer(`content-length is ${JSON.stringify(length)}`);
    else if (Number(length) === 0) return this.#finish(parts);
    else this.#state = { in: 'length', left: Number(length) };
    return true;
  }

  #readLength(left: number, parts: AnswerPart[]): boolean {
    const size = Math.min(left, this.#buffer.length);
    if (size === 0) return false;
    this.#give(this.#take(size), parts);
    if (size === left) return this.#finish(parts);
    this.#state = { in: 'length', left: left - size };
    return false;
  }

  #readChunkSize(): boolean {
    const line = this.#line();
    if (line === undefined) return false;
    const digits = /^([0-9a-f]{1,12})\s*(?:;.*)?$/i.exec(line)?.[1];
    if (digits === undefined) throw new MalformedAnswer(`chunk size is ${JSON.stringify(line.slice(0, 40))}`);
    const size = Number.parseInt(digits, 16);
    if (size > maxBodyBytes) throw new MalformedAnswer(`a chunk of ${size} bytes`);
    this.#state = size === 0 ? { in: 'trailer' } : { in: 'chunk', size };
    return true;
  }

  #readChunk(size: number, parts: AnswerPart[]): boolean {
    if (this.#buffer.length < size) return false;
    // It is whole: some servers send its line end only with what follows.
    this.#give(this.#take(size), parts);
    this.#state = { in: 'chunk-end' };
    return true;
  }

  #readChunkEnd(): boolean {
    if (this.#buffer.length < 2) return false;
    if (this.#take(2).toString('latin1') !== '\r\n') throw new MalformedAnswer('a chunk is longer than its size');
    this.#state = { in: 'chunk-size' };
    return true;
  }

  #readTrailer(parts: AnswerPart[]): boolean {
    const line = this.#line();
    if (line === undefined) return false;
    return line === '' ? this.#finish(parts) : true;
  }

  #line(): string | undefined {
    const end = this.#buffer.indexOf('\r\n');
    if (end >= 0)
      return this.#take(end + 2)
        .toString('latin1')
        .slice(0, -2);
    if (this.#buffer.length > maxHeadBytes) throw new MalformedAnswer('a line without end');
    return undefined;
  }

  #take(size: number): Buffer {
    const taken = this.#buffer.subarray(0, size);
    this.#buffer = this.#buffer.subarray(size);
    return taken;
  }

  #give(bytes: Uint8Array, parts: AnswerPart[]): void {
    this.#bodyBytes += bytes.length;
    if (this.#bodyBytes > maxBodyBytes) throw new MalformedAnswer(`more than ${maxBodyBytes} bytes of body`);
    parts.push({ type: 'chunk', bytes });
  }

  #finish(parts: AnswerPart[]): false {
    parts.push({ type: 'end', complete: true });
    this.#state = { in: 'done' };
    return false;
  }
}

function parseHead(text: string): AnswerHead {
  const [first = '', ...lines] = text.slice(0, -4).split('\r\n');
  const status = /^HTTP\/(1\.[01]) (\d{3})(?: (.*))?$/.exec(first);
  if (status === null) throw new MalformedAnswer(`the answer begins with ${JSON.stringify(first.slice(0, 60))}`);
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const field = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(line);
    if (field === null) throw new MalformedAnswer(`header line ${JSON.stringify(line.slice(0, 60))}`);
    const name = (field[1] ?? '').toLowerCase();
    const value = field[2] ?? '';
    headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  return { version: status[1] ?? '', status: Number(status[2]), reason: status[3] ?? '', headers };
}
