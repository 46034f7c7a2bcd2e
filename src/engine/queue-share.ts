// Who may join the queue: a full queue is full for those who hold their share of it. One tenant alone may fill it; whoever comes then, with
// fewer waiting than the queue divided by the tenants present, still gets a place. So the queue may grow, to twice its bound at most, by
// those who did not fill it, and nobody is sent away because of somebody else's requests.

export interface QueueState {
  /** Tenants of those that wait, the newcomer's among them: one entry each. */
  readonly waiting: readonly string[];
  /** Of those that are being served. */
  readonly running: readonly string[];
  readonly newcomer: string;
  /** The bound of the queue. */
  readonly limit: number;
}

export function mayQueue({ waiting, running, newcomer, limit }: QueueState): boolean {
  if (waiting.length <= limit) return true;
  const tenants = new Set([...waiting, ...running]).size;
  if (tenants === 1 || waiting.length > 2 * limit) return false;
  const own = waiting.filter((tenant) => tenant === newcomer).length;
  return own <= Math.max(1, Math.floor(limit / tenants));
}
