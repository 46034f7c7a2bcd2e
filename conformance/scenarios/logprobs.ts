// Log probabilities beside the text that they belong to.

import type { Answer } from '../client.ts';
import { show, valueAt } from '../expect.ts';
import { comparableChoices, foldChoices, streamObjects } from '../stream.ts';
import type { Json } from '../stream.ts';
import { answerText, Skip, succeed, usable } from './scene.ts';
import type { Scene } from './scene.ts';

export async function logprobBytesJoin(scene: Scene): Promise<string[]> {
  const answer = await asked(scene);
  const { text } = answerText(answer);
  const joined = Buffer.from(
    entriesOf(answer).flatMap(({ bytes }) => (Array.isArray(bytes) ? (bytes as number[]) : [])),
  );
  if (joined.equals(Buffer.from(text))) return [];
  return [`the bytes of the tokens are ${show(joined.toString())}, the text is ${show(text)}`];
}

export async function logprobsLikeliestFirst(scene: Scene): Promise<string[]> {
  return entriesOf(await asked(scene)).flatMap(({ token, logprob, top_logprobs: top }, at) => {
    const list = Array.isArray(top) ? (top as Json[]) : [];
    const values = list.map((entry) => Number(entry['logprob']));
    const isSorted = values.every((value, rank) => rank === 0 || value <= (values[rank - 1] ?? 0));
    // Equally likely tokens may stand in any order.
    const isFirst = list.length === 0 || values[0] === logprob || list[0]?.['token'] === token;
    if (isSorted && isFirst) return [];
    return [`token ${at}, ${show(token)} with ${show(logprob)}, has the alternatives ${show(list)}`];
  });
}

export async function logprobsFold(scene: Scene): Promise<string[]> {
  const [first, second] = [await asked(scene), await asked(scene)].map(({ json }) => listsIn((json ?? {}) as Json));
  if (JSON.stringify(first) !== JSON.stringify(second))
    throw new Skip('the server does not repeat its own answer at temperature 0');
  const stream = await succeed(scene, { with: { stream: true } });
  const folded = listsIn(foldChoices(streamObjects(stream)));
  return JSON.stringify(folded) === JSON.stringify(first)
    ? []
    : [`the folded stream has ${show(folded)}`, `the object has ${show(first)}`];
}

/** Log probabilities of choice 0, of a folded stream or of an object. */
function listsIn(object: Json): unknown {
  return valueAt(comparableChoices(object, false), 'choices[0].logprobs');
}

export async function logprobLists(scene: Scene): Promise<string[]> {
  const lists = listsOf(await asked(scene));
  const problems: (keyof Lists)[] = names.filter((name) => lists[name].length !== lists.tokens.length);
  const offsets = lists.text_offset as number[];
  if (offsets.some((offset, at) => offset < (offsets[at - 1] ?? 0))) problems.push('text_offset');
  if (lists.tokens.length === 0) problems.push('tokens');
  return problems.map((name) => `${name} of ${lists.tokens.length} tokens is ${show(lists[name])}`);
}

export async function logprobOwn(scene: Scene): Promise<string[]> {
  const { tokens, token_logprobs: own, top_logprobs: top } = listsOf(await asked(scene));
  return tokens.flatMap((token, at) => {
    const told = (top[at] as Record<string, unknown> | null | undefined)?.[String(token)];
    return told === own[at]
      ? []
      : [`token ${at}, ${show(token)} with ${show(own[at])}, has the entry ${show(top[at])}`];
  });
}

/** The base request; log probabilities may be refused aloud. */
async function asked(scene: Scene): Promise<Answer> {
  const answer = await scene.client.send(scene.request());
  if (answer.status === 400 && valueAt(answer.json, 'error.param') === 'logprobs')
    throw new Skip('log probabilities are refused aloud');
  return usable(answer);
}

function entriesOf(answer: Answer): Json[] {
  const content = valueAt(answer.json, 'choices[0].logprobs.content');
  return Array.isArray(content) ? (content as Json[]) : [];
}

const names = ['token_logprobs', 'top_logprobs', 'text_offset'] as const;

type Lists = Record<(typeof names)[number] | 'tokens', unknown[]>;

function listsOf(answer: Answer): Lists {
  const list = (name: string): unknown[] => {
    const value = valueAt(answer.json, `choices[0].logprobs.${name}`);
    return Array.isArray(value) ? (value as unknown[]) : [];
  };
  return {
    tokens: list('tokens'),
    token_logprobs: list('token_logprobs'),
    top_logprobs: list('top_logprobs'),
    text_offset: list('text_offset'),
  };
}
