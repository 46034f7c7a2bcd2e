import t from 'tap';
import { ApiError } from '../core/errors.ts';
import type { Generate, GenerationEvent, GenerationRequest } from '../core/generation.ts';
import { silentLog } from '../core/log.ts';
import { EventStream, type Context } from '../core/operation.ts';
import type { ChatCompletionList } from '../generated/types.ts';
import { plain } from '../generation/formats/plain.ts';
import { Models, ServedModel, type EngineHandle, type ModelParts } from '../generation/models.ts';
import { createOperations } from './index.ts';
import { MemoryCompletionStore } from '../storage/memory.ts';
import { ChatTemplate } from '../tokenizer/template.ts';
import { measured } from './measure.ts';
import type { ChatStore } from './stored.ts';

const usage = { promptTokens: 10, completionTokens: 0, cachedTokens: 4 };
const events: readonly GenerationEvent[] = [
  { type: 'started', model: 'tiny', fingerprint: 'fp_1', seed: 1, usage },
  { type: 'block_start', choice: 0, block: 0, kind: 'text' },
  { type: 'delta', choice: 0, block: 0, text: 'Hel' },
  { type: 'delta', choice: 0, block: 0, text: 'lo' },
  { type: 'block_end', choice: 0, block: 0 },
  { type: 'finished', choice: 0, reason: 'length', usage: { ...usage, completionTokens: 5 } },
];

function setUp({ strictHealth = false } = {}) {
  const engine = { state: 'ready' as EngineHandle['state'], submit: () => Promise.reject(new Error('unused')) };
  const model = new ServedModel('tiny', ['small'], 7);
  const template = new ChatTemplate('{{ mood }}{% for m in messages %}{{ m.content }}{% endfor %}');
  const parts = { engine, format: plain, template, contextLength: 128, fingerprint: 'fp_1', longestToken: 1 };
  const load = (): void => model.loaded(parts as unknown as ModelParts);
  const requests: GenerationRequest[] = [];
  const generate: Generate = async function* (request) {
    requests.push(request);
    yield* events;
  };
  const server = { isStopping: false };
  const system = {
    version: '1.2.3',
    document: { openapi: '3.1.0' },
    isStopping: () => server.isStopping,
    strictHealth,
    metrics: async (name: string | undefined) => `metrics of ${name ?? 'all'}`,
  };
  const store: ChatStore = new MemoryCompletionStore();
  const operations = createOperations({ models: new Models([model]), generate, store, system });
  const notes: Record<string, unknown> = {};
  const ignored: string[] = [];
  const context: Context = {
    requestId: 'req_1',
    principal: { id: 'ann' },
    signal: new AbortController().signal,
    log: silentLog,
    note: (facts) => Object.assign(notes, facts),
    ignored: (field) => ignored.push(field),
  };
  return { operations, context, load, engine, server, requests, notes, ignored };
}

void t.test('chat: an object, or a stream of chunks; id, time, tenant and seed are drawn here', async (t) => {
  const { operations, context, requests, notes } = setUp();
  const whole = await operations.createChatCompletion({ body: { messages: 'Hi' } }, context);
  t.match(whole, { id: /^chatcmpl-\w{24}$/, choices: [{ message: { content: 'Hello' } }] });
  t.ok(!(whole instanceof EventStream) && Math.abs(whole.created - Date.now() / 1000) < 5);
  t.match(notes, { model: 'tiny', tokensIn: 10, tokensCached: 4, tokensOut: 5, finishReason: 'length' });

  const stream = await operations.createChatCompletion({ body: { messages: 'Hi', stream: true } }, context);
  if (!(stream instanceof EventStream)) throw new Error('no stream');
  const chunks: unknown[] = [];
  for await (const chunk of stream.events) chunks.push(chunk);
  t.equal(chunks.length, 4);

  const [first, second] = requests;
  t.match(first, { tenant: 'ann', traceId: 'req_1' });
  await operations.createChatCompletion({ body: { messages: 'Hi' } }, { ...context, traceId: 'a1' });
  t.equal(requests[2].traceId, 'a1', 'the trace of the caller, where there is one');
  t.not(first.id, second.id);
  t.not(first.sampling.seed, second.sampling.seed, 'a request without a seed gets one of its own');
});

