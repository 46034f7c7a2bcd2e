// The generated surface as callers meet it: what is accepted, and what is said about the rest.

import t from 'tap';
import type { FieldPlan, Route } from '../../src/core/operation.ts';
import { document } from '../../src/generated/document.js';
import { routes } from '../../src/generated/operations.ts';
import type { AnySchema } from './samples.ts';
import { Samples } from './samples.ts';

const schemas = (document['components'] as { schemas: Record<string, AnySchema> }).schemas;
const samples = new Samples(schemas);

function route(operationId: string): Route {
  const found = routes.find((candidate) => candidate.operationId === operationId);
  if (found === undefined) throw new Error(`no route ${operationId}`);
  return found;
}

function check(body: unknown): { param: string; message: string } | undefined {
  return route('createChatCompletion').body?.validate(body);
}

const user = { role: 'user', content: 'Hello' };

void t.test('a chat request is accepted in all its forms', async (t) => {
  const accepted: unknown[] = [
    { messages: 'Hello' },
    { messages: [user] },
    { model: 'default', messages: [user], unknown_field: { a: [1] } },
    { messages: [{ role: 'system', content: 'a' }, { role: 'developer', content: 'b' }, user] },
    { messages: [{ role: 'user', content: [{ type: 'text', text: 'a' }, { text: 'b' }, { type: null, text: 'c' }] }] },
    { messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:,' } }] }] },
    {
      messages: [{ role: 'user', content: null }, { role: 'assistant' }, { role: 'ipython', content: 'x', name: 'y' }],
    },
    {
      messages: [
        { role: 'tool', content: '3' },
        { role: 'function', name: 'f', content: null },
      ],
    },
    {
      messages: [
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: 'a', type: 'function', function: { name: 'f', arguments: '{}' } }],
        },
        { role: 'assistant', tool_calls: [{ function: { name: 'f', arguments: { x: 1 } } }] },
        { role: 'tool', tool_call_id: 'a', content: [{ type: 'text', text: '3' }] },
      ],
    },
    // An answer sent back as it came.
    {
      messages: [
        { role: 'assistant', content: 'a', refusal: null, annotations: [], audio: null, reasoning_content: 'b' },
      ],
    },
    { messages: [user], top_k: -1, min_p: 7, seed: -(2 ** 63), stop: [], tools: [], tool_choice: 'none' },
    { messages: [user], stop: Array.from({ length: 64 }, () => 'x'), metadata: {}, logit_bias: {} },
    { messages: [user], stream: true, stream_options: { include_usage: true, include_obfuscation: false } },
  ];
  for (const body of accepted) t.equal(check(body), undefined, JSON.stringify(body));
});

