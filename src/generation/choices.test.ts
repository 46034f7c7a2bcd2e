// Several requests as one, over generations whose events the test pushes by hand.

import t from 'tap';
import { Channel } from '../core/channel.ts';
import { ApiError } from '../core/errors.ts';
import type { Generate, GenerationEvent, GenerationRequest, Usage } from '../core/generation.ts';
import { seedOfPrompt } from '../core/sampling.ts';
import { createGenerateTogether } from './choices.ts';

/** One generation under the test's hands. */
class Hand {
  readonly events = new Channel<GenerationEvent>(100);
  signal: AbortSignal | undefined;
  isEnded = false;

  started(promptTokens: number, cachedTokens = 0): this {
    const usage = { promptTokens, completionTokens: 0, cachedTokens };
    this.events.push({ type: 'started', model: 'm', fingerprint: 'fp', seed: promptTokens, usage });
    return this;
  }

  says(...texts: readonly string[]): this {
    this.events.push({ type: 'block_start', choice: 0, block: 0, kind: 'text' });
    for (const text of texts) this.events.push({ type: 'delta', choice: 0, block: 0, text });
    this.events.push({ type: 'block_end', choice: 0, block: 0 });
    return this;
  }

  finishes(usage: Usage): this {
    this.events.push({ type: 'finished', choice: 0, reason: 'stop', usage });
    this.events.close();
    return this;
  }
}

/** Requests are told apart by their ids: the number of their hand. */
function generateOf(hands: readonly Hand[]): Generate {
  return async function* (request, signal) {
    const hand = hands[Number(request.id)];
    hand.signal = signal;
    signal.throwIfAborted();
    const abort = (): void => hand.events.fail(signal.reason);
    signal.addEventListener('abort', abort);
    try {
      yield* hand.events;
    } finally {
      hand.isEnded = true;
    }
  };
}

function requests(count: number, choices = 1): GenerationRequest[] {
  return Array.from({ length: count }, (_, index) => ({
    id: String(index),
    model: undefined,
    tenant: 'anonymous',
    prompt: { type: 'text', text: '', param: 'prompt' },
    sampling: { temperature: 0, topP: 1, topK: 0, minP: 0, seed: 0 },
    stop: [],
    maxTokens: undefined,
    choices,
    truncate: false,
    output: { type: 'logits' },
  }));
}

function run(hands: readonly Hand[], signal = new AbortController().signal): AsyncIterable<GenerationEvent> {
  return createGenerateTogether(generateOf(hands))(requests(hands.length), signal);
}

async function all(events: AsyncIterable<GenerationEvent>): Promise<GenerationEvent[]> {
  const seen: GenerationEvent[] = [];
  for await (const event of events) seen.push(event);
  return seen;
}

const usage = (promptTokens: number, completionTokens: number, cachedTokens = 0): Usage => ({
  promptTokens,
  completionTokens,
  cachedTokens,
});

void t.test('choices are numbered through, usage is summed, one beginning, every end', async (t) => {
  const hands = [
    new Hand()
      .started(3, 1)
      .says('a', 'b')
      .finishes(usage(3, 2, 1)),
    new Hand().started(5).says('c').finishes(usage(5, 1)),
    new Hand().started(7, 2).finishes(usage(7, 0, 2)),
  ];
  const events = await all(run(hands));
  t.same(events[0], { type: 'started', model: 'm', fingerprint: 'fp', seed: 3, usage: usage(15, 0, 3) });
  t.equal(events.filter(({ type }) => type === 'started').length, 1);
  const texts = ['', '', ''];
  for (const event of events) if (event.type === 'delta') texts[event.choice] += event.text;
  t.same(texts, ['ab', 'c', '']);
  const ends = events.filter((event) => event.type === 'finished');
  t.same(new Set(ends.map(({ choice }) => choice)), new Set([0, 1, 2]));
  t.equal(ends.length, 3);
  t.same(ends.at(-1)?.usage, usage(15, 3, 3), 'the last end has the whole sum');
});

void t.test('events mingle as they come, and nothing is read ahead of its reader', async (t) => {
  const hands = [new Hand().started(1), new Hand().started(1)];
  const events = run(hands)[Symbol.asyncIterator]();
  t.match((await events.next()).value, { type: 'started' });
  hands[1].events.push({ type: 'delta', choice: 0, block: 0, text: 'second' });
  t.match((await events.next()).value, { type: 'delta', choice: 1 });
  hands[0].events.push({ type: 'delta', choice: 0, block: 0, text: 'first' });
  t.match((await events.next()).value, { type: 'delta', choice: 0 });
  await events.return?.();
  t.ok(
    hands.every(({ isEnded, signal }) => isEnded && signal?.aborted === true),
    'a reader who leaves ends all',
  );
});

