// The law of every dialect: folding its stream gives its object.

import t from 'tap';
import { ApiError } from '../core/errors.ts';
import type { BlockKind, GenerationEvent, TokenLogprob } from '../core/generation.ts';
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

/** A dialect in the hands of the law, with one mix of options. */
interface Subject {
  readonly kinds: readonly BlockKind[];
  /** Whether events may tell the prompt. */
  readonly echoes: boolean;
  /** Whether tokens have log probabilities. */
  readonly scores: boolean;
  readonly wantsUsage: boolean;
  readonly collect: (events: readonly GenerationEvent[]) => Promise<unknown>;
  readonly pieces: (events: readonly GenerationEvent[]) => AsyncIterable<unknown>;
  /** As a client folds. */
  readonly fold: (pieces: readonly never[]) => unknown;
}

function subject<Body, Answer, Piece>(
  { collect, stream }: Pick<Dialect<Body, Answer, Piece, unknown>, 'collect' | 'stream'>,
  body: Body,
  { wantsUsage, ...rest }: Pick<Subject, 'kinds' | 'echoes' | 'fold' | 'scores' | 'wantsUsage'>,
): Subject {
  const streamed = { ...body, stream: true, ...(wantsUsage && { stream_options: { include_usage: true } }) };
  return {
    ...rest,
    wantsUsage,
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
const booleans = [false, true];

const subjects: Readonly<Record<string, Subject>> = Object.fromEntries(
  booleans.flatMap((wantsUsage) =>
    booleans.flatMap((scores) => {
      const mix = `${wantsUsage ? 'with' : 'without'} usage, ${scores ? 'with' : 'without'} log probabilities`;
      const options = { wantsUsage, scores };
      const ofChat = { ...options, kinds: ['text', 'text', 'reasoning'], echoes: false, fold: foldChat } as const;
      const ofTexts = { ...options, kinds: ['text'], echoes: true, fold: foldTexts } as const;
      return [
        [`chat ${mix}`, subject(chat, { messages: 'Hi', metadata, logprobs: scores }, ofChat)],
        [`completions ${mix}`, subject(completions, { prompt: 'Hi', logprobs: scores ? 2 : null }, ofTexts)],
      ] as const;
    }),
  ),
);

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
      choice['logprobs'] = joined(choice['logprobs'], logprobs);
    }
  }
  const { object: _, ...rest } = chunks[chunks.length - 1];
  return { ...rest, object: 'chat.completion', choices, metadata };
}

function foldTexts(chunks: readonly wire.CompletionChunk[]): unknown {
  const choices: { text: string; logprobs: unknown }[] = [];
  for (const { choices: pieces } of chunks)
    for (const piece of pieces) {
      const { text, logprobs } = choices[piece.index] ?? { text: '', logprobs: undefined };
      choices[piece.index] = { ...piece, text: text + piece.text, logprobs: joined(logprobs, piece.logprobs) };
    }
  return { ...chunks[chunks.length - 1], choices };
}

/** Lists one after the other, by name; null adds nothing. */
function joined(before: unknown, piece: object | null): unknown {
  if (piece === null || typeof before !== 'object' || before === null) return piece ?? before ?? null;
  const lists = Object.entries(piece).map(([key, value]: [string, unknown]) => {
    const old: unknown = Reflect.get(before, key);
    return [key, Array.isArray(old) && Array.isArray(value) ? [...(old as unknown[]), ...(value as unknown[])] : value];
  });
  return Object.fromEntries(lists);
}

/** A token with its alternatives; the first of a prompt has nothing before it. */
function scored(text: string, isFirst = false): TokenLogprob {
  const bytes = Buffer.from(text);
  const other = { id: 9, text: '\ufffd', bytes: Uint8Array.of(0xe2, 0x82), logprob: -Infinity };
  const self = { id: 1, text, bytes, logprob: isFirst ? undefined : -0.5 };
  return { ...self, top: isFirst ? [] : [{ ...self, logprob: -0.5 }, other] };
}

