// Servers whose event streams are wrong.

import type { Body } from '../good.ts';
import type { FakeAnswer } from '../server.ts';
import { changeAnswer, changeChunks, changeWrites, eventOf, firstChoice } from './break.ts';
import type { BadServer, Mutable } from './break.ts';

const isStream = ({ body }: FakeAnswer): boolean => typeof body !== 'string';
const deltaOf = (chunk: Mutable): Mutable => (firstChoice(chunk)['delta'] ?? {}) as Mutable;
const textOf = (chunk: Mutable): string => (deltaOf(chunk)['content'] ?? '') as string;
const isUsageAsked = (body: Body): boolean => body['stream_options'] !== null && body['stream_options'] !== undefined;
const isLast = (chunk: Mutable): boolean => (chunk['choices'] as unknown[]).length === 0;

const changeStreamHeader = (name: string, value: string | undefined) => () =>
  changeAnswer((answer) => {
    const { [name]: _, ...headers } = answer.headers;
    return isStream(answer)
      ? { ...answer, headers: value === undefined ? headers : { ...headers, [name]: value } }
      : undefined;
  });

/** Another text for streams with a stop string; the change sees the whole text. */
const changeText = (change: (text: string, stop: string) => string) => () =>
  changeWrites((writes, { stop }) => {
    if (typeof stop !== 'string') return writes;
    const chunks = writes.slice(0, -1).map((write) => JSON.parse(write.slice('data: '.length)) as Mutable);
    const text = chunks.map(textOf).join('');
    const [first, last] = [chunks[0], chunks.at(-1)];
    if (first === undefined || last === undefined) return writes;
    deltaOf(first)['content'] = change(text, stop);
    return [eventOf(first), eventOf(last), writes.at(-1) ?? ''];
  });

