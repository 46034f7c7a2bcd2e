// The HTTP servers of one process: the API, and with --metrics-port a second one for operators alone. They begin and end together.

import type { Config } from './config.ts';
import type { Log } from './core/log.ts';
import type { Operation } from './core/operation.ts';
import { routes, type OperationId } from './generated/operations.ts';
import type { Keys } from './http/keys.ts';
import { NodeTransport } from './http/node.ts';
import { createServer, type DrainOptions, type HttpServer, type ServerParts } from './http/server.ts';
import type { Transport } from './http/transport.ts';
import { cannotListen } from './start-error.ts';

export interface Servers extends Pick<HttpServer, 'isStopping' | 'running' | 'drain' | 'close'> {
  /** Resolves with the addresses for people. Throws `StartError`. */
  listen(): Promise<Addresses>;
}

export interface Addresses {
  readonly url: string;
  /** Where there is a port of its own for them. */
  readonly metricsUrl: string | undefined;
}

export interface ServersOptions {
  readonly config: Config;
  /** Of the API; the second server has little to do and takes Node's own. */
  readonly transport: Transport;
  readonly pages: ServerParts['pages'];
  readonly operations: Readonly<Record<string, Operation>>;
  readonly keys: Keys | undefined;
  readonly onAnswered: ServerParts['onAnswered'];
  readonly log: Log;
}

/** What the second port serves, without a key: whoever reaches it is an operator. */
const forOperators: ReadonlySet<OperationId> = new Set(['getMetrics', 'getHealth', 'getReady', 'getVersion']);

export function createServers({
  config,
  transport,
  pages,
  operations,
  keys,
  onAnswered,
  log,
}: ServersOptions): Servers {
  const common = { operations, log, onAnswered };
  const api = createServer({
    ...common,
    routes,
    pages,
    transport,
    options: config,
    authenticate: keys && ((key) => keys.holder(key)),
  });
  const metrics =
    config.metricsPort === undefined
      ? undefined
      : createServer({
          ...common,
          routes: routes
            .filter(({ operationId }) => forOperators.has(operationId))
            .map((route) => ({ ...route, access: 'open' as const })),
          transport: new NodeTransport({ log }),
          options: { ...config, port: config.metricsPort },
        });
  return {
    get isStopping() {
      return api.isStopping;
    },
    get running() {
      return api.running;
    },
    async listen() {
      const { host, port, metricsPort } = config;
      const url = await listen(api, host, port);
      if (metrics === undefined || metricsPort === undefined) return { url, metricsUrl: undefined };
      try {
        return { url, metricsUrl: await listen(metrics, host, metricsPort) };
      } catch (error) {
        await api.close();
        throw error;
      }
    },
    async drain(options?: DrainOptions) {
      await api.drain(options);
      // To the last: what is asked there is whether the other one still has work.
      await metrics?.close();
    },
    async close() {
      await Promise.all([api.close(), metrics?.close()]);
    },
  };
}

async function listen(server: HttpServer, host: string, port: number): Promise<string> {
  try {
    const taken = await server.listen();
    const name = host === '0.0.0.0' || host === '::' ? 'localhost' : host;
    return `http://${name.includes(':') ? `[${name}]` : name}:${taken}`;
  } catch (error) {
    throw cannotListen(error, host, port);
  }
}
