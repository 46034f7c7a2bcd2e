// Servers that mistake tokens and templates.

import type { Body } from '../good.ts';
import { parse } from '../good.ts';
import type { FakeServer } from '../server.ts';
import { bodyOf, changeAnswer, changeRequest, except, refusal, without } from './break.ts';
import type { BadServer, Mutable } from './break.ts';

/** Another body of requests to this path; `undefined` leaves it alone. */
const changeBody = (path: string, change: (body: Body) => Body | undefined) => (): FakeServer =>
  changeRequest((request) => {
    const body = request.path === path ? parse(request.body) : undefined;
    const changed = body === undefined ? undefined : change(body);
    return changed === undefined ? request : { ...request, body: JSON.stringify(changed) };
  });

/** Another answer of this path, where it succeeded. */
const changeJson = (path: string, change: (json: Mutable, body: Body) => void) => (): FakeServer =>
  changeAnswer((answer, request) => {
    if (request.path !== path || answer.status !== 200) return undefined;
    const json: Mutable = parse(String(answer.body)) ?? {};
    change(json, bodyOf(request));
    return { ...answer, body: JSON.stringify(json) };
  });

const refuseIf =
  (path: string, isRefused: (body: Body) => boolean, status = 400) =>
  (): FakeServer =>
    except((request, body) =>
      request.path === path && isRefused(body) ? refusal(status, 'I do not like this.') : undefined,
    );

export const badTokens: readonly BadServer[] = [
  {
    name: 'knows no content',
    fails: [
      'tokens/detokenize/round-trip',
      'tokens/tokenize/content',
      'tokens/tokenize/pieces',
      'tokens/tokenize/spellings-agree',
    ],
    make: refuseIf(
      '/tokenize',
      ({ content, prompt, model }) => content !== undefined && prompt === undefined && model !== 'no-such-model-x',
    ),
  },
  {
    name: 'does not tell the length of the context',
    fails: ['tokens/tokenize/prompt'],
    make: changeJson('/tokenize', (json) => delete json['max_model_len']),
  },
  {
    name: 'ignores with_pieces',
    fails: ['tokens/tokenize/pieces'],
    make: changeBody('/tokenize', (body) => without(body, 'with_pieces')),
  },
  {
    name: 'ignores return_token_strs',
    fails: ['tokens/tokenize/token-strings'],
    make: changeBody('/tokenize', (body) => without(body, 'return_token_strs')),
  },
  {
    name: 'ignores add_special',
    fails: ['tokens/tokenize/spellings-agree'],
    make: changeBody('/tokenize', (body) => without(body, 'add_special')),
  },
  {
    name: 'counts a conversation without its frame',
    fails: ['tokens/tokenize/messages-as-chat'],
    make: changeBody('/tokenize', ({ messages, ...body }) =>
      messages === undefined ? undefined : { ...body, content: 'quiet blue lamp' },
    ),
  },
  {
    name: 'finds no tokens in nothing',
    fails: ['tokens/tokenize/nothing'],
    make: changeBody('/tokenize', (body) =>
      body['content'] === undefined && body['prompt'] === undefined && body['messages'] === undefined
        ? { ...body, content: '' }
        : undefined,
    ),
  },
  {
    name: 'takes the first of two texts',
    fails: ['tokens/tokenize/two-texts'],
    make: changeBody('/tokenize', (body) =>
      body['content'] === undefined || body['prompt'] === undefined ? undefined : without(body, 'prompt'),
    ),
  },
  {
    name: 'tokenizes with any model',
    fails: ['tokens/tokenize/unknown-model'],
    make: changeBody('/tokenize', (body) => (body['model'] === 'no-such-model-x' ? without(body, 'model') : undefined)),
  },
  {
    name: "knows vLLM's detokenize only",
    fails: ['tokens/detokenize/content', 'tokens/detokenize/no-tokens', 'tokens/detokenize/round-trip'],
    make: changeJson('/detokenize', (json) => delete json['content']),
  },
  {
    name: "knows llama.cpp's detokenize only",
    fails: ['tokens/detokenize/prompt'],
    make: changeJson('/detokenize', (json) => delete json['prompt']),
  },
  {
    name: 'loses characters of several bytes',
    fails: ['tokens/detokenize/round-trip'],
    make: changeJson('/detokenize', (json) => {
      json['content'] = String(json['content']).replaceAll(/[^ -~\n]/gu, '\ufffd');
    }),
  },
  {
    name: 'refuses no tokens',
    fails: ['tokens/detokenize/no-tokens'],
    make: refuseIf('/detokenize', ({ tokens }) => Array.isArray(tokens) && tokens.length === 0),
  },
  {
    name: 'crashes on an id without a token',
    fails: ['tokens/detokenize/no-such-token'],
    make: refuseIf('/detokenize', ({ tokens }) => Array.isArray(tokens) && tokens.includes(2147483646), 500),
  },
  {
    name: 'forgets what was said',
    fails: ['tokens/template/closed', 'tokens/template/continued', 'tokens/template/prompt'],
    make: changeJson('/apply-template', (json) => (json['prompt'] = 'user: ')),
  },
  {
    name: 'renders another prompt than chat reads',
    fails: ['tokens/template/continued'],
    make: changeJson('/apply-template', (json) => (json['prompt'] = `${String(json['prompt'])} `)),
  },
  {
    name: 'takes no closed conversations',
    fails: ['tokens/template/closed'],
    make: refuseIf('/apply-template', (body) => body['add_generation_prompt'] === false),
  },
  {
    name: 'renders nothing',
    fails: ['tokens/template/missing'],
    make: changeBody('/apply-template', (body) =>
      body['messages'] === undefined ? { ...body, messages: [{ role: 'user', content: '' }] } : undefined,
    ),
  },
  {
    name: 'renders chat requests to a text',
    fails: ['tokens/render/chat'],
    make: changeJson('/v1/chat/completions/render', (json) => (json['token_ids'] = 'user: quiet blue lamp')),
  },
  {
    name: 'renders the first prompt only',
    fails: ['tokens/render/completions'],
    make: changeBody('/v1/completions/render', ({ prompt, ...body }) =>
      Array.isArray(prompt) ? { ...body, prompt: String(prompt[0]) } : undefined,
    ),
  },
  {
    name: 'renders what chat refuses as a server error',
    fails: ['tokens/render/too-long'],
    make: refuseIf('/v1/chat/completions/render', (body) => JSON.stringify(body).length > 100_000, 500),
  },
];
