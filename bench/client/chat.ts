// One chat completion as its caller experiences it: the text, the usage, and when each piece of it came. Works on streams and objects of
// any server that speaks the OpenAI API; whatever goes wrong becomes a word to count by.

import type { Socket } from 'node:net';
import { ExchangeError, type HttpClient } from './http.ts';

export interface ChatRequest {
  readonly model: string;
  readonly messages: readonly { readonly role: string; readonly content: string }[];
  readonly stream?: boolean;
  /** Sampling, limits and whatever else. */
  readonly [field: string]: unknown;
}

export interface ChatAnswer {
  /** `undefined` when none came. */
  readonly status: number | undefined;
  readonly headers: Readonly<Record<string, string>>;
  /** What went wrong, in few words; `undefined` for a whole answer. */
  readonly failure: string | undefined;
  /** The stable code of an error, where the server gives one. */
  readonly code: string | undefined;
  /** Of the first choice, as far as it came. */
  readonly text: string;
  readonly finish: string | undefined;
  readonly usage: Usage | undefined;
  /** Milliseconds from the request to each piece of text, and to the end. */
  readonly pieces: readonly number[];
  readonly endMs: number;
}

export interface Usage {
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly cachedTokens: number;
}

export interface ChatHooks {
  /** After each piece of text. */
  readonly onPiece?: (count: number, socket: Socket) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Never throws for what a server or a network may do; an abort counts as the failure `aborted`. */
export async function chat(client: HttpClient, body: ChatRequest, hooks: ChatHooks = {}): Promise<ChatAnswer> {
  const from = performance.now();
  const reading = new Reading();
  const pieces: number[] = [];
  let status: number | undefined;
  let headers: Readonly<Record<string, string>> = {};
  try {
    const answer = await client.send({
      method: 'POST',
      path: 'chat/completions',
      body,
      signal: hooks.signal,
      onHead: (head) => {
        ({ status, headers } = head);
        if (status !== 200) reading.fail(`status ${status}`);
      },
      onEvent: ({ data }, socket) => {
        if (!reading.event(data)) return;
        pieces.push(performance.now() - from);
        hooks.onPiece?.(pieces.length, socket);
      },
    });
    if (answer.text !== '') reading.whole(answer.text);
    if (reading.text !== '' && pieces.length === 0) pieces.push(performance.now() - from);
  } catch (error) {
    if (error instanceof ExchangeError) reading.fail(error.message);
    else if (hooks.signal?.aborted === true) reading.fail('aborted');
    else throw error;
  }
  if (reading.finish === undefined) reading.fail('no finish');
  const { failure, code, text, finish, usage } = reading;
  return { status, headers, failure, code, text, finish, usage, pieces, endMs: performance.now() - from };
}

type Json = Readonly<Record<string, unknown>>;

/** What the events, or the object, have said so far. */
class Reading {
  text = '';
  finish: string | undefined;
  usage: Usage | undefined;
  failure: string | undefined;
  code: string | undefined;

  /** The first reason is the one that counts. */
  fail(what: string): void {
    this.failure ??= what;
  }

  /** Whether the event brought text, of whatever kind. */
  event(data: string): boolean {
    if (data === '[DONE]') return false;
    const chunk = parseObject(data);
    if (chunk === undefined) {
      this.fail('malformed event');
      return false;
    }
    const choice = this.#common(chunk);
    const delta = objectOf(choice['delta']);
    if (typeof delta['content'] === 'string') this.text += delta['content'];
    return spoken.some((field) => {
      const value = delta[field];
      return value !== undefined && value !== null && value !== '';
    });
  }

  whole(text: string): void {
    const object = parseObject(text);
    if (object === undefined) return this.fail('malformed answer');
    const message = objectOf(this.#common(object)['message']);
    if (typeof message['content'] === 'string') this.text = message['content'];
  }

  /** The first choice. */
  #common(object: Json): Json {
    const error = object['error'] ?? undefined;
    const { code, type } = objectOf(error);
    this.code = [code, type].find((word) => typeof word === 'string') ?? this.code;
    if (error !== undefined) this.fail(`error ${this.code ?? 'of unknown kind'}`);
    this.usage = readUsage(object['usage']) ?? this.usage;
    const choices = object['choices'];
    const choice = objectOf(Array.isArray(choices) ? choices[0] : undefined);
    if (typeof choice['finish_reason'] === 'string') this.finish = choice['finish_reason'];
    return choice;
  }
}

/** Fields of a delta that a token may show itself in. */
const spoken = ['content', 'reasoning_content', 'reasoning', 'tool_calls'];

function readUsage(value: unknown): Usage | undefined {
  const usage = objectOf(value);
  const [promptTokens, completionTokens] = [usage['prompt_tokens'], usage['completion_tokens']];
  if (typeof promptTokens !== 'number' || typeof completionTokens !== 'number') return undefined;
  const cached = objectOf(usage['prompt_tokens_details'])['cached_tokens'];
  return { promptTokens, completionTokens, cachedTokens: typeof cached === 'number' ? cached : 0 };
}

function parseObject(text: string): Json | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    return typeof value === 'object' && value !== null ? (value as Json) : undefined;
  } catch {
    return undefined;
  }
}

function objectOf(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {};
}
