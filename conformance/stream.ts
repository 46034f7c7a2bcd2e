// The laws of event streams: what holds for server-sent events of every dialect (`sse.*`), for chunks with choices (`choices.*`:
// chat and text completions) and for those of chat alone (`chat.*`); and the fold of chunks into the object that the same request gives
// without a stream.

import type { Answer } from './client.ts';

export type Json = Readonly<Record<string, unknown>>;

/** Law -> sentences about its violations. The README lists them in prose, for runners in other languages. */
const laws: Readonly<Record<string, (answer: Answer) => string[]>> = {
  'sse.terminated': terminated,
  'sse.whole-events': wholeEvents,
  'sse.unnamed': unnamed,
  'sse.done-last': doneLast,
  'sse.json': jsonData,
  'choices.stable-identity': stableIdentity,
  'chat.role-first': roleFirst,
  'choices.one-finish': oneFinish,
  'choices.several-deltas': severalDeltas,
  'choices.usage-last': usageLast,
  'choices.usage-null-before': usageNullBefore,
  'choices.no-usage': noUsage,
  'choices.no-error': noError,
};

export const lawNames: readonly string[] = Object.keys(laws);

export function checkLaw(name: string, answer: Answer): string[] {
  const law = laws[name];
  if (law === undefined) throw new Error(`there is no stream law ${name}; known: ${lawNames.join(', ')}`);
  return law(answer).slice(0, 3);
}

/** The JSON objects among the events. */
export function streamObjects(answer: Answer): Json[] {
  return answer.events.map(({ data }) => parse(data)).filter(isObject);
}

function terminated({ events, complete }: Answer): string[] {
  const open = events.at(-1)?.terminated === false;
  return [
    ...(open ? ['the last event is not followed by a blank line'] : []),
    ...(complete ? [] : ['the body did not end as its framing says (no last chunk)']),
  ];
}

function wholeEvents({ events }: Answer): string[] {
  return events.flatMap(({ firstChunk, lastChunk }, index) =>
    firstChunk === lastChunk ? [] : [`event ${index} lies in the chunks ${firstChunk} to ${lastChunk}`],
  );
}

function unnamed({ events }: Answer): string[] {
  return events.flatMap(({ name }, index) => (name === undefined ? [] : [`event ${index} has the name ${name}`]));
}

function doneLast({ events }: Answer): string[] {
  const at = events.flatMap(({ data }, index) => (data === '[DONE]' ? [index] : []));
  if (at.length === 0) return ['there is no [DONE]'];
  if (at.length > 1) return [`[DONE] comes ${at.length} times`];
  return at[0] === events.length - 1 ? [] : [`${events.length - 1 - (at[0] ?? 0)} events follow [DONE]`];
}

function jsonData({ events }: Answer): string[] {
  return events.flatMap(({ data }, index) =>
    data === '[DONE]' || typeof parse(data) === 'object'
      ? []
      : [`event ${index} is no JSON object: ${data.slice(0, 80)}`],
  );
}

function stableIdentity(answer: Answer): string[] {
  const [first, ...rest] = streamObjects(answer);
  return ['id', 'created', 'model', 'object'].flatMap((key) => {
    const other = rest.findIndex((chunk) => chunk[key] !== first?.[key]);
    return other < 0
      ? []
      : [`${key} is ${String(first?.[key])} at first, ${String(rest[other]?.[key])} in chunk ${other + 1}`];
  });
}

function roleFirst(answer: Answer): string[] {
  const seen = new Set<unknown>();
  return streamObjects(answer).flatMap((chunk, at) =>
    choicesOf(chunk).flatMap((choice) => {
      if (seen.has(choice['index'])) return [];
      seen.add(choice['index']);
      const role = objectOf(choice['delta'])['role'];
      return role === 'assistant'
        ? []
        : [`the first delta of choice ${String(choice['index'])} (chunk ${at}) has the role ${String(role)}`];
    }),
  );
}

function oneFinish(answer: Answer): string[] {
  const finished = new Map<unknown, number>();
  const all = new Set<unknown>();
  const found: string[] = [];
  for (const [at, chunk] of streamObjects(answer).entries()) {
    for (const choice of choicesOf(chunk)) {
      const index = choice['index'];
      all.add(index);
      const before = finished.get(index);
      if (before !== undefined)
        found.push(`choice ${String(index)} finished in chunk ${before} and goes on in chunk ${at}`);
      if (typeof choice['finish_reason'] === 'string') finished.set(index, at);
    }
  }
  for (const index of all) if (!finished.has(index)) found.push(`choice ${String(index)} never has a finish_reason`);
  return all.size === 0 ? ['there is no choice at all'] : found;
}

function severalDeltas(answer: Answer): string[] {
  const count = streamObjects(answer)
    .flatMap(choicesOf)
    .filter((choice) => textOf(choice) !== '').length;
  return count > 1 ? [] : [`the whole text comes in ${count} chunk`];
}

function usageLast(answer: Answer): string[] {
  const last = streamObjects(answer).at(-1);
  const usage = objectOf(last?.['usage']);
  const found: string[] = [];
  if (!Array.isArray(last?.['choices']) || last['choices'].length > 0)
    found.push('the last chunk does not have choices: []');
  const [prompt, completion, total] = ['prompt_tokens', 'completion_tokens', 'total_tokens'].map((key) => usage[key]);
  if (typeof prompt !== 'number' || typeof completion !== 'number') found.push('the last chunk has no usage');
  else if (total !== prompt + completion) found.push(`total_tokens is ${String(total)}, not ${prompt} + ${completion}`);
  return found;
}

