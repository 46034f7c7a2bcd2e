// The whole way with the real thing at every step: process, HTTP, engine process, bundled model; asked by OpenAI's own client.

import OpenAI, { APIError, BadRequestError, InternalServerError, NotFoundError } from 'openai';
import t, { type Test } from 'tap';
import { loadUws } from './http/uws.ts';
import { startServer, type ServerProcess } from './testing/server-process.ts';

type Body = OpenAI.ChatCompletionCreateParamsNonStreaming;

const model = 'demo-3m-Q8_0';
const question = 'who are you?';
const answer =
  'I am a tiny demo model that ships with the engine. I can chat a little, repeat text, add numbers, write JSON and call tools.';

function ask(text: string, more: Partial<Body> = {}): Body {
  return { model, messages: [{ role: 'user', content: text }], temperature: 0, ...more };
}

/** An answer of some fifty tokens, which takes the reference backend about a second: time to interfere. */
const lengthy = `repeat: ${Array.from({ length: 14 }, (_, i) => `zab${i + 1} kora `).join('')}`;
const slow = ['--device', 'reference'];

type Start = (t: Test, args?: readonly string[]) => Promise<ServerProcess>;

const uws = await loadUws();

/** The test over each HTTP implementation. */
function overEach(name: string, run: (t: Test, start: Start) => Promise<void>): void {
  for (const transport of ['uws', 'http'] as const) {
    const skip = transport === 'uws' && uws.module === undefined ? uws.reason : false;
    void t.test(`${name} (--transport ${transport})`, { skip }, (t) =>
      run(t, async (t, args = []) => {
        const server = await startServer(t, ['--transport', transport, ...args]);
        t.match(await server.line('ready'), { transport: transport === 'uws' ? 'uWebSockets.js' : 'node:http' });
        return server;
      }),
    );
  }
}

function clientOf({ url }: ServerProcess): OpenAI {
  return new OpenAI({ baseURL: `${url}/v1`, apiKey: 'not-used', maxRetries: 0 });
}

async function streamed(client: OpenAI, body: Body): Promise<{ text: string; chunks: OpenAI.ChatCompletionChunk[] }> {
  const chunks: OpenAI.ChatCompletionChunk[] = [];
  for await (const chunk of await client.chat.completions.create({ ...body, stream: true })) chunks.push(chunk);
  return { text: chunks.map(({ choices }) => choices[0]?.delta.content ?? '').join(''), chunks };
}

