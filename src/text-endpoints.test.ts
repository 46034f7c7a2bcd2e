// Raw text over the whole way, real at every step and asked by OpenAI's own client: completions, tokens, templates.

import OpenAI, { APIError, BadRequestError } from 'openai';
import t from 'tap';
import { startServer, type ServerProcess } from './testing/server-process.ts';

type Body = OpenAI.CompletionCreateParamsNonStreaming;
type Answer = Record<string, unknown>;

const model = 'demo-3m-Q8_0';
const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: 'user', content: 'who are you?' }];

const clientOf = ({ url }: ServerProcess): OpenAI =>
  new OpenAI({ baseURL: `${url}/v1`, apiKey: 'not-used', maxRetries: 0 });

async function post(
  server: ServerProcess,
  path: string,
  body: unknown,
): Promise<Answer & { status: number; ignored: string | null }> {
  const response = await fetch(server.url + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  return {
    ...((await response.json()) as Answer),
    status: response.status,
    ignored: response.headers.get('x-ignored-fields'),
  };
}

/** Texts and finish reasons by index, and the last usage. */
async function folded(client: OpenAI, body: Body): Promise<{ texts: string[]; order: number[]; usage: unknown }> {
  const texts: string[] = [];
  const order: number[] = [];
  let usage: unknown;
  const options = { stream: true, stream_options: { include_usage: true } } as const;
  for await (const chunk of await client.completions.create({ ...body, ...options })) {
    usage = chunk.usage;
    for (const { index, text } of chunk.choices) {
      texts[index] = (texts[index] ?? '') + text;
      if (text !== '') order.push(index);
    }
  }
  return { texts, order, usage };
}

void t.test('a server with the bundled model', async (t) => {
  const server = await startServer(t, ['--ctx', '1024']);
  const client = clientOf(server);
  const textsOf = async (body: Body): Promise<string[]> =>
    (await client.completions.create(body)).choices.map(({ text }) => text);

  await t.test('a rendered conversation, continued as text, is what chat answers', async (t) => {
    const asked = { model, messages, temperature: 0, max_tokens: 64 };
    const chat = await client.chat.completions.create(asked);
    const { prompt } = await post(server, '/apply-template', { messages });
    t.match(prompt, /who are you\?/);
    const text = await client.completions.create({ model, prompt: prompt as string, temperature: 0, max_tokens: 64 });
    t.match(text, { object: 'text_completion', id: /^cmpl-/, model, choices: [{ index: 0, logprobs: null }] });
    t.equal(text.choices[0].text, chat.choices[0].message.content);
    t.equal(text.choices[0].finish_reason, 'stop');
    t.same(text.usage, chat.usage);

    const tokens = await post(server, '/tokenize', { messages });
    t.same(tokens['tokens'], (await post(server, '/tokenize', { prompt }))['tokens'], 'one prompt, however it is said');
    t.equal(tokens['count'], chat.usage?.prompt_tokens);
    t.equal(tokens['max_model_len'], 1024);
    const ids = tokens['tokens'] as number[];
    t.match(await post(server, '/v1/chat/completions/render', asked), {
      model,
      request_id: /^chatcmpl-/,
      token_ids: ids,
    });
    const two = await post(server, '/v1/completions/render', { prompt: [prompt, 'a'], stream: true });
    t.match(two, { 0: { model, request_id: /^cmpl-/, token_ids: ids }, 1: { token_ids: [Number, Number] } });
    t.same(await textsOf({ model, prompt: ids, temperature: 0, max_tokens: 64 }), [text.choices[0].text]);
  });

  await t.test('limits: 16 tokens unless asked for more, none if so asked', async (t) => {
    const prompt = 'The sky is';
    const short = await client.completions.create({ model, prompt, temperature: 0 });
    t.match(short, { choices: [{ finish_reason: 'length' }], usage: { completion_tokens: 16 } });
    const none = await client.completions.create({ model, prompt, max_tokens: 0, echo: true });
    t.match(none, { choices: [{ text: prompt, finish_reason: 'length' }], usage: { completion_tokens: 0 } });
  });

  await t.test('several prompts: each as it is alone, in their order, with the sum of their usage', async (t) => {
    const prompts = ['The sky is', 'The sky is', 'Tell me', 'One, two,'];
    const body = { model, temperature: 1.5, seed: 11, max_tokens: 12 };
    const together = await client.completions.create({ ...body, prompt: prompts });
    const alone: OpenAI.Completion[] = [];
    for (const [index, prompt] of prompts.entries())
      alone.push(await client.completions.create({ ...body, prompt, seed: 11 + index }));
    t.same(
      together.choices.map(({ index, text, finish_reason }) => [index, text, finish_reason]),
      alone.map(({ choices: [choice] }, index) => [index, choice.text, choice.finish_reason]),
    );
    t.not(together.choices[0].text, together.choices[1].text, 'equal prompts get texts of their own');
    const sum = (key: 'prompt_tokens' | 'completion_tokens'): number =>
      alone.reduce((all, { usage }) => all + (usage?.[key] ?? 0), 0);
    t.match(together.usage, { prompt_tokens: sum('prompt_tokens'), completion_tokens: sum('completion_tokens') });

    const stream = await folded(client, { ...body, prompt: prompts });
    t.same(
      stream.texts,
      together.choices.map(({ text }) => text),
    );
    t.same(stream.usage, together.usage);
    t.ok(
      stream.order.some((index, at) => index < (stream.order[at - 1] ?? 0)),
      'the pieces mingle',
    );

    const ids = await Promise.all(
      prompts.map(async (content) => (await post(server, '/tokenize', { prompt: content }))['tokens'] as number[]),
    );
    t.same(await textsOf({ ...body, prompt: ids }), stream.texts, 'and the same as token ids');
  });

  await t.test('stop strings and echo, streamed and not', async (t) => {
    const { prompt } = (await post(server, '/apply-template', { messages })) as unknown as { prompt: string };
    const body = { model, prompt, temperature: 0, max_tokens: 64, stop: ['that'], echo: true };
    const expected = `${prompt}I am a tiny demo model `;
    t.same(await textsOf(body), [expected]);
    t.same((await folded(client, body)).texts, [expected]);
    const ids = (await post(server, '/tokenize', { prompt }))['tokens'] as number[];
    const { content } = await post(server, '/detokenize', { tokens: ids });
    t.same(await textsOf({ ...body, prompt: ids }), [`${content as string}I am a tiny demo model `]);
  });

  await t.test('tokens and texts are inverse, special tokens as they are asked for', async (t) => {
    const text = 'Grüße, 猫 and <|im_start|>!\n';
    for (const body of [
      { content: text },
      { content: text, parse_special: false },
      { prompt: text, add_special_tokens: false },
    ]) {
      const { tokens, count } = await post(server, '/tokenize', body);
      t.equal(count, (tokens as number[]).length);
      t.match(await post(server, '/detokenize', { tokens }), { content: text, prompt: text });
    }
    const special = await post(server, '/tokenize', {
      content: '<|im_start|>',
      with_pieces: true,
      return_token_strs: true,
    });
    t.match(special, { count: 1, tokens: [{ id: Number, piece: '<|im_start|>' }], token_strs: ['<|im_start|>'] });
    t.ok(Number((await post(server, '/tokenize', { content: '<|im_start|>', parse_special: false }))['count']) > 1);
    const plain = await post(server, '/tokenize', { content: 'a' });
    const framed = await post(server, '/tokenize', { prompt: 'a' });
    t.equal(Number(framed['count']) - Number(plain['count']), 1, 'the beginning of a text');
    const { tokens } = await post(server, '/tokenize', { content: '猫', with_pieces: true });
    t.same(
      (tokens as { piece: number[] }[]).flatMap(({ piece }) => piece),
      [...Buffer.from('猫')],
      'bytes that are no characters',
    );
  });

  await t.test('templates: an open or closed end', async (t) => {
    const closed = await post(server, '/apply-template', { messages, add_generation_prompt: false });
    const open = await post(server, '/apply-template', { messages });
    t.ok((open['prompt'] as string).startsWith(closed['prompt'] as string) && open['prompt'] !== closed['prompt']);
    t.match(await post(server, '/apply-template', { messages: [] }), { status: 400, error: { param: 'messages' } });
  });

  await t.test('errors name the prompt at fault, before any byte of a stream', async (t) => {
    const failure = async (promise: Promise<unknown>): Promise<APIError> => {
      const [result] = await Promise.allSettled([promise]);
      if (result.status === 'rejected' && result.reason instanceof APIError) return result.reason;
      throw new Error('it did not fail as it should');
    };
    const long = 'word '.repeat(2000);
    const tooLong = await failure(client.completions.create({ model, prompt: long }));
    t.ok(tooLong instanceof BadRequestError);
    t.match(tooLong, { code: 'context_length_exceeded', param: 'prompt' });
    for (const stream of [false, true]) {
      const create = (prompt: Body['prompt']): Promise<APIError> =>
        failure(client.completions.create({ model, prompt, stream }));
      t.match(await create(['a', long]), { status: 400, code: 'context_length_exceeded', param: 'prompt[1]' });
      t.match(await create([1, 2, 3, 9999]), { status: 400, code: 'invalid_token_id', param: 'prompt[3]' });
      t.match(await create([[1], [2, 9999]]), { status: 400, code: 'invalid_token_id', param: 'prompt[1][1]' });
      t.match(await create(Array.from({ length: 129 }, () => 'a')), { status: 400, param: 'prompt' });
    }
    t.match(await failure(client.completions.create({ model: 'gpt-4', prompt: 'a' })), {
      status: 404,
      code: 'model_not_found',
    });
    for (const path of ['/tokenize', '/detokenize', '/apply-template']) {
      const body = { model: 'gpt-4', content: 'a', tokens: [1], messages };
      const wanted = path === '/tokenize' ? { model: 'gpt-4', content: 'a' } : body;
      t.match(await post(server, path, wanted), { status: 404, error: { code: 'model_not_found', param: 'model' } });
    }
    t.match(await post(server, '/detokenize', { tokens: [1, 9999] }), { status: 400, error: { param: 'tokens[1]' } });
    t.match(await post(server, '/tokenize', { messages: 'x'.repeat(262_144) }), {
      status: 400,
      error: { param: 'messages' },
    });
  });

  await t.test('fields of chat alone change nothing and are named', async (t) => {
    const body = { prompt: 'The sky is', temperature: 0, max_tokens: 4 };
    const chatOnly = {
      enable_thinking: true,
      reasoning_effort: 'high',
      session_id: 's',
      files: ['a'],
      web_search_options: {},
      agent_permission: 'deny',
    };
    const plain = await post(server, '/v1/completions', body);
    const more = await post(server, '/v1/completions', { ...body, ...chatOnly });
    t.equal(more.status, 200);
    t.same(more['choices'], plain['choices']);
    t.equal(plain.ignored, null);
    t.equal(more.ignored, Object.keys(chatOnly).join(', '));
  });
});

void t.test('a caller who leaves stops all texts of the request', async (t) => {
  const server = await startServer(t, ['--device', 'reference']);
  const client = clientOf(server);
  const prompt = Array.from({ length: 6 }, (_, index) => `One, two, three, ${index}`);
  const stream = await client.completions.create({
    model,
    prompt,
    max_tokens: 200,
    stream: true,
    temperature: 2,
    seed: 5,
  });
  let seen = 0;
  for await (const chunk of stream) if (chunk.choices[0].text !== '' && ++seen === 6) break;
  t.match(await server.line('request'), { operation: 'createCompletion', aborted: true, tokens_in: Number });
  // None of the six goes on: what is asked next is all that the engine works on.
  await client.completions.create({ model, prompt: 'a', max_tokens: 1 });
  // Gauges may be some milliseconds old; a run that went on would take seconds.
  const isFree = async (): Promise<boolean> => {
    const metrics = await (await fetch(`${server.url}/metrics`)).text();
    return ['running', 'waiting'].every((state) =>
      new RegExp(`vllm:num_requests_${state}\\{[^}]*\\} 0\n`).test(metrics),
    );
  };
  let looks = 0;
  while (!(await isFree()) && looks < 100) looks++;
  t.ok(looks < 100, 'the engine is free again');
});
