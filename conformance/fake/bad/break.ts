// Tools to break one thing: a bad server is the good one behind a change of its requests or of its answers.

import { goodServer, parse } from '../good.ts';
import type { Body } from '../good.ts';
import type { FakeAnswer, FakeRequest, FakeServer } from '../server.ts';

export interface BadServer {
  /** What is wrong with it. */
  readonly name: string;
  /** The cases that must fail, under `--strict`; all others must not. */
  readonly fails: readonly string[];
  /** Whether it is broken at text completions and tokens: then only their cases are asked, and otherwise they are not. */
  readonly isTexts?: true;
  readonly make: () => FakeServer;
}

export type Mutable = Record<string, unknown>;

export const isChat = (request: FakeRequest): boolean =>
  request.method === 'POST' && request.path === '/v1/chat/completions';

/** The body of the request, empty if it is none. */
export const bodyOf = (request: FakeRequest): Body => parse(request.body) ?? {};

/** The good server behind a change of requests. */
export function changeRequest(change: (request: FakeRequest) => FakeRequest): FakeServer {
  const good = goodServer();
  return { ...good, answer: (request) => good.answer(change(request)) };
}

/** The good server behind a change of the bodies of chat requests; `undefined` leaves a body alone. */
export function changeBody(change: (body: Body) => Body | undefined): FakeServer {
  return changeRequest((request) => {
    const body = isChat(request) ? parse(request.body) : undefined;
    const changed = body === undefined ? undefined : change(body);
    return changed === undefined ? request : { ...request, body: JSON.stringify(changed) };
  });
}

export type AnswerChange = (answer: FakeAnswer, request: FakeRequest) => FakeAnswer | undefined;

/** The good server behind a change of its answers; `undefined` leaves an answer alone. */
export function changeAnswer(change: AnswerChange): FakeServer {
  const good = goodServer();
  return {
    ...good,
    async answer(request) {
      const answer = await good.answer(request);
      return change(answer, request) ?? answer;
    },
  };
}

/** Changes the JSON of answers without a stream; the change may write into what it is given. */
export function changeJson(
  when: (answer: FakeAnswer, request: FakeRequest) => boolean,
  change: (json: Mutable, body: Body) => void,
): FakeServer {
  return changeAnswer((answer, request) => {
    if (typeof answer.body !== 'string' || !when(answer, request)) return undefined;
    const value: Mutable | undefined = parse(answer.body);
    if (value === undefined) return undefined;
    change(value, bodyOf(request));
    return { ...answer, body: JSON.stringify(value) };
  });
}

/** Chat completions that succeeded. */
export const isCompletion = (answer: FakeAnswer, request: FakeRequest): boolean =>
  answer.status === 200 && isChat(request);

/** Changes the writes of chat streams. */
export function changeWrites(change: (writes: readonly string[], body: Body) => readonly string[]): FakeServer {
  return changeAnswer((answer, request) =>
    typeof answer.body === 'string' ? undefined : { ...answer, body: change(answer.body, bodyOf(request)) },
  );
}

/** Changes the chunks of chat streams, before [DONE]; `undefined` leaves a chunk out. */
export function changeChunks(change: (chunk: Mutable, index: number, body: Body) => Mutable | undefined): FakeServer {
  return changeWrites((writes, body) =>
    writes.flatMap((write, index) => {
      if (write === 'data: [DONE]\n\n') return [write];
      const chunk = change(JSON.parse(write.slice('data: '.length)) as Mutable, index, body);
      return chunk === undefined ? [] : [eventOf(chunk)];
    }),
  );
}

export function eventOf(value: unknown): string {
  return `data: ${JSON.stringify(value)}\n\n`;
}

/** Choice 0 of an object or chunk. */
export function firstChoice(value: Mutable): Mutable {
  return (value['choices'] as Mutable[] | undefined)?.[0] ?? {};
}

export function without(body: Body, ...names: readonly string[]): Body {
  return Object.fromEntries(Object.entries(body).filter(([name]) => !names.includes(name)));
}

/** The envelope, whatever the status. */
export function refusal(status: number, message: string, param: string | null = null): FakeAnswer {
  const error = { message, type: 'invalid_request_error', param, code: null };
  return {
    status,
    headers: {
      'content-type': 'application/json',
      'x-request-id': `r${Math.random()}`,
      'access-control-allow-origin': '*',
    },
    body: JSON.stringify({ error }),
  };
}

/** The good server, except for the requests for which `special` has an answer of its own. */
export function except(special: (request: FakeRequest, body: Body) => FakeAnswer | undefined): FakeServer {
  const good = goodServer();
  return { ...good, answer: (request) => special(request, bodyOf(request)) ?? good.answer(request) };
}

export const isNumber = (value: unknown): value is number => typeof value === 'number';
export const messagesOf = (body: Body): Body[] => (Array.isArray(body['messages']) ? (body['messages'] as Body[]) : []);

/** A change of the messages, if there are any. */
export const changeMessages = (change: (messages: Body[]) => Body[]) => () =>
  changeBody((body) => (messagesOf(body).length === 0 ? undefined : { ...body, messages: change(messagesOf(body)) }));

/** Takes bodies that should be refused: the fields in question are dropped. */
export const acceptIf =
  (isAccepted: (body: Body) => boolean, ...names: readonly string[]) =>
  () =>
    changeBody((body) => (isAccepted(body) ? without(body, ...names) : undefined));
