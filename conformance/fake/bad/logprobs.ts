// Servers whose log probabilities, of chat and of text completions, are wrong. Those of single fields are in requests.ts and texts.ts.

import type { Body } from '../good.ts';
import { parse } from '../good.ts';
import type { FakeServer } from '../server.ts';
import {
  acceptIf,
  bodyOf,
  changeAnswer,
  changeBody,
  changeChunks,
  changeJson,
  changeRequest,
  firstChoice,
  isCompletion,
  without,
} from './break.ts';
import type { BadServer, Mutable } from './break.ts';

/** Asked for as the cases of log probabilities ask. */
const isAsked = (body: Body): boolean => body['logprobs'] === true && body['max_tokens'] === 6;

/** Another list of entries. */
const changeEntries = (change: (entry: Mutable, at: number) => Mutable) => (): FakeServer =>
  changeJson(isCompletion, (json, body) => {
    const lists = firstChoice(json)['logprobs'] as Mutable | null | undefined;
    const content = lists?.['content'];
    if (isAsked(body) && Array.isArray(content)) (lists as Mutable)['content'] = (content as Mutable[]).map(change);
  });

/** Other lists of a text completion. */
const changeLists = (change: (lists: Mutable) => void) => (): FakeServer =>
  changeAnswer((answer, request) => {
    if (request.path !== '/v1/completions' || answer.status !== 200 || typeof answer.body !== 'string')
      return undefined;
    const json: Mutable = parse(answer.body) ?? {};
    if (bodyOf(request)['logprobs'] === 2) change(firstChoice(json)['logprobs'] as Mutable);
    return { ...answer, body: JSON.stringify(json) };
  });

export const badLogprobs: readonly BadServer[] = [
  {
    name: 'shows one alternative too few',
    fails: ['chat/logprobs/alternatives', 'chat/logprobs/fold-equals-object'],
    make: changeEntries((entry) => ({ ...entry, top_logprobs: (entry['top_logprobs'] as unknown[]).slice(0, 1) })),
  },
  {
    name: 'shows alternatives unasked',
    fails: ['chat/logprobs/no-alternatives'],
    make: () =>
      changeBody((body) => (isAsked(body) && !('top_logprobs' in body) ? { ...body, top_logprobs: 1 } : undefined)),
  },
  {
    name: 'shows log probabilities unasked',
    fails: ['chat/logprobs/not-unasked'],
    make: () =>
      changeJson(isCompletion, (json, body) => {
        if (!('logprobs' in body) && body['max_tokens'] === 6 && !('store' in body))
          firstChoice(json)['logprobs'] = { content: [], refusal: null };
      }),
  },
  {
    name: 'takes top_logprobs without logprobs',
    fails: ['chat/logprobs/alternatives-alone'],
    make: acceptIf((body) => body['logprobs'] !== true && body['top_logprobs'] === 2, 'top_logprobs'),
  },
  {
    name: 'gives the bytes of another text',
    fails: ['chat/logprobs/bytes-join', 'chat/logprobs/fold-equals-object'],
    make: changeEntries((entry) => ({ ...entry, bytes: [63] })),
  },
  {
    name: 'sorts alternatives upside down',
    fails: ['chat/logprobs/fold-equals-object', 'chat/logprobs/likeliest-first'],
    make: changeEntries((entry) => ({ ...entry, top_logprobs: (entry['top_logprobs'] as unknown[]).toReversed() })),
  },
  {
    name: 'streams no log probabilities',
    fails: ['chat/logprobs/fold-equals-object'],
    make: () =>
      changeChunks((chunk) => {
        firstChoice(chunk)['logprobs'] = null;
        return chunk;
      }),
  },
];

export const badTextLogprobs: readonly BadServer[] = [
  {
    name: 'forgets the offset of the last token',
    fails: ['completions/logprobs/fold-equals-object', 'completions/logprobs/lists-agree'],
    make: changeLists((lists) => (lists['text_offset'] = (lists['text_offset'] as unknown[]).slice(0, -1))),
  },
  {
    name: 'leaves the token itself out of the likeliest',
    fails: ['completions/logprobs/fold-equals-object', 'completions/logprobs/own-among-top'],
    make: changeLists(
      (lists) => (lists['top_logprobs'] = (lists['top_logprobs'] as unknown[]).map(() => ({ '~': -9 }))),
    ),
  },
  {
    name: 'streams offsets that all begin at 0',
    fails: ['completions/logprobs/fold-equals-object'],
    make: () =>
      changeChunks((chunk) => {
        const lists = firstChoice(chunk)['logprobs'] as Mutable | null | undefined;
        if (Array.isArray(lists?.['text_offset']))
          lists['text_offset'] = (lists['text_offset'] as unknown[]).map(() => 0);
        return chunk;
      }),
  },
  {
    name: 'continues each prompt once, whatever n says',
    fails: ['completions/choices/n-for-each-prompt'],
    make: () =>
      changeTexts((body) => (Array.isArray(body['prompt']) && body['n'] === 2 ? without(body, 'n') : undefined)),
  },
  {
    name: 'ignores best_of',
    fails: ['completions/choices/best-of-one-answer'],
    make: () => changeTexts((body) => (body['best_of'] === 3 ? without(body, 'best_of') : undefined)),
  },
  {
    name: 'answers all of best_of',
    fails: ['completions/choices/best-of-one-answer'],
    make: () => changeTexts((body) => (body['best_of'] === 3 ? { ...without(body, 'best_of'), n: 3 } : undefined)),
  },
  {
    name: 'takes best_of below n',
    fails: ['completions/choices/best-of-below-n'],
    make: () =>
      changeTexts((body) => (body['n'] === 3 && body['best_of'] === 2 ? without(body, 'best_of') : undefined)),
  },
  {
    name: 'streams one of best_of',
    fails: ['completions/choices/best-of-in-a-stream'],
    make: () =>
      changeTexts((body) => (body['stream'] === true && body['best_of'] === 2 ? without(body, 'best_of') : undefined)),
  },
  {
    name: 'crashes on a gap',
    fails: ['completions/choices/suffix'],
    make: () =>
      changeAnswer((answer, request) =>
        bodyOf(request)['suffix'] === ' today.' ? { ...answer, status: 500 } : undefined,
      ),
  },
  {
    name: 'counts one token too many',
    fails: ['tokens/count/equals-usage'],
    make: () =>
      changeAnswer((answer, request) => {
        if (!request.path.endsWith('/input_tokens')) return undefined;
        const json = parse(String(answer.body)) ?? {};
        return { ...answer, body: JSON.stringify({ ...json, input_tokens: Number(json['input_tokens']) + 1 }) };
      }),
  },
];

/** Another body of a text completion; `undefined` leaves it alone. */
function changeTexts(change: (body: Body) => Body | undefined): FakeServer {
  return changeRequest((request) => {
    const body = request.path === '/v1/completions' ? parse(request.body) : undefined;
    const changed = body === undefined ? undefined : change(body);
    return changed === undefined ? request : { ...request, body: JSON.stringify(changed) };
  });
}