export const badStreams: readonly BadServer[] = [
  {
    name: 'calls a stream text/plain',
    fails: ['chat/stream/content-type'],
    make: changeStreamHeader('content-type', 'text/plain'),
  },
  {
    name: 'lets caches keep a stream',
    fails: ['chat/stream/not-cached'],
    make: changeStreamHeader('cache-control', undefined),
  },
  {
    name: 'calls a chunk chat.completion',
    fails: ['chat/stream/chunk-shape'],
    make: () => changeChunks((chunk) => ({ ...chunk, object: 'chat.completion' })),
  },
  {
    name: 'leaves finish_reason out of chunks',
    fails: ['chat/stream/chunk-shape'],
    make: () =>
      changeChunks((chunk) => {
        if (firstChoice(chunk)['finish_reason'] === null) delete firstChoice(chunk)['finish_reason'];
        return chunk;
      }),
  },
  {
    name: 'sends data that is no JSON',
    fails: ['chat/stream/data-is-json'],
    make: () => changeWrites((writes) => ['data: {"id": \n\n', ...writes]),
  },
  {
    name: 'moves created in a stream',
    fails: ['chat/stream/stable-identity'],
    make: () => changeChunks((chunk, index) => ({ ...chunk, created: Number(chunk['created']) + (index > 3 ? 1 : 0) })),
  },
  {
    name: 'gives every chunk another id',
    fails: ['chat/stream/stable-identity'],
    make: () => changeChunks((chunk, index) => ({ ...chunk, id: `${String(chunk['id'])}-${index}` })),
  },
  {
    name: 'leaves the role out',
    fails: ['chat/stream/role-first'],
    make: () =>
      changeChunks((chunk) => {
        delete deltaOf(chunk)['role'];
        return chunk;
      }),
  },
  {
    name: 'tells the role after the text',
    fails: ['chat/stream/role-first'],
    make: () =>
      changeChunks((chunk, index) => {
        if (index === 0) delete deltaOf(chunk)['role'];
        if (index === 2) deltaOf(chunk)['role'] = 'assistant';
        return chunk;
      }),
  },
  {
    name: 'goes on after the finish',
    fails: ['chat/stream/one-finish'],
    make: () => changeWrites((writes) => [...writes.slice(0, -1), ...afterFinish(writes), ...writes.slice(-1)]),
  },
  {
    name: 'never finishes',
    fails: [
      'chat/limits/length-in-stream',
      'chat/stop/not-delivered-in-stream',
      'chat/stream/fold-equals-object',
      'chat/stream/one-finish',
      'chat/stream/each-choice-finishes',
    ],
    make: () =>
      changeChunks((chunk) => {
        if (!isLast(chunk)) firstChoice(chunk)['finish_reason'] = null;
        return chunk;
      }),
  },
  {
    name: 'says stop for a stream cut by max_tokens',
    fails: ['chat/limits/length-in-stream', 'chat/stream/fold-equals-object'],
    make: () =>
      changeChunks((chunk) => {
        if (firstChoice(chunk)['finish_reason'] === 'length') firstChoice(chunk)['finish_reason'] = 'stop';
        return chunk;
      }),
  },
  {
    name: 'forgets [DONE]',
    fails: ['chat/stream/done-last'],
    make: () => changeWrites((writes) => writes.slice(0, -1)),
  },
  {
    name: 'says [DONE] twice',
    fails: ['chat/stream/done-last'],
    make: () => changeWrites((writes) => [...writes, ...writes.slice(-1)]),
  },
  {
    name: 'forgets the last blank line',
    fails: ['chat/stream/terminated'],
    make: () => changeWrites((writes) => [...writes.slice(0, -1), 'data: [DONE]\n']),
  },
  {
    name: 'breaks the connection off at the end of a stream',
    fails: ['chat/stream/terminated'],
    make: () => changeAnswer((answer) => (isStream(answer) ? { ...answer, isCut: true } : undefined)),
  },
  {
    name: 'gives events a name',
    fails: ['chat/stream/unnamed'],
    make: () => changeWrites((writes) => writes.map((write) => `event: chunk\n${write}`)),
  },
  {
    name: 'has error: null in chunks',
    fails: ['chat/stream/no-error-key'],
    make: () => changeChunks((chunk) => ({ ...chunk, error: null })),
  },
  {
    name: 'writes an event in two pieces',
    fails: ['chat/stream/whole-events'],
    make: () => changeWrites((writes) => writes.flatMap((write) => [write.slice(0, 20), write.slice(20)])),
  },
  {
    name: 'writes the blank line by itself',
    fails: ['chat/stream/whole-events'],
    make: () => changeWrites((writes) => writes.flatMap((write) => [write.slice(0, -1), '\n'])),
  },
  {
    name: 'sends the whole text at once',
    fails: ['chat/logprobs/fold-equals-object', 'chat/stream/piecewise'],
    make: () => changeWrites(allAtOnce),
  },
  {
    name: 'loses the last piece of a stream',
    fails: ['chat/logprobs/fold-equals-object', 'chat/stream/fold-equals-object'],
    make: () =>
      changeWrites((writes, { stop }) =>
        stop === undefined
          ? writes.filter((write, at) => !(write.includes('"content"') && (writes[at + 1] ?? '').includes('"length"')))
          : writes,
      ),
  },

  {
    name: 'forgets the usage chunk',
    fails: ['chat/usage/last-chunk'],
    make: () => changeChunks((chunk, _, body) => (isUsageAsked(body) && isLast(chunk) ? undefined : chunk)),
  },
  {
    name: 'gives the usage chunk a choice',
    fails: ['chat/usage/last-chunk'],
    make: () =>
      changeChunks((chunk) =>
        isLast(chunk) ? { ...chunk, choices: [{ index: 0, delta: {}, finish_reason: null }] } : chunk,
      ),
  },
  {
    name: 'leaves usage out before the last chunk',
    fails: ['chat/usage/null-before'],
    make: () =>
      changeChunks((chunk) => {
        if (chunk['usage'] === null) delete chunk['usage'];
        return chunk;
      }),
  },
  {
    name: 'tells usage unasked',
    fails: ['chat/usage/not-unasked'],
    make: () =>
      changeChunks((chunk, _, body) =>
        isUsageAsked(body) || firstChoice(chunk)['finish_reason'] === null
          ? chunk
          : { ...chunk, usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 } },
      ),
  },
  {
    name: 'counts one token less in streams',
    fails: ['chat/usage/equals-object'],
    make: () =>
      changeChunks((chunk) => {
        const usage = (chunk['usage'] ?? {}) as Record<string, number>;
        return isLast(chunk)
          ? {
              ...chunk,
              usage: {
                ...usage,
                completion_tokens: (usage['completion_tokens'] ?? 0) - 1,
                total_tokens: (usage['total_tokens'] ?? 0) - 1,
              },
            }
          : chunk;
      }),
  },

  {
    name: 'delivers the stop string in streams',
    fails: ['chat/stop/not-delivered-in-stream'],
    make: changeText((text, stop) => (stop.endsWith('\u0001') ? text : text + stop)),
  },
  {
    name: 'delivers the beginning of the stop string in streams',
    fails: ['chat/stop/not-delivered-in-stream'],
    make: changeText((text, stop) => (stop.endsWith('\u0001') ? text : text + stop.slice(0, 1))),
  },
  {
    name: 'loses what begins like a stop string',
    fails: ['chat/stop/beginning-inside'],
    make: changeText((text, stop) =>
      stop.endsWith('\u0001') && !text.endsWith(stop.slice(0, -1)) ? text.replace(stop.slice(0, -1), '') : text,
    ),
  },
  {
    name: 'loses what begins like a stop string at the end',
    fails: ['chat/stop/beginning-at-end'],
    make: changeText((text, stop) => (text.endsWith(stop.slice(0, -1)) ? text.slice(0, 1 - stop.length) : text)),
  },
  {
    name: 'lets a choice end without a finish reason',
    fails: ['chat/stream/each-choice-finishes'],
    make: () =>
      changeChunks((chunk) => {
        const choice = firstChoice(chunk);
        return choice['index'] === 2 && typeof choice['finish_reason'] === 'string' ? undefined : chunk;
      }),
  },
  {
    name: 'streams the first choice only',
    fails: ['chat/stream/two-choices', 'chat/stream/each-choice-finishes'],
    make: () => changeChunks((chunk) => (firstChoice(chunk)['index'] === 1 ? undefined : chunk)),
  },
];

/** An empty delta of a choice that has finished, before a chunk of usage would come. */
function afterFinish(writes: readonly string[]): string[] {
  const finish = writes.findLast((write) => write.includes('"finish_reason":"'));
  if (finish === undefined || writes.some((write) => write.includes('"choices":[]'))) return [];
  const chunk = JSON.parse(finish.slice('data: '.length)) as Mutable;
  firstChoice(chunk)['finish_reason'] = null;
  return [eventOf(chunk)];
}

function allAtOnce(writes: readonly string[], { stop, n }: Body): readonly string[] {
  const isText = (write: string): boolean => /"delta":\{"content"/.test(write);
  const texts = writes.filter(isText).map((write) => JSON.parse(write.slice('data: '.length)) as Mutable);
  const [first] = texts;
  if (first === undefined || stop !== undefined || n !== undefined) return writes;
  deltaOf(first)['content'] = texts.map(textOf).join('');
  const at = writes.findIndex(isText);
  return [...writes.slice(0, at), eventOf(first), ...writes.filter((write, index) => index > at && !isText(write))];
}
