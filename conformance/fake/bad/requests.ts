// Servers that misread what they are asked: ignored, mistaken and wrongly refused fields.

import type { Body } from '../good.ts';
import {
  acceptIf,
  changeBody,
  changeJson,
  changeMessages,
  changeRequest,
  except,
  isChat,
  isCompletion,
  isNumber,
  messagesOf,
  refusal,
  without,
} from './break.ts';
import type { FakeServer } from '../server.ts';
import type { BadServer, Mutable } from './break.ts';

/** Refuses bodies that are fine. */
const refuseIf = (isRefused: (body: Body) => boolean) => () =>
  except((request, body) => (isChat(request) && isRefused(body) ? refusal(400, 'I do not like this.') : undefined));

let random = 0;
const anySeed = (): number => (random += 1);

export const badReaders: readonly BadServer[] = [
  // Limits
  {
    name: 'ignores max_tokens',
    fails: ['chat/limits/max-tokens-exact', 'chat/limits/length-in-stream', 'chat/limits/both-equal'],
    make: () =>
      changeBody((body) =>
        Number.isInteger(body['max_tokens']) && body['max_tokens'] !== 0 ? { ...body, max_tokens: 40 } : undefined,
      ),
  },
  {
    name: 'ignores max_completion_tokens',
    fails: ['chat/limits/max-completion-tokens-exact'],
    make: () =>
      changeBody((body) => (body['max_tokens'] === undefined ? without(body, 'max_completion_tokens') : undefined)),
  },
  {
    name: 'refuses max_tokens together with max_completion_tokens',
    fails: ['chat/limits/both-equal'],
    make: refuseIf((body) => isNumber(body['max_tokens']) && isNumber(body['max_completion_tokens'])),
  },
  {
    name: 'settles a conflict of the two limits silently',
    fails: ['chat/limits/conflict'],
    make: acceptIf(
      (body) => isNumber(body['max_tokens']) && isNumber(body['max_completion_tokens']),
      'max_completion_tokens',
    ),
  },
  {
    name: 'takes max_tokens 0',
    fails: ['chat/limits/zero'],
    make: acceptIf((body) => body['max_tokens'] === 0, 'max_tokens'),
  },

  // Sampling
  {
    name: 'gives another greedy text each time',
    fails: [
      'chat/messages/escapes-are-text',
      'chat/prediction/same-answer',
      'chat/sampling/greedy-repeats',
      'chat/sampling/min-p-one',
      'chat/sampling/top-k-one',
      'chat/sampling/top-p-zero',
    ],
    make: () =>
      changeBody((body) => (body['temperature'] === 0 ? { ...body, temperature: 1, seed: anySeed() } : undefined)),
  },
  {
    name: 'ignores seed',
    fails: ['chat/sampling/seed-repeats', 'chat/sampling/first-of-several'],
    make: () => changeBody((body) => (isNumber(body['seed']) ? { ...body, seed: anySeed() } : undefined)),
  },
  {
    name: 'is greedy at any temperature',
    fails: ['chat/sampling/seeds-differ', 'chat/sampling/choices-differ'],
    make: () =>
      changeBody((body) =>
        isNumber(body['temperature']) && body['temperature'] <= 2 ? { ...body, temperature: 0 } : undefined,
      ),
  },
  {
    name: 'ignores top_k',
    fails: ['chat/sampling/top-k-one'],
    make: () => changeBody((body) => without(body, 'top_k')),
  },
  {
    name: 'ignores min_p',
    fails: ['chat/sampling/min-p-one'],
    make: () => changeBody((body) => without(body, 'min_p')),
  },
  {
    name: 'ignores top_p',
    fails: ['chat/sampling/top-p-zero'],
    make: () => changeBody((body) => (Number(body['top_p']) <= 1 ? without(body, 'top_p') : undefined)),
  },

  // Stop
  {
    name: 'reads only the first of several stop strings',
    fails: ['chat/stop/four-strings'],
    make: () =>
      changeBody((body) =>
        Array.isArray(body['stop']) ? { ...body, stop: body['stop'].slice(0, 1) as unknown[] } : undefined,
      ),
  },

  // Fields
  {
    name: 'refuses user: null',
    fails: ['chat/fields/null-everywhere'],
    make: refuseIf((body) => body['user'] === null),
  },
  {
    name: 'refuses seed: null',
    fails: ['chat/fields/null-max-tokens'],
    make: refuseIf((body) => body['seed'] === null),
  },
  {
    name: 'takes seed next to nulls for no seed',
    fails: ['chat/fields/null-everywhere'],
    make: () =>
      changeBody((body) => (body['temperature'] === null ? { ...without(body, 'top_p'), seed: anySeed() } : undefined)),
  },
  {
    name: 'refuses an empty list of tools',
    fails: ['chat/fields/empty-tools'],
    make: refuseIf((body) => Array.isArray(body['tools']) && body['tools'].length === 0),
  },
  {
    name: 'refuses safety_identifier',
    fails: ['chat/fields/without-local-meaning'],
    make: refuseIf((body) => body['safety_identifier'] !== undefined),
  },
  {
    name: 'refuses unknown fields',
    fails: ['chat/fields/unknown', 'chat/fields/unknown-reported'],
    make: refuseIf((body) => 'x_conformance_unknown' in body),
  },
  {
    name: 'ignores n',
    fails: ['chat/fields/n', 'chat/stream/two-choices'],
    make: acceptIf((body) => body['n'] === 2, 'n'),
  },
  {
    name: 'gives n choices the same index',
    fails: ['chat/fields/n'],
    make: () =>
      changeJson(isCompletion, (json) => {
        for (const choice of json['choices'] as { index: number }[]) choice.index = 0;
      }),
  },
  {
    name: 'counts the prompt once for each choice',
    fails: ['chat/usage/prompt-counted-once'],
    make: changeUsage((usage, choices) => (usage['prompt_tokens'] = Number(usage['prompt_tokens']) * choices)),
  },
  {
    name: 'counts the tokens of one choice only',
    fails: ['chat/usage/all-choices-counted'],
    make: changeUsage((usage, choices) => (usage['completion_tokens'] = Number(usage['completion_tokens']) / choices)),
  },
  {
    name: 'says what was predicted',
    fails: ['chat/prediction/same-answer'],
    make: () =>
      changeBody((body) => {
        const content = (body['prediction'] as Body | null | undefined)?.['content'];
        return content === undefined ? undefined : { ...body, messages: [{ role: 'user', content }] };
      }),
  },
  {
    name: 'does not count what came true of a prediction',
    fails: ['chat/prediction/counted'],
    make: changeUsage((usage) => delete usage['completion_tokens_details']),
  },
  {
    name: 'gives the first of several choices another seed',
    fails: ['chat/sampling/first-of-several'],
    make: () =>
      changeBody((body) => (Number(body['n']) > 1 && body['seed'] === 42 ? { ...body, seed: 43 } : undefined)),
  },
  {
    name: 'gives all choices one generator',
    fails: ['chat/sampling/choices-differ'],
    make: () =>
      changeJson(isCompletion, (json) => {
        const choices = json['choices'] as Mutable[];
        for (const choice of choices) choice['message'] = choices[0]['message'];
      }),
  },
  {
    name: 'ignores logprobs',
    fails: ['chat/fields/logprobs'],
    make: acceptIf((body) => body['logprobs'] === true && body['max_tokens'] === 4, 'logprobs'),
  },
  {
    name: 'ignores response_format',
    fails: ['chat/fields/json-schema'],
    make: () => changeBody((body) => without(body, 'response_format')),
  },
  {
    name: 'ignores tools',
    fails: ['chat/fields/forced-tool'],
    make: () => changeBody((body) => without(body, 'tools', 'tool_choice')),
  },
  {
    name: 'refuses stream_options: null',
    fails: ['chat/usage/options-null'],
    make: refuseIf((body) => body['stream'] === true && body['stream_options'] === null),
  },

  {
    name: 'refuses the default service tier written out',
    fails: ['chat/fields/defaults-written-out'],
    make: refuseIf((body) => body['service_tier'] === 'auto'),
  },
  {
    name: 'refuses an empty list of stop strings',
    fails: ['chat/fields/empty-stop'],
    make: refuseIf((body) => Array.isArray(body['stop']) && body['stop'].length === 0),
  },
  { name: 'refuses top_k -1', fails: ['chat/fields/top-k-off'], make: refuseIf((body) => body['top_k'] === -1) },

  // Messages
  {
    name: 'reads content parts as something else',
    fails: ['chat/messages/content-parts'],
    make: changeMessages((messages) =>
      messages.map((message) =>
        Array.isArray(message['content'])
          ? { ...message, content: message['content'].map(() => '[object Object]').join() }
          : message,
      ),
    ),
  },
  {
    name: 'reads only the first content part',
    fails: ['chat/messages/several-parts'],
    make: changeMessages((messages) =>
      messages.map((message) =>
        Array.isArray(message['content'])
          ? { ...message, content: message['content'].slice(0, 1) as unknown[] }
          : message,
      ),
    ),
  },
  {
    name: 'drops developer messages',
    fails: ['chat/messages/developer-role'],
    make: changeMessages((messages) => messages.filter(({ role }) => role !== 'developer')),
  },
  {
    name: 'drops system messages and history',
    fails: ['chat/object/system-prompt'],
    make: changeMessages((messages) => (messages[0]?.['role'] === 'system' ? messages.slice(-1) : messages)),
  },
  {
    name: 'refuses names',
    fails: ['chat/messages/name'],
    make: refuseIf((body) => messagesOf(body).some(({ name }) => name !== undefined)),
  },
  {
    name: 'takes JSON escapes for text',
    fails: ['chat/messages/escapes-are-text'],
    make: () =>
      changeRequest((request) =>
        isChat(request) ? { ...request, body: request.body.replaceAll('\\u', ' u') } : request,
      ),
  },
  {
    name: 'reads ASCII only',
    fails: ['chat/messages/escapes-are-text', 'chat/messages/text-matters'],
    make: () => changeRequest((request) => ({ ...request, body: request.body.replaceAll(/ ?[^\u0020-\u007e]/g, '') })),
  },

  {
    name: 'reads nothing of a history with tools',
    fails: ['chat/messages/tool-history'],
    make: changeMessages((messages) =>
      messages.some(({ role }) => role === 'tool') ? [{ role: 'user', content: '' }] : messages,
    ),
  },
];

/** Of answers with several choices. */
function changeUsage(change: (usage: Mutable, choices: number) => void): () => FakeServer {
  return () =>
    changeJson(isCompletion, (json) => {
      const usage = json['usage'] as Mutable;
      change(usage, (json['choices'] as unknown[]).length);
      usage['total_tokens'] = Number(usage['prompt_tokens']) + Number(usage['completion_tokens']);
    });
}
