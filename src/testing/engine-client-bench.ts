// A client with real engine processes: their entry is fake-engine.ts.

import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Test } from 'tap';
import { silentLog } from '../core/log.ts';
import type { FakeEngineScript } from './fake-engine-script.ts';
import { fakeRequest } from './fake-model.ts';
import {
  createEngineClient,
  type EngineClient,
  type EngineClientOptions,
  type EngineEvent,
  type EngineState,
} from '../engine/client.ts';
import type { LoadOptions } from '../engine/messages.ts';

export const entry = fileURLToPath(new URL('./fake-engine.js', import.meta.url));
export const never = new AbortController().signal;

/** A process that lives holds a connection to `server`; `ended` counts those that are over. */
export class Pulse {
  readonly server: Server;
  readonly sockets = new Set<Socket>();
  count = 0;

  constructor() {
    this.server = createServer((socket) => {
      this.count++;
      this.sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.sockets.delete(socket);
        this.server.emit('beatless');
      });
      socket.resume();
    });
  }

  async listen(): Promise<number> {
    this.server.listen(0, '127.0.0.1');
    await once(this.server, 'listening');
    return (this.server.address() as AddressInfo).port;
  }

  /** Resolves when no process is left. */
  async silence(): Promise<void> {
    while (this.sockets.size > 0) await once(this.server, 'beatless');
  }
}

export interface Bench {
  readonly client: EngineClient;
  readonly pulse: Pulse;
  readonly states: EngineState[];
  readonly load: LoadOptions;
  readonly script: (script: Partial<FakeEngineScript>) => void;
  /** Resolves when the client is in this state. */
  readonly reaches: (state: EngineState) => Promise<void>;
  /** Resolves when the stats say so. */
  readonly counts: (running: number) => Promise<void>;
}

export async function bench(
  t: Test,
  changes: Partial<EngineClientOptions> = {},
  load: Partial<LoadOptions> = {},
): Promise<Bench> {
  const folder = mkdtempSync(join(tmpdir(), 'engine-'));
  const path = join(folder, 'script.json');
  const pulse = new Pulse();
  const port = await pulse.listen();
  const script = (script: Partial<FakeEngineScript>): void =>
    writeFileSync(path, JSON.stringify({ load: 'fine', forward: 'fine', pulse: port, ...script }));
  script({});
  const states: EngineState[] = [];
  const watchers = new Set<() => void>();
  const changed = (): void => {
    for (const wake of watchers) wake();
  };
  const until = (isSo: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const check = (): void => {
        if (!isSo()) return;
        watchers.delete(check);
        resolve();
      };
      watchers.add(check);
      check();
    });
  const client = createEngineClient({
    entry,
    log: silentLog,
    restart: { delayMs: 1, patienceMs: 60_000 },
    onState: (state) => {
      states.push(state);
      changed();
    },
    onStats: changed,
    ...changes,
  });
  t.teardown(async () => {
    await client.shutdown(0);
    await pulse.silence();
    pulse.server.close();
    rmSync(folder, { recursive: true });
  });
  return {
    client,
    pulse,
    states,
    script,
    load: {
      path,
      device: 'reference',
      kernels: 'auto',
      threads: 1,
      contextLength: undefined,
      kvCache: 'f32',
      maxSequences: 4,
      maxBatchTokens: 64,
      maxWaiting: 8,
      ...load,
    },
    reaches: (state) => until(() => client.state === state),
    counts: (running) => until(() => client.stats.running === running && client.stats.waiting === 0),
  };
}

export async function collect(
  events: AsyncIterable<EngineEvent>,
): Promise<{ tokens: number[]; cause: string | undefined }> {
  const tokens: number[] = [];
  let cause: string | undefined;
  for await (const event of events) {
    if (event.type === 'tokens') tokens.push(...event.ids);
    if (event.type === 'finished') cause = event.cause;
  }
  return { tokens, cause };
}

/** A request that lasts until something stops it. */
export const endless = fakeRequest([1, 2, 3], { maxTokens: 90_000 });

/** Submits it and waits until it has begun and for its first token. */
export async function running(client: EngineClient, id: string, signal = never): Promise<AsyncIterator<EngineEvent>> {
  const { events } = await client.submit(id, endless, signal);
  const iterator = events[Symbol.asyncIterator]();
  await iterator.next();
  await iterator.next();
  return iterator;
}

export async function drain(iterator: AsyncIterator<EngineEvent>): Promise<void> {
  while (!(await iterator.next()).done);
}
