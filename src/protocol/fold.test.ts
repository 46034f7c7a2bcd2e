// The law of every dialect: folding its stream gives its object.

import t from 'tap';
import { ApiError } from '../core/errors.ts';
import type { BlockKind, GenerationEvent } from '../core/generation.ts';
import type * as wire from '../generated/types.ts';
import { chat } from './chat/index.ts';
import { completions } from './completions/index.ts';
import type { Dialect, RequestFacts } from './dialect.ts';

const facts: RequestFacts = { id: 'chatcmpl-1', created: 1_700_000_000, tenant: 'anonymous', seed: 1 };

async function* emit(events: readonly GenerationEvent[]): AsyncGenerator<GenerationEvent> {
  for (const event of events) {
    await Promise.resolve();
    yield event;
  }
}

/** A dialect in the hands of the law. */
interface Subject {
  readonly kinds: readonly BlockKind[];
  /** Whether events may tell the prompt. */
  readonly echoes: boolean;
  readonly collect: (events: readonly GenerationEvent[]) => Promise<unknown>;
  /** With usage. */
  readonly pieces: (events: readonly GenerationEvent[]) => AsyncIterable<unknown>;
  /** As a client folds. */
  readonly fold: (pieces: readonly never[]) => unknown;
}

function subject<Body, Answer, Piece>(
  { collect, stream }: Pick<Dialect<Body, Answer, Piece, unknown>, 'collect' | 'stream'>,
  body: Body,
  rest: Pick<Subject, 'kinds' | 'echoes' | 'fold'>,
): Subject {
  const streamed = { ...body, stream: true, stream_options: { include_usage: true } };
  return {
    ...rest,
    collect: (events) => collect(emit(events), body, facts),
    pieces: (events) => stream(emit(events), streamed, facts),
  };
}

async function listOf(pieces: AsyncIterable<unknown>): Promise<never[]> {
  const list: never[] = [];
  for await (const piece of pieces) list.push(piece as never);
  return list;
}

const metadata = { a: 'b' };

const subjects: Readonly<Record<string, Subject>> = {
  chat: subject(
    chat,
    { messages: 'Hi', metadata },
    { kinds: ['text', 'text', 'reasoning'], echoes: false, fold: foldChat },
  ),
  completions: subject(completions, { prompt: 'Hi' }, { kinds: ['text'], echoes: true, fold: foldTexts }),
};

/** Texts appended by index, the last of everything else. */
function foldChat(chunks: readonly wire.ChatCompletionChunk[]): unknown {
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
  return { ...rest, object: 'chat.completion', choices, usage, metadata };
}

function foldTexts(chunks: readonly wire.CompletionChunk[]): unknown {
  const choices: { text: string }[] = [];
  for (const { choices: pieces } of chunks)
    for (const piece of pieces)
      choices[piece.index] = { ...piece, text: (choices[piece.index]?.text ?? '') + piece.text };
  return { ...chunks[chunks.length - 1], choices };
}

/** A random but lawful sequence: blocks per choice in order, choices interleaved. */
function sequence(random: (below: number) => number, { kinds, echoes }: Subject): GenerationEvent[] {
  const usage = { promptTokens: random(50), completionTokens: 0, cachedTokens: random(5) };
  const count = 1 + random(3);
  const queues = Array.from({ length: count }, (_, choice) => {
    const events: GenerationEvent[] = [];
    if (echoes && random(2) === 0) events.push({ type: 'prompt', choice, text: ['', 'Say '][random(2)] });
    for (let block = 0; block < random(4); block++) {
      const kind = kinds[random(kinds.length)];
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

for (const [name, subject] of Object.entries(subjects)) {
  void t.test(`${name}: folding the chunks gives the object`, async (t) => {
    const random = generator(7);
    for (let round = 0; round < 300; round++) {
      const events = sequence(random, subject);
      const whole: unknown = JSON.parse(JSON.stringify(await subject.collect(events)));
      const folded = subject.fold(await listOf(subject.pieces(events)));
      if (JSON.stringify(sorted(folded)) !== JSON.stringify(sorted(whole))) {
        t.same(folded, whole);
        return;
      }
    }
    t.pass('300 sequences');
  });

  void t.test(`${name}: a failure is thrown, after what was said before it`, async (t) => {
    const error = { kind: 'unavailable', message: 'gone', code: 'engine_crashed' } as const;
    const events: GenerationEvent[] = [...answer.slice(0, 3), { type: 'failed', error }];
    await t.rejects(subject.collect(events), { name: 'ApiError', code: 'engine_crashed' });
    const seen: unknown[] = [];
    const read = async (): Promise<void> => {
      for await (const piece of subject.pieces(events)) seen.push(piece);
    };
    await t.rejects(read(), new ApiError('unavailable', 'gone', { code: 'engine_crashed' }));
    t.equal(seen.length, 2);
  });
}

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

const body: wire.ChatCompletionRequest = { messages: 'Hi', stream: true };
const withUsage: wire.ChatCompletionRequest = { ...body, stream_options: { include_usage: true } };

async function chunksOf(
  events: readonly GenerationEvent[],
  request: wire.ChatCompletionRequest,
): Promise<wire.ChatCompletionChunk[]> {
  return await listOf(chat.stream(emit(events), request, facts));
}

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
  const chunks = await chunksOf(answer, withUsage);
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

void t.test('completions: the object, and its chunks', async (t) => {
  const echoed: readonly GenerationEvent[] = [
    answer[0],
    { type: 'prompt', choice: 0, text: 'Say ' },
    ...answer.slice(1),
  ];
  const head = {
    id: 'chatcmpl-1',
    object: 'text_completion',
    created: 1_700_000_000,
    model: 'm',
    system_fingerprint: 'fp_1',
  };
  const usage = {
    prompt_tokens: 3,
    completion_tokens: 2,
    total_tokens: 5,
    prompt_tokens_details: { cached_tokens: 1 },
  };
  t.same(await completions.collect(emit(echoed), { prompt: 'Say ' }, facts), {
    ...head,
    choices: [{ text: 'Say Hello', index: 0, logprobs: null, finish_reason: 'length' }],
    usage,
  });
  const chunks = await listOf(completions.stream(emit(echoed), { prompt: 'Say ', stream: true }, facts));
  t.same(
    chunks,
    ['', 'Say ', 'Hel', 'lo', ''].map((text, at) => ({
      ...head,
      choices: [{ text, index: 0, logprobs: null, finish_reason: at === 4 ? 'length' : null }],
    })),
    'an empty one at once, the end for itself, no usage unless asked for',
  );
});
