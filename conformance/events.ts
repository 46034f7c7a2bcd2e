// Server-sent events (WHATWG HTML §9.2.6) out of transfer chunks, with the chunk in which each event began and ended: some
// clients forget a half-read event, so the borders matter.

export interface ServerSentEvent {
  /** The `event:` field; `undefined` when there was none. */
  readonly name: string | undefined;
  /** The `data:` lines, joined by line feeds. */
  readonly data: string;
  /** Index of the chunk that held its first and its last byte. */
  readonly firstChunk: number;
  readonly lastChunk: number;
  /** False when the stream ended before the blank line that ends an event. */
  readonly terminated: boolean;
}

interface Pending {
  name: string | undefined;
  data: string[];
  readonly firstChunk: number;
}

/** `push(chunk)` returns the events that became complete, `end()` one that was cut off. */
export class EventParser {
  readonly #decoder = new TextDecoder('utf-8');
  #text = '';
  #chunk = -1;
  #textBegan = 0;
  #pending: Pending | undefined;

  push(bytes: Uint8Array): ServerSentEvent[] {
    this.#chunk += 1;
    if (this.#text === '') this.#textBegan = this.#chunk;
    this.#text += this.#decoder.decode(bytes, { stream: true });
    return this.#lines(false);
  }

  end(): ServerSentEvent[] {
    this.#text += this.#decoder.decode();
    const events = this.#lines(true);
    if (this.#text !== '') this.#field(this.#text);
    this.#text = '';
    const cut = this.#dispatch(false);
    return cut === undefined ? events : [...events, cut];
  }

  #lines(isEnd: boolean): ServerSentEvent[] {
    const events: ServerSentEvent[] = [];
    let from = 0;
    for (const match of this.#text.matchAll(/\r\n|\r|\n/g)) {
      // A carriage return at the very end may be the first half of CR LF.
      if (!isEnd && match[0] === '\r' && match.index === this.#text.length - 1) break;
      const line = this.#text.slice(from, match.index);
      from = match.index + match[0].length;
      if (line !== '') this.#field(line);
      else {
        const event = this.#dispatch(true);
        if (event !== undefined) events.push(event);
      }
      this.#textBegan = this.#chunk;
    }
    this.#text = this.#text.slice(from);
    return events;
  }

  #field(line: string): void {
    const colon = line.indexOf(':');
    if (colon === 0) return; // a comment
    const field = colon < 0 ? line : line.slice(0, colon);
    if (field !== 'data' && field !== 'event') return;
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    this.#pending ??= { name: undefined, data: [], firstChunk: this.#textBegan };
    if (field === 'data') this.#pending.data.push(value);
    else this.#pending.name = value;
  }

  /** An event without data is not an event. */
  #dispatch(terminated: boolean): ServerSentEvent | undefined {
    const pending = this.#pending;
    this.#pending = undefined;
    if (pending === undefined || pending.data.length === 0) return undefined;
    const { name, firstChunk } = pending;
    return { name, data: pending.data.join('\n'), firstChunk, lastChunk: this.#chunk, terminated };
  }
}
