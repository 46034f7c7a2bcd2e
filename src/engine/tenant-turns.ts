// Whose turn it is: tenants take turns within a priority, each tenant's requests go in order of arrival. A tenant with a hundred
// requests in the queue then delays another's one request by one, not by a hundred.

import type { Sequence } from './sequence.ts';

export class TenantTurns {
  /** When a tenant was last served; those without anything waiting are forgotten, so that this is as bounded as the queue. */
  readonly #served = new Map<string, number>();
  #turn = 0;

  /** The one that goes next. `waiting`: in order of rank. It stays the same until it was served, or something new waits. */
  next(waiting: readonly Sequence[]): Sequence | undefined {
    let best: Sequence | undefined;
    for (const sequence of waiting) {
      if (best === undefined) best = sequence;
      if (sequence.options.priority !== best.options.priority) break;
      if (this.#lastTurn(sequence) < this.#lastTurn(best)) best = sequence;
    }
    return best;
  }

  served(sequence: Sequence, stillWaiting: readonly Sequence[]): void {
    this.#served.set(sequence.options.tenant, ++this.#turn);
    if (this.#served.size <= 2 * stillWaiting.length + 1) return;
    const present = new Set(stillWaiting.map(({ options }) => options.tenant));
    for (const tenant of this.#served.keys()) if (!present.has(tenant)) this.#served.delete(tenant);
  }

  #lastTurn({ options }: Sequence): number {
    return this.#served.get(options.tenant) ?? 0;
  }
}