void t.test('store: kept before the answer ends, listed, changed and deleted, for its owner alone', async (t) => {
  const { operations, context } = setUp();
  const messages = [
    { role: 'developer', content: [{ text: 'Be ' }, { text: 'brief.' }] },
    { role: 'assistant', tool_calls: [{ id: 'c', function: { name: 'f', arguments: {} } }] },
    { role: 'tool', tool_call_id: 'c', content: '3', name: 'f' },
  ] as const;
  const whole = await operations.createChatCompletion({ body: { messages, store: true } }, context);
  const body = { messages: 'Hi', store: true, stream: true, metadata: { topic: 'sea' } };
  const stream = await operations.createChatCompletion({ body }, context);
  if (whole instanceof EventStream || !(stream instanceof EventStream)) throw new Error('one object, one stream');
  for await (const _ of stream.events);
  await operations.createChatCompletion({ body: { messages: 'Hi' } }, context);

  const list = async (query = {}): Promise<ChatCompletionList> =>
    await operations.listChatCompletions({ query }, context);
  const all = await list();
  const [first, second] = all.data;
  t.match(all, { object: 'list', first_id: whole.id, last_id: second.id, has_more: false });
  t.equal(all.data.length, 2, 'what was not to be kept is not');
  t.same(first, { ...whole, metadata: {} });
  t.match(second, { object: 'chat.completion', metadata: { topic: 'sea' }, choices: first.choices });
  t.match(await list({ metadata: { topic: 'sea' } }), { data: [{ id: second.id }], has_more: false });
  t.match(await list({ model: 'small', limit: 1 }), { data: [{ id: first.id }], has_more: true });
  t.same((await list({ model: 'other' })).data, []);
  await t.rejects(list({ after: 'x' }), { name: 'ApiError', param: 'after' });

  const path = { completion_id: first.id };
  const messageIds = async (query: object): Promise<string> =>
    (await operations.listChatCompletionMessages({ path, query }, context)).data.map(({ id }) => id.at(-1)).join('');
  t.match((await operations.listChatCompletionMessages({ path, query: {} }, context)).data, [
    { role: 'developer', content: 'Be brief.', content_parts: [{ type: 'text', text: 'Be ' }, {}], name: null },
    { role: 'assistant', content: null, content_parts: null, tool_calls: [{ id: 'c', function: { arguments: '{}' } }] },
    { role: 'tool', content: '3', tool_call_id: 'c', name: 'f' },
  ]);
  t.equal(await messageIds({ limit: 2 }), '01');
  t.equal(await messageIds({ order: 'desc', after: `${first.id}-2` }), '10');
  await t.rejects(messageIds({ after: 'x' }), { name: 'ApiError', param: 'after' });

  const update = operations.updateChatCompletion({ path, body: { metadata: { day: '1' } } }, context);
  t.match(await update, { id: first.id, metadata: { day: '1' }, choices: first.choices });
  t.same((await operations.updateChatCompletion({ path, body: { metadata: null } }, context)).metadata, {});
  const bob = { ...context, principal: { id: 'bob' } };
  await t.rejects(async () => operations.retrieveChatCompletion({ path }, bob), {
    name: 'ApiError',
    kind: 'not_found',
  });
  await t.rejects(async () => operations.deleteChatCompletion({ path }, bob), {
    name: 'ApiError',
    code: 'completion_not_found',
  });
  t.same(await operations.deleteChatCompletion({ path }, context), {
    object: 'chat.completion.deleted',
    id: first.id,
    deleted: true,
  });
  await t.rejects(async () => operations.retrieveChatCompletion({ path }, context), {
    name: 'ApiError',
    kind: 'not_found',
  });
});

void t.test('what has no effect with this model is told', async (t) => {
  const { operations, context, load, ignored, requests } = setUp();
  load();
  const chat_template_kwargs = { mood: 'good', weather: 'fine', messages: [] };
  const body = {
    messages: 'Hi',
    min_p: 7,
    enable_thinking: true,
    reasoning_effort: 'high',
    chat_template_kwargs,
  } as const;
  await operations.createChatCompletion({ body }, context);
  t.same(ignored, [
    'min_p',
    'chat_template_kwargs.weather',
    'chat_template_kwargs.messages',
    'enable_thinking',
    'reasoning_effort',
  ]);
  t.match(requests[0].prompt, { template: { mood: 'good', enable_thinking: true, reasoning_effort: 'high' } });
});

