// A small server that meets every requirement: the proof that the cases can be passed, and the ground from which each bad
// server departs in one point. It refuses aloud what it cannot do (tools, response formats, gaps).

import { between, commonFields, isFlag, isObject, judgeFields, judgeRest } from './judge.ts';
import type { Fields, Harmless } from './judge.ts';
import { chatLogprobs } from './logprobs.ts';
import { isGreedy, speak } from './model.ts';
import type { Choice } from './model.ts';
import { created, eventStream, json, modelName, parse, refuse, unknownModel, usageOf, withIgnored } from './reply.ts';
import type { Body, Refusal } from './reply.ts';
import type { FakeAnswer, FakeRequest, FakeServer } from './server.ts';
import { Stored } from './stored.ts';
import { judgeMessages, render } from './template.ts';
import { applyTemplate, detokenize, renderText, textCompletion, tokenize } from './texts.ts';
import { contextLength, countTokens, encode } from './tokens.ts';

export { modelName, parse } from './reply.ts';
export type { Body } from './reply.ts';

const bodyLimitBytes = 50 * 1024 * 1024;

export interface GoodOptions {
  /** Asked of every caller when given. */
  readonly apiKey?: string | undefined;
}

export function goodServer({ apiKey }: GoodOptions = {}): FakeServer {
  let count = 0;
  const number = (): number => (count += 1);
  const used: Used = { prompt: 0, completion: 0 };
  const state: State = { number, stored: new Stored() };
  return {
    headersTooLarge: String(refuse({ status: 431, message: 'The headers are too large.' }).body),
    answer(request) {
      const common = { 'access-control-allow-origin': '*', 'x-request-id': `req-${number()}` };
      const answer = request.path === '/metrics' ? metrics(used) : route(request, apiKey, state);
      add(used, answer);
      return { ...answer, headers: { ...common, ...answer.headers } };
    },
  };
}

interface State {
  /** Counts on. */
  readonly number: () => number;
  readonly stored: Stored;
}

/** Tokens so far. */
interface Used {
  prompt: number;
  completion: number;
}

/** What the usage of a whole answer says; streams of this server are not counted. */
function add(used: Used, { body }: FakeAnswer): void {
  const usage = typeof body === 'string' ? parse(body)?.['usage'] : undefined;
  if (typeof usage !== 'object' || usage === null) return;
  const { prompt_tokens: prompt, completion_tokens: completion } = usage as Record<string, number>;
  used.prompt += prompt;
  used.completion += completion;
}

function metrics({ prompt, completion }: Used): FakeAnswer {
  const samples = {
    'vllm:num_requests_running': 0,
    'vllm:num_requests_waiting': 0,
    'vllm:kv_cache_usage_perc': 0,
    'vllm:cache_config_info{block_size="16",num_gpu_blocks="100"}': 1,
    'vllm:prompt_tokens_total{model_name="words"}': prompt,
    'vllm:generation_tokens_total{model_name="words"}': completion,
  };
  const body = Object.entries(samples).map(([series, value]) => `${series} ${value}\n`);
  return { status: 200, headers: { 'content-type': 'text/plain; version=0.0.4' }, body: body.join('') };
}

const routes: Readonly<Record<string, string>> = {
  '/health': 'GET',
  '/ready': 'GET',
  '/version': 'GET',
  '/metrics': 'GET',
  '/openapi.json': 'GET',
  '/v1/models': 'GET',
  '/v1/chat/completions': 'POST',
  '/v1/completions': 'POST',
  '/v1/chat/completions/render': 'POST',
  '/v1/completions/render': 'POST',
  '/v1/chat/completions/input_tokens': 'POST',
  '/tokenize': 'POST',
  '/detokenize': 'POST',
  '/apply-template': 'POST',
};

/** What a route makes of a body. */
type Handler = (body: Body, state: State) => FakeAnswer;

