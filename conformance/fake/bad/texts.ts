// Servers whose text completions are wrong.

import type { Body } from '../good.ts';
import { parse } from '../good.ts';
import type { FakeAnswer, FakeRequest, FakeServer } from '../server.ts';
import {
  bodyOf,
  changeAnswer,
  changeRequest,
  eventOf,
  except,
  firstChoice,
  isNumber,
  refusal,
  without,
} from './break.ts';
import type { BadServer, Mutable } from './break.ts';

const isText = ({ path }: FakeRequest): boolean => path === '/v1/completions';
const isStream = ({ body }: FakeAnswer): boolean => typeof body !== 'string';

/** Another body; `undefined` leaves it alone. */
const changeBody = (change: (body: Body) => Body | undefined) => (): FakeServer =>
  changeRequest((request) => {
    const body = isText(request) ? parse(request.body) : undefined;
    const changed = body === undefined ? undefined : change(body);
    return changed === undefined ? request : { ...request, body: JSON.stringify(changed) };
  });

/** Another object of a completion that succeeded. */
const changeObject = (change: (json: Mutable, body: Body) => void) => (): FakeServer =>
  changeAnswer((answer, request) => {
    if (!isText(request) || answer.status !== 200 || typeof answer.body !== 'string') return undefined;
    const json: Mutable = parse(answer.body) ?? {};
    change(json, bodyOf(request));
    return { ...answer, body: JSON.stringify(json) };
  });

/** Other chunks, [DONE] aside; `undefined` leaves one out. */
const changeChunks = (change: (chunk: Mutable, index: number, body: Body) => Mutable | undefined) => (): FakeServer =>
  changeAnswer((answer, request) => {
    if (typeof answer.body === 'string') return undefined;
    const body = answer.body.flatMap((write, index) => {
      if (write.includes('[DONE]')) return [write];
      const chunk = change(JSON.parse(write.slice('data: '.length)) as Mutable, index, bodyOf(request));
      return chunk === undefined ? [] : [eventOf(chunk)];
    });
    return { ...answer, body };
  });

const changeWrites = (change: (writes: readonly string[]) => readonly string[]) => (): FakeServer =>
  changeAnswer((answer) => (typeof answer.body === 'string' ? undefined : { ...answer, body: change(answer.body) }));

/** An error instead of an answer, or an answer instead of an error. */
const refuseIf =
  (isRefused: (body: Body) => boolean, status = 400) =>
  (): FakeServer =>
    except((request, body) =>
      isText(request) && isRefused(body) ? refusal(status, 'I do not like this.') : undefined,
    );
const changeStatus = (when: (body: Body) => boolean, status: number) => (): FakeServer =>
  changeAnswer((answer, request) => (isText(request) && when(bodyOf(request)) ? { ...answer, status } : undefined));

const hasList = ({ prompt }: Body): boolean => Array.isArray(prompt);
const texts = (body: Body): string[] =>
  hasList(body) && typeof (body['prompt'] as unknown[])[0] === 'string' ? (body['prompt'] as string[]) : [];
const usageOf = (json: Mutable): Mutable => (json['usage'] ?? {}) as Mutable;
const isUsageChunk = (chunk: Mutable): boolean => (chunk['choices'] as unknown[]).length === 0;
let random = 0;

