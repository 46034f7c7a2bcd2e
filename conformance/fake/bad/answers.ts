// Servers whose objects, errors and headers are wrong.

import type { Body } from '../good.ts';
import { modelName } from '../good.ts';
import type { FakeAnswer, FakeRequest } from '../server.ts';
import { bodyOf, changeAnswer, changeJson, except, firstChoice, isChat, isCompletion, refusal } from './break.ts';
import type { BadServer, Mutable } from './break.ts';

const errorOf = (json: Mutable): Mutable => (json['error'] ?? {}) as Mutable;
const isAt = (path: string) => (_: FakeAnswer, request: FakeRequest) =>
  request.method === 'GET' && request.path === path;
const isObject = (answer: FakeAnswer, request: FakeRequest): boolean =>
  isCompletion(answer, request) && typeof answer.body === 'string';

/** Another header of the answers that `when` holds for; `undefined` takes it away. */
const changeHeader =
  (when: (answer: FakeAnswer, request: FakeRequest) => boolean, name: string, value: string | undefined) => () =>
    changeAnswer((answer, request) => {
      if (!when(answer, request)) return undefined;
      const { [name]: _, ...headers } = answer.headers;
      return { ...answer, headers: value === undefined ? headers : { ...headers, [name]: value } };
    });

/** Another status for chat requests that `when` holds for. */
const changeStatus = (when: (request: FakeRequest, body: Body) => boolean, status: number) => () =>
  changeAnswer((answer, request) => (when(request, bodyOf(request)) ? { ...answer, status } : undefined));

const isGone = (path: string) => () =>
  except((request) => (request.path === path ? refusal(404, 'Not here.') : undefined));

/** Another text of /metrics. */
const changeMetrics = (change: (text: string) => string) => () =>
  changeAnswer((answer, request) =>
    isAt('/metrics')(answer, request) ? { ...answer, body: change(String(answer.body)) } : undefined,
  );

/** A refusal that does not name the field. */
const loseParam = (when: (body: Body) => boolean) => () =>
  changeJson(
    (answer, request) => answer.status === 400 && when(bodyOf(request)),
    (json) => {
      errorOf(json)['param'] = null;
    },
  );

/** The error comes as an event of a stream that began with 200. */
const streamsItsErrors = (status: number) => () =>
  changeAnswer((answer, request) =>
    answer.status === status && bodyOf(request)['stream'] === true
      ? {
          ...answer,
          status: 200,
          headers: { ...answer.headers, 'content-type': 'text/event-stream' },
          body: [`data: ${String(answer.body)}\n\n`],
        }
      : undefined,
  );