const handlers: Readonly<Record<string, Handler>> = {
  '/v1/chat/completions': chat,
  '/v1/completions': (body, { number }) => textCompletion(body, number),
  '/v1/chat/completions/render': renderChat,
  '/v1/completions/render': (body, { number }) => renderText(body, number),
  '/v1/chat/completions/input_tokens': countChat,
  '/tokenize': tokenize,
  '/detokenize': detokenize,
  '/apply-template': applyTemplate,
};

const below = '/v1/chat/completions/';

function route(request: FakeRequest, apiKey: string | undefined, state: State): FakeAnswer {
  const { method, path, headers } = request;
  const isStored = path.startsWith(below) && routes[path] === undefined;
  if (method === 'OPTIONS') {
    const allowed = {
      'access-control-allow-methods': 'GET, POST',
      'access-control-allow-headers': 'authorization, content-type',
    };
    return { status: 204, headers: allowed, body: '' };
  }
  const isModel = path.startsWith('/v1/models/');
  const isList = path === '/v1/chat/completions' && method === 'GET';
  const expected = isModel ? 'GET' : isStored || isList ? method : routes[path];
  if (expected === undefined) return refuse({ status: 404, message: `There is nothing at ${path}.` });
  if (method !== expected)
    return refuse({ status: 405, message: `${path} takes ${expected}.`, headers: { allow: expected } });
  const sent = headers['authorization']?.replace(/^bearer /i, '') ?? headers['x-api-key'];
  if (path.startsWith('/v1/') && apiKey !== undefined && sent !== apiKey) {
    const challenge = { 'www-authenticate': 'Bearer' };
    return refuse({ status: 401, message: 'The key is wrong.', code: 'invalid_api_key', headers: challenge });
  }
  const entry = { id: modelName, object: 'model', created, owned_by: 'fake' };
  if (isList) return state.stored.list(request.query);
  if (isStored) return state.stored.answer(method, path.slice(below.length), parse(request.body) ?? {});
  const handler = handlers[path];
  if (handler !== undefined) return post(request, (body) => handler(body, state));
  if (path === '/v1/models') return json(200, { object: 'list', data: [entry] });
  if (path === '/openapi.json') return json(200, { openapi: '3.1.0', paths: { '/v1/chat/completions': { post: {} } } });
  if (path === '/version') return json(200, { version: '1' });
  if (!isModel) return json(200, { status: 'ok' });
  return decodeURIComponent(path.slice('/v1/models/'.length)) === modelName ? json(200, entry) : refuse(unknownModel);
}

function post({ headers, body: text }: FakeRequest, handle: (body: Body) => FakeAnswer): FakeAnswer {
  if (Number(headers['content-length']) > bodyLimitBytes) {
    return refuse({ status: 413, message: 'The body is too large.', headers: { connection: 'close' } });
  }
  if (!/^application\/json\s*(;|$)/i.test(headers['content-type'] ?? ''))
    return refuse({ status: 415, message: 'Send application/json.' });
  const body = parse(text);
  if (body === undefined) return refuse({ status: 400, message: 'The body must be a JSON object.' });
  return handle(body);
}

function chat(body: Body, { number, stored }: State): FakeAnswer {
  const refusal = validate(body);
  if (refusal !== undefined) return refuse(refusal);
  const prompt = render(body);
  const promptTokens = countTokens(prompt);
  const limit = Number(body['max_tokens'] ?? body['max_completion_tokens'] ?? 64);
  const choices = Array.from({ length: Number(body['n'] ?? 1) }, (_, index) => {
    const salt = isGreedy(body) ? '' : typeof body['seed'] === 'number' ? `${body['seed']} ${index}` : `${number()}`;
    return speak(prompt, salt, limit, body['stop']);
  });
  const usage = usageOf(
    promptTokens,
    choices.reduce((sum, { count }) => sum + count, 0),
  );
  const head = { id: `chatcmpl-${number()}`, created, model: modelName };
  const told = { ...usage, ...predicted(body, choices) };
  const whole = object(head, choices, told, body);
  stored.keep(whole, body);
  const answer = body['stream'] === true ? stream(head, choices, told, body, limit) : json(200, whole);
  return withIgnored(
    answer,
    Object.keys(body).filter((name) => name.startsWith('x_')),
  );
}

