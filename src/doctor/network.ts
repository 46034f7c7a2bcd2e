// Where the server would listen, by which HTTP implementation, and for whom.

import { createServer } from 'node:net';
import { loadKeys } from '../api-keys.ts';
import { chooseTransport } from '../choose-transport.ts';
import type { Config } from '../config.ts';
import { silentLog } from '../core/log.ts';
import { cannotListen } from '../start-error.ts';
import { isLoopback } from '../terminal.ts';
import { failed, type Check } from './check.ts';

export async function checkPort({ host, port, metricsPort }: Config): Promise<Check> {
  const ports = metricsPort === undefined ? [port] : [port, metricsPort];
  const facts = { host, port, metricsPort };
  for (const each of ports) {
    try {
      await tryPort(host, each);
    } catch (error) {
      return failed('port', cannotListen(error, host, each), facts);
    }
  }
  const free = ports.map((each) => (each === 0 ? 'any free port' : `port ${each} free`)).join(', ');
  return { name: 'port', status: 'ok', text: `${free} on ${host}`, facts };
}

/** Rejects with the system's error. */
async function tryPort(host: string, port: number): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host, port, exclusive: true }, resolve);
  });
  await new Promise((resolve) => server.close(resolve));
}

export async function checkTransport({ transport }: Config): Promise<Check> {
  try {
    const { title, reason } = await chooseTransport(transport, silentLog);
    return { name: 'transport', status: 'ok', text: `transport ${title}: ${reason}`, facts: { title, reason } };
  } catch (error) {
    return failed('transport', error, { transport });
  }
}

export async function checkKeys(config: Config): Promise<Check> {
  try {
    const count = loadKeys(config)?.size ?? 0;
    const facts = { keys: count };
    if (count > 0) return { name: 'keys', status: 'ok', text: `${count} ${count === 1 ? 'key' : 'keys'}`, facts };
    if (isLoopback(config.host)) {
      return { name: 'keys', status: 'ok', text: 'no keys; only this machine can reach the server', facts };
    }
    return {
      name: 'keys',
      status: 'warn',
      text: `no keys: everybody who can reach ${config.host} can use the server`,
      remedy: 'use --api-key-file PATH, or --host 127.0.0.1',
      facts,
    };
  } catch (error) {
    return failed('keys', error);
  }
}
