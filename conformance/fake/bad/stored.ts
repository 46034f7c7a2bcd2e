// Servers that keep completions wrongly, and two small things of chat.

import { parse } from '../good.ts';
import type { FakeRequest, FakeServer } from '../server.ts';
import {
  changeAnswer,
  changeBody,
  changeRequest,
  firstChoice,
  isChat,
  isCompletion,
  changeJson,
  refusal,
  without,
} from './break.ts';
import type { BadServer, Mutable } from './break.ts';

const all = [
  'chat/stored/deleted',
  'chat/stored/listed',
  'chat/stored/messages',
  'chat/stored/retrieved',
  'chat/stored/updated',
];

const isOne = ({ path }: FakeRequest): boolean => /^\/v1\/chat\/completions\/chatcmpl-[^/]*$/.test(path);

/** Another answer of one stored completion. */
const changeOne = (method: string, change: (json: Mutable) => void) => (): FakeServer =>
  changeAnswer((answer, request) => {
    if (!isOne(request) || request.method !== method || answer.status !== 200) return undefined;
    const json: Mutable = parse(String(answer.body)) ?? {};
    change(json);
    return { ...answer, body: JSON.stringify(json) };
  });

export const badStores: readonly BadServer[] = [
  {
    name: 'keeps nothing',
    fails: all,
    make: () => changeBody((body) => ({ ...body, store: false })),
  },
  {
    name: 'keeps everything',
    fails: ['chat/stored/not-unasked'],
    make: () => changeBody((body) => ({ ...body, store: true })),
  },
  {
    name: 'tells a stored completion without its text',
    fails: ['chat/stored/retrieved'],
    make: changeOne(
      'GET',
      (json) => (firstChoice(json)['message'] = { role: 'assistant', content: '', refusal: null }),
    ),
  },
  {
    name: 'lists without looking at metadata',
    fails: ['chat/stored/listed'],
    make: () => changeRequest((request) => (request.method === 'GET' ? { ...request, query: '' } : request)),
  },
  {
    name: 'gives the messages of a stored completion no ids',
    fails: ['chat/stored/messages'],
    make: () =>
      changeAnswer((answer, { path }) => {
        if (!path.endsWith('/messages')) return undefined;
        const json = parse(String(answer.body)) ?? {};
        const data = (json['data'] as Mutable[]).map((message) => without(message, 'id'));
        return { ...answer, body: JSON.stringify({ ...json, data }) };
      }),
  },
  {
    name: 'forgets new metadata',
    fails: ['chat/stored/updated'],
    make: () =>
      changeRequest((request) =>
        isOne(request) && request.method === 'POST' ? { ...request, method: 'GET' } : request,
      ),
  },
  {
    name: 'keeps what it should delete',
    fails: ['chat/stored/deleted'],
    make: () =>
      changeRequest((request) =>
        isOne(request) && request.method === 'DELETE' ? { ...request, method: 'GET' } : request,
      ),
  },
  {
    name: 'does not tell cached tokens',
    fails: ['chat/usage/cached-told'],
    make: () =>
      changeJson(isCompletion, (json) => delete (json['usage'] as Mutable | undefined)?.['prompt_tokens_details']),
  },
  {
    name: 'takes five stop strings at most',
    fails: ['chat/stop/six-strings'],
    make: () =>
      changeAnswer((_, request) => {
        const { stop } = (isChat(request) ? parse(request.body) : undefined) ?? {};
        return Array.isArray(stop) && stop.length > 5 ? refusal(400, 'Five at most.', 'stop') : undefined;
      }),
  },
];