/** Of the words of a prediction those that were said, and those that were not. */
function predicted(body: Body, choices: readonly Choice[]): Body {
  const content = (body['prediction'] as Body | null | undefined)?.['content'];
  if (content === undefined) return {};
  const parts = typeof content === 'string' ? [{ text: content }] : (content as readonly { text: string }[]);
  const words = parts.flatMap(({ text }) => text.split(' '));
  const accepted = words.filter((word) => choices[0].pieces.includes(` ${word}`)).length;
  return {
    completion_tokens_details: {
      reasoning_tokens: 0,
      accepted_prediction_tokens: accepted,
      rejected_prediction_tokens: words.length - accepted,
    },
  };
}

function object(head: Body, choices: readonly Choice[], usage: Body, body: Body): Body {
  return {
    ...head,
    object: 'chat.completion',
    choices: choices.map(({ pieces, finish }, index) => ({
      index,
      message: { role: 'assistant', content: pieces.join(''), refusal: null },
      logprobs: chatLogprobs(pieces, body),
      finish_reason: finish,
    })),
    usage: { ...usage, prompt_tokens_details: { cached_tokens: 0 } },
  };
}

function stream(head: Body, choices: readonly Choice[], usage: Body, body: Body, limit: number): FakeAnswer {
  const one = (index: number, delta: Body, tokens?: readonly string[], finish: string | null = null): Body => ({
    index,
    delta,
    logprobs: tokens === undefined ? null : chatLogprobs(tokens, body),
    finish_reason: finish,
  });
  const deltas = choices.flatMap(({ pieces, finish }, index) => [
    one(index, { role: 'assistant', content: '' }),
    ...pieces.map((content) => one(index, { content }, [content])),
    one(index, {}, undefined, finish),
  ]);
  const answer = eventStream({ ...head, object: 'chat.completion.chunk' }, deltas, usage, body);
  // Long answers take their time, so that there is something to hang up on.
  return { ...answer, ...(limit >= 50 ? { paceMs: 1 } : {}) };
}

const fields: Fields = {
  ...commonFields,
  messages: (value) => Array.isArray(value) && value.length > 0,
  max_tokens: between(1, 2 ** 31, true),
  max_completion_tokens: between(1, 2 ** 31, true),
  metadata: (value) => isObject(value) && Object.keys(value as Body).length <= 16,
  logprobs: isFlag,
  store: isFlag,
  service_tier: (value) => ['auto', 'default', 'flex', 'priority'].includes(value as string),
  top_logprobs: between(0, 20, true),
};

const cannot: Harmless = {
  tools: [[]],
  response_format: [{ type: 'text' }],
};

function validate(body: Body): Refusal | undefined {
  return (
    judgeFields(body, fields) ??
    judgeMessages(body) ??
    judgeRest(body, cannot) ??
    judgeAlternatives(body) ??
    judgeLength(body)
  );
}

function judgeAlternatives(body: Body): Refusal | undefined {
  if (Number(body['top_logprobs'] ?? 0) === 0 || body['logprobs'] === true) return undefined;
  return { status: 400, message: 'top_logprobs needs logprobs.', param: 'top_logprobs' };
}

function judgeLength(body: Body): Refusal | undefined {
  const tokens = countTokens(render(body));
  if (tokens <= contextLength) return undefined;
  const message = `The prompt has ${tokens} tokens.`;
  return { status: 400, message, code: 'context_length_exceeded', param: 'messages' };
}

function countChat(body: Body): FakeAnswer {
  const refusal = validate(body);
  if (refusal !== undefined) return refuse(refusal);
  return json(200, { object: 'response.input_tokens', input_tokens: countTokens(render(body)) });
}

function renderChat(body: Body, { number }: State): FakeAnswer {
  const refusal = validate(body);
  if (refusal !== undefined) return refuse(refusal);
  const head = { request_id: `chatcmpl-${number()}`, model: modelName };
  return json(200, { ...head, token_ids: encode(render(body), true) });
}
