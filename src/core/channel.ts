// The one bridge between a producer and a consumer: a bounded queue of values that ends, fails or is given up.

/**
 * `push` never waits: who pushes past `capacity` gets `false` and must decide (close, fail, drop the client). Values pushed
 * before `close` or `fail` are still delivered, in order. When the consumer stops early, `onAbandon` runs once.
 */
export class Channel<T> implements AsyncIterable<T> {
  readonly #capacity: number;
  readonly #values: T[] = [];
  readonly #onAbandon: () => void;
  #ended: { readonly error: unknown } | { readonly done: true } | undefined;
  #wake: (() => void) | undefined;
  #abandoned = false;

  constructor(capacity: number, onAbandon: () => void = () => undefined) {
    this.#capacity = capacity;
    this.#onAbandon = onAbandon;
  }

  push(value: T): boolean {
    if (this.#ended !== undefined || this.#abandoned || this.#values.length >= this.#capacity) return false;
    this.#values.push(value);
    this.#notify();
    return true;
  }

  close(): void {
    this.#ended ??= { done: true };
    this.#notify();
  }

  fail(error: unknown): void {
    this.#ended ??= { error };
    this.#notify();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    let finished = false;
    try {
      for (;;) {
        const value = this.#values.shift();
        if (value !== undefined) {
          yield value;
          continue;
        }
        if (this.#ended !== undefined) {
          finished = true;
          if ('error' in this.#ended) throw this.#ended.error;
          return;
        }
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    } finally {
      if (!finished && !this.#abandoned) {
        this.#abandoned = true;
        this.#values.length = 0;
        this.#onAbandon();
      }
    }
  }

  #notify(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.();
  }
}