function usageNullBefore(answer: Answer): string[] {
  return streamObjects(answer)
    .slice(0, -1)
    .flatMap((chunk, at) =>
      chunk['usage'] === null
        ? []
        : [`chunk ${at} has usage ${JSON.stringify(chunk['usage']) ?? 'left out'}, not null`],
    );
}

function noUsage(answer: Answer): string[] {
  return streamObjects(answer).flatMap((chunk, at) => {
    if (chunk['usage'] !== undefined && chunk['usage'] !== null) return [`chunk ${at} has a usage nobody asked for`];
    return choicesOf(chunk).length === 0 ? [`chunk ${at} has no choice, as only a chunk of usage may`] : [];
  });
}

function noError(answer: Answer): string[] {
  return streamObjects(answer).flatMap((chunk, at) =>
    'error' in chunk ? [`chunk ${at} has a key error: ${JSON.stringify(chunk['error'])}`] : [],
  );
}

/**
 * Chunks of a chat or text completion -> what the object without a stream says: per choice role, text and finish reason, log probabilities,
 * tool calls with their joined arguments, and usage if it was sent.
 */
export function foldChoices(chunks: readonly Json[]): Json {
  const choices = new Map<number, Folded>();
  let usage: unknown;
  for (const chunk of chunks) {
    if (chunk['usage'] !== undefined && chunk['usage'] !== null) usage = chunk['usage'];
    for (const choice of choicesOf(chunk)) {
      const index = Number(choice['index']);
      const folded = choices.get(index) ?? {
        message: { content: null },
        finish: null,
        calls: new Map<number, Call>(),
        logprobs: {},
      };
      choices.set(index, folded);
      if (typeof choice['text'] === 'string') folded.text = (folded.text ?? '') + choice['text'];
      for (const [key, value] of Object.entries(objectOf(choice['delta']))) {
        if (key === 'tool_calls') foldCalls(folded.calls, value);
        else if (key === 'role') folded.message['role'] ??= value;
        else if (typeof value === 'string')
          folded.message[key] = `${(folded.message[key] as string | null | undefined) ?? ''}${value}`;
      }
      for (const [key, value] of Object.entries(objectOf(choice['logprobs'])))
        if (Array.isArray(value)) folded.logprobs[key] = [...(folded.logprobs[key] ?? []), ...(value as unknown[])];
      folded.finish = choice['finish_reason'] ?? folded.finish;
    }
  }
  return {
    choices: [...choices.entries()]
      .sort(([a], [b]) => a - b)
      .map(([index, { text, message, finish, calls, logprobs }]) => ({
        index,
        ...(text === undefined
          ? { message: calls.size === 0 ? message : { ...message, tool_calls: [...calls.values()] } }
          : { text }),
        logprobs,
        finish_reason: finish,
      })),
    ...(usage === undefined ? {} : { usage }),
  };
}

interface Folded {
  /** Of a text completion. */
  text?: string;
  readonly message: Record<string, unknown>;
  finish: unknown;
  readonly calls: Map<number, Call>;
  readonly logprobs: Record<string, unknown[]>;
}

interface Call {
  id?: unknown;
  type?: unknown;
  function: { name?: unknown; arguments: string };
}

function foldCalls(calls: Map<number, Call>, deltas: unknown): void {
  for (const delta of Array.isArray(deltas) ? (deltas as Json[]) : []) {
    const call = calls.get(Number(delta['index'])) ?? { function: { arguments: '' } };
    calls.set(Number(delta['index']), call);
    const called = objectOf(delta['function']);
    call.id ??= delta['id'];
    call.type ??= delta['type'];
    call.function.name ??= called['name'];
    if (typeof called['arguments'] === 'string') call.function.arguments += called['arguments'];
  }
}

/**
 * The part of a completion object that its stream must give as well. Empty and absent texts are the same; the role has a
 * law of its own.
 */
export function comparableChoices(object: Json, withUsage: boolean): Json {
  const choices = choicesOf(object).map((choice) => {
    const message = objectOf(choice['message']);
    const told = Object.entries(message).filter(
      ([key, value]) =>
        key !== 'role' && value !== null && value !== '' && !(Array.isArray(value) && value.length === 0),
    );
    return {
      index: choice['index'],
      ...(typeof choice['text'] === 'string'
        ? { text: choice['text'] }
        : { message: Object.fromEntries(told.sort(([a], [b]) => (a < b ? -1 : 1))) }),
      logprobs: listsOf(choice['logprobs']),
      finish_reason: choice['finish_reason'],
    };
  });
  if (!withUsage) return { choices };
  const usage = objectOf(object['usage']);
  return {
    choices,
    usage: Object.fromEntries(['prompt_tokens', 'completion_tokens'].map((key) => [key, usage[key]])),
  };
}

/** Lists that hold something, by name. */
function listsOf(logprobs: unknown): Json {
  const lists = Object.entries(objectOf(logprobs)).filter(([, list]) => Array.isArray(list) && list.length > 0);
  return Object.fromEntries(lists.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The text that the chunks bring, of choice 0. */
export function streamText(answer: Answer): string {
  return streamObjects(answer)
    .flatMap(choicesOf)
    .filter((choice) => choice['index'] === 0)
    .map(textOf)
    .join('');
}

function choicesOf(chunk: Json): Json[] {
  return Array.isArray(chunk['choices']) ? (chunk['choices'] as Json[]) : [];
}

function textOf(choice: Json): string {
  const content = choice['text'] ?? objectOf(choice['delta'])['content'];
  return typeof content === 'string' ? content : '';
}

function objectOf(value: unknown): Json {
  return isObject(value) ? value : {};
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null;
}

function parse(data: string): unknown {
  try {
    return JSON.parse(data) as unknown;
  } catch {
    return undefined;
  }
}
