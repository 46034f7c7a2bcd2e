// Servers that judge requests wrongly: they take what should be refused.

import { modelName } from '../good.ts';
import { acceptIf, changeBody, changeMessages, except, isChat, isNumber, refusal, without } from './break.ts';
import type { BadServer } from './break.ts';

export const badJudges: readonly BadServer[] = [
  {
    name: 'takes a fraction for max_tokens',
    fails: ['chat/invalid/fraction'],
    make: acceptIf((body) => body['max_tokens'] === 2.5, 'max_tokens'),
  },
  {
    name: 'takes temperature 3',
    fails: ['chat/invalid/temperature-range'],
    make: acceptIf((body) => body['temperature'] === 3, 'temperature'),
  },
  {
    name: 'takes top_p 1.5',
    fails: ['chat/invalid/top-p-range'],
    make: acceptIf((body) => body['top_p'] === 1.5, 'top_p'),
  },
  {
    name: 'takes any presence_penalty',
    fails: ['chat/invalid/penalty-range'],
    make: () => changeBody((body) => without(body, 'presence_penalty')),
  },
  {
    name: 'takes any frequency_penalty',
    fails: ['chat/invalid/penalty-range'],
    make: () => changeBody((body) => without(body, 'frequency_penalty')),
  },
  { name: 'takes n 0', fails: ['chat/invalid/n-zero'], make: acceptIf((body) => body['n'] === 0, 'n') },
  {
    name: 'answers without messages',
    fails: ['chat/invalid/messages-missing'],
    make: () =>
      changeBody((body) =>
        body['messages'] === undefined ? { ...body, messages: [{ role: 'user', content: '' }] } : undefined,
      ),
  },
  {
    name: 'answers an empty list of messages',
    fails: ['chat/invalid/messages-empty'],
    make: () =>
      changeBody((body) =>
        JSON.stringify(body['messages']) === '[]' ? { ...body, messages: [{ role: 'user', content: '' }] } : undefined,
      ),
  },
  {
    name: 'crashes on messages that are no list',
    fails: ['chat/invalid/messages-not-a-list'],
    make: () =>
      except((request, body) =>
        isChat(request) && isNumber(body['messages']) ? refusal(500, 'messages.map is not a function') : undefined,
      ),
  },
  {
    name: 'takes a number for a text',
    fails: ['chat/invalid/content-wrong-type'],
    make: changeMessages((messages) =>
      messages.map((message) =>
        isNumber(message['content']) ? { ...message, content: String(message['content']) } : message,
      ),
    ),
  },
  {
    name: 'takes messages without a role',
    fails: ['chat/invalid/role-missing'],
    make: changeMessages((messages) => messages.map((message) => ({ role: 'user', ...message }))),
  },

  {
    name: 'takes 21 top_logprobs',
    fails: ['chat/invalid/top-logprobs-range'],
    make: acceptIf((body) => body['top_logprobs'] === 21, 'logprobs', 'top_logprobs'),
  },
  {
    name: 'takes any logit_bias',
    fails: ['chat/invalid/logit-bias-range'],
    make: () => changeBody((body) => without(body, 'logit_bias')),
  },
  {
    name: 'takes a number for a user',
    fails: ['chat/invalid/user-wrong-type'],
    make: acceptIf((body) => isNumber(body['user']), 'user'),
  },
  {
    name: 'takes any metadata',
    fails: ['chat/invalid/metadata-too-many'],
    make: acceptIf((body) => Object.keys(body['metadata'] ?? {}).length > 16, 'metadata'),
  },
  {
    name: 'takes any service tier',
    fails: ['chat/invalid/service-tier-unknown'],
    make: () => changeBody((body) => without(body, 'service_tier')),
  },
  {
    name: 'ignores stream_options without stream',
    fails: ['chat/invalid/stream-options-without-stream'],
    make: acceptIf((body) => body['stream'] !== true, 'stream_options'),
  },

  // Models
  {
    name: 'does not know the model default',
    fails: ['models/choosing/default'],
    make: () =>
      except((request, body) =>
        isChat(request) && body['model'] === 'default'
          ? refusal(404, 'There is no model default.', 'model')
          : undefined,
      ),
  },
  {
    name: 'demands a model',
    fails: ['models/choosing/left-out'],
    make: () =>
      except((request, { model, messages, temperature }) =>
        isChat(request) && model === undefined && messages !== undefined && temperature === undefined
          ? refusal(400, 'model is needed.', 'model')
          : undefined,
      ),
  },
  {
    name: 'takes a number for a model',
    fails: ['models/choosing/wrong-type'],
    make: () => changeBody((body) => (isNumber(body['model']) ? { ...body, model: modelName } : undefined)),
  },
];
