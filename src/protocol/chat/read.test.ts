import t from 'tap';
import type { ChatCompletionRequest } from '../../generated/types.ts';
import type { RequestFacts } from '../dialect.ts';
import { read } from './read.ts';

const facts: RequestFacts = { id: 'chatcmpl-1', created: 1, tenant: 'anonymous', seed: 99 };
const messages = [{ role: 'user', content: 'Hi' }] as const;

function reading(body: Partial<ChatCompletionRequest>): ReturnType<typeof read> {
  return read({ messages, ...body }, facts);
}

void t.test('a body of messages alone: every default', async (t) => {
  t.same(reading({}), {
    id: 'chatcmpl-1',
    model: undefined,
    tenant: 'anonymous',
    prompt: {
      type: 'chat',
      messages: [
        {
          role: 'user',
          content: [{ type: 'text', text: 'Hi' }],
          name: undefined,
          toolCallId: undefined,
          toolCalls: undefined,
          reasoning: undefined,
        },
      ],
      tools: [],
      toolChoice: { mode: 'none' },
      template: {},
    },
    sampling: { temperature: 1, topP: 1, topK: 0, minP: 0, seed: 99 },
    stop: [],
    maxTokens: undefined,
    choices: 1,
    truncate: false,
    output: { type: 'logits' },
    traceId: undefined,
  });
});

void t.test('null means left out', async (t) => {
  const nulls = Object.fromEntries(
    [
      'model',
      'temperature',
      'top_p',
      'top_k',
      'min_p',
      'seed',
      'stop',
      'max_tokens',
      'max_completion_tokens',
      'stream_options',
    ].map((name) => [name, null]),
  );
  t.same(reading(nulls), reading({}));
});

void t.test('sampling: what is off is 0 or 1 in one spelling', async (t) => {
  t.match(reading({ temperature: 0, top_p: 0.9, top_k: 40, min_p: 0.1, seed: 5 }).sampling, {
    temperature: 0,
    topP: 0.9,
    topK: 40,
    minP: 0.1,
    seed: 5,
  });
  t.equal(reading({ top_k: -1 }).sampling.topK, 0);
  t.equal(reading({ min_p: 2 }).sampling.minP, 0);
  t.equal(reading({ min_p: -0.5 }).sampling.minP, 0);
  t.equal(reading({ min_p: 1 }).sampling.minP, 1);
});

void t.test('both spellings of the limit; different values are refused', async (t) => {
  t.equal(reading({ max_tokens: 5 }).maxTokens, 5);
  t.equal(reading({ max_completion_tokens: 6 }).maxTokens, 6);
  t.equal(reading({ max_tokens: 7, max_completion_tokens: 7 }).maxTokens, 7);
  t.throws(() => reading({ max_tokens: 7, max_completion_tokens: 8 }), {
    name: 'ApiError',
    kind: 'invalid_request',
    param: 'max_tokens',
  });
});

void t.test('n: how many choices', async (t) => {
  t.equal(reading({ n: 3 }).choices, 3);
  t.equal(reading({ n: null }).choices, 1);
});

void t.test('stop: one string or several', async (t) => {
  t.same(reading({ stop: 'END' }).stop, ['END']);
  t.same(reading({ stop: ['a', 'b'] }).stop, ['a', 'b']);
});

void t.test('stream_options need a stream', async (t) => {
  t.throws(() => reading({ stream_options: { include_usage: true } }), { name: 'ApiError', param: 'stream_options' });
  t.throws(() => reading({ stream: false, stream_options: {} }), { name: 'ApiError', param: 'stream_options' });
  t.ok(reading({ stream: true, stream_options: { include_usage: true } }));
});

void t.test('messages: a bare string, parts, history with calls', async (t) => {
  const of = (given: ChatCompletionRequest['messages']) => {
    const { prompt } = reading({ messages: given });
    return prompt.type === 'chat' ? prompt.messages : [];
  };
  t.match(of('Hello'), [{ role: 'user', content: [{ type: 'text', text: 'Hello' }] }]);
  t.match(of([{ role: 'user', content: [{ type: 'text', text: 'a' }, { text: 'b' }] }])[0].content, [
    { type: 'text', text: 'a' },
    { type: 'text', text: 'b' },
  ]);
  t.match(of([{ role: 'developer', content: 'x', name: 'Ann' }]), [{ role: 'developer', name: 'Ann' }]);
  t.match(
    of([
      {
        role: 'assistant',
        content: null,
        reasoning: 'hm',
        tool_calls: [
          { id: 'c1', type: 'function', function: { name: 'f', arguments: '{"a": 1}' } },
          { function: { name: 'g', arguments: { b: 2 } } },
        ],
      },
      { role: 'tool', tool_call_id: 'c1', content: 'done' },
    ]),
    [
      {
        content: [],
        reasoning: 'hm',
        toolCalls: [
          { id: 'c1', name: 'f', arguments: '{"a": 1}' },
          { id: 'call_1', name: 'g', arguments: '{"b":2}' },
        ],
      },
      { role: 'tool', toolCallId: 'c1' },
    ],
  );
});

void t.test('what no plan let through names its place', async (t) => {
  const image = { type: 'image_url', image_url: { url: 'data:,' } } as const;
  t.throws(() => reading({ messages: [{ role: 'user', content: [{ text: 'a' }, image] }] }), {
    name: 'ApiError',
    param: 'messages[0].content[1]',
  });
});
