// The output of the log: lines of one turn of the event loop leave in one go, since a system call for each costs more than the request that
// it speaks of. What is still here when the process ends is written then.

export class LineWriter {
  readonly #write: (text: string) => void;
  #text = '';

  constructor(write: (text: string) => void) {
    this.#write = write;
    process.once('exit', this.flush);
  }

  readonly line = (line: string): void => {
    if (this.#text === '') setImmediate(this.flush);
    this.#text += line;
    if (this.#text.length > mostWaiting) this.flush();
  };

  /** Before something else writes to the same place. */
  readonly flush = (): void => {
    const text = this.#text;
    this.#text = '';
    if (text !== '') this.#write(text);
  };

  /** There will be no more lines. */
  end(): void {
    this.flush();
    process.off('exit', this.flush);
  }
}

/** Characters. A turn of the event loop rarely has as many. */
const mostWaiting = 65_536;
