// The law of every dialect: folding its stream gives its object.

import t from 'tap';
import { ApiError } from '../core/errors.ts';
import type { BlockKind, GenerationEvent } from '../core/generation.ts';
import type { ChatCompletion, ChatCompletionChunk, ChatCompletionRequest } from '../generated/types.ts';
import { chat } from './chat/index.ts';
import type { RequestFacts } from './dialect.ts';

const facts: RequestFacts = { id: 'chatcmpl-1', created: 1_700_000_000, tenant: 'anonymous', seed: 1 };
const body: ChatCompletionRequest = { messages: 'Hi', stream: true, metadata: { a: 'b' } };
const withUsage: ChatCompletionRequest = { ...body, stream_options: { include_usage: true } };

async function* emit(events: readonly GenerationEvent[]): AsyncGenerator<GenerationEvent> {
  for (const event of events) {
    await Promise.resolve();
    yield event;
  }
}

async function chunksOf(events: readonly GenerationEvent[], request = withUsage): Promise<ChatCompletionChunk[]> {
  const chunks: ChatCompletionChunk[] = [];
  for await (const chunk of chat.stream(emit(events), request, facts)) chunks.push(chunk);
  return chunks;
}

/** As a client folds: texts appended by index, the last of everything else. */
function fold(chunks: readonly ChatCompletionChunk[]): unknown {
  const choices: Record<string, unknown>[] = [];
  for (const { choices: pieces } of chunks) {
    for (const { index, delta, finish_reason, logprobs } of pieces) {
      const choice = (choices[index] ??= { index, message: {} });
      const message = choice['message'] as Record<string, unknown>;
      for (const [key, value] of Object.entries(delta)) {
        const old = message[key];
        message[key] = typeof old === 'string' && typeof value === 'string' && key !== 'role' ? old + value : value;
      }
      choice['finish_reason'] = finish_reason;
      choice['logprobs'] = logprobs;
    }
  }
  const { usage, object: _, ...rest } = chunks[chunks.length - 1];
  return { ...rest, object: 'chat.completion', choices, usage, metadata: body.metadata };
}

/** A random but lawful sequence: blocks per choice in order, choices interleaved. */
function sequence(random: (below: number) => number): GenerationEvent[] {
  const usage = { promptTokens: random(50), completionTokens: 0, cachedTokens: random(5) };
  const count = 1 + random(3);
  const queues = Array.from({ length: count }, (_, choice) => {
    const events: GenerationEvent[] = [];
    for (let block = 0; block < random(4); block++) {
      const kind: BlockKind = random(3) === 0 ? 'reasoning' : 'text';
      events.push({ type: 'block_start', choice, block, kind });
      for (let i = random(4); i > 0; i--)
        events.push({ type: 'delta', choice, block, text: ['a', 'ß', '😀 ', '\n'][random(4)] });
      events.push({ type: 'block_end', choice, block });
    }
    return [
      ...events,
      { type: 'finished', choice, reason: random(2) === 0 ? 'stop' : 'length', usage } satisfies GenerationEvent,
    ];
  });
  const events: GenerationEvent[] = [{ type: 'started', model: 'm', fingerprint: 'fp_1', seed: 1, usage }];
  while (queues.some((queue) => queue.length > 0)) {
    const event = queues[random(count)].shift();
    if (event === undefined) continue;
    usage.completionTokens++;
    events.push(event.type === 'finished' ? { ...event, usage: { ...usage } } : event);
  }
  return events;
}

function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 9) % below;
  };
}

void t.test('chat: folding the chunks gives the object', async (t) => {
  const random = generator(7);
  for (let round = 0; round < 300; round++) {
    const events = sequence(random);
    const whole = await chat.collect(emit(events), body, facts);
    const folded = fold(await chunksOf(events));
    const same = JSON.parse(JSON.stringify(whole)) as ChatCompletion;
    if (JSON.stringify(sorted(folded)) !== JSON.stringify(sorted(same))) {
      t.same(folded, same);
      return;
    }
  }
  t.pass('300 sequences');
});

/** The same value with the keys of all objects in one order. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, each]) => [key, sorted(each)]),
  );
}

const answer: readonly GenerationEvent[] = [
  {
    type: 'started',
    model: 'm',
    fingerprint: 'fp_1',
    seed: 1,
    usage: { promptTokens: 3, completionTokens: 0, cachedTokens: 1 },
  },
  { type: 'block_start', choice: 0, block: 0, kind: 'text' },
  { type: 'delta', choice: 0, block: 0, text: 'Hel' },
  { type: 'delta', choice: 0, block: 0, text: 'lo' },
  { type: 'block_end', choice: 0, block: 0 },
  { type: 'finished', choice: 0, reason: 'length', usage: { promptTokens: 3, completionTokens: 2, cachedTokens: 1 } },
];

void t.test('chat: the object', async (t) => {
  t.same(await chat.collect(emit(answer), { messages: 'Hi' }, facts), {
    id: 'chatcmpl-1',
    object: 'chat.completion',
    created: 1_700_000_000,
    model: 'm',
    choices: [
      {
        index: 0,
        message: { role: 'assistant', content: 'Hello', refusal: null },
        logprobs: null,
        finish_reason: 'length',
      },
    ],
    usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5, prompt_tokens_details: { cached_tokens: 1 } },
    system_fingerprint: 'fp_1',
    service_tier: 'default',
    metadata: undefined,
  });
});

void t.test('chat: the role comes first and once, the finish once and last, usage only when asked for', async (t) => {
  const chunks = await chunksOf(answer);
  t.same(
    chunks.map(({ choices, usage }) => [choices[0]?.delta, choices[0]?.finish_reason, usage?.total_tokens ?? usage]),
    [
      [{ role: 'assistant', content: '', refusal: null }, null, null],
      [{ content: 'Hel' }, null, null],
      [{ content: 'lo' }, null, null],
      [{}, 'length', null],
      [undefined, undefined, 5],
    ],
  );
  const plain = await chunksOf(answer, body);
  t.equal(plain.length, 4);
  t.notOk(
    plain.some((chunk) => 'usage' in chunk),
    'no usage at all unless asked for',
  );
  const heads = new Set(
    chunks.map(({ id, created, model, system_fingerprint }) => `${id} ${created} ${model} ${system_fingerprint}`),
  );
  t.equal(heads.size, 1, 'the same id, created, model and fingerprint in all chunks');
});

void t.test('chat: a failure is thrown, after what was said before it', async (t) => {
  const failure: GenerationEvent = {
    type: 'failed',
    error: { kind: 'unavailable', message: 'gone', code: 'engine_crashed' },
  };
  const events = [...answer.slice(0, 3), failure];
  await t.rejects(chat.collect(emit(events), body, facts), { name: 'ApiError', code: 'engine_crashed' });
  const seen: ChatCompletionChunk[] = [];
  const read = async (): Promise<void> => {
    for await (const chunk of chat.stream(emit(events), body, facts)) seen.push(chunk);
  };
  await t.rejects(read(), new ApiError('unavailable', 'gone', { code: 'engine_crashed' }));
  t.equal(seen.length, 2);
});
