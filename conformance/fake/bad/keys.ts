// Servers that deal wrongly with keys. They stand apart: each is run with the key, against the cases about keys only.

import { goodServer } from '../good.ts';
import type { FakeAnswer, FakeRequest, FakeServer } from '../server.ts';
import { bodyOf, type BadServer } from './break.ts';

export const apiKey = 'right-key';

/** The good server with a key, behind a change of its requests and answers. */
function keyed(
  change: (request: FakeRequest) => FakeRequest,
  after: (answer: FakeAnswer, request: FakeRequest) => FakeAnswer = (answer) => answer,
): () => FakeServer {
  return () => {
    const good = goodServer({ apiKey });
    return { ...good, answer: async (request) => after(await good.answer(change(request)), request) };
  };
}

const withHeaders = (request: FakeRequest, headers: FakeRequest['headers']): FakeRequest => ({
  ...request,
  headers: { ...request.headers, ...headers },
});
const withKey = (request: FakeRequest): FakeRequest => withHeaders(request, { authorization: `Bearer ${apiKey}` });
const asIs = (request: FakeRequest): FakeRequest => request;

/** Another answer for those who are refused. */
const refuses = (change: (answer: FakeAnswer, request: FakeRequest) => FakeAnswer): (() => FakeServer) =>
  keyed(asIs, (answer, request) => (answer.status === 401 ? change(answer, request) : answer));

const wrongBearer = ['wrong', 'code', 'challenge', 'before-the-stream', 'not-repeated'];
const refused = [...wrongBearer, 'missing', 'wrong-x-api-key'];
const inGroup = (ids: readonly string[]): string[] => ids.map((id) => `http/keys/${id}`);

export const badWithKeys: readonly BadServer[] = [
  { name: 'looks at no key', fails: inGroup(refused), make: () => goodServer() },
  {
    name: 'takes requests without a key',
    fails: inGroup(['missing']),
    make: keyed((request) => {
      const { authorization, 'x-api-key': other } = request.headers;
      return authorization === undefined && other === undefined ? withKey(request) : request;
    }),
  },
  {
    name: 'takes any Bearer',
    fails: inGroup(wrongBearer),
    make: keyed((request) => (request.headers['authorization'] === undefined ? request : withKey(request))),
  },
  {
    name: 'takes any x-api-key',
    fails: inGroup(['wrong-x-api-key']),
    make: keyed((request) => (request.headers['x-api-key'] === undefined ? request : withKey(request))),
  },
  {
    name: 'does not know x-api-key',
    fails: inGroup(['x-api-key']),
    make: keyed((request) => withHeaders(request, { 'x-api-key': undefined })),
  },
  {
    name: 'reads Bearer by the letter',
    fails: inGroup(['scheme-in-any-case']),
    make: keyed((request) => {
      const isSmall = request.headers['authorization']?.startsWith('bearer') === true;
      return isSmall ? withHeaders(request, { authorization: 'none' }) : request;
    }),
  },
  {
    name: 'refuses the right key',
    fails: inGroup(['bearer', 'scheme-in-any-case', 'x-api-key']),
    make: () => goodServer({ apiKey: 'another' }),
  },
  {
    name: 'has a code of its own',
    fails: inGroup(['code']),
    make: refuses((answer) => ({ ...answer, body: String(answer.body).replace('invalid_api_key', 'go_away') })),
  },
  {
    name: 'does not say what it wants',
    fails: inGroup(['challenge']),
    make: refuses((answer) => {
      const { 'www-authenticate': _, ...headers } = answer.headers;
      return { ...answer, headers };
    }),
  },
  {
    name: 'refuses in a stream',
    fails: inGroup(['before-the-stream']),
    make: refuses((answer, request) =>
      bodyOf(request)['stream'] === true
        ? {
            status: 200,
            headers: { ...answer.headers, 'content-type': 'text/event-stream' },
            body: [`data: ${String(answer.body)}\n\n`],
          }
        : answer,
    ),
  },
  {
    name: 'repeats the key',
    fails: inGroup(['not-repeated']),
    make: refuses((answer, { headers }) => ({
      ...answer,
      body: String(answer.body).replace('The key is wrong', `The key ${headers['authorization']} is wrong`),
    })),
  },
];
