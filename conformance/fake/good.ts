// A small server that meets every requirement: the proof that the cases can be passed, and the ground from which each bad
// server departs in one point. It refuses aloud what it cannot do (log probabilities, tools, response formats).

import { countTokens, generate } from './model.ts';
import type { FakeAnswer, FakeRequest, FakeServer } from './server.ts';

export type Body = Readonly<Record<string, unknown>>;

export interface GoodOptions {
  /** Asked of every caller when given. */
  readonly apiKey?: string | undefined;
}

export const modelName = 'fake/words-1';
const contextLength = 4096;
const bodyLimitBytes = 50 * 1024 * 1024;
const created = 1_760_000_000;

interface Refusal {
  readonly status: number;
  readonly message: string;
  readonly param?: string;
  readonly code?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export function goodServer({ apiKey }: GoodOptions = {}): FakeServer {
  let count = 0;
  const number = (): number => (count += 1);
  return {
    headersTooLarge: String(refuse({ status: 431, message: 'The headers are too large.' }).body),
    answer(request) {
      const common = { 'access-control-allow-origin': '*', 'x-request-id': `req-${number()}` };
      const answer = route(request, apiKey, number);
      return { ...answer, headers: { ...common, ...answer.headers } };
    },
  };
}

const routes: Readonly<Record<string, string>> = {
  '/health': 'GET',
  '/ready': 'GET',
  '/openapi.json': 'GET',
  '/v1/models': 'GET',
  '/v1/chat/completions': 'POST',
};

function route(request: FakeRequest, apiKey: string | undefined, number: () => number): FakeAnswer {
  const { method, path, headers } = request;
  if (method === 'OPTIONS') {
    const allowed = {
      'access-control-allow-methods': 'GET, POST',
      'access-control-allow-headers': 'authorization, content-type',
    };
    return { status: 204, headers: allowed, body: '' };
  }
  const isModel = path.startsWith('/v1/models/');
  const expected = isModel ? 'GET' : routes[path];
  if (expected === undefined) return refuse({ status: 404, message: `There is nothing at ${path}.` });
  if (method !== expected)
    return refuse({ status: 405, message: `${path} takes ${expected}.`, headers: { allow: expected } });
  if (path.startsWith('/v1/') && apiKey !== undefined && headers['authorization'] !== `Bearer ${apiKey}`) {
    return refuse({ status: 401, message: 'The key is wrong.', code: 'invalid_api_key' });
  }
  const entry = { id: modelName, object: 'model', created, owned_by: 'fake' };
  if (path === '/v1/chat/completions') return chat(request, number);
  if (path === '/v1/models') return json(200, { object: 'list', data: [entry] });
  if (path === '/openapi.json') return json(200, { openapi: '3.1.0', paths: { '/v1/chat/completions': { post: {} } } });
  if (!isModel) return json(200, { status: 'ok' });
  return decodeURIComponent(path.slice('/v1/models/'.length)) === modelName ? json(200, entry) : refuse(unknownModel);
}

const unknownModel: Refusal = {
  status: 404,
  message: `The model is called ${modelName}.`,
  code: 'model_not_found',
  param: 'model',
};

function chat({ headers, body: text }: FakeRequest, number: () => number): FakeAnswer {
  if (Number(headers['content-length']) > bodyLimitBytes) {
    return refuse({ status: 413, message: 'The body is too large.', headers: { connection: 'close' } });
  }
  if (!/^application\/json\s*(;|$)/i.test(headers['content-type'] ?? ''))
    return refuse({ status: 415, message: 'Send application/json.' });
  const body = parse(text);
  if (body === undefined) return refuse({ status: 400, message: 'The body must be a JSON object.' });
  const refusal = validate(body);
  if (refusal !== undefined) return refuse(refusal);

  const prompt = (body['messages'] as Body[])
    .map((message) => `${String(message['role'])}: ${textOf(message['content'])}`)
    .join('\n');
  const promptTokens = countTokens(prompt);
  if (promptTokens > contextLength) {
    return refuse({
      status: 400,
      message: `The prompt has ${promptTokens} tokens.`,
      code: 'context_length_exceeded',
      param: 'messages',
    });
  }
  const limit = Number(body['max_tokens'] ?? body['max_completion_tokens'] ?? 64);
  const choices = Array.from({ length: Number(body['n'] ?? 1) }, (_, index) => {
    const salt = isGreedy(body) ? '' : typeof body['seed'] === 'number' ? `${body['seed']} ${index}` : `${number()}`;
    return speak(prompt, salt, limit, body['stop']);
  });
  const completionTokens = choices.reduce((sum, { count }) => sum + count, 0);
  const usage = {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
  const head = { id: `chatcmpl-${number()}`, created, model: modelName };
  const answer = body['stream'] === true ? stream(head, choices, usage, body, limit) : object(head, choices, usage);
  const ignored = Object.keys(body).filter((name) => name.startsWith('x_'));
  return ignored.length === 0
    ? answer
    : { ...answer, headers: { ...answer.headers, 'x-ignored-fields': ignored.join(', ') } };
}

interface Choice {
  /** Text of each token that was delivered. */
  readonly pieces: readonly string[];
  /** Tokens that were generated. */
  readonly count: number;
  readonly finish: 'stop' | 'length';
}

function speak(prompt: string, salt: string, limit: number, stop: unknown): Choice {
  const stops = (Array.isArray(stop) ? stop : [stop]).filter((entry): entry is string => typeof entry === 'string');
  const { tokens, isComplete } = generate(prompt, salt, limit);
  let text = '';
  for (const [index, token] of tokens.entries()) {
    text += token;
    const at = Math.min(...stops.map((entry) => text.indexOf(entry)).filter((found) => found >= 0));
    if (at < Infinity) return { pieces: cut(tokens, at), count: index + 1, finish: 'stop' };
  }
  return { pieces: tokens, count: tokens.length, finish: isComplete ? 'stop' : 'length' };
}

/** The tokens up to `length` characters. */
function cut(tokens: readonly string[], length: number): string[] {
  let left = length;
  return tokens.flatMap((token) => {
    const piece = token.slice(0, left);
    left -= piece.length;
    return piece === '' ? [] : [piece];
  });
}

function object(head: Body, choices: readonly Choice[], usage: Body): FakeAnswer {
  return json(200, {
    ...head,
    object: 'chat.completion',
    choices: choices.map(({ pieces, finish }, index) => ({
      index,
      message: { role: 'assistant', content: pieces.join(''), refusal: null },
      logprobs: null,
      finish_reason: finish,
    })),
    usage,
  });
}

function stream(head: Body, choices: readonly Choice[], usage: Body, body: Body, limit: number): FakeAnswer {
  const isUsageAsked = (body['stream_options'] as Body | null | undefined)?.['include_usage'] === true;
  const event = (delta: Body[], more: Body = isUsageAsked ? { usage: null } : {}): string =>
    `data: ${JSON.stringify({ ...head, object: 'chat.completion.chunk', choices: delta, ...more })}\n\n`;
  const one = (index: number, delta: Body, finish: string | null = null): string =>
    event([{ index, delta, logprobs: null, finish_reason: finish }]);
  const events = choices.flatMap(({ pieces, finish }, index) => [
    one(index, { role: 'assistant', content: '' }),
    ...pieces.map((content) => one(index, { content })),
    one(index, {}, finish),
  ]);
  if (isUsageAsked) events.push(event([], { usage }));
  events.push('data: [DONE]\n\n');
  const headers = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' };
  // Long answers take their time, so that there is something to hang up on.
  return { status: 200, headers, body: events, ...(limit >= 50 ? { paceMs: 1 } : {}) };
}

function isGreedy(body: Body): boolean {
  return body['temperature'] === 0 || body['top_k'] === 1 || body['min_p'] === 1 || Number(body['top_p'] ?? 1) < 0.001;
}

/** `undefined` for what is no JSON object. */
export function parse(text: string): Body | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Body) : undefined;
  } catch {
    return undefined;
  }
}

