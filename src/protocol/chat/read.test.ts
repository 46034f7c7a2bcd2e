import t from 'tap';
import type { ChatCompletionRequest, MessageContent } from '../../generated/types.ts';
import type { RequestFacts } from '../dialect.ts';
import { read } from './read.ts';

const facts: RequestFacts = { id: 'chatcmpl-1', created: 1, tenant: 'anonymous', seed: 99 };
const messages = [{ role: 'user', content: 'Hi' }] as const;

function reading(body: Partial<ChatCompletionRequest>): ReturnType<typeof read> {
  return read({ messages, ...body }, facts);
}

/** Left to the model's own defaults. */
const undecided = Object.fromEntries(
  'temperature topP topK minP logitBias dry frequencyPenalty presencePenalty repetitionPenalty'
    .split(' ')
    .map((name) => [name, undefined]),
);

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
    sampling: { ...undecided, seed: 99 },
    stop: [],
    ignoreEos: false,
    maxTokens: undefined,
    prediction: undefined,
    choices: 1,
    logprobs: undefined,
    truncate: false,
    output: { type: 'logits' },
    traceId: undefined,
  });
});

void t.test('null means left out', async (t) => {
  const names =
    'model temperature top_p top_k min_p seed stop max_tokens max_completion_tokens stream_options presence_penalty frequency_penalty ' +
    'repetition_penalty dry_multiplier dry_base dry_allowed_length dry_sequence_breakers logit_bias logprobs top_logprobs n ignore_eos ' +
    'truncate_sequence prediction chat_template_kwargs enable_thinking reasoning_effort';
  const nulls = Object.fromEntries(names.split(' ').map((name) => [name, null]));
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
  const told: string[] = [];
  read({ messages, min_p: 2 }, { ...facts, ignored: (field) => told.push(field) });
  read({ messages, min_p: 0.5 }, { ...facts, ignored: (field) => told.push(field) });
  t.same(told, ['min_p'], 'what has no effect is told');
});

void t.test('penalties and biases', async (t) => {
  t.match(reading({ presence_penalty: 1, frequency_penalty: -2, repetition_penalty: 1.1 }).sampling, {
    presencePenalty: 1,
    frequencyPenalty: -2,
    repetitionPenalty: 1.1,
  });
  t.same(reading({ logit_bias: { 5: -100, 70: 3.5 } }).sampling.logitBias, [
    { id: 5, bias: -100 },
    { id: 70, bias: 3.5 },
  ]);
  t.equal(reading({ logit_bias: {} }).sampling.logitBias, undefined);
  for (const key of ['x', '-1', '1.5', '01', '', '99999999999'])
    t.throws(() => reading({ logit_bias: { [key]: 1 } }), { name: 'ApiError', param: 'logit_bias' }, key);
  t.same(reading({ dry_multiplier: 0.8 }).sampling.dry, {
    multiplier: 0.8,
    base: 1.75,
    allowedLength: 2,
    sequenceBreakers: ['\n', ':', '"', '*'],
  });
  t.same(reading({ dry_multiplier: 1, dry_base: 2, dry_allowed_length: 4, dry_sequence_breakers: [] }).sampling.dry, {
    multiplier: 1,
    base: 2,
    allowedLength: 4,
    sequenceBreakers: [],
  });
  t.equal(reading({ dry_multiplier: 0, dry_base: 2 }).sampling.dry, undefined);
});

void t.test('logprobs, and how many alternatives', async (t) => {
  t.equal(reading({ logprobs: true }).logprobs, 0);
  t.equal(reading({ logprobs: true, top_logprobs: 5 }).logprobs, 5);
  t.equal(reading({ logprobs: false, top_logprobs: 0 }).logprobs, undefined);
  t.throws(() => reading({ top_logprobs: 5 }), { name: 'ApiError', param: 'top_logprobs' });
  t.throws(() => reading({ logprobs: false, top_logprobs: 5 }), { name: 'ApiError', param: 'top_logprobs' });
});

void t.test('length: past the end of a turn, and beyond the context', async (t) => {
  t.match(reading({ ignore_eos: true, truncate_sequence: true }), { ignoreEos: true, truncate: true });
});

void t.test('variables of the template, and thinking by its fields', async (t) => {
  const of = (body: Partial<ChatCompletionRequest>): unknown => {
    const { prompt } = reading(body);
    return prompt.type === 'chat' ? prompt.template : undefined;
  };
  t.same(of({ chat_template_kwargs: { mood: 'good', enable_thinking: true } }), {
    mood: 'good',
    enable_thinking: true,
  });
  t.same(of({ enable_thinking: false }), { enable_thinking: false, thinking: false });
  t.same(of({ enable_thinking: false, chat_template_kwargs: { enable_thinking: true } }), {
    enable_thinking: false,
    thinking: false,
  });
  t.same(of({ reasoning_effort: 'high' }), { enable_thinking: true, thinking: true, reasoning_effort: 'high' });
  for (const effort of ['off', 'none'] as const) {
    t.same(of({ reasoning_effort: effort }), { enable_thinking: false, thinking: false, reasoning_effort: 'none' });
    t.throws(() => of({ reasoning_effort: effort, enable_thinking: true }), {
      param: 'reasoning_effort',
      name: 'ApiError',
    });
  }
  t.throws(() => of({ reasoning_effort: 'low', enable_thinking: false }), {
    param: 'reasoning_effort',
    name: 'ApiError',
  });
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

void t.test('a prediction: a string, or parts of one text', async (t) => {
  const content = (content: MessageContent): unknown =>
    reading({ prediction: { type: 'content', content } }).prediction;
  t.equal(content('a file'), 'a file');
  t.equal(
    content([
      { type: 'text', text: 'a ' },
      { type: 'text', text: 'file' },
    ]),
    'a file',
  );
  t.equal(content(null), '');
  t.throws(() => content([{ type: 'image_url', image_url: { url: 'x' } }]), {
    name: 'ApiError',
    param: 'prediction.content[0]',
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

void t.test('a result that answers no call is told', async (t) => {
  const told = (id: string): string[] => {
    const names: string[] = [];
    const history = [
      { role: 'assistant', tool_calls: [{ id: 'c1', function: { name: 'f', arguments: '{}' } }] },
      { role: 'tool', tool_call_id: id, content: '3' },
    ] as const;
    read({ messages: history }, { ...facts, ignored: (field) => names.push(field) });
    return names;
  };
  t.same(told('c1'), []);
  t.same(told('c2'), ['messages[].tool_call_id']);
});

void t.test('what no plan let through names its place', async (t) => {
  const image = { type: 'image_url', image_url: { url: 'data:,' } } as const;
  t.throws(() => reading({ messages: [{ role: 'user', content: [{ text: 'a' }, image] }] }), {
    name: 'ApiError',
    param: 'messages[0].content[1]',
  });
});
