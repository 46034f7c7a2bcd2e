// Tells a listener of changed stats and of passes, at most every 50 ms; the last state is always told.

import type { EngineStats } from './messages.ts';

const intervalMs = 50;
/** Passes that are not told yet; a model would have to be very small to reach it. */
const mostPasses = 256;

export class StatsReport {
  readonly #tell: (stats: EngineStats, passes: readonly number[]) => void;
  #told: EngineStats | undefined;
  #latest: EngineStats | undefined;
  #passes: number[] = [];
  #isResting = false;

  constructor(tell: (stats: EngineStats, passes: readonly number[]) => void) {
    this.#tell = tell;
  }

  update(stats: EngineStats): void {
    this.#latest = stats;
    if (!this.#isResting) this.#flush();
  }

  /** A pass of so many tokens begins. What it changed is told at once: some executors let nobody speak until it is over. */
  begin(tokens: number, stats: EngineStats): void {
    this.#latest = stats;
    this.#passes.push(tokens);
    const isNews = this.#told === undefined || !isEqual(stats, this.#told);
    if (isNews || !this.#isResting || this.#passes.length >= mostPasses) this.#flush();
  }

  #flush(): void {
    const stats = this.#latest;
    if (stats === undefined) return;
    if (this.#passes.length === 0 && this.#told !== undefined && isEqual(stats, this.#told)) return;
    const passes = this.#passes;
    this.#passes = [];
    this.#told = stats;
    this.#rest();
    this.#tell(stats, passes);
  }

  #rest(): void {
    if (this.#isResting) return;
    this.#isResting = true;
    setTimeout(() => {
      this.#isResting = false;
      this.#flush();
    }, intervalMs).unref();
  }
}

function isEqual(a: EngineStats, b: EngineStats): boolean {
  return (Object.keys(a) as (keyof EngineStats)[]).every((key) => a[key] === b[key]);
}
