// What all answers of the good server are made of.

import type { FakeAnswer } from './server.ts';

export type Body = Readonly<Record<string, unknown>>;

export interface Refusal {
  readonly status: number;
  readonly message: string;
  readonly param?: string;
  readonly code?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export const modelName = 'fake/words-1';
export const created = 1_760_000_000;

export const unknownModel: Refusal = {
  status: 404,
  message: `The model is called ${modelName}.`,
  code: 'model_not_found',
  param: 'model',
};

export function json(status: number, value: unknown): FakeAnswer {
  return { status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(value) };
}

export function refuse({ status, message, param, code, headers = {} }: Refusal): FakeAnswer {
  const error = { message, type: 'invalid_request_error', param: param ?? null, code: code ?? null };
  const answer = json(status, { error });
  return { ...answer, headers: { ...answer.headers, ...headers } };
}

/** Chunks as events, with what every chunk has: `head`; and usage as the request asks for it. */
export function eventStream(head: Body, choices: readonly Body[], usage: Body, body: Body): FakeAnswer {
  const isUsageAsked = (body['stream_options'] as Body | null | undefined)?.['include_usage'] === true;
  const event = (list: readonly Body[], more: Body): string =>
    `data: ${JSON.stringify({ ...head, choices: list, ...more })}\n\n`;
  const events = choices.map((choice) => event([choice], isUsageAsked ? { usage: null } : {}));
  if (isUsageAsked) events.push(event([], { usage }));
  events.push('data: [DONE]\n\n');
  const headers = { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-cache' };
  return { status: 200, headers, body: events };
}

export function usageOf(promptTokens: number, completionTokens: number): Body {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
}

/** The same answer, with the names of the fields that had no effect. */
export function withIgnored(answer: FakeAnswer, ignored: readonly string[]): FakeAnswer {
  if (ignored.length === 0) return answer;
  return { ...answer, headers: { ...answer.headers, 'x-ignored-fields': ignored.join(', ') } };
}

/** `undefined` for what is no JSON object. */
export function parse(text: string): Body | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Body) : undefined;
  } catch {
    return undefined;
  }
}
