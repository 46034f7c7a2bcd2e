// Something that can be called off: many waits, one abort, and an `AbortSignal` only for those who ask for one (making one and listening to it
// costs more than the rest of a small request).

export class Abortable {
  #reason: Error | undefined;
  #controller: AbortController | undefined;
  readonly #waiting = new Set<(reason: Error) => void>();

  /** Why it was called off, if it was. */
  get reason(): Error | undefined {
    return this.#reason;
  }

  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#reason !== undefined) this.#controller.abort(this.#reason);
    }
    return this.#controller.signal;
  }

  /** The first reason counts. */
  abort(reason: Error): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    for (const reject of this.#waiting) reject(reason);
    this.#waiting.clear();
    this.#controller?.abort(reason);
  }

  /** The promise, or the reason as soon as there is one. What the promise comes to then concerns nobody. */
  wait<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#reason === undefined) this.#waiting.add(reject);
      else reject(this.#reason);
      void promise.then(resolve, reject).then(() => this.#waiting.delete(reject));
    });
  }
}