overEach('a server with the bundled model', async (t, start) => {
  const server = await start(t, ['--alias', 'tiny', '--ctx', '2048']);
  const client = clientOf(server);

  await t.test('answers, and the stream says the same', async (t) => {
    const whole = await client.chat.completions.create(ask(question));
    t.equal(whole.choices[0].message.content, answer);
    t.match(whole, {
      object: 'chat.completion',
      model,
      choices: [{ index: 0, finish_reason: 'stop', logprobs: null, message: { role: 'assistant', refusal: null } }],
      usage: { prompt_tokens: 13, completion_tokens: 30, total_tokens: 43 },
    });
    const options = { stream_options: { include_usage: true } } as Partial<Body>;
    const { text, chunks } = await streamed(client, ask(question, options));
    t.equal(text, answer);
    t.same(chunks.at(-1)?.usage, whole.usage);
    t.same(chunks.at(-1)?.choices, []);
    t.equal(new Set(chunks.map(({ id }) => id)).size, 1);
    t.equal(chunks.filter(({ choices }) => choices[0]?.finish_reason).length, 1);
  });

  await t.test('the client assembles the stream itself', async (t) => {
    const stream = client.chat.completions.stream({ ...ask(question), stream: true });
    t.equal(await stream.finalContent(), answer);
  });

  await t.test('limits and stop strings', async (t) => {
    const limited = await client.chat.completions.create(ask(question, { max_tokens: 5 }));
    t.match(limited, { choices: [{ finish_reason: 'length' }], usage: { completion_tokens: 5 } });
    const stopped = await client.chat.completions.create(ask(question, { stop: ['that', 'never'] }));
    t.equal(stopped.choices[0].message.content, 'I am a tiny demo model ');
    t.equal(stopped.choices[0].finish_reason, 'stop');
    const { text } = await streamed(client, ask(question, { stop: 'text, add' }));
    t.equal(text, 'I am a tiny demo model that ships with the engine. I can chat a little, repeat ');
  });

  await t.test('the same seed gives the same answer, alone and in company', async (t) => {
    const body = ask('Tell me about Vienna and the sea', { temperature: 2, seed: 42, max_tokens: 24 });
    const alone = await client.chat.completions.create(body);
    const others = [1, 2, 3].map((seed) => client.chat.completions.create({ ...body, seed }));
    const together = await client.chat.completions.create(body);
    t.equal(together.choices[0].message.content, alone.choices[0].message.content);
    const texts = new Set((await Promise.all(others)).map(({ choices }) => choices[0].message.content));
    t.ok(texts.size > 1, 'other seeds differ');
    t.equal(together.system_fingerprint, alone.system_fingerprint);
  });

  await t.test('n: several answers, of which the first is the one that one would be', async (t) => {
    const body = ask('Tell me about Vienna and the sea', { temperature: 2, seed: 42, max_tokens: 24 });
    const one = await client.chat.completions.create(body);
    const three = await client.chat.completions.create({ ...body, n: 3 });
    t.same(
      three.choices.map(({ index }) => index),
      [0, 1, 2],
    );
    t.same(three.choices[0], one.choices[0]);
    t.equal(new Set(three.choices.map(({ message }) => message.content)).size, 3);
    t.equal(three.usage?.prompt_tokens, one.usage?.prompt_tokens);
    const texts = ['', '', ''];
    const finished: number[] = [];
    let usage: unknown;
    const stream = await client.chat.completions.create({
      ...body,
      n: 3,
      stream: true,
      stream_options: { include_usage: true },
    });
    for await (const chunk of stream) {
      ({ usage } = chunk);
      for (const { index, delta, finish_reason } of chunk.choices) {
        texts[index] += delta.content ?? '';
        if (finish_reason !== null) finished.push(index);
      }
    }
    t.same(
      texts,
      three.choices.map(({ message }) => message.content),
    );
    t.same(new Set(finished), new Set([0, 1, 2]));
    t.equal(finished.length, 3, 'one finish each');
    t.match(usage, { completion_tokens: three.usage?.completion_tokens });
    const many = client.chat.completions.create({ ...body, n: 33 });
    await t.rejects(many, {
      status: 400,
      param: 'n',
      code: 'too_many_choices',
      message: /at most 32.*33 were.*--max-seqs/,
    });
  });

  await t.test('a prompt that was read before is counted as cached, and answered alike', async (t) => {
    const body = ask(`repeat: ${'quiet blue lamp '.repeat(20)}`, { max_tokens: 8 });
    const cold = await client.chat.completions.create(body);
    t.equal(cold.usage?.prompt_tokens_details?.cached_tokens, 0);
    const warm = await client.chat.completions.create(body);
    const whole = Math.floor((Number(cold.usage?.prompt_tokens) - 1) / 64) * 64;
    t.ok(whole >= 64, 'the prompt fills a block');
    t.equal(warm.usage?.prompt_tokens_details?.cached_tokens, whole);
    t.same(warm.choices, cold.choices);
  });

  await t.test('names of models', async (t) => {
    const ids = (await client.models.list()).data.map(({ id }) => id);
    t.same(ids, ['default', model, 'tiny']);
    t.match(await client.models.retrieve('tiny'), { id: 'tiny', object: 'model', owned_by: 'tramontane', root: model });
    for (const name of ['tiny', 'default']) {
      t.equal((await client.chat.completions.create(ask('Hi', { model: name, max_tokens: 2 }))).model, model);
    }
    const nameless = await fetch(`${server.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ messages: 'Hi', max_tokens: 2 }),
    });
    t.match(await nameless.json(), { model });
  });

  await t.test('errors are the classes that the client knows', async (t) => {
    const failure = async (promise: Promise<unknown>): Promise<APIError> => {
      try {
        await promise;
      } catch (error) {
        if (error instanceof APIError) return error;
        throw error;
      }
      throw new Error('it did not fail');
    };
    const create = (body: Body): Promise<unknown> => client.chat.completions.create(body);
    const unknown = await failure(create(ask('Hi', { model: 'gpt-4' })));
    t.ok(unknown instanceof NotFoundError);
    t.match(unknown, { code: 'model_not_found', message: /"default", "demo-3m-Q8_0", "tiny"/, requestID: /^req_/ });
    t.ok((await failure(client.models.retrieve('gpt-4'))) instanceof NotFoundError);

    const long = await failure(create(ask('word '.repeat(3000))));
    t.ok(long instanceof BadRequestError);
    t.match(long, { code: 'context_length_exceeded', param: 'messages', message: /2048/ });
    t.match(await failure(streamed(client, ask('word '.repeat(3000)))), {
      status: 400,
      code: 'context_length_exceeded',
    });

    t.match(await failure(create(ask('Hi', { temperature: 3 }))), { status: 400, param: 'temperature' });
    t.match(await failure(create(ask('Hi', { response_format: { type: 'json_object' } }))), {
      status: 400,
      code: 'unsupported_parameter',
      param: 'response_format',
    });
    t.match(await failure(create(ask('Hi', { max_tokens: 1, max_completion_tokens: 2 }))), { status: 400 });
  });

  await t.test('probes, document, and routes that do not exist', async (t) => {
    const get = async (path: string): Promise<[number, unknown]> => {
      const response = await fetch(server.url + path);
      return [response.status, await response.json()];
    };
    t.match(await get('/health'), [200, { status: 'ready' }]);
    t.match(await get('/ready'), [200, { status: 'ready' }]);
    t.match(await get('/openapi.json'), [200, { openapi: '3.1.0', paths: { '/v1/chat/completions': {} } }]);
    t.match(await get('/v1/nothing'), [404, { error: { code: 'unknown_route', type: String, message: String } }]);
  });
});

overEach('a slow server, and what happens in mid-stream', async (t, start) => {
  const server = await start(t, slow);
  const client = clientOf(server);

  await t.test('a caller who leaves stops the generation', async (t) => {
    const stream = await client.chat.completions.create({ ...ask(lengthy), stream: true });
    let seen = 0;
    for await (const chunk of stream) if (chunk.choices[0].delta.content && ++seen === 3) break;
    t.match(await server.line('request'), { aborted: true, tokens_in: Number, tokens_out: undefined });
  });

  await t.test('the engine is killed in mid-stream: all in the house fail, the next works', async (t) => {
    const stream = await client.chat.completions.create({ ...ask(lengthy), stream: true });
    const waiting = client.chat.completions.create(ask(lengthy));
    let seen = 0;
    const read = async (): Promise<void> => {
      for await (const chunk of stream)
        if (chunk.choices[0].delta.content && ++seen === 3) process.kill(server.enginePid, 'SIGKILL');
    };
    const [reading, waited] = await Promise.allSettled([read(), waiting]);
    t.ok(seen >= 3);
    t.match(reading, { status: 'rejected', reason: { name: 'Error', code: 'engine_crashed' } });
    t.equal(waited.status, 'rejected');
    t.ok(waited.status === 'rejected' && waited.reason instanceof InternalServerError && waited.reason.status === 503);

    const next = await client.chat.completions.create(ask(question));
    t.equal(next.choices[0].message.content, answer, 'the next request works');
    t.match(await (await fetch(`${server.url}/ready`)).json(), { status: 'ready' });
  });

  await t.test('SIGTERM in mid-stream: running answers are finished, then the server ends with 0', async (t) => {
    const others = Array.from({ length: 7 }, () => streamed(client, ask(question, { max_tokens: 16 })));
    const stream = await client.chat.completions.create({ ...ask(question), stream: true });
    let text = '';
    for await (const chunk of stream) {
      if (text === '' && chunk.choices[0].delta.content) {
        server.process.kill('SIGTERM');
        await server.line('draining');
        const refused = client.chat.completions.create(ask('Hi'));
        await t.rejects(refused, { name: 'Error' }, 'no new ones');
      }
      text += chunk.choices[0].delta.content ?? '';
    }
    t.equal(text, answer);
    const ends = (await Promise.all(others)).map(({ text, chunks }) => [text, chunks.at(-1)?.choices[0].finish_reason]);
    t.equal(ends.length, 7);
    for (const end of ends) t.same(end, [answer.slice(0, end[0]?.length), 'length'], 'none of the eight is lost');
    t.equal(await server.exit, 0);
    const said = server.log.map(({ msg }) => msg);
    t.ok(said.includes('finishing 8 answers, up to 30 s'), 'those who left before are not waited for');
    t.ok(said.includes('stopped cleanly'));
  });
});

overEach('after the grace period running answers end with their error', async (t, start) => {
  const server = await start(t, [...slow, '--shutdown-timeout', '0']);
  const stream = await clientOf(server).chat.completions.create({ ...ask(lengthy), stream: true });
  let seen = 0;
  const read = async (): Promise<void> => {
    for await (const chunk of stream) {
      if (chunk.choices[0].delta.content && ++seen === 3) server.process.kill('SIGTERM');
    }
  };
  await t.rejects(read(), { name: 'Error', code: 'shutting_down' });
  t.equal(await server.exit, 0);
});

overEach('a second Ctrl-C ends the server at once', async (t, start) => {
  const server = await start(t, slow);
  const stream = await clientOf(server).chat.completions.create({ ...ask(lengthy), stream: true });
  const read = async (): Promise<void> => {
    for await (const chunk of stream) {
      if (!chunk.choices[0].delta.content) continue;
      server.process.kill('SIGINT');
      if (server.log.some(({ msg }) => msg === 'draining')) server.process.kill('SIGINT');
    }
  };
  await t.rejects(read());
  t.equal(await server.exit, 130);
  t.notOk(
    server.log.some(({ msg }) => /assert|abort/i.test(msg)),
    'nothing breaks on the way out',
  );
});
