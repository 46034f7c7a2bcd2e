// Barks when something that should move has not moved for a while. Counts its own ticks instead of reading a clock: after the machine, or
// this process alone, was asleep there is one late tick, and everything that happened meanwhile is heard before the next.

const ticks = 4;

export interface WatchdogOptions {
  /** Silence that is too long; the bark comes at most a quarter later. */
  readonly ms: number;
  /** Whether anything is expected to move. */
  readonly isExpected: () => boolean;
  readonly onStuck: () => void;
}

export class Watchdog {
  readonly #timer: NodeJS.Timeout;
  #silent = 0;

  constructor({ ms, isExpected, onStuck }: WatchdogOptions) {
    this.#timer = setInterval(() => {
      if (!isExpected()) this.#silent = 0;
      else if (this.#silent++ >= ticks) {
        this.#silent = 0;
        onStuck();
      }
    }, ms / ticks);
    this.#timer.unref();
  }

  /** It moves. */
  heard(): void {
    this.#silent = 0;
  }

  stop(): void {
    clearInterval(this.#timer);
  }
}