void t.test('what is wrong with a chat request is said once, with its place', async (t) => {
  const long = 'x'.repeat(600);
  const tooMany = Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`k${index}`, '']));
  const message = (value: object): object => ({ messages: [value] });
  const withField = (field: object): object => ({ messages: [user], ...field });
  const call = (value: object): object => message({ role: 'assistant', tool_calls: [value] });
  const roles = '"system", "user", "assistant", "tool", or another role that the chat template knows';
  const cases: [unknown, string, string][] = [
    ['x', '', 'The request body must be an object.'],
    [{}, 'messages', 'messages is required: a non-empty string or a non-empty list of messages.'],
    [{ messages: null }, 'messages', 'messages must be a non-empty string or a non-empty list of messages.'],
    [{ messages: [] }, 'messages', 'messages must be a non-empty string or a non-empty list of messages.'],
    [{ messages: '' }, 'messages', 'messages must be a non-empty string or a non-empty list of messages.'],
    [{ messages: [7] }, 'messages[0]', 'messages[0] must be a message (an object).'],
    [message({ content: 'a' }), 'messages[0].role', `messages[0].role is required: ${roles}.`],
    [message({ role: 7, content: 'a' }), 'messages[0].role', `messages[0].role must be ${roles}.`],
    [
      { messages: [user, { role: 'user' }] },
      'messages[1].content',
      'messages[1].content is required: a string or a list of content parts.',
    ],
    [
      message({ role: 'user', content: 7 }),
      'messages[0].content',
      'messages[0].content must be a string or a list of content parts.',
    ],
    [
      message({ role: 'user', content: ['a'] }),
      'messages[0].content[0]',
      'messages[0].content[0] must be a content part (an object).',
    ],
    [
      message({ role: 'user', content: [{ text: 'a' }, { type: 'txt', text: 'b' }] }),
      'messages[0].content[1].type',
      'messages[0].content[1].type must be "text".',
    ],
    [
      message({ role: 'user', content: [{}] }),
      'messages[0].content[0].text',
      'messages[0].content[0].text is required: a string.',
    ],
    [
      call({ type: 'function' }),
      'messages[0].tool_calls[0].function',
      'messages[0].tool_calls[0].function is required: an object.',
    ],
    [
      call({ function: { name: 'f', arguments: 1 } }),
      'messages[0].tool_calls[0].function.arguments',
      'messages[0].tool_calls[0].function.arguments must be a string or an object.',
    ],
    [withField({ model: 7 }), 'model', 'model must be a string.'],
    [withField({ stream: 'yes' }), 'stream', 'stream must be true or false.'],
    [withField({ temperature: 3 }), 'temperature', 'temperature must be a number between 0 and 2.'],
    [withField({ temperature: '1' }), 'temperature', 'temperature must be a number between 0 and 2.'],
    [withField({ top_p: 1.5 }), 'top_p', 'top_p must be a number between 0 and 1.'],
    [withField({ top_k: -2 }), 'top_k', 'top_k must be an integer of at least -1.'],
    [withField({ max_tokens: 0 }), 'max_tokens', 'max_tokens must be an integer of at least 1.'],
    [
      withField({ max_completion_tokens: 1.5 }),
      'max_completion_tokens',
      'max_completion_tokens must be an integer of at least 1.',
    ],
    [
      withField({ stop: 7 }),
      'stop',
      'stop must be a non-empty string of at most 1024 characters or a list of at most 64 non-empty strings.',
    ],
    [withField({ stop: ['a', ''] }), 'stop[1]', 'stop[1] must be a non-empty string of at most 1024 characters.'],
    [
      withField({ stop: Array.from({ length: 1000 }, () => 'x') }),
      'stop',
      'stop must be a non-empty string of at most 1024 characters or a list of at most 64 non-empty strings.',
    ],
    [withField({ user: 7 }), 'user', 'user must be a string.'],
    [
      withField({ service_tier: 'gold' }),
      'service_tier',
      'service_tier must be "auto", "default", "flex", "scale", "priority" or "fast".',
    ],
    [withField({ metadata: tooMany }), 'metadata', 'metadata must be an object with at most 16 keys.'],
    [withField({ metadata: { a: long } }), 'metadata.a', 'metadata.a must be a string of at most 512 characters.'],
    [
      withField({ metadata: { [long]: '' } }),
      'metadata',
      'Every key of metadata must be a string of at most 64 characters.',
    ],
    [withField({ n: 0 }), 'n', 'n must be an integer between 1 and 128.'],
    [
      withField({ response_format: { type: 'xml' } }),
      'response_format.type',
      'response_format.type must be "text", "json_object" or "json_schema".',
    ],
    [
      withField({ stream_options: { include_usage: 1 } }),
      'stream_options.include_usage',
      'stream_options.include_usage must be true or false.',
    ],
  ];
  for (const [body, param, expected] of cases) t.strictSame(check(body), { param, message: expected });
});

void t.test('a text completion is accepted in all its forms, and what is wrong is said once', async (t) => {
  const validate = route('createCompletion').body?.validate;
  const accepted: unknown[] = [
    { prompt: 'a' },
    { prompt: '' },
    { prompt: null },
    { prompt: ['a', ''] },
    { prompt: [1, 2] },
    { prompt: [[1], [2, 3]] },
    { prompt: 'a', max_tokens: 0, suffix: '', best_of: 1, logprobs: null, echo: true, unknown_field: 1 },
    { prompt: 'a', stop: ['b'], stream: true, stream_options: { include_usage: true }, seed: 1, top_k: -1 },
  ];
  for (const body of accepted) t.equal(validate?.(body), undefined, JSON.stringify(body));
  const forms = 'a string, a list of strings, a list of token ids, or a list of lists of token ids';
  const entries = 'a string, a token id or a list of token ids';
  const cases: [unknown, string, string][] = [
    [{}, 'prompt', `prompt is required: ${forms}.`],
    [{ messages: 'Hi' }, 'prompt', `prompt is required: ${forms}.`],
    [{ prompt: 7 }, 'prompt', `prompt must be ${forms}.`],
    [{ prompt: [] }, 'prompt', `prompt must be ${forms}.`],
    [{ prompt: ['a', 1.5] }, 'prompt[1]', `prompt[1] must be ${entries}.`],
    [{ prompt: [1, -1] }, 'prompt[1]', 'prompt[1] must be a token id (an integer of at least 0).'],
    [{ prompt: [[1], []] }, 'prompt[1]', 'prompt[1] must be a non-empty list of at most 1048576 token ids.'],
    [{ prompt: [[1, 'a']] }, 'prompt[0][1]', 'prompt[0][1] must be a token id (an integer of at least 0).'],
    [{ prompt: 'a', max_tokens: -1 }, 'max_tokens', 'max_tokens must be an integer of at least 0.'],
    [{ prompt: 'a', logprobs: 6 }, 'logprobs', 'logprobs must be an integer between 0 and 5.'],
    [{ prompt: 'a', echo: 'yes' }, 'echo', 'echo must be true or false.'],
  ];
  for (const [body, param, message] of cases) t.strictSame(validate?.(body), { param, message });
});

