// What the server's own thread does with a chat request, part by part, in operations per second by benchmark.js; serializers and
// validators beside the plain way of doing it.

import Benchmark from 'benchmark';
import { fileURLToPath } from 'node:url';
import { routes } from '../src/generated/operations.ts';
import { Detokenizer } from '../src/tokenizer/detokenizer.ts';
import { createTokenizer } from '../src/tokenizer/gguf.ts';
import { readChatTemplate } from '../src/tokenizer/template.ts';
import { openCheckpoint } from '../src/weights/gguf.ts';
import { readArguments } from './arguments.ts';
import { formatTable } from './table.ts';

const demo = fileURLToPath(new URL('../../models/demo-3m-Q8_0.gguf', import.meta.url));
const sentence =
  'The harbour lay still in the morning, and nobody spoke of the wind that had come down from the hills. ';

export async function benchParts(args: readonly string[]): Promise<void> {
  const options = readArguments(args, ['model', 'seconds'], []);
  const seconds = options.number('seconds', 0.5);
  const { metadata } = await openCheckpoint(options.text('model') ?? demo);
  const parts = partsOf(metadata);
  const rows = Object.entries(parts).map(([name, run]) => {
    const bench = new Benchmark(run, { maxTime: seconds, minSamples: 5 });
    bench.run({ async: false });
    // benchmark.js counts what throws as infinitely slow, and goes on.
    if (bench.error !== undefined) throw new Error(`${name} failed`, { cause: bench.error });
    return [name, bench.hz, 1e6 / bench.hz, bench.stats.rme];
  });
  process.stdout.write(`Node ${process.version}, one thread\n`);
  process.stdout.write(formatTable(['part', 'per second', 'us', '±%'], rows));
}

function partsOf(metadata: Awaited<ReturnType<typeof openCheckpoint>>['metadata']): Record<string, () => unknown> {
  const tokenizer = createTokenizer(metadata);
  const { template } = readChatTemplate(metadata);
  const text = sentence.repeat(10);
  const messages = [
    { role: 'system' as const, content: sentence },
    { role: 'user' as const, content: text },
  ];
  const body = JSON.stringify({ model: 'default', messages, stream: true, max_tokens: 64, temperature: 0.7 });
  const route = routes.find(({ operationId }) => operationId === 'createChatCompletion');
  const validate = route?.body?.validate;
  const writeEvent = route?.stream?.serialize;
  if (route === undefined || validate === undefined || writeEvent === undefined)
    throw new Error('chat has body and events');
  const common = { id: 'chatcmpl-1', created: 1, model: 'default', system_fingerprint: 'fp_1' };
  const message = { role: 'assistant', content: text, refusal: null };
  const usage = { prompt_tokens: 200, completion_tokens: 200, total_tokens: 400 };
  const answer = {
    ...common,
    object: 'chat.completion',
    choices: [{ index: 0, message, finish_reason: 'stop', logprobs: null }],
    usage,
  };
  const event = {
    ...common,
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta: { content: ' harbour' }, finish_reason: null, logprobs: null }],
  };
  const conversation = messages.map(({ role, content }) => ({
    role,
    content: [{ type: 'text' as const, text: content }],
  }));
  const input = { messages: conversation, tools: [], addGenerationPrompt: true, bos: '', eos: '', variables: {} };
  const parsed: unknown = JSON.parse(body);
  const ids = tokenizer.encode(text);
  return {
    'body: JSON.parse': () => JSON.parse(body),
    'body: validator (Ajv)': () => validate(parsed),
    'prompt: template': () => template.render(input),
    [`prompt: tokenizer, ${ids.length} tokens`]: () => tokenizer.encode(text),
    [`tokens: detokenizer, ${ids.length} tokens`]: () => {
      const detokenizer = new Detokenizer(tokenizer, { special: false });
      for (const id of ids) detokenizer.push(id);
      return detokenizer.end();
    },
    'event: serializer': () => writeEvent(event),
    'event: JSON.stringify': () => JSON.stringify(event),
    'answer: serializer': () => route.serialize(answer),
    'answer: JSON.stringify': () => JSON.stringify(answer),
  };
}
