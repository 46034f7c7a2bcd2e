// OpenAI's own client: its stream helpers, log probabilities, stored completions and text completions, against the whole server with the
// bundled model. Chat itself is in end-to-end.test.ts.

import OpenAI from 'openai';
import t from 'tap';
import { startServer } from '../testing/server-process.ts';

const model = 'default';
const messages = [{ role: 'user', content: 'who are you?' }] as const;
const ask = { model, messages: [...messages], temperature: 0 } satisfies OpenAI.ChatCompletionCreateParamsNonStreaming;

void t.test('OpenAI', async (t) => {
  const { url } = await startServer(t);
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'not-used', maxRetries: 0 });

  await t.test('the stream helper: what it assembles is the object', async (t) => {
    const options = { ...ask, logprobs: true, top_logprobs: 2, n: 2, seed: 7, temperature: 1, max_tokens: 12 };
    const { choices, usage } = await client.chat.completions.create(options);
    const stream = client.chat.completions.stream({
      ...options,
      stream: true,
      stream_options: { include_usage: true },
    });
    const logprobs: unknown[] = [];
    stream.on('logprobs.content.delta', ({ content }) => logprobs.push(...content));
    const finished: string[] = [];
    stream.on('content.done', ({ content }) => finished.push(content));
    const whole = await stream.finalChatCompletion();
    t.same(
      whole.choices.map(({ index, message, finish_reason }) => [index, message.content, finish_reason]),
      choices.map(({ index, message, finish_reason }) => [index, message.content, finish_reason]),
    );
    t.same(
      whole.choices.map(({ logprobs }) => logprobs?.content),
      choices.map(({ logprobs }) => logprobs?.content),
    );
    t.match(await stream.totalUsage(), { completion_tokens: usage?.completion_tokens });
    t.equal(logprobs.length, usage?.completion_tokens);
    t.equal(finished.length, 2);
  });

  await t.test('log probabilities: likeliest first, the greedy token among them', async (t) => {
    const { choices } = await client.chat.completions.create({
      ...ask,
      logprobs: true,
      top_logprobs: 5,
      max_tokens: 6,
    });
    const content = choices[0].logprobs?.content ?? [];
    t.equal(content.length, 6);
    t.equal(Buffer.from(content.flatMap(({ bytes }) => bytes ?? [])).toString(), choices[0].message.content);
    for (const { token, logprob, top_logprobs: top } of content) {
      t.equal(top.length, 5);
      t.equal(top[0].token, token);
      t.equal(top[0].logprob, logprob);
      t.same(
        top.map((each) => each.logprob),
        top.map((each) => each.logprob).sort((a, b) => b - a),
      );
      const mass = top.reduce((sum, each) => sum + Math.exp(each.logprob), 0);
      t.ok(mass > 0 && mass <= 1 + 1e-5, `${mass}`);
    }
  });

  await t.test('stored completions: kept, listed page by page, changed, deleted', async (t) => {
    const kept: string[] = [];
    for (const topic of ['sea', 'sky', 'sea']) {
      const { id } = await client.chat.completions.create({ ...ask, store: true, metadata: { topic }, max_tokens: 4 });
      kept.push(id);
    }
    const stream = client.chat.completions.stream({ ...ask, store: true, stream: true, max_tokens: 4 });
    const streamed = await stream.finalChatCompletion();
    kept.push(streamed.id);
    const listed: string[] = [];
    for await (const { id } of client.chat.completions.list({ limit: 2 })) listed.push(id);
    t.same(listed, kept);
    const seas = await client.chat.completions.list({ metadata: { topic: 'sea' }, order: 'desc', model });
    t.same(
      seas.data.map(({ id }) => id),
      [kept[2], kept[0]],
    );
    const retrieved = await client.chat.completions.retrieve(streamed.id);
    t.equal(retrieved.choices[0].message.content, streamed.choices[0].message.content);
    const changed = await client.chat.completions.update(kept[0], { metadata: { topic: 'land' } });
    t.match(changed, { id: kept[0], metadata: { topic: 'land' } });
    const sent = await client.chat.completions.messages.list(kept[0]);
    t.match(sent.data, [{ id: `${kept[0]}-0`, role: 'user', content: 'who are you?' }]);
    t.match(await client.chat.completions.delete(kept[0]), { id: kept[0], deleted: true });
    await t.rejects(client.chat.completions.retrieve(kept[0]), {
      name: 'Error',
      status: 404,
      code: 'completion_not_found',
    });
  });

  await t.test('text completions: several prompts and choices, log probabilities, the best of several', async (t) => {
    const several = { model, prompt: ['The sky is', 'The sea is'], n: 2, temperature: 1, seed: 7, max_tokens: 6 };
    const { choices } = await client.completions.create(several);
    t.same(
      choices.map(({ index }) => index),
      [0, 1, 2, 3],
    );
    const second = await client.completions.create({ ...several, prompt: 'The sea is', seed: 8 });
    t.same(
      choices.slice(2).map(({ text }) => text),
      second.choices.map(({ text }) => text),
      'choice i of prompt p is number p * n + i',
    );
    const echoed = { model, prompt: 'The sky is', echo: true, logprobs: 2, temperature: 0, max_tokens: 3 };
    const { text, logprobs } = (await client.completions.create(echoed)).choices[0];
    const {
      tokens = [],
      token_logprobs: values = [],
      text_offset: offsets = [],
      top_logprobs: top = [],
    } = logprobs ?? {};
    t.ok(tokens.length > 4);
    t.same([values.length, offsets.length, top.length], [tokens.length, tokens.length, tokens.length]);
    t.equal(values[0], null, 'nothing precedes the first token');
    t.equal(
      tokens
        .map((_, at) =>
          Array.from(text)
            .slice(offsets[at], offsets[at + 1])
            .join(''),
        )
        .join(''),
      text,
    );
    const best = await client.completions.create({ ...several, prompt: 'The sky is', n: 1, best_of: 4, logprobs: 0 });
    t.equal(best.choices.length, 1);
    t.ok(Number(best.usage?.completion_tokens) > 6);
  });

  await t.test('extensions beside the published fields', async (t) => {
    const cold = await client.chat.completions.create({ ...ask, max_tokens: 8 });
    const body = { ...ask, temperature: 2, max_tokens: 8, top_k: 1 };
    t.equal((await client.chat.completions.create(body)).choices[0].message.content, cold.choices[0].message.content);
    const { usage } = await client.chat.completions.create({ ...ask, max_tokens: 1 });
    const counted = await client.post('/chat/completions/input_tokens', { body: ask });
    t.same(counted, { object: 'response.input_tokens', input_tokens: usage?.prompt_tokens });
  });
});