void t.test('requests for tokens and templates', async (t) => {
  const check = (operationId: string, body: unknown): unknown => route(operationId).body?.validate(body);
  t.equal(
    check('tokenize', { content: 'a', add_special: false, with_pieces: true }),
    undefined,
    "llama.cpp's spelling",
  );
  t.equal(
    check('tokenize', { model: 'm', prompt: 'a', add_special_tokens: true, return_token_strs: true }),
    undefined,
    "vLLM's",
  );
  t.equal(check('tokenize', { messages: [user], tools: [{ type: 'function', function: { name: 'f' } }] }), undefined);
  t.equal(check('detokenize', { tokens: [] }), undefined);
  t.equal(check('applyTemplate', { messages: [user], chat_template_kwargs: { a: [1] } }), undefined);
  t.match(check('tokenize', { content: 'x'.repeat(262_145) }), {
    param: 'content',
    message: /at most 262144 characters/,
  });
  t.match(check('tokenize', { content: 7 }), { param: 'content' });
  t.match(check('detokenize', {}), { param: 'tokens', message: /list of at most 1048576 token ids/ });
  t.match(check('detokenize', { tokens: ['a'] }), { param: 'tokens[0]' });
  t.match(check('applyTemplate', { messages: [user], tools: [{ type: 'x', function: { name: 'f' } }] }), {
    param: 'tools[0].type',
    message: 'tools[0].type must be "function".',
  });
  t.match(check('applyTemplate', { messages: [user], tools: [{ function: {} }] }), { param: 'tools[0].function.name' });
});

/** Calls back with each property in a body schema, and a function that makes a body with a value in its place. */
function eachProperty(
  schema: AnySchema,
  place: (value: unknown) => unknown,
  visit: (key: string, property: AnySchema, isRequired: boolean, place: (value: unknown) => unknown) => void,
): void {
  const plain = samples.resolve(schema);
  for (const branch of plain.anyOf ?? plain.oneOf ?? []) eachProperty(branch, place, visit);
  if (plain.items !== undefined) eachProperty(plain.items, (value) => place([value]), visit);
  const properties = plain.properties ?? {};
  const base = Object.fromEntries((plain.required ?? []).map((key) => [key, samples.one(properties[key])]));
  for (const [key, property] of Object.entries(properties)) {
    const here = (value: unknown): unknown => place({ ...base, [key]: value });
    visit(key, property, plain.required?.includes(key) === true, here);
    eachProperty(property, here, visit);
  }
}

const bodySchemas = routes
  .filter(({ body }) => body !== undefined)
  .map((route) => {
    const item = (document['paths'] as Record<string, Record<string, unknown>>)[route.path.replace('{+', '{')];
    const operation = item[route.method.toLowerCase()] as {
      requestBody: { content: Record<string, { schema: AnySchema }> };
    };
    return { route, schema: operation.requestBody.content['application/json'].schema };
  });

void t.test('every optional field of every request may be null', async (t) => {
  let tried = 0;
  for (const { route, schema } of bodySchemas) {
    eachProperty(
      schema,
      (value) => value,
      (key, _, isRequired, place) => {
        if (isRequired) return;
        tried++;
        const violation = route.body?.validate(place(null));
        if (violation !== undefined) t.fail(`${route.operationId}: ${key}`, { violation, body: place(null) });
      },
    );
  }
  t.ok(tried > 90, `${tried} fields`);
});