void t.test('a refusal of one is thrown before anything is said, and the others are given up', async (t) => {
  const hands = [new Hand().started(1), new Hand(), new Hand().started(1)];
  hands[1].events.fail(new ApiError('invalid_request', 'too long', { param: 'prompt[1]' }));
  await t.rejects(all(run(hands)), { name: 'ApiError', param: 'prompt[1]' });
  t.ok(hands[0].isEnded);
  t.ok(hands[2].isEnded);

  const both = [new Hand(), new Hand()];
  for (const [index, hand] of both.entries())
    hand.events.fail(new ApiError('invalid_request', 'no', { param: `prompt[${index}]` }));
  await t.rejects(all(run(both)), { name: 'ApiError', param: 'prompt[0]' }, 'the first of several');
});

void t.test('all are begun in one go: of several such requests the first finds its places', async (t) => {
  const hands = [new Hand().started(1), new Hand().started(1), new Hand().started(1)];
  const events = run(hands)[Symbol.asyncIterator]();
  const first = events.next();
  t.ok(hands.every(({ signal }) => signal !== undefined));
  await first;
  await events.return?.();
});

void t.test('a failure of one ends all', async (t) => {
  const hands = [new Hand().started(1).says('a'), new Hand().started(1)];
  hands[1].events.push({ type: 'failed', error: { kind: 'unavailable', message: 'gone', code: 'engine_crashed' } });
  const events = await all(run(hands));
  t.match(events.at(-1), { type: 'failed', error: { code: 'engine_crashed' } });
  t.equal(events.filter(({ type }) => type === 'failed').length, 1);
  t.ok(hands.every(({ isEnded }) => isEnded));

  const broken = [new Hand().started(1), new Hand().started(1)];
  broken[0].events.fail(new Error('a defect'));
  await t.rejects(all(run(broken)), { message: 'a defect' });
  t.ok(broken.every(({ isEnded }) => isEnded));
});

void t.test('an abort of the caller reaches all, before and after the beginning', async (t) => {
  const reason = new ApiError('unavailable', 'The server is shutting down.');
  await t.rejects(all(run([new Hand(), new Hand()], AbortSignal.abort(reason))), { message: reason.message });

  const early = new AbortController();
  const waiting = [new Hand(), new Hand().started(1)];
  const pending = all(run(waiting, early.signal));
  early.abort(reason);
  await t.rejects(pending, { message: reason.message });

  const late = new AbortController();
  const hands = [new Hand().started(1), new Hand().started(1).says('a')];
  const read = async (): Promise<void> => {
    for await (const event of run(hands, late.signal)) if (event.type === 'delta') late.abort(reason);
  };
  await t.rejects(read(), { message: reason.message });
  t.ok(hands.every(({ isEnded }) => isEnded));
});

void t.test('a single request passes through; requests with several choices keep their places', async (t) => {
  const alone = new Hand().started(2).says('a').finishes(usage(2, 1));
  t.equal((await all(run([alone]))).length, 5);
  const hands = [new Hand().started(1), new Hand().started(1)];
  for (const [index, hand] of hands.entries()) {
    for (const choice of [0, 1])
      hand.events.push({ type: 'finished', choice, reason: 'stop', usage: usage(1, index + choice) });
    hand.events.close();
  }
  const events = createGenerateTogether(generateOf(hands))(requests(2, 2), new AbortController().signal);
  const ends = (await all(events)).filter((event) => event.type === 'finished');
  t.same(new Set(ends.map(({ choice }) => choice)), new Set([0, 1, 2, 3]));
  t.equal(ends.at(-1)?.usage.completionTokens, 3);
});

void t.test('seeds: the given one first, each choice its own', async (t) => {
  t.same(
    [0, 1, 2].map((index) => seedOfPrompt(41, index)),
    [41, 42, 43],
  );
  for (const seed of [2 ** 63, -(2 ** 63), Number.MAX_SAFE_INTEGER]) {
    t.equal(seedOfPrompt(seed, 0), seed);
    t.equal(new Set(Array.from({ length: 128 }, (_, index) => seedOfPrompt(seed, index))).size, 128, String(seed));
  }
});
