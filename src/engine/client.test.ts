// The client with real processes: their entry is testing/fake-engine.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { ApiError } from '../core/errors.ts';
import { silentLog, type Log } from '../core/log.ts';
import { crashId, fakeContextLength, type FakeEngineScript } from '../testing/fake-engine-script.ts';
import { expectedTokens, fakeRequest } from '../testing/fake-model.ts';
import {
  createEngineClient,
  type Accepted,
  type EngineClient,
  type EngineClientOptions,
  type EngineEvent,
  type EngineState,
} from './client.ts';
import type { LoadOptions, SubmitOptions } from './messages.ts';
import type { EngineMeter } from './meter.ts';

const entry = fileURLToPath(new URL('../testing/fake-engine.js', import.meta.url));
const never = new AbortController().signal;

/** A process that lives holds a connection to `server`; `ended` counts those that are over. */
class Pulse {
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

interface Bench {
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

async function bench(
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

async function collect(events: AsyncIterable<EngineEvent>): Promise<{ tokens: number[]; cause: string | undefined }> {
  const tokens: number[] = [];
  let cause: string | undefined;
  for await (const event of events) {
    if (event.type === 'tokens') tokens.push(...event.ids);
    if (event.type === 'finished') cause = event.cause;
  }
  return { tokens, cause };
}

/** A request that lasts until something stops it. */
const endless = fakeRequest([1, 2, 3], { maxTokens: 90_000 });

/** Submits it and waits until it has begun and for its first token. */
async function running(client: EngineClient, id: string, signal = never): Promise<AsyncIterator<EngineEvent>> {
  const { events } = await client.submit(id, endless, signal);
  const iterator = events[Symbol.asyncIterator]();
  await iterator.next();
  await iterator.next();
  return iterator;
}

async function drain(iterator: AsyncIterator<EngineEvent>): Promise<void> {
  while (!(await iterator.next()).done);
}

void t.test('requests go through a real process and come back whole', async (t) => {
  const lines: string[] = [];
  const log: Log = {
    ...silentLog,
    info: (line) => lines.push(line),
    warn: (line) => lines.push(line),
    with: () => log,
  };
  const progress: number[] = [];
  const { client, states, load, counts } = await bench(t, { log, onProgress: ({ done }) => progress.push(done) });
  t.equal(client.state, 'stopped');
  const model = await client.start(load);
  t.equal(model.architecture, 'fake');
  t.equal(client.model, model);
  t.same(progress, [1]);
  const requests = Array.from({ length: 6 }, (_, i) => fakeRequest([i, 4, 5], { maxTokens: 20 + i }));
  const answers = await Promise.all(
    requests.map(async (request, i) => collect((await client.submit(`r${i}`, request, never)).events)),
  );
  t.same(
    answers,
    requests.map((request) => ({ tokens: expectedTokens(request, fakeContextLength), cause: 'length' })),
  );
  await counts(0);
  t.equal(client.stats.blocksUsed, 0);
  t.ok(client.stats.blocksTotal > 0);
  await client.shutdown(10_000);
  t.same(states, ['loading', 'ready', 'stopped']);
  t.same(lines.sort(), ['said on stderr', 'said on stdout'], 'the output of the process is in the log');
  await t.rejects(client.submit('late', requests[0], never), { kind: 'unavailable', code: 'engine_stopped' });
});

void t.test('a rejection is thrown by submit, and the process lives on', async (t) => {
  const { client, load } = await bench(t, {}, { maxSequences: 1, maxWaiting: 1 });
  await t.rejects(client.submit('early', endless, never), { code: 'engine_stopped' });
  await client.start(load);
  await t.rejects(client.submit('empty', fakeRequest([]), never), { kind: 'invalid_request', code: 'empty_prompt' });
  const controller = new AbortController();
  await running(client, 'a', controller.signal);
  await client.submit('b', endless, controller.signal);
  const full = client.submit('c', endless, never);
  await t.rejects(full, { kind: 'rate_limit', code: 'queue_full', retryAfterSeconds: Number });
  await t.rejects(full, ApiError);
  controller.abort();
  const small = fakeRequest([9]);
  const { tokens } = await collect((await client.submit('d', small, never)).events);
  t.same(tokens, expectedTokens(small, fakeContextLength));
});

void t.test('an abort ends the stream with the reason of the signal, and the engine stops working on it', async (t) => {
  const { client, load, counts } = await bench(t);
  await client.start(load);
  const controller = new AbortController();
  const stream = await running(client, 'a', controller.signal);
  await counts(1);
  controller.abort(new Error('the caller is gone'));
  await t.rejects(drain(stream), /the caller is gone/);
  await counts(0);
  t.equal(client.stats.blocksUsed, 0);
  await t.rejects(client.submit('b', endless, controller.signal), /the caller is gone/, 'also before it was sent');

  const other = new AbortController();
  const submission = client.submit('c', endless, other.signal);
  other.abort(new Error('gone again'));
  await t.rejects(submission, /gone again/, 'also before it was accepted');
  await counts(0);
});

void t.test('who stops reading has cancelled', async (t) => {
  const { client, load, counts } = await bench(t);
  await client.start(load);
  const { events } = await client.submit('a', endless, never);
  for await (const event of events) {
    if (event.type === 'tokens') break;
  }
  await counts(0);
  t.equal(client.stats.blocksUsed, 0);
});

/** Notes what it hears. */
function recordingMeter(): EngineMeter & { readonly heard: string[]; readonly passes: number[] } {
  const heard: string[] = [];
  const passes: number[] = [];
  let sequences = 0;
  return {
    heard,
    passes,
    pass: (tokens) => passes.push(tokens),
    stats: () => undefined,
    sequence: ({ promptTokens, maxTokens, submittedAt }) => {
      const number = ++sequences;
      let generated = 0;
      heard.push(`${number}: ${promptTokens} of at most ${maxTokens}, ${submittedAt <= performance.now()}`);
      return {
        tokens: (count, timing) => {
          if (generated === 0) heard.push(`${number}: timing ${timing !== undefined}`);
          generated += count;
        },
        ended: (outcome) => heard.push(`${number}: ${outcome}${outcome === 'length' ? ` after ${generated}` : ''}`),
      };
    },
  };
}

void t.test('a meter hears how each request went, and every pass', async (t) => {
  const meter = recordingMeter();
  const { client, load, counts } = await bench(t, { meter });
  await client.start(load);
  t.same((await collect((await client.submit('a', fakeRequest([1, 2, 3]), never)).events)).tokens.length, 8);
  // Told with the next stats, 50 ms later at most.
  await counts(0);
  for (let i = 0; i < 500 && meter.passes.length < 8; i++) await delay(20);
  t.same(meter.passes, [3, 1, 1, 1, 1, 1, 1, 1]);

  for await (const { type } of (await client.submit('b', endless, never)).events) if (type === 'tokens') break;
  const controller = new AbortController();
  const stream = await running(client, 'c', controller.signal);
  controller.abort(new Error('gone'));
  await t.rejects(drain(stream), /gone/);
  const last = await running(client, 'd');
  process.kill(client.pid as number, 'SIGKILL');
  await t.rejects(drain(last), { code: 'engine_crashed' });
  await t.rejects(client.submit('e', fakeRequest([]), never), { name: 'ApiError', kind: 'invalid_request' });
  t.same(meter.heard, [
    '1: 3 of at most 8, true',
    '1: timing true',
    '1: length after 8',
    ...['stop', 'abort', 'error'].flatMap((outcome, i) => [
      `${i + 2}: 3 of at most 90000, true`,
      `${i + 2}: timing true`,
      `${i + 2}: ${outcome}`,
    ]),
  ]);
});

void t.test('numbers stay right while a pass lets nobody speak', async (t) => {
  const { client, load, script, counts } = await bench(t);
  script({ forward: 'stuck' });
  await client.start(load);
  const { events } = await client.submit('a', endless, never);
  const { running, waiting } = client.stats;
  t.equal(client.unanswered + running + waiting, 1, 'an answer may come before the numbers that it changes');
  await counts(1);
  t.equal(client.unanswered, 0);
  const controller = new AbortController();
  const second = client.submit('b', endless, controller.signal);
  t.match(client, { unanswered: 1, stats: { running: 1, waiting: 0, blocksUsed: 1 } });
  controller.abort(new Error('gone'));
  await t.rejects(second, /gone/);
  t.equal(client.unanswered, 0);
  await client.shutdown(0);
  await t.rejects(collect(events));
});

void t.test(
  'SIGKILL in mid-stream: that stream fails, what only waited is run by the next process, in order, and so are newcomers',
  async (t) => {
    const { client, load, states, pulse, counts } = await bench(t, {}, { maxSequences: 1 });
    await client.start(load);
    const first = client.pid as number;
    const stream = await running(client, 'a');
    const small = (salt: number): SubmitOptions => fakeRequest([7, 8, salt], { maxTokens: 20 });
    const ended: string[] = [];
    const answer = async (id: string, accepted: Promise<Accepted>): Promise<number[]> => {
      const { tokens } = await collect((await accepted).events);
      ended.push(id);
      return tokens;
    };
    const queued = await client.submit('b', small(1), never);
    // A stopped process answers nothing: this submission is neither accepted nor rejected.
    process.kill(first, 'SIGSTOP');
    const unheard = client.submit('c', small(2), never);
    const aborted = new AbortController();
    const gone = client.submit('d', small(3), aborted.signal);
    process.kill(first, 'SIGKILL');
    await t.rejects(drain(stream), { kind: 'unavailable', code: 'engine_crashed', retryAfterSeconds: 1 });
    t.equal(client.state, 'restarting');
    aborted.abort(new Error('gone while it waited'));
    await t.rejects(gone, /gone while it waited/);
    const answers = await Promise.all([
      answer('b', Promise.resolve(queued)),
      answer('c', unheard),
      answer('e', client.submit('e', small(4), never)),
    ]);
    t.same(
      answers,
      [1, 2, 4].map((salt) => expectedTokens(small(salt), fakeContextLength)),
    );
    t.same(ended, ['b', 'c', 'e']);
    t.not(client.pid, first);
    t.equal(client.restarts, 1);
    t.same(states, ['loading', 'ready', 'restarting', 'ready']);
    t.equal(pulse.count, 2);
    await counts(0);
  },
);

void t.test('what waits is told when no new process is there in time, or never will be', async (t) => {
  for (const [load, restart, code] of [
    ['never', { patienceMs: 1 }, 'engine_restarting'],
    ['crash', { attempts: 2, delayMs: 1, patienceMs: 60_000 }, 'engine_failed'],
  ] as const) {
    const { client, load: options, script } = await bench(t, { restart }, { maxSequences: 1 });
    await client.start(options);
    const stream = await running(client, 'a');
    const queued = await client.submit('b', fakeRequest([1]), never);
    script({ load });
    process.kill(client.pid as number, 'SIGKILL');
    await t.rejects(drain(stream), { code: 'engine_crashed' });
    await t.rejects(collect(queued.events), { kind: 'unavailable', code });
  }
});

void t.test('what waits through one crash after the other is given up: it may be their reason', async (t) => {
  const { client, load, script, reaches } = await bench(t, { restart: { attempts: 5, delayMs: 1 } });
  await client.start(load);
  script({ forward: 'deaf' });
  process.kill(client.pid as number, 'SIGKILL');
  await reaches('restarting');
  await reaches('ready');
  const request = client.submit('a', fakeRequest([1]), never);
  await t.rejects(request, { kind: 'unavailable', code: 'engine_crashed' });
  t.equal(client.restarts, 2, 'the second process that died with it was the last');
});

void t.test('an engine that ends no pass is killed, and what waited is run by the next one', async (t) => {
  const errors: string[] = [];
  const log: Log = { ...silentLog, error: (line) => errors.push(line), with: () => log };
  const { client, load, script } = await bench(
    t,
    { log, restart: { stuckMs: 400, patienceMs: 60_000 } },
    { maxSequences: 1 },
  );
  const request = fakeRequest([4, 5]);
  script({ forward: 'stuck' });
  await client.start(load);
  script({});
  const stuck = await client.submit('a', endless, never);
  const queued = await client.submit('b', request, never);
  await t.rejects(collect(stuck.events), { kind: 'unavailable', code: 'engine_crashed' });
  t.same((await collect(queued.events)).tokens, expectedTokens(request, fakeContextLength));
  t.match(errors[0], /stuck/);
  t.equal(client.restarts, 1);
});

void t.test('an engine that works, or has nothing to do, is left in peace', async (t) => {
  const { client, load, counts } = await bench(t, { restart: { stuckMs: 200 } });
  await client.start(load);
  const from = performance.now();
  // Long enough to be barked at, if passes were not heard.
  while (performance.now() - from < 700)
    await collect((await client.submit('a', fakeRequest([1], { maxTokens: 2000 }), never)).events);
  await counts(0);
  await new Promise((resolve) => {
    setTimeout(resolve, 500);
  });
  t.equal(client.restarts, 0);
});

void t.test('choices come with their numbers, and can be ended one by one', async (t) => {
  const { client, load, counts } = await bench(t);
  await client.start(load);
  const sampling = { temperature: 1, topP: 1, topK: 0, minP: 0, seed: 3 };
  const request = fakeRequest([1, 2], { choices: 3, maxTokens: 2000, sampling });
  const { events, cancel } = await client.submit('a', request, never);
  const tokens: number[][] = [[], [], []];
  const ended: number[] = [];
  for await (const event of events) {
    if (event.type === 'finished') ended.push(event.choice);
    if (event.type !== 'tokens') continue;
    tokens[event.choice].push(...event.ids);
    if (event.choice === 1 && tokens[1].length === 5) cancel(1);
  }
  t.same(tokens[0], expectedTokens(request, fakeContextLength, 0));
  t.same(tokens[2], expectedTokens(request, fakeContextLength, 2));
  t.same(tokens[1], expectedTokens(request, fakeContextLength, 1).slice(0, tokens[1].length));
  t.ok(tokens[1].length < 2000, 'nothing is written after the end, though some may have been on the way');
  t.same(ended, [0, 2]);
  await counts(0);

  const others = await client.submit('b', { ...request, maxTokens: 90_000 }, never);
  for await (const event of others.events) {
    if (event.type !== 'tokens') continue;
    for (const choice of [0, 1, 2]) others.cancel(choice);
  }
  await counts(0);
  t.equal(client.stats.blocksUsed, 0, 'the end of the last choice is the end of the request');
});

void t.test('an exception in the engine is logged and survived', async (t) => {
  let heard: (() => void) | undefined;
  const trace = new Promise<void>((resolve) => {
    heard = resolve;
  });
  const warn = (line: string): void => {
    if (line.includes('the fake model crashed')) heard?.();
  };
  const log: Log = { ...silentLog, warn, with: () => log };
  const { client, load } = await bench(t, { log });
  await client.start(load);
  const { events } = await client.submit('a', fakeRequest([crashId]), never);
  await t.rejects(collect(events), { code: 'engine_crashed' });
  await trace;
  const { cause } = await collect((await client.submit('b', fakeRequest([1]), never)).events);
  t.equal(cause, 'length');
});

void t.test('attempts to restart are bounded, and a submission that waits for them hears of the end', async (t) => {
  const { client, load, script, reaches, states, pulse } = await bench(t, {
    restart: { attempts: 3, delayMs: 1, patienceMs: 60_000 },
  });
  await client.start(load);
  script({ load: 'crash' });
  process.kill(client.pid as number, 'SIGKILL');
  await reaches('restarting');
  const waiting = client.submit('a', endless, never);
  await t.rejects(waiting, { kind: 'unavailable', code: 'engine_failed', retryAfterSeconds: 60 });
  t.equal(client.state, 'failed');
  t.same(states, ['loading', 'ready', 'restarting', 'failed']);
  t.equal(pulse.count, 4, 'one process and three attempts');
});

void t.test('a submission waits for a restart only so long', async (t) => {
  const { client, load, script, reaches } = await bench(t, { restart: { patienceMs: 1 } });
  await client.start(load);
  script({ load: 'never' });
  process.kill(client.pid as number, 'SIGKILL');
  await reaches('restarting');
  await t.rejects(client.submit('a', endless, never), { code: 'engine_restarting', retryAfterSeconds: 2 });
});

void t.test('submissions that wait for a restart are bounded, and can be aborted', async (t) => {
  const { client, load, script, reaches } = await bench(t, {}, { maxWaiting: 1 });
  await client.start(load);
  script({ load: 'never' });
  process.kill(client.pid as number, 'SIGKILL');
  await reaches('restarting');
  const controller = new AbortController();
  const aborted = client.submit('b', endless, controller.signal);
  await t.rejects(client.submit('c', endless, never), { code: 'engine_restarting' });
  controller.abort(new Error('enough'));
  await t.rejects(aborted, /enough/);
});

void t.test('a model that cannot be loaded says why, once', async (t) => {
  const { client, load, script, states, pulse } = await bench(t);
  script({ load: 'unloadable' });
  await t.rejects(client.start(load), { message: 'the fake model cannot be loaded' });
  t.same(states, ['loading', 'failed']);
  await t.rejects(client.submit('a', endless, never), { code: 'engine_failed' });
  t.equal(pulse.count, 1);
});

void t.test('a process that dies while loading, or cannot be started, fails the start', async (t) => {
  const crashing = await bench(t);
  crashing.script({ load: 'crash' });
  await t.rejects(crashing.client.start(crashing.load), /died while it loaded the model: it exited with code 3/);
  t.equal(crashing.client.state, 'failed');
});

void t.test('a runtime on which the engine does not start is replaced by the own Node, with a warning', async (t) => {
  const folder = t.testdir({ mute: '#!/bin/sh\nexit 7\n' });
  chmodSync(join(folder, 'mute'), 0o755);
  for (const [name, reason] of [
    ['no-such-node', /could not be started/],
    ['mute', /exited with code 7/],
  ] as const) {
    const warnings: string[] = [];
    const warn = (line: string, fields?: object): void => {
      warnings.push(`${line} ${JSON.stringify(fields)}`);
    };
    const log: Log = { ...silentLog, warn, with: () => silentLog };
    const { client, load, states, reaches } = await bench(t, { log });
    const model = await client.start(load, join(folder, name));
    t.equal(model.node, process.version);
    t.same(states, ['loading', 'ready']);
    t.equal(warnings.length, 1);
    t.match(warnings[0], reason);
    process.kill(client.pid as number, 'SIGKILL');
    await reaches('restarting');
    const { cause } = await collect((await client.submit('a', fakeRequest([1]), never)).events);
    t.equal(cause, 'length', 'a restart stays there');
    t.equal(warnings.length, 1);
  }
});

void t.test('a runtime on which the engine starts is kept, also when the model cannot be loaded', async (t) => {
  const copy = join(t.testdir(), 'node');
  symlinkSync(process.execPath, copy);
  const { client, load } = await bench(t);
  await client.start(load, copy);
  t.equal(client.state, 'ready');
  for (const what of ['unloadable', 'crash'] as const) {
    const { client, load, script, pulse } = await bench(t);
    script({ load: what });
    await t.rejects(client.start(load, copy));
    t.equal(client.state, 'failed');
    t.equal(pulse.count, 1, 'what is wrong with the model is not tried twice');
  }
});

void t.test('requests while the model is loading are told to come back', async (t) => {
  const { client, load, script } = await bench(t);
  script({ load: 'never' });
  const loading = t.rejects(client.start(load), /died while it loaded/);
  await t.rejects(client.submit('a', endless, never), {
    kind: 'unavailable',
    code: 'model_loading',
    retryAfterSeconds: 2,
  });
  await client.shutdown(10_000);
  await loading;
  t.equal(client.state, 'stopped');
});

void t.test('shutdown lets running requests finish within the grace, and no longer', async (t) => {
  const patient = await bench(t);
  await patient.client.start(patient.load);
  const request = fakeRequest([4], { maxTokens: 200 });
  const answer = collect((await patient.client.submit('a', request, never)).events);
  await patient.client.shutdown(60_000);
  t.same(await answer, { tokens: expectedTokens(request, fakeContextLength), cause: 'length' });
  await patient.pulse.silence();

  const hasty = await bench(t);
  await hasty.client.start(hasty.load);
  const stream = await running(hasty.client, 'b');
  await hasty.client.shutdown(0);
  await t.rejects(drain(stream), { kind: 'unavailable', code: 'engine_stopped' });
  await hasty.pulse.silence();
  t.equal(hasty.client.pid, undefined);
});

void t.test('shutdown during a restart ends the attempts', async (t) => {
  const { client, load, script, reaches, pulse } = await bench(t, { restart: { delayMs: 600_000 } });
  await client.start(load);
  script({ load: 'crash' });
  process.kill(client.pid as number, 'SIGKILL');
  await reaches('restarting');
  await client.shutdown(0);
  await pulse.silence();
  t.equal(client.state, 'stopped');
});

void t.test('an engine process ignores interrupts', async (t) => {
  const { load, client } = await bench(t);
  await client.start(load);
  process.kill(client.pid as number, 'SIGINT');
  process.kill(client.pid as number, 'SIGTERM');
  process.kill(client.pid as number, 'SIGHUP');
  const { cause } = await collect((await client.submit('a', fakeRequest([1]), never)).events);
  t.equal(cause, 'length');
});

void t.test('an engine process does not outlive its parent, even in the middle of a pass', async (t) => {
  const { load, pulse, script } = await bench(t);
  script({ forward: 'stuck' });
  const parent = fork(fileURLToPath(new URL('../testing/fake-parent.js', import.meta.url)), [load.path], {
    execArgv: [],
  });
  const [message] = (await once(parent, 'message')) as [string];
  t.equal(message, 'accepted');
  t.equal(pulse.sockets.size, 1);
  parent.kill('SIGKILL');
  await pulse.silence();
  t.pass('the engine of a killed server ends');
});
