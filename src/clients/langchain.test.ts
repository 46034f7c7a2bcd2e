// LangChain with its classes for OpenAI's API, against the whole server with the bundled model.

import { AIMessage, HumanMessage, SystemMessage, type AIMessageChunk } from '@langchain/core/messages';
import { ChatOpenAI, OpenAI, type ChatOpenAIFields } from '@langchain/openai';
import t from 'tap';
import { startServer } from '../testing/server-process.ts';

const answer =
  'I am a tiny demo model that ships with the engine. I can chat a little, repeat text, add numbers, write JSON and call tools.';
const question = 'who are you?';

void t.test('LangChain', async (t) => {
  const { url } = await startServer(t);
  const access = { apiKey: 'not-used', maxRetries: 0, configuration: { baseURL: `${url}/v1` } } as const;
  const chat = (fields: ChatOpenAIFields = {}): ChatOpenAI =>
    new ChatOpenAI({ model: 'default', temperature: 0, ...access, ...fields });

  await t.test('a message, with usage and metadata', async (t) => {
    const message = await chat().invoke(question);
    t.equal(message.text, answer);
    t.match(message.usage_metadata, {
      input_tokens: 13,
      output_tokens: 30,
      total_tokens: 43,
      input_token_details: { cache_read: 0 },
      output_token_details: { reasoning: 0 },
    });
    t.match(message.response_metadata, {
      model_name: 'demo-3m-Q8_0',
      finish_reason: 'stop',
      system_fingerprint: String,
    });
    t.match(message.id, /^chatcmpl-/);
  });

  await t.test('a conversation, and settings of every kind', async (t) => {
    const model = chat({
      temperature: 1,
      topP: 0.9,
      frequencyPenalty: 0.5,
      presencePenalty: 0.5,
      logitBias: { 5: -100 },
      maxTokens: 5,
      user: 'ann',
      modelKwargs: { seed: 7, top_k: 40, min_p: 0.01 },
    });
    const history = [new SystemMessage('You are brief.'), new HumanMessage('Hi'), new AIMessage('Hello!')];
    const messages = [...history, new HumanMessage([{ type: 'text', text: 'Tell me about the sea' }])];
    const [first, second] = [await model.invoke(messages), await model.invoke(messages)];
    t.equal(first.usage_metadata?.output_tokens, 5);
    t.equal(first.response_metadata['finish_reason'], 'length');
    t.equal(second.text, first.text, 'the same seed');
  });

  await t.test('stop strings', async (t) => {
    const { text } = await chat().invoke(question, { stop: ['that', 'never'] });
    t.equal(text, 'I am a tiny demo model ');
  });

  await t.test('log probabilities', async (t) => {
    const message = await chat({ logprobs: true, topLogprobs: 2, maxTokens: 4 }).invoke(question);
    const { content } = message.response_metadata['logprobs'] as {
      content: { token: string; bytes: number[]; logprob: number; top_logprobs: unknown[] }[];
    };
    t.equal(content.length, 4);
    t.equal(Buffer.from(content.flatMap(({ bytes }) => bytes)).toString(), message.text);
    for (const { logprob, top_logprobs: top } of content) {
      t.ok(logprob <= 0);
      t.equal(top.length, 2);
    }
  });

  await t.test('n', async (t) => {
    const model = chat({ n: 3, temperature: 2, maxTokens: 12, modelKwargs: { seed: 7 } });
    const { generations, llmOutput } = await model.generate([[new HumanMessage('Tell me about Vienna')]]);
    t.equal(generations[0].length, 3);
    t.equal(new Set(generations[0].map(({ text }) => text)).size, 3);
    t.match(llmOutput, { tokenUsage: { promptTokens: Number, completionTokens: Number } });
  });

  await t.test('a stream: pieces that add up to the message, usage with the last one', async (t) => {
    let whole: AIMessageChunk | undefined;
    let pieces = 0;
    for await (const piece of await chat({ logprobs: true }).stream(question)) {
      whole = whole === undefined ? piece : whole.concat(piece);
      if (piece.text !== '') pieces++;
    }
    t.equal(whole?.text, answer);
    t.ok(pieces > 5);
    t.match(whole?.usage_metadata, { input_tokens: 13, output_tokens: 30, total_tokens: 43 });
    t.match(whole?.response_metadata, { finish_reason: 'stop', model_name: 'demo-3m-Q8_0' });
  });

  await t.test('a text that is continued, whole and streamed, and several at once', async (t) => {
    const model = new OpenAI({ model: 'default', temperature: 0, maxTokens: 8, ...access });
    const whole = await model.invoke('The sky is');
    t.ok(whole.length > 0);
    let text = '';
    for await (const piece of await model.stream('The sky is')) text += piece;
    t.equal(text, whole);
    const { generations } = await model.generate(['The sky is', 'The sea is']);
    t.equal(generations.length, 2);
    t.equal(generations[0][0].text, whole);
  });

  await t.test('errors are those of the client', async (t) => {
    await t.rejects(chat({ model: 'gpt-4' }).invoke('Hi'), { name: 'Error', status: 404, code: 'model_not_found' });
    await t.rejects(chat({ temperature: 3 }).invoke('Hi'), { name: 'Error', status: 400, param: 'temperature' });
  });
});
