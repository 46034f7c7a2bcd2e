// Where the server would listen, and by which HTTP implementation.

import { createServer } from 'node:net';
import { chooseTransport } from '../choose-transport.ts';
import type { Config } from '../config.ts';
import { silentLog } from '../core/log.ts';
import { cannotListen } from '../start-error.ts';
import { failed, type Check } from './check.ts';

export async function checkPort({ host, port }: Config): Promise<Check> {
  const facts = { host, port };
  try {
    await tryPort(host, port);
    const text = port === 0 ? `any free port of ${host}` : `port ${port} free on ${host}`;
    return { name: 'port', status: 'ok', text, facts };
  } catch (error) {
    return failed('port', cannotListen(error, host, port), facts);
  }
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