void t.test('a wrong type anywhere is one clear message about that place', async (t) => {
  let tried = 0;
  for (const { route, schema } of bodySchemas) {
    eachProperty(
      schema,
      (value) => value,
      (key, property, _, place) => {
        // The first value that the property cannot take.
        const types = new Set<string>(
          samples
            .some(property, 0)
            .map((value) => (value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value)),
        );
        const wrong = [
          ['number', 7.5],
          ['boolean', true],
          ['string', '\u0000'],
          ['array', []],
        ].find(([type]) => !types.has(type as string));
        const { type, anyOf, enum: values } = samples.resolve(property);
        if (wrong === undefined || (type === undefined && anyOf === undefined && values === undefined)) return;
        tried++;
        const violation = route.body?.validate(place(wrong[1]));
        const where = violation?.param.split(/[.[]/).at(-1);
        if (
          where !== key ||
          violation?.message.startsWith(`${violation.param} must be `) !== true ||
          / different\.$| any value/.test(violation.message)
        ) {
          t.fail(`${route.operationId}: ${key}`, { violation, body: place(wrong[1]) });
        }
      },
    );
  }
  t.ok(tried > 90, `${tried} fields`);
});

void t.test('defaults and accepted values obey their own schemas', async (t) => {
  let tried = 0;
  for (const { route, schema } of bodySchemas) {
    eachProperty(
      schema,
      (value) => value,
      (key, property, _, place) => {
        const plain = { ...samples.resolve(property), ...property };
        const values = [
          ...('default' in plain ? [plain['default']] : []),
          ...((plain['x-accepts'] as unknown[] | undefined) ?? []),
        ];
        for (const value of values) {
          tried++;
          t.equal(route.body?.validate(place(value)), undefined, `${key}: ${JSON.stringify(value)}`);
        }
      },
    );
  }
  t.ok(tried > 30);
});

void t.test('what is honoured in this release is what the plan says', async (t) => {
  const plan = route('createChatCompletion').body?.fields as FieldPlan & { kind: 'object' };
  const by = (support: string): string[] =>
    Object.keys(plan.fields)
      .filter((key) => plan.fields[key].support === support)
      .sort();
  const shared =
    'dry_allowed_length dry_base dry_multiplier dry_sequence_breakers frequency_penalty ignore_eos logit_bias logprobs max_completion_tokens ' +
    'max_tokens min_p model n presence_penalty repetition_penalty seed stop stream stream_options temperature top_k top_p truncate_sequence';
  const ofChat = 'chat_template_kwargs enable_thinking messages prediction reasoning_effort store top_logprobs';
  t.strictSame(by('honoured'), `${shared} ${ofChat}`.split(' ').sort());
  t.match(by('echoed'), ['agent_permission', 'code_execution_permission']);
  for (const key of 'metadata user service_tier parallel_tool_calls safety_identifier prompt_cache_key verbosity'.split(
    ' ',
  )) {
    t.equal(plan.fields[key].support, 'echoed', key);
  }
  const text = route('createCompletion').body?.fields as FieldPlan & { kind: 'object' };
  t.strictSame(
    Object.keys(text.fields)
      .filter((key) => text.fields[key].support === 'honoured')
      .sort(),
    `${shared} best_of echo prompt suffix`.split(' ').sort(),
  );
  t.match(text.fields['adapter'], { support: 'refused', accepts: [], reason: /\.$/ }, 'notes of a shared schema');
  t.match(plan.fields['tool_choice'], { accepts: ['none', 'auto'] });
  t.match(plan.fields['response_format'], { accepts: [{ type: 'text' }] });
});

void t.test('every field of the seeds and of the published chat API is known', async (t) => {
  const plan = route('createChatCompletion').body?.fields as FieldPlan & { kind: 'object' };
  const seeds =
    'agent_permission code_execution_permission dry_allowed_length dry_base dry_multiplier dry_sequence_breakers enable_code_execution ' +
    'enable_thinking files frequency_penalty grammar logit_bias logprobs max_tokens max_completion_tokens max_tool_rounds messages min_p ' +
    'model n presence_penalty reasoning_effort repetition_penalty response_format session_id stop stream temperature tool_choice tools ' +
    'top_k top_logprobs top_p truncate_sequence web_search_options seed user stream_options metadata service_tier parallel_tool_calls store';
  for (const key of seeds.split(' ')) t.ok(plan.fields[key], key);
});

void t.test('fields of chat alone are unknown to text completions, so that they are reported', async (t) => {
  const plan = route('createCompletion').body?.fields as FieldPlan & { kind: 'object' };
  const chatOnly =
    'messages enable_thinking reasoning_effort enable_code_execution enable_shell agent_permission code_execution_permission ' +
    'max_tool_rounds session_id files web_search_options response_format verbosity';
  for (const key of chatOnly.split(' ')) t.notOk(plan.fields[key], key);
});