void t.test('models: what can be named, and nothing else', async (t) => {
  const { operations, context, load, engine } = setUp();
  const { data } = await operations.listModels({}, context);
  t.same(
    data.map(({ id, status, root }) => [id, status, root]),
    [
      ['default', 'loading', 'tiny'],
      ['tiny', 'loading', 'tiny'],
      ['small', 'loading', 'tiny'],
    ],
  );
  t.equal(
    await operations.listModels({}, context),
    await operations.listModels({}, context),
    'the same as long as it is true',
  );
  load();
  const statuses = async (): Promise<unknown[]> => {
    const { data } = await operations.listModels({}, context);
    return data.map(({ status, max_model_len: length }) => `${status} ${length}`);
  };
  t.same(await statuses(), ['loaded 128', 'loaded 128', 'loaded 128']);
  engine.state = 'restarting';
  t.same(await statuses(), ['loading 128', 'loading 128', 'loading 128']);
  engine.state = 'ready';
  t.match(await operations.retrieveModel({ path: { model: 'small' } }, context), {
    id: 'small',
    object: 'model',
    created: 7,
    owned_by: 'tramontane',
    status: 'loaded',
    max_model_len: 128,
  });
  await t.rejects(async () => operations.retrieveModel({ path: { model: 'gpt-4' } }, context), {
    name: 'ApiError',
    code: 'model_not_found',
  });
});

void t.test('health always answers; readiness only when a request could be served', async (t) => {
  const { operations, context, load, engine, server } = setUp();
  const expect = async (status: string): Promise<void> => {
    t.same(await operations.getHealth({}, context), { status, version: '1.2.3' });
    const ready = async (): Promise<unknown> => operations.getReady({}, context);
    if (status === 'ready') t.same(await ready(), { status });
    else await t.rejects(ready, { name: 'ApiError', kind: 'unavailable', code: status, retryAfterSeconds: 1 });
  };
  await expect('loading');
  load();
  await expect('ready');
  engine.state = 'restarting';
  await expect('engine_down');
  engine.state = 'failed';
  await expect('failed');
  engine.state = 'ready';
  server.isStopping = true;
  await expect('draining');
  t.same(await operations.getOpenApi({}, context), { openapi: '3.1.0' });
});

void t.test('strict health says what readiness says', async (t) => {
  const { operations, context, load, server } = setUp({ strictHealth: true });
  const health = async (): Promise<unknown> => operations.getHealth({}, context);
  await t.rejects(health, { kind: 'unavailable', code: 'loading' });
  load();
  t.same(await operations.getHealth({}, context), { status: 'ready', version: '1.2.3' });
  server.isStopping = true;
  await t.rejects(health, { kind: 'unavailable', code: 'draining' });
});

void t.test('version, and metrics by every name of a model', async (t) => {
  const { operations, context } = setUp();
  t.same(await operations.getVersion({}, context), { name: 'tramontane', version: '1.2.3' });
  const metrics = async (model?: string): Promise<string> => operations.getMetrics({ query: { model } }, context);
  t.equal(await metrics(), 'metrics of all');
  for (const name of ['default', 'tiny', 'small']) t.equal(await metrics(name), 'metrics of tiny');
  await t.rejects(metrics('gpt-4'), { code: 'model_not_found' });
});

void t.test('measures: time to the first token, then speed; what broke off has told what it could', async (t) => {
  let clock = 0;
  const notes: Record<string, unknown> = {};
  async function* timed(): AsyncGenerator<GenerationEvent> {
    for (const event of events) {
      yield event;
      clock += 100;
    }
  }
  for await (const _ of measured(
    timed(),
    (facts) => Object.assign(notes, facts),
    () => clock,
  ));
  t.same(notes, {
    model: 'tiny',
    tokensIn: 10,
    tokensCached: 4,
    ttftMs: 200,
    tokensOut: 5,
    finishReason: 'length',
    tokS: 13.3,
  });

  // Answers that were ranked come all at once; the engine's own time counts.
  const ranked: Record<string, unknown> = {};
  const last = events.findLast(({ type }) => type === 'finished');
  async function* atOnce(): AsyncGenerator<GenerationEvent> {
    if (last?.type !== 'finished') throw new Error('the events end');
    yield { ...last, timings: { queueMs: 1, promptMs: 2, generationMs: 800 } };
  }
  for await (const _ of measured(
    atOnce(),
    (facts) => Object.assign(ranked, facts),
    () => 7,
  ));
  t.match(ranked, { tokensOut: 5, tokS: 5 });

  const broken: Record<string, unknown> = {};
  async function* breaking(): AsyncGenerator<GenerationEvent> {
    yield events[0];
    throw new ApiError('unavailable', 'gone');
  }
  const read = async (): Promise<void> => {
    for await (const _ of measured(breaking(), (facts) => Object.assign(broken, facts)));
  };
  await t.rejects(read());
  t.same(broken, { model: 'tiny', tokensIn: 10, tokensCached: 4 });
});
