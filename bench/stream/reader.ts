// The handle on the thread that listens.

import { Worker } from 'node:worker_threads';
import type { Arrivals, Listening } from './listening.ts';

interface Heard {
  readonly arrivals?: Arrivals;
  readonly isUrgent?: boolean;
  readonly error?: string;
}

export class Reader {
  /** Whether it may go before those who compute. */
  isUrgent = false;
  readonly #worker = new Worker(new URL('./listening.js', import.meta.url));

  listen(wanted: Listening): Promise<Arrivals> {
    return new Promise((resolve, reject) => {
      this.#worker.once('message', (message: Heard) => {
        this.isUrgent = message.isUrgent ?? false;
        if (message.arrivals === undefined) reject(new Error(message.error));
        else resolve(message.arrivals);
      });
      this.#worker.postMessage(wanted);
    });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}
