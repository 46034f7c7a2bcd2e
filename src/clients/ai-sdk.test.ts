// Vercel's AI SDK with its provider for compatible servers, against the whole server with the bundled model.

import { createOpenAICompatible } from '@ai-sdk/openai-compatible';
import { APICallError, generateText, streamText } from 'ai';
import t from 'tap';
import { startServer } from '../testing/server-process.ts';

const answer =
  'I am a tiny demo model that ships with the engine. I can chat a little, repeat text, add numbers, write JSON and call tools.';
const question = { prompt: 'who are you?', temperature: 0, maxRetries: 0 } as const;

void t.test('AI SDK', async (t) => {
  const { url } = await startServer(t);
  const provider = createOpenAICompatible({ name: 'tramontane', baseURL: `${url}/v1`, includeUsage: true });
  const chat = provider.chatModel('default');
  const completion = provider.completionModel('default');

  await t.test('a text, with usage and what was sent', async (t) => {
    const { text, finishReason, usage, response } = await generateText({ model: chat, ...question });
    t.equal(text, answer);
    t.equal(finishReason, 'stop');
    t.match(usage, { inputTokens: 13, outputTokens: 30, totalTokens: 43, cachedInputTokens: 0, reasoningTokens: 0 });
    t.match(response, { id: /^chatcmpl-/, modelId: 'demo-3m-Q8_0', timestamp: Date });
  });

  await t.test('a conversation with instructions, and settings of every kind', async (t) => {
    const { text, usage, finishReason } = await generateText({
      model: chat,
      system: 'You are brief.',
      messages: [
        { role: 'user', content: [{ type: 'text', text: 'Hi' }] },
        { role: 'assistant', content: 'Hello!' },
        { role: 'user', content: 'Tell me about the sea' },
      ],
      temperature: 1,
      topP: 0.9,
      frequencyPenalty: 0.5,
      presencePenalty: 0.5,
      seed: 7,
      maxOutputTokens: 5,
      maxRetries: 0,
      providerOptions: { tramontane: { user: 'ann', logit_bias: { 5: -100 } } },
    });
    t.ok(text.length > 0);
    t.equal(usage.outputTokens, 5);
    t.equal(finishReason, 'length');
  });

  await t.test('stop strings', async (t) => {
    const { text, finishReason } = await generateText({ model: chat, ...question, stopSequences: ['that', 'never'] });
    t.equal(text, 'I am a tiny demo model ');
    t.equal(finishReason, 'stop');
  });

  await t.test('a stream: pieces that make the text, one finish, usage', async (t) => {
    const result = streamText({ model: chat, ...question, onError: ({ error }) => void t.fail(String(error)) });
    const pieces: string[] = [];
    const kinds = new Set<string>();
    for await (const part of result.fullStream) {
      kinds.add(part.type);
      if (part.type === 'text-delta') pieces.push(part.text);
    }
    t.equal(pieces.join(''), answer);
    t.ok(pieces.length > 5);
    t.same(kinds, new Set(['start', 'start-step', 'text-start', 'text-delta', 'text-end', 'finish-step', 'finish']));
    t.equal(await result.finishReason, 'stop');
    t.match(await result.usage, { inputTokens: 13, outputTokens: 30, totalTokens: 43 });
  });

  await t.test('a text that is continued, whole and streamed', async (t) => {
    const settings = {
      model: completion,
      prompt: 'The sky is',
      temperature: 0,
      maxOutputTokens: 8,
      maxRetries: 0,
    } as const;
    const whole = await generateText(settings);
    t.equal(whole.usage.outputTokens, 8);
    const stream = streamText({ ...settings, onError: ({ error }) => void t.fail(String(error)) });
    let text = '';
    for await (const piece of stream.textStream) text += piece;
    t.equal(text, whole.text);
    t.equal(await stream.finishReason, 'length');
  });

  await t.test('a refusal is an error with its status and words', async (t) => {
    const ask = generateText({ model: provider.chatModel('gpt-4'), prompt: 'Hi', maxRetries: 0 });
    await t.rejects(ask, {
      name: 'AI_APICallError',
      statusCode: 404,
      isRetryable: false,
      message: /"gpt-4" is not loaded/,
    });
    try {
      await generateText({ model: chat, ...question, temperature: 3 });
      t.fail('it should have been refused');
    } catch (error) {
      t.ok(APICallError.isInstance(error));
      t.match(error, { statusCode: 400, message: /temperature/ });
    }
  });
});