/** A random but lawful sequence: blocks per choice in order, choices interleaved. */
function sequence(random: (below: number) => number, { kinds, echoes, scores }: Subject): GenerationEvent[] {
  const usage = {
    promptTokens: 10 + random(50),
    completionTokens: 0,
    cachedTokens: random(5),
    reasoningTokens: random(2),
  };
  const logprobsOf = (texts: readonly string[], isPrompt = false): object =>
    scores ? { logprobs: texts.map((text, at) => scored(text, isPrompt && at === 0)) } : {};
  const count = 1 + random(3);
  const queues = Array.from({ length: count }, (_, choice) => {
    const events: GenerationEvent[] = [];
    if (echoes && random(2) === 0) {
      const text = ['', 'Say '][random(2)];
      events.push({ type: 'prompt', choice, text, ...logprobsOf(text === '' ? [] : ['Sa', 'y '], true) });
    }
    for (let block = 0; block < random(4); block++) {
      const kind = kinds[random(kinds.length)];
      events.push({ type: 'block_start', choice, block, kind });
      for (let i = random(4); i > 0; i--) {
        const text = ['a', 'ß', '😀 ', '\n', ''][random(5)];
        events.push({
          type: 'delta',
          choice,
          block,
          text,
          ...logprobsOf(Array.from({ length: random(3) }, () => text)),
        });
      }
      events.push({ type: 'block_end', choice, block });
    }
    return [
      ...events,
      { type: 'finished', choice, reason: random(2) === 0 ? 'stop' : 'length', usage } satisfies GenerationEvent,
    ];
  });
  const truncatedTokens = random(3);
  const events: GenerationEvent[] = [
    { type: 'started', model: 'm', fingerprint: 'fp_1', seed: 1, usage, truncatedTokens },
  ];
  const timings = { queueMs: random(3), promptMs: random(50), generationMs: random(500) };
  let open = count;
  while (queues.some((queue) => queue.length > 0)) {
    const event = queues[random(count)].shift();
    if (event === undefined) continue;
    usage.completionTokens++;
    const last = event.type === 'finished' && --open === 0 && random(4) > 0 ? { timings } : {};
    events.push(event.type === 'finished' ? { ...event, usage: { ...usage }, ...last } : event);
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
      // What was not asked for is not in a stream.
      if (!subject.wantsUsage) Reflect.deleteProperty(whole as object, 'usage');
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
    usage: {
      prompt_tokens: 3,
      completion_tokens: 2,
      total_tokens: 5,
      prompt_tokens_details: { cached_tokens: 1 },
      completion_tokens_details: { reasoning_tokens: 0 },
    },
    system_fingerprint: 'fp_1',
    service_tier: 'default',
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
    completion_tokens_details: { reasoning_tokens: 0 },
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

/** "€!" in three tokens, the first two being halves of a character, and one that is not shown. */
const halves: readonly TokenLogprob[] = [
  { id: 1, text: '\ufffd', bytes: Uint8Array.of(0xe2, 0x82), logprob: -1, top: [] },
  { id: 2, text: '\ufffd', bytes: Uint8Array.of(0xac), logprob: -2, top: [] },
  {
    id: 3,
    text: '!',
    bytes: Uint8Array.of(0x21),
    logprob: -3,
    top: [{ id: 4, text: 'a', bytes: Uint8Array.of(0x61), logprob: -0.1 }],
  },
  { id: 5, text: '<|end|>', bytes: Uint8Array.of(), logprob: -Infinity, top: [] },
];

function telling(choiceLogprobs: readonly TokenLogprob[]): readonly GenerationEvent[] {
  return [
    answer[0],
    answer[1],
    { type: 'delta', choice: 0, block: 0, text: '€!', logprobs: choiceLogprobs },
    { type: 'block_end', choice: 0, block: 0 },
    { ...answer[5], timings: { queueMs: 1.23456, promptMs: 20, generationMs: 0 } } as GenerationEvent,
  ];
}

void t.test('log probabilities: of chat one object for each token, whose bytes join to the text', async (t) => {
  const { choices, timings } = await chat.collect(emit(telling(halves)), { messages: 'Hi', logprobs: true }, facts);
  const content = choices[0].logprobs?.content ?? [];
  t.same(Buffer.from(content.flatMap(({ bytes }) => bytes)).toString(), choices[0].message.content);
  t.same(content[2], {
    token: '!',
    bytes: [0x21],
    logprob: -3,
    top_logprobs: [{ token: 'a', bytes: [0x61], logprob: -0.1 }],
  });
  t.same(content[3], { token: '<|end|>', bytes: [], logprob: -9999, top_logprobs: [] });
  t.same(timings, {
    queue_ms: 1.235,
    cache_n: 1,
    prompt_n: 2,
    prompt_ms: 20,
    prompt_per_token_ms: 10,
    prompt_per_second: 100,
    predicted_n: 2,
    predicted_ms: 0,
  });
  const chunks = await listOf(chat.stream(emit(telling(halves)), { ...body, logprobs: true }, facts));
  t.match(chunks[0], { choices: [{ logprobs: { content: [], refusal: null } }] });
  t.match(chunks.at(-1), { choices: [{ finish_reason: 'length', logprobs: null }], timings: { prompt_n: 2 } });
});

void t.test('log probabilities: of texts four lists', async (t) => {
  const first: TokenLogprob = { id: 1, text: 'Sa', bytes: Buffer.from('Sa'), logprob: undefined, top: [] };
  const second: TokenLogprob = {
    ...halves[2],
    text: 'y ',
    bytes: Buffer.from('y '),
    top: [{ ...halves[2], logprob: -0.2 }],
  };
  const [started, ...rest] = telling(halves);
  const echoed: GenerationEvent = { type: 'prompt', choice: 0, text: 'Say ', logprobs: [first, second] };
  const { choices } = await completions.collect(emit([started, echoed, ...rest]), { prompt: '', logprobs: 1 }, facts);
  t.same(choices[0].logprobs, {
    tokens: ['Sa', 'y ', 'bytes:\\xe2\\x82', 'bytes:\\xac', '!', '<|end|>'],
    token_logprobs: [null, -3, -1, -2, -3, -9999],
    top_logprobs: [
      null,
      { '!': -0.2, 'y ': -3 },
      { 'bytes:\\xe2\\x82': -1 },
      { 'bytes:\\xac': -2 },
      { a: -0.1, '!': -3 },
      { '<|end|>': -9999 },
    ],
    text_offset: [0, 2, 4, 4, 5, 6],
  });
});
