// The good server's text completions, and its tokens and template by themselves.

import { between, commonFields, isFlag, isText, judgeFields, judgeModel, judgeRest } from './judge.ts';
import type { Fields, Harmless } from './judge.ts';
import { textLogprobs } from './logprobs.ts';
import { isGreedy, speak } from './model.ts';
import type { Choice } from './model.ts';
import { created, eventStream, json, modelName, refuse, usageOf, withIgnored } from './reply.ts';
import type { Body, Refusal } from './reply.ts';
import type { FakeAnswer } from './server.ts';
import { judgeMessages, render } from './template.ts';
import { contextLength, countTokens, decode, encode, piece, vocabularySize } from './tokens.ts';

interface Prompt {
  readonly text: string;
  readonly ids: readonly number[];
  readonly tokens: number;
  readonly param: string;
}

export function textCompletion(body: Body, number: () => number): FakeAnswer {
  const list = promptsOf(body);
  if ('status' in list) return refuse(list);
  const limit = Number(body['max_tokens'] ?? body['max_completion_tokens'] ?? 16);
  const each = Number(body['n'] ?? 1);
  const best = Math.max(each, Number(body['best_of'] ?? 1));
  const all = list.flatMap(({ text }, index) =>
    Array.from({ length: best }, (_, rank) => {
      const seed = typeof body['seed'] === 'number' ? `${body['seed'] + index} ${rank}` : `${number()}`;
      const choice = speak(text, isGreedy(body) ? '' : seed, limit, body['stop']);
      return body['echo'] === true ? { ...choice, pieces: [text, ...choice.pieces] } : choice;
    }),
  );
  const choices: Choice[] = all.filter((_, index) => index % best < each);
  const usage = usageOf(
    list.reduce((sum, { tokens }) => sum + tokens, 0),
    all.reduce((sum, { count }) => sum + count, 0),
  );
  const head = { id: `cmpl-${number()}`, object: 'text_completion', created, model: modelName };
  const one = (tokens: readonly string[], index: number, finish: string | null, offset = 0): Body => ({
    text: tokens.join(''),
    index,
    logprobs: textLogprobs(tokens, body, offset),
    finish_reason: finish,
  });
  const answer =
    body['stream'] === true
      ? eventStream(
          head,
          choices.flatMap(({ pieces, finish }, index) => [
            ...pieces.map((text, at) => one([text], index, null, Array.from(pieces.slice(0, at).join('')).length)),
            one([], index, finish),
          ]),
          usage,
          body,
        )
      : json(200, {
          ...head,
          choices: choices.map(({ pieces, finish }, index) => one(pieces, index, finish)),
          usage,
        });
  const ignored = Object.keys(body).filter((name) => !(name in fields) && !(name in cannot) && name !== 'prompt');
  return withIgnored(answer, ignored);
}

export function renderText(body: Body, number: () => number): FakeAnswer {
  const list = promptsOf(body);
  if ('status' in list) return refuse(list);
  const one = ({ ids }: Prompt): Body => ({ request_id: `cmpl-${number()}`, model: modelName, token_ids: ids });
  return json(200, list.map(one));
}

/** The prompts of a body that is fine, or what is wrong with it. */
function promptsOf(body: Body): readonly Prompt[] | Refusal {
  const wrong = judgeFields(body, fields);
  if (wrong !== undefined) return wrong;
  const prompts = readPrompts(body['prompt']);
  if ('status' in prompts) return prompts;
  return judgePrompts(prompts) ?? judgeRest(body, cannot) ?? judgeBest(body) ?? prompts;
}

function judgeBest({ best_of: best, n, stream }: Body): Refusal | undefined {
  const [of, choices] = [Number(best ?? 0), Number(n ?? 1)];
  if (of === 0 || of === choices) return undefined;
  if (of > choices && stream !== true) return undefined;
  return { status: 400, message: 'best_of is at least n, and cannot be streamed.', param: 'best_of' };
}