function textOf(content: unknown): string {
  if (Array.isArray(content)) return (content as Body[]).map((part) => String(part['text'])).join('\n');
  return typeof content === 'string' ? content : '';
}

const between = (low: number, high: number, integer = false) => {
  return (value: unknown): boolean =>
    typeof value === 'number' && value >= low && value <= high && (!integer || Number.isInteger(value));
};
const isText = (value: unknown): boolean => typeof value === 'string';
const isFlag = (value: unknown): boolean => typeof value === 'boolean';
const isObject = (value: unknown): boolean => typeof value === 'object' && !Array.isArray(value);

/** Field -> whether a value (never null) is fine. */
const fields: Readonly<Record<string, (value: unknown) => boolean>> = {
  model: isText,
  messages: (value) => Array.isArray(value) && value.length > 0,
  temperature: between(0, 2),
  top_p: between(0, 1),
  n: between(1, 128, true),
  seed: between(-(2 ** 53), 2 ** 53, true),
  max_tokens: between(1, 2 ** 31, true),
  max_completion_tokens: between(1, 2 ** 31, true),
  presence_penalty: between(-2, 2),
  frequency_penalty: between(-2, 2),
  stop: (value) => isText(value) || (Array.isArray(value) && value.length <= 4 && value.every(isText)),
  stream: isFlag,
  stream_options: isObject,
  user: isText,
  metadata: (value) => isObject(value) && Object.keys(value as Body).length <= 16,
  service_tier: (value) => ['auto', 'default', 'flex', 'priority'].includes(value as string),
  logit_bias: (value) => isObject(value) && Object.values(value as Body).every(between(-100, 100)),
  top_logprobs: between(0, 20, true),
};

