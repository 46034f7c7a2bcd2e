// Servers unlike the good one that are right all the same: what the cases must not mistake for a fault. Those with `advice`
// may depart from a SHOULD.

import {
  changeAnswer,
  changeChunks,
  changeJson,
  changeWrites,
  eventOf,
  except,
  firstChoice,
  isCompletion,
  refusal,
} from './bad/break.ts';
import type { Mutable } from './bad/break.ts';
import { goodServer } from './good.ts';
import type { FakeAnswer, FakeServer } from './server.ts';

export interface LegalServer {
  /** What is special about it. */
  readonly name: string;
  /** Whether it passes without `--strict` only. */
  readonly advice?: true;
  readonly make: () => FakeServer;
}

const isStream = ({ body }: FakeAnswer): boolean => typeof body !== 'string';

export const legalServers: readonly LegalServer[] = [
  {
    name: 'ends the lines of its streams with CR LF',
    make: () => changeWrites((writes) => writes.map((write) => write.replaceAll('\n', '\r\n'))),
  },
  {
    name: 'writes comments between events',
    make: () => changeWrites((writes) => writes.flatMap((write) => [': keep-alive\n\n', write])),
  },
  {
    name: 'writes several events at once',
    make: () => changeWrites((writes) => [writes.slice(0, -3).join(''), writes.slice(-3).join('')]),
  },
  {
    name: 'writes data: without a space',
    make: () => changeWrites((writes) => writes.map((write) => write.replace('data: ', 'data:'))),
  },
  {
    name: 'has further keys everywhere',
    make: () =>
      changeJson(isCompletion, (json) =>
        Object.assign(json, { timings: { ms: 1 }, service_tier: 'default', system_fingerprint: 'fp' }),
      ),
  },
  {
    name: 'has further keys in chunks',
    make: () => changeChunks((chunk) => ({ ...chunk, obfuscation: 'xyz', service_tier: null })),
  },
  {
    name: 'names the charset of JSON',
    make: () =>
      changeAnswer((answer) =>
        answer.headers['content-type'] === 'application/json'
          ? { ...answer, headers: { ...answer.headers, 'content-type': 'application/json; charset=utf-8' } }
          : undefined,
      ),
  },
  {
    name: 'tells the role in every delta',
    make: () =>
      changeChunks((chunk) => {
        const delta = firstChoice(chunk)['delta'] as Mutable | undefined;
        if (delta !== undefined) delta['role'] = 'assistant';
        return chunk;
      }),
  },
  { name: 'finishes in the last delta with text', make: () => changeWrites(finishWithText) },
  {
    name: 'refuses log probabilities',
    make: () =>
      except((_, body) =>
        body['logprobs'] === true || typeof body['logprobs'] === 'number'
          ? refusal(400, 'There are none here.', 'logprobs')
          : undefined,
      ),
  },
  {
    name: 'refuses several choices',
    make: () => except((_, body) => (Number(body['n']) > 1 ? refusal(400, 'One choice only.', 'n') : undefined)),
  },
  { name: 'can do everything', make: ableServer },
  {
    name: 'ends streams by closing the connection',
    make: () =>
      changeAnswer((answer) =>
        isStream(answer)
          ? { ...answer, headers: { ...answer.headers, connection: 'close' }, isUnframed: true }
          : undefined,
      ),
  },
  {
    name: 'lacks the extensions',
    advice: true,
    make: () =>
      except(({ path }, { model, messages }) =>
        /^\/(health|ready|version|metrics|openapi)/.test(path)
          ? refusal(404, 'Not here.')
          : messages !== undefined && (model === undefined || model === 'default')
            ? refusal(
                model === undefined ? 400 : 404,
                'Which model?',
                model === undefined && !Array.isArray(messages) ? 'messages' : 'model',
              )
            : undefined,
      ),
  },
  {
    name: 'has no request ids and no CORS',
    advice: true,
    make: () =>
      changeAnswer((answer) => ({
        ...answer,
        headers: {
          'content-type': answer.headers['content-type'] ?? 'text/plain',
          ...(answer.headers['allow'] === undefined ? {} : { allow: answer.headers['allow'] }),
        },
      })),
  },
  {
    name: 'closes every connection',
    advice: true,
    make: () => changeAnswer((answer) => ({ ...answer, headers: { ...answer.headers, connection: 'close' } })),
  },
];

/** The chunk that finishes is the one with the last text. */
function finishWithText(writes: readonly string[]): string[] {
  const chunks = writes
    .filter((write) => !write.includes('[DONE]'))
    .map((write) => JSON.parse(write.slice('data: '.length)) as Mutable);
  const at = chunks.findIndex((chunk) => typeof firstChoice(chunk)['finish_reason'] === 'string');
  const before = chunks[at - 1];
  if (
    before === undefined ||
    (before['choices'] as unknown[]).length !== 1 ||
    chunks.some((chunk) => firstChoice(chunk)['index'] === 1)
  )
    return [...writes];
  firstChoice(before)['finish_reason'] = firstChoice(chunks[at] ?? {})['finish_reason'];
  return [...chunks.filter((_, index) => index !== at).map(eventOf), 'data: [DONE]\n\n'];
}

/** Honours what the good server refuses, as far as the cases look. */
function ableServer(): FakeServer {
  const good = goodServer();
  return {
    ...good,
    async answer(request) {
      const body = JSON.parse(request.body === '' ? '{}' : tidy(request.body)) as Mutable;
      const { response_format: format, tool_choice: choice, tools, ...rest } = body;
      if (Array.isArray(body) || (format === undefined && tools === undefined)) return good.answer(request);
      const answer = await good.answer({ ...request, body: JSON.stringify(rest) });
      if (answer.status !== 200 || typeof answer.body !== 'string') return answer;
      const json = JSON.parse(answer.body) as Mutable;
      const message = firstChoice(json)['message'] as Mutable;
      if ((format as Mutable | null)?.['type'] === 'json_schema') message['content'] = '{"happy": true}';
      if (Array.isArray(tools) && tools.length > 0 && typeof choice === 'object') {
        message['content'] = null;
        message['tool_calls'] = [
          { id: 'call_1', type: 'function', function: { name: 'get_weather', arguments: '{"city":"Graz"}' } },
        ];
        firstChoice(json)['finish_reason'] = 'tool_calls';
      }
      return { ...answer, body: JSON.stringify(json) };
    },
  };
}

/** What is no JSON is left to the good server. */
function tidy(text: string): string {
  try {
    JSON.parse(text);
    return text;
  } catch {
    return '{}';
  }
}