const fields: Fields = {
  ...commonFields,
  max_tokens: between(0, 2 ** 31, true),
  max_completion_tokens: between(0, 2 ** 31, true),
  echo: isFlag,
  suffix: isText,
  best_of: between(0, 20, true),
  logprobs: between(0, 5, true),
};

const cannot: Harmless = { suffix: [''] };

function readPrompts(prompt: unknown): readonly Prompt[] | Refusal {
  const wrong = { status: 400, message: 'prompt is needed: texts or token ids.', param: 'prompt' };
  if (prompt === null) return [ofText('', 'prompt')];
  if (typeof prompt === 'string') return [ofText(prompt, 'prompt')];
  if (!Array.isArray(prompt) || prompt.length === 0) return wrong;
  const list = prompt as readonly unknown[];
  if (list.every((entry) => typeof entry === 'string')) return list.map((text, at) => ofText(text, `prompt[${at}]`));
  const lists = list.every((entry) => typeof entry === 'number') ? [list] : list;
  if (!lists.every((entry) => Array.isArray(entry))) return wrong;
  const prompts = lists.map((ids, at) =>
    ofIds(ids as readonly number[], lists[0] === list ? 'prompt' : `prompt[${at}]`),
  );
  return prompts.find((entry) => 'status' in entry) ?? (prompts as readonly Prompt[]);
}

function ofText(text: string, param: string): Prompt {
  const tokens = countTokens(text);
  // Those of a prompt that is too long are never looked at.
  return { text, ids: tokens > contextLength ? [] : encode(text, true), tokens, param };
}

function ofIds(ids: readonly number[], param: string): Prompt | Refusal {
  return judgeIds(ids, param) ?? { text: decode(ids), ids, tokens: ids.length, param };
}

function judgeIds(ids: readonly number[], param: string): Refusal | undefined {
  const at = ids.findIndex((id) => !between(0, vocabularySize - 1, true)(id));
  return at < 0 ? undefined : { status: 400, message: 'There is no such token.', param: `${param}[${at}]` };
}

function judgePrompts(prompts: readonly Prompt[]): Refusal | undefined {
  const long = prompts.find(({ tokens }) => tokens > contextLength);
  if (long === undefined) return undefined;
  return { status: 400, message: 'The prompt is too long.', code: 'context_length_exceeded', param: long.param };
}

export function tokenize(body: Body): FakeAnswer {
  const { content, prompt, messages } = body;
  const given = [content, prompt, messages].filter((value) => value !== undefined);
  const one =
    given.length === 1 ? undefined : { status: 400, message: 'content, prompt or messages.', param: 'content' };
  const refusal = one ?? (messages === undefined ? undefined : judgeMessages(body)) ?? judgeModel(body);
  if (refusal !== undefined) return refuse(refusal);
  const framed = (body['add_special'] ?? body['add_special_tokens'] ?? content === undefined) === true;
  const ids = encode(messages === undefined ? ((content ?? prompt) as string) : render(body), framed);
  return json(200, {
    tokens: body['with_pieces'] === true ? ids.map((id) => ({ id, piece: piece(id) })) : ids,
    count: ids.length,
    max_model_len: contextLength,
    token_strs: body['return_token_strs'] === true ? ids.map((id) => String(piece(id))) : null,
  });
}

export function detokenize(body: Body): FakeAnswer {
  const ids = body['tokens'] as readonly number[];
  const refusal = judgeIds(ids, 'tokens') ?? judgeModel(body);
  if (refusal !== undefined) return refuse(refusal);
  return json(200, { content: decode(ids), prompt: decode(ids) });
}

export function applyTemplate(body: Body): FakeAnswer {
  const refusal = judgeMessages(body) ?? judgeModel(body);
  return refusal === undefined ? json(200, { prompt: render(body) }) : refuse(refusal);
}