/** What this server cannot do: field -> the values that ask for nothing. */
const cannot: Readonly<Record<string, readonly unknown[]>> = {
  logprobs: [false],
  tools: [[]],
  response_format: [{ type: 'text' }],
};

function validate(body: Body): Refusal | undefined {
  for (const [param, isFine] of Object.entries(fields)) {
    const value = body[param] ?? undefined;
    if (value !== undefined && !isFine(value)) return { status: 400, message: `${param} is wrong.`, param };
  }
  if (!Array.isArray(body['messages'])) return { status: 400, message: 'messages is needed.', param: 'messages' };
  for (const [index, message] of (body['messages'] as Body[]).entries()) {
    if (!isText(message['role'])) return { status: 400, message: 'role is needed.', param: `messages[${index}].role` };
    if (typeof message['content'] === 'number')
      return { status: 400, message: 'content is text.', param: `messages[${index}].content` };
  }
  for (const [param, harmless] of Object.entries(cannot)) {
    const value = body[param] ?? undefined;
    const isHarmless = harmless.some((entry) => JSON.stringify(entry) === JSON.stringify(value));
    if (value !== undefined && !isHarmless)
      return { status: 400, message: `${param} cannot be done here.`, param, code: 'unsupported_parameter' };
  }
  if (isObject(body['stream_options'] ?? []) && body['stream'] !== true) {
    return { status: 400, message: 'stream_options are for streams.', param: 'stream_options' };
  }
  const [older, newer] = [body['max_tokens'] ?? undefined, body['max_completion_tokens'] ?? undefined];
  if (older !== undefined && newer !== undefined && older !== newer) {
    return { status: 400, message: 'max_tokens and max_completion_tokens disagree.', param: 'max_completion_tokens' };
  }
  const model = body['model'] ?? 'default';
  return model === 'default' || model === modelName ? undefined : unknownModel;
}

export function json(status: number, value: unknown): FakeAnswer {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) };
}

function refuse({ status, message, param, code, headers = {} }: Refusal): FakeAnswer {
  const error = { message, type: 'invalid_request_error', param: param ?? null, code: code ?? null };
  const answer = json(status, { error });
  return { ...answer, headers: { ...answer.headers, ...headers } };
}
