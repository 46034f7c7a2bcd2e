// Which HTTP implementation serves, and why, in words for the start-up screen.

import type { TransportChoice } from './config.ts';
import type { Log } from './core/log.ts';
import { NodeTransport } from './http/node.ts';
import type { Transport } from './http/transport.ts';
import { loadUws, UwsTransport, type LoadedUws } from './http/uws.ts';
import { StartError } from './start-error.ts';

export interface ChosenTransport {
  readonly transport: Transport;
  /** `uWebSockets.js` or `node:http`. */
  readonly title: string;
  readonly reason: string;
}

/** Throws `StartError` when uWebSockets.js is wanted and does not load. */
export async function chooseTransport(
  wanted: TransportChoice,
  log: Log,
  load: () => Promise<LoadedUws> = loadUws,
): Promise<ChosenTransport> {
  const node = (reason: string): ChosenTransport => ({
    transport: new NodeTransport({ log }),
    title: 'node:http',
    reason,
  });
  if (wanted === 'http') return node('--transport http');
  const uws = await load();
  if (uws.module !== undefined) {
    const reason = wanted === 'uws' ? '--transport uws' : 'it loads here (--transport auto)';
    return { transport: new UwsTransport(uws.module), title: 'uWebSockets.js', reason };
  }
  if (wanted === 'auto') return node(uws.reason);
  throw new StartError(uws.reason, {
    remedy: "use Node's own HTTP server: --transport http      or install what fits this machine: npm install",
  });
}