export const badTexts: readonly BadServer[] = [
  // The object
  {
    name: 'answers a text completion with a message',
    fails: ['completions/object/shape'],
    make: changeObject((json, body) => {
      if (body['max_tokens'] !== 12 || body['prompt'] !== 'The sky is' || Object.keys(body).length !== 4) return;
      const choice = firstChoice(json);
      choice['message'] = { role: 'assistant', content: choice['text'] };
      delete choice['logprobs'];
    }),
  },
  {
    name: 'calls a text completion chat.completion',
    fails: ['completions/object/shape'],
    make: changeObject((json) => (json['object'] = 'chat.completion')),
  },
  {
    name: 'tells created of a text in milliseconds',
    fails: ['completions/object/created-in-seconds'],
    make: changeObject((json) => (json['created'] = Number(json['created']) * 1000)),
  },
  {
    name: 'adds the tokens of a text up wrongly',
    fails: ['completions/object/usage-adds-up'],
    make: changeObject((json) => (usageOf(json)['total_tokens'] = 1)),
  },
  {
    name: 'gives all text completions the same id',
    fails: ['completions/object/own-id'],
    make: changeObject((json) => (json['id'] = 'cmpl-0')),
  },
  {
    name: 'ignores max_tokens of a text',
    fails: ['completions/object/max-tokens', 'completions/object/no-tokens'],
    make: changeBody((body) => (Number(body['max_tokens'] ?? 16) < 12 ? { ...body, max_tokens: 20 } : undefined)),
  },
  {
    name: 'goes on after 16 tokens unasked',
    fails: ['completions/object/default-limit'],
    make: changeBody((body) => (body['max_tokens'] === undefined ? { ...body, max_tokens: 20 } : undefined)),
  },
  {
    name: 'refuses max_tokens 0',
    fails: ['completions/object/no-tokens'],
    make: refuseIf((body) => body['max_tokens'] === 0),
  },
  {
    name: 'delivers the stop string of a text',
    fails: ['completions/object/stop-not-delivered'],
    make: changeObject((json, { stop }) => {
      const choice = firstChoice(json);
      if (typeof stop === 'string' && choice['finish_reason'] === 'stop')
        choice['text'] = `${String(choice['text'])}${stop}`;
    }),
  },
  {
    name: 'delivers the stop string of a streamed text',
    fails: ['completions/object/stop-not-delivered-in-stream'],
    make: changeChunks((chunk, _, { stop }) => {
      const choice = firstChoice(chunk);
      if (typeof stop === 'string' && choice['finish_reason'] === 'stop') choice['text'] = stop;
      return chunk;
    }),
  },
  {
    name: 'ignores the seed of a text',
    fails: ['completions/object/seed-repeats'],
    make: changeBody((body) => (isNumber(body['seed']) ? { ...body, seed: (random += 1) } : undefined)),
  },

  // Prompts
  {
    name: 'continues the first prompt only',
    fails: [
      'completions/prompts/as-alone',
      'completions/prompts/as-alone-in-stream',
      'completions/prompts/strings',
      'completions/prompts/usage-summed',
      'completions/stream/two-prompts',
    ],
    make: changeBody((body) =>
      texts(body).length > 1 && texts(body)[0] === 'The sky is' && !isNumber(body['n'])
        ? { ...body, prompt: texts(body)[0] }
        : undefined,
    ),
  },
  {
    name: 'gives all prompts the same index',
    fails: ['completions/prompts/lists-of-token-ids', 'completions/prompts/strings'],
    make: changeObject((json, body) => {
      if (!isNumber(body['n'])) for (const choice of json['choices'] as Mutable[]) choice['index'] = 0;
    }),
  },
  {
    name: 'continues all prompts of a list with the text of the first',
    fails: ['completions/prompts/as-alone'],
    make: changeObject((json) => {
      const text = firstChoice(json)['text'];
      for (const choice of json['choices'] as Mutable[]) choice['text'] = text;
    }),
  },
  {
    name: 'mixes up the indexes of a stream',
    fails: ['completions/prompts/as-alone-in-stream'],
    make: changeChunks((chunk, _, body) => {
      const choice = firstChoice(chunk);
      if (texts(body).length > 1 && isNumber(choice['index']))
        choice['index'] = (choice['index'] + 1) % texts(body).length;
      return chunk;
    }),
  },
  {
    name: 'counts the last prompt only',
    fails: ['completions/prompts/usage-summed'],
    make: changeObject((json, body) => {
      if (texts(body).length === 0) return;
      usageOf(json)['prompt_tokens'] = 5;
      usageOf(json)['total_tokens'] = 5 + Number(usageOf(json)['completion_tokens']);
    }),
  },
  {
    name: 'takes token ids for prompts',
    fails: [
      'completions/prompts/ids-of-the-text',
      'completions/prompts/no-such-token',
      'completions/prompts/token-ids',
    ],
    make: changeBody(({ prompt, ...body }) =>
      Array.isArray(prompt) && prompt.every(isNumber) ? { ...body, prompt: prompt.map(String) } : undefined,
    ),
  },
  {
    name: 'knows no lists of token ids',
    fails: ['completions/prompts/lists-of-token-ids'],
    make: refuseIf(({ prompt }) => Array.isArray(prompt) && Array.isArray(prompt[0])),
  },
  {
    name: 'reads token ids as if there were other tokens',
    fails: ['completions/prompts/ids-of-the-text'],
    make: changeBody(({ prompt, ...body }) =>
      Array.isArray(prompt) && isNumber(prompt[0]) && prompt.length > 4
        ? { ...body, prompt: prompt.map((id) => (Number(id) + 1) % 128) }
        : undefined,
    ),
  },
  {
    name: 'refuses an empty prompt',
    fails: ['completions/prompts/empty'],
    make: refuseIf(({ prompt }) => prompt === ''),
  },
  {
    name: 'refuses prompt: null',
    fails: ['completions/prompts/null'],
    make: refuseIf(({ prompt }) => prompt === null),
  },
  {
    name: 'continues nothing when the prompt is missing',
    fails: ['completions/prompts/missing'],
    make: changeBody((body) => (body['prompt'] === undefined ? { ...body, prompt: '' } : undefined)),
  },
  {
    name: 'crashes on a prompt that is a number',
    fails: ['completions/prompts/wrong-type'],
    make: refuseIf(({ prompt }) => isNumber(prompt), 500),
  },
  {
    name: 'takes lists of anything',
    fails: ['completions/prompts/mixed'],
    make: changeBody(({ prompt, ...body }) =>
      Array.isArray(prompt) && typeof prompt[0] === 'string' ? { ...body, prompt: prompt.map(String) } : undefined,
    ),
  },
  {
    name: 'crashes on a token that does not exist',
    fails: ['completions/prompts/no-such-token'],
    make: refuseIf(({ prompt }) => Array.isArray(prompt) && prompt.includes(2147483646), 500),
  },
  {
    name: 'says that messages are too long',
    fails: ['completions/prompts/too-long'],
    make: () =>
      changeAnswer((answer, request) =>
        answer.status === 400 &&
        bodyOf(request)['stream'] === undefined &&
        String(bodyOf(request)['prompt']).length > 1e5
          ? { ...answer, body: String(answer.body).replace(/"param":"[^"]*"/, '"param":"messages"') }
          : undefined,
      ),
  },
  {
    name: 'streams a prompt that is too long as an event',
    fails: ['completions/prompts/one-too-long-in-a-stream'],
    make: () =>
      changeAnswer((answer, request) =>
        answer.status === 400 && bodyOf(request)['stream'] === true && hasList(bodyOf(request))
          ? {
              ...answer,
              status: 200,
              headers: { ...answer.headers, 'content-type': 'text/event-stream' },
              body: [`data: ${String(answer.body)}\n\n`],
            }
          : undefined,
      ),
  },

  // Streams
  {
    name: 'calls a streamed text text/plain',
    fails: ['completions/stream/content-type'],
    make: () =>
      changeAnswer((answer) =>
        isStream(answer) ? { ...answer, headers: { ...answer.headers, 'content-type': 'text/plain' } } : undefined,
      ),
  },
  {
    name: 'streams deltas of text completions',
    fails: ['completions/stream/chunk-shape'],
    make: changeChunks((chunk) => {
      const choice = firstChoice(chunk);
      if (choice['finish_reason'] === null) {
        choice['delta'] = { content: choice['text'] };
        delete choice['finish_reason'];
      }
      return chunk;
    }),
  },
  {
    name: 'gives every chunk of a text another id',
    fails: ['completions/stream/stable-identity'],
    make: changeChunks((chunk, index) => ({ ...chunk, id: `cmpl-${index}` })),
  },
  {
    name: 'never finishes a text',
    fails: [
      'completions/object/stop-not-delivered-in-stream',
      'completions/stream/fold-equals-object',
      'completions/stream/one-finish',
      'completions/stream/two-prompts',
    ],
    make: changeChunks((chunk) => {
      if (!isUsageChunk(chunk)) firstChoice(chunk)['finish_reason'] = null;
      return chunk;
    }),
  },
  {
    name: 'forgets [DONE] after a text',
    fails: ['completions/stream/done-last'],
    make: changeWrites((writes) => writes.slice(0, -1)),
  },
  {
    name: 'gives the events of a text a name',
    fails: ['completions/stream/unnamed'],
    make: changeWrites((writes) => writes.map((write) => `event: text\n${write}`)),
  },
  {
    name: 'has error: null in the chunks of a text',
    fails: ['completions/stream/no-error-key'],
    make: changeChunks((chunk) => ({ ...chunk, error: null })),
  },
  {
    name: 'sends a whole text at once',
    fails: ['completions/stream/piecewise'],
    make: () =>
      changeAnswer((answer, request) => {
        if (typeof answer.body === 'string' || Object.keys(bodyOf(request)).length !== 5 || hasList(bodyOf(request)))
          return undefined;
        const chunks = answer.body.slice(0, -1).map((write) => JSON.parse(write.slice('data: '.length)) as Mutable);
        const text = chunks.map((chunk) => String(firstChoice(chunk)['text'])).join('');
        const last = chunks.at(-1) ?? {};
        firstChoice(last)['text'] = text;
        return { ...answer, body: [eventOf(last), ...answer.body.slice(-1)] };
      }),
  },
  {
    name: 'loses the first piece of a streamed text',
    fails: ['completions/stream/fold-equals-object'],
    make: changeChunks((chunk, index, body) =>
      index === 0 && Object.keys(body).length === 5 && !hasList(body) ? undefined : chunk,
    ),
  },
  {
    name: 'streams the first of two prompts only',
    fails: ['completions/prompts/as-alone-in-stream', 'completions/stream/two-prompts'],
    make: changeChunks((chunk) => (Number(firstChoice(chunk)['index']) > 0 ? undefined : chunk)),
  },
  {
    name: 'forgets the usage of a streamed text',
    fails: ['completions/stream/usage-last'],
    make: changeChunks((chunk) => (isUsageChunk(chunk) ? undefined : chunk)),
  },
  {
    name: 'leaves usage out before the last chunk of a text',
    fails: ['completions/stream/usage-null-before'],
    make: changeChunks((chunk) => {
      if (chunk['usage'] === null) delete chunk['usage'];
      return chunk;
    }),
  },
  {
    name: 'tells the usage of a streamed text unasked',
    fails: ['completions/stream/no-usage-unasked'],
    make: changeChunks((chunk, _, body) =>
      body['stream_options'] === undefined
        ? { ...chunk, usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 } }
        : chunk,
    ),
  },

  // Fields
  {
    name: 'refuses suffix: null',
    fails: ['completions/fields/null-everywhere'],
    make: refuseIf((body) => body['suffix'] === null),
  },
  {
    name: 'refuses best_of 1',
    fails: ['completions/fields/defaults-written-out'],
    make: refuseIf((body) => body['best_of'] === 1),
  },
  {
    name: 'ignores echo',
    fails: ['completions/fields/echo', 'completions/fields/echo-in-stream'],
    make: changeBody((body) => (body['echo'] === true ? without(body, 'echo') : undefined)),
  },
  {
    name: 'echoes in the object only',
    fails: ['completions/fields/echo-in-stream'],
    make: changeBody((body) => (body['stream'] === true ? without(body, 'echo') : undefined)),
  },
  {
    name: 'ignores n of a text',
    fails: ['completions/fields/n'],
    make: changeBody((body) => (isNumber(body['best_of']) || hasList(body) ? undefined : without(body, 'n'))),
  },
  {
    name: 'ignores logprobs of a text',
    fails: ['completions/fields/logprobs'],
    make: changeBody((body) => (body['logprobs'] === 1 ? without(body, 'logprobs') : undefined)),
  },
  {
    name: 'refuses fields of chat',
    fails: ['completions/fields/chat-only', 'completions/fields/chat-only-reported'],
    make: refuseIf((body) => 'enable_thinking' in body),
  },
  {
    name: 'drops fields of chat unseen',
    fails: ['completions/fields/chat-only-reported'],
    make: () =>
      changeAnswer((answer) => {
        const { 'x-ignored-fields': _, ...headers } = answer.headers;
        return { ...answer, headers };
      }),
  },
  {
    name: 'continues texts with any model',
    fails: ['completions/fields/unknown-model'],
    make: changeBody((body) => (body['model'] === 'no-such-model-x' ? without(body, 'model') : undefined)),
  },
  {
    name: 'refuses a temperature with 422',
    fails: ['completions/fields/out-of-range'],
    make: changeStatus((body) => body['temperature'] === 3, 422),
  },
];
