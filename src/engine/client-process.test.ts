// The life of the engine process as its client sees it: loading, crashes, restarts, shutdown.

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { silentLog, type Log } from '../core/log.ts';
import { crashId, fakeContextLength } from '../testing/fake-engine-script.ts';
import { expectedTokens, fakeRequest } from '../testing/fake-model.ts';
import { bench, collect, endless, running, drain, never } from '../testing/engine-client-bench.ts';

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
