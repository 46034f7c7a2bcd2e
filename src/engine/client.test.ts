// The client with real processes: their entry is testing/fake-engine.

import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { ApiError } from '../core/errors.ts';
import { silentLog, type Log } from '../core/log.ts';
import { fakeContextLength } from '../testing/fake-engine-script.ts';
import { expectedTokens, fakeRequest } from '../testing/fake-model.ts';
import type { Accepted } from './client.ts';
import type { SubmitOptions } from './messages.ts';
import type { EngineMeter } from './meter.ts';
import { bench, collect, endless, running, drain, never } from '../testing/engine-client-bench.ts';

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
