// Tells a listener of changed stats, at most every 50 ms; the last state is always told.

import type { EngineStats } from './messages.ts';

const intervalMs = 50;

export class StatsReport {
  readonly #tell: (stats: EngineStats) => void;
  #told: EngineStats | undefined;
  #latest: EngineStats | undefined;
  #isResting = false;

  constructor(tell: (stats: EngineStats) => void) {
    this.#tell = tell;
  }

  update(stats: EngineStats): void {
    this.#latest = stats;
    if (!this.#isResting) this.#flush();
  }

  #flush(): void {
    const stats = this.#latest;
    if (stats === undefined || (this.#told !== undefined && isEqual(stats, this.#told))) return;
    this.#told = stats;
    this.#isResting = true;
    setTimeout(() => {
      this.#isResting = false;
      this.#flush();
    }, intervalMs).unref();
    this.#tell(stats);
  }
}

function isEqual(a: EngineStats, b: EngineStats): boolean {
  return (Object.keys(a) as (keyof EngineStats)[]).every((key) => a[key] === b[key]);
}