export const badAnswers: readonly BadServer[] = [
  // The completion object
  {
    name: 'leaves refusal out of the message',
    fails: ['chat/object/shape'],
    make: () => changeJson(isObject, (json) => delete (firstChoice(json)['message'] as Mutable)['refusal']),
  },
  {
    name: 'leaves logprobs out of the choice',
    fails: ['chat/logprobs/not-unasked', 'chat/object/shape'],
    make: () =>
      changeJson(isObject, (json, body) => {
        if (body['logprobs'] !== true) delete firstChoice(json)['logprobs'];
      }),
  },
  {
    name: 'calls an object text/plain',
    fails: ['chat/object/content-type'],
    make: changeHeader(isObject, 'content-type', 'text/plain'),
  },
  {
    name: 'tells created in milliseconds',
    fails: ['chat/object/created-in-seconds'],
    make: () => changeJson(isObject, (json) => (json['created'] = Number(json['created']) * 1000)),
  },
  {
    name: 'adds its tokens up wrongly',
    fails: ['chat/object/usage-adds-up'],
    make: () => changeJson(isObject, (json) => ((json['usage'] as Mutable)['total_tokens'] = 1)),
  },
  {
    name: 'gives all completions the same id',
    fails: ['chat/object/own-id', 'http/connections/parallel'],
    make: () =>
      changeJson(isObject, (json, body) => {
        if (body['store'] !== true) json['id'] = 'chatcmpl-0';
      }),
  },
  {
    name: 'answers under another model name',
    fails: ['chat/object/model-echoed'],
    make: () => changeJson(isObject, (json) => (json['model'] = 'gpt-4')),
  },
  {
    name: 'says stop for an answer cut by max_tokens',
    fails: [
      'chat/limits/max-completion-tokens-exact',
      'chat/limits/max-tokens-exact',
      'chat/stream/fold-equals-object',
    ],
    make: () => changeJson(isObject, (json) => (firstChoice(json)['finish_reason'] = 'stop')),
  },
  {
    name: 'delivers the stop string',
    fails: ['chat/stop/not-delivered'],
    make: () =>
      changeJson(
        (answer, request) => isObject(answer, request) && typeof bodyOf(request)['stop'] === 'string',
        (json, body) => {
          const message = firstChoice(json)['message'] as Mutable;
          if (firstChoice(json)['finish_reason'] === 'stop')
            message['content'] = `${String(message['content'])}${String(body['stop'])}`;
        },
      ),
  },

  // Refusals
  {
    name: 'does not name the field of a wrong type',
    fails: ['chat/invalid/wrong-type'],
    make: loseParam(({ temperature, stream }) => temperature === 'hot' && stream !== true),
  },
  {
    name: 'does not say context_length_exceeded',
    fails: ['chat/limits/prompt-too-long'],
    make: () =>
      changeJson(
        ({ status }) => status === 400,
        (json) =>
          (errorOf(json)['code'] = errorOf(json)['code'] === 'context_length_exceeded' ? null : errorOf(json)['code']),
      ),
  },
  { name: 'streams a refusal as an event', fails: ['chat/invalid/in-a-stream'], make: streamsItsErrors(400) },
  {
    name: 'streams an unknown model as an event',
    fails: ['chat/invalid/unknown-model-in-a-stream'],
    make: streamsItsErrors(404),
  },
  {
    name: 'refuses an unknown model with 400',
    fails: ['chat/invalid/unknown-model-in-a-stream', 'models/choosing/unknown'],
    make: changeStatus((request, body) => isChat(request) && body['model'] === 'no-such-model-x', 400),
  },
  {
    name: 'does not say model_not_found',
    fails: ['models/choosing/unknown'],
    make: () =>
      changeJson(
        (answer, request) => answer.status === 404 && isChat(request),
        (json) => (errorOf(json)['code'] = null),
      ),
  },
  {
    name: 'answers any model',
    fails: [
      'chat/invalid/unknown-model-in-a-stream',
      'http/errors/envelope',
      'http/errors/json-content-type',
      'models/choosing/unknown',
    ],
    make: () =>
      except((request, body) =>
        isChat(request) && body['model'] === 'no-such-model-x' ? { ...refusal(200, ''), body: '{}' } : undefined,
      ),
  },
  {
    name: 'leaves code out of errors',
    fails: ['http/errors/envelope'],
    make: () =>
      changeJson(
        ({ status }, request) => status === 400 && bodyOf(request)['model'] === undefined,
        (json) => delete errorOf(json)['code'],
      ),
  },
  {
    name: 'says detail instead of error',
    fails: [
      'http/errors/empty-body',
      'http/errors/envelope',
      'http/errors/malformed-json',
      'http/errors/not-an-object',
    ],
    make: () =>
      changeJson(
        ({ status }, request) =>
          status === 400 && bodyOf(request)['model'] === undefined && bodyOf(request)['messages'] === undefined,
        (json) => {
          json['detail'] = errorOf(json)['message'];
          delete json['error'];
        },
      ),
  },
  {
    name: 'shows a page for unknown routes',
    fails: ['http/errors/unknown-route'],
    make: () =>
      changeAnswer((answer, { path }) =>
        path === '/v1/no/such/route'
          ? { ...answer, headers: { ...answer.headers, 'content-type': 'text/html' }, body: '<h1>Not Found</h1>' }
          : undefined,
      ),
  },
  {
    name: 'says 404 for a wrong method',
    fails: ['http/errors/wrong-method'],
    make: changeStatus(({ method, path }) => method === 'DELETE' && path === '/v1/chat/completions', 404),
  },
  {
    name: 'leaves Allow out of a 405',
    fails: ['http/errors/allow'],
    make: changeHeader(({ status }) => status === 405, 'allow', undefined),
  },
  {
    name: 'says 422 for malformed JSON',
    fails: ['http/errors/malformed-json'],
    make: changeStatus((request) => isChat(request) && request.body.endsWith('['), 422),
  },
  {
    name: 'says 500 for an empty body',
    fails: ['http/errors/empty-body'],
    make: changeStatus((request) => isChat(request) && request.headers['content-length'] === '0', 500),
  },
  {
    name: 'says 500 for a body that is a list',
    fails: ['http/errors/not-an-object'],
    make: changeStatus((request) => isChat(request) && request.body.startsWith('['), 500),
  },
  {
    name: 'calls errors text/plain',
    fails: ['http/errors/json-content-type'],
    make: changeHeader(
      (answer, request) => answer.status === 400 && request.body === '{',
      'content-type',
      'text/plain',
    ),
  },

  // Headers
  {
    name: 'has no x-request-id',
    fails: ['http/headers/request-id'],
    make: changeHeader(isObject, 'x-request-id', undefined),
  },
  {
    name: 'repeats x-request-id',
    fails: ['http/headers/request-id'],
    make: changeHeader(isObject, 'x-request-id', 'one'),
  },
  {
    name: 'has no x-request-id on errors',
    fails: ['http/headers/request-id-on-errors'],
    make: changeHeader(({ status }) => status >= 400, 'x-request-id', undefined),
  },
  {
    name: 'has no x-request-id on streams',
    fails: ['http/headers/request-id-on-streams'],
    make: changeHeader(({ body }) => typeof body !== 'string', 'x-request-id', undefined),
  },
  {
    name: 'knows no preflight',
    fails: ['http/headers/preflight'],
    make: changeStatus(({ method }) => method === 'OPTIONS', 405),
  },
  {
    name: 'does not allow authorization to pages',
    fails: ['http/headers/preflight'],
    make: changeHeader((_, { method }) => method === 'OPTIONS', 'access-control-allow-headers', 'content-type'),
  },
  {
    name: 'allows no origin',
    fails: ['http/headers/cors'],
    make: changeHeader(isObject, 'access-control-allow-origin', undefined),
  },
  {
    name: 'allows no origin on errors',
    fails: ['http/headers/cors'],
    make: changeHeader(({ status }) => status === 400, 'access-control-allow-origin', undefined),
  },

  {
    name: 'does not report what it ignored',
    fails: ['chat/fields/unknown-reported'],
    make: changeHeader(isObject, 'x-ignored-fields', undefined),
  },

  // Models
  {
    name: 'lists models without owned_by',
    fails: ['models/listing/shape'],
    make: () => changeJson(isAt('/v1/models'), (json) => delete (json['data'] as Mutable[])[0]?.['owned_by']),
  },
  {
    name: 'lists another model than it serves',
    fails: ['models/listing/has-the-model'],
    make: () =>
      changeJson(isAt('/v1/models'), (json) => Object.assign((json['data'] as Mutable[])[0] ?? {}, { id: 'other' })),
  },
  {
    name: 'cannot find a model with a slash in its name',
    fails: ['models/listing/retrieve'],
    make: () =>
      except(({ path }) =>
        path === `/v1/models/${encodeURIComponent(modelName)}` ? refusal(404, 'No such model.') : undefined,
      ),
  },
  {
    name: 'gives an unknown model an entry',
    fails: ['models/listing/retrieve-unknown'],
    make: changeStatus(({ path }) => path.endsWith('/no-such-model-x'), 200),
  },
  {
    name: 'stumbles over query parameters',
    fails: ['models/listing/query-ignored'],
    make: changeStatus(({ path, query }) => path === '/v1/models' && query !== '', 400),
  },

  // System
  { name: 'has no /health', fails: ['system/health/health'], make: isGone('/health') },
  { name: 'has no /ready', fails: ['system/health/ready'], make: isGone('/ready') },
  { name: 'has no /version', fails: ['system/health/version'], make: isGone('/version') },
  {
    name: 'has no /metrics',
    fails: ['system/metrics/text', 'system/metrics/series-of-routers', 'system/metrics/cache-config'],
    make: isGone('/metrics'),
  },
  {
    name: 'calls metrics HTML',
    fails: ['system/metrics/text'],
    make: changeHeader(isAt('/metrics'), 'content-type', 'text/html'),
  },
  {
    name: 'does not say how many requests wait',
    fails: ['system/metrics/series-of-routers'],
    make: changeMetrics((text) => text.replace(/^.*waiting.*\n/m, '')),
  },
  {
    name: 'does not say how large a block is',
    fails: ['system/metrics/cache-config'],
    make: changeMetrics((text) => text.replace('block_size', 'size_of_blocks')),
  },
  {
    name: 'forgets prompt tokens',
    fails: ['system/counters/tokens-counted'],
    make: changeMetrics((text) => text.replace(/(prompt_tokens_total.*) \d+/, '$1 0')),
  },
  {
    name: 'refuses a broken traceparent',
    fails: ['http/headers/traceparent'],
    make: () =>
      except(({ headers: { traceparent = '00-' } }) =>
        traceparent.startsWith('00-') ? undefined : refusal(400, 'This is no trace.'),
      ),
  },
  { name: 'has no /openapi.json', fails: ['system/health/openapi'], make: isGone('/openapi.json') },
  {
    name: 'forgets the chat route in its document',
    fails: ['system/health/openapi'],
    make: () => changeJson(isAt('/openapi.json'), (json) => (json['paths'] = { '/v1/models': {} })),
  },
];
