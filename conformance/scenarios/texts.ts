// Text completions, tokens and templates beside each other: the same thing said in two ways must mean the same.

import type { Answer } from '../client.ts';
import { show, valueAt } from '../expect.ts';
import { foldChoices, streamObjects } from '../stream.ts';
import { answerText, isTrue, Skip, succeed, usable } from './scene.ts';
import type { Scene } from './scene.ts';

const unrepeatable = 'the server does not repeat its own answer at temperature 0, so there is nothing to compare with';

/** Each prompt of a list is continued as it is alone; `stream` asks for the list in a stream. */
export async function promptsAsAlone(scene: Scene): Promise<string[]> {
  const prompts = promptsOf(scene);
  const alone = await texts(scene, prompts);
  if (show(await texts(scene, prompts)) !== show(alone)) throw new Skip(unrepeatable);
  const stream = isTrue(scene.parameters, 'stream');
  const answer = await succeed(scene, { with: { prompt: prompts, ...(stream ? { stream } : {}) } });
  const together = stream ? foldChoices(streamObjects(answer)) : answer.json;
  return alone.flatMap((text, index) => {
    const told = valueAt(together, `choices[${index}].text`);
    return told === text ? [] : [`alone ${show(prompts[index])} gives ${show(text)}, in the list ${show(told)}`];
  });
}

/** The prompt tokens of a list are those of its prompts. */
export async function promptsUsage(scene: Scene): Promise<string[]> {
  const prompts = promptsOf(scene);
  const tokens = (answer: Answer): number => Number(valueAt(answer.json, 'usage.prompt_tokens'));
  let sum = 0;
  for (const prompt of prompts) sum += tokens(await succeed(scene, { with: { prompt } }));
  const together = tokens(await succeed(scene, { with: { prompt: prompts } }));
  return together === sum ? [] : [`usage.prompt_tokens must be ${sum}, is ${together}`];
}

/** With `echo` the text is the prompt and what comes without it. */
export async function echoPrepends(scene: Scene): Promise<string[]> {
  const { text } = answerText(await succeed(scene));
  if (answerText(await succeed(scene)).text !== text) throw new Skip(unrepeatable);
  const stream = isTrue(scene.parameters, 'stream');
  const answer = await succeed(scene, { with: { echo: true, ...(stream ? { stream } : {}) } });
  const told = valueAt(stream ? foldChoices(streamObjects(answer)) : answer.json, 'choices[0].text');
  const { prompt } = scene.request().body as { prompt: string };
  return told === prompt + text ? [] : [`the text must be ${show(prompt + text)}, is ${show(told)}`];
}

/** What is counted without an answer is what the answer's usage says. */
export async function inputTokensEqualUsage(scene: Scene): Promise<string[]> {
  const counted = valueAt((await succeed(scene)).json, 'input_tokens');
  const { body } = scene.request() as { readonly body: object };
  const answer = usable(
    await scene.client.send({ method: 'POST', path: 'chat/completions', body: { ...body, max_tokens: 1 } }),
  );
  const told = valueAt(answer.json, 'usage.prompt_tokens');
  return counted === told ? [] : [`counted are ${show(counted)} tokens, usage.prompt_tokens is ${show(told)}`];
}

/** The ids of a prompt are continued as the prompt is. */
export async function idsOfTheText(scene: Scene): Promise<string[]> {
  const { model, prompt } = scene.request().body as { model: string; prompt: string };
  const tokenized = await post(scene, '/tokenize', { model, prompt });
  const ids = valueAt(tokenized.json, 'tokens');
  if (tokenized.status !== 200 || !Array.isArray(ids)) throw new Skip('the server does not tell token ids');
  const { text } = answerText(await succeed(scene));
  if (answerText(await succeed(scene)).text !== text) throw new Skip(unrepeatable);
  const told = answerText(await succeed(scene, { with: { prompt: ids } })).text;
  return told === text
    ? []
    : [`${show(prompt)} is continued with ${show(text)}, its ids ${show(ids)} with ${show(told)}`];
}

/** A conversation costs what POST /tokenize counts. */
export async function countEqualsUsage(scene: Scene): Promise<string[]> {
  const { model } = scene.request().body as { model: string };
  const messages = [{ role: 'user', content: 'quiet blue lamp' }];
  const tokens = usable(await post(scene, '/tokenize', { model, messages }));
  const chat = usable(await post(scene, 'chat/completions', { model, messages, max_tokens: 1, temperature: 0 }));
  const counted = valueAt(tokens.json, 'count');
  const paid = valueAt(chat.json, 'usage.prompt_tokens');
  return counted === paid ? [] : [`count is ${show(counted)}, usage.prompt_tokens ${show(paid)}`];
}

/** What is cut into tokens can be put together again. */
export async function roundTrip(scene: Scene): Promise<string[]> {
  const { model } = scene.request().body as { model: string };
  const text = String(scene.parameters['text']);
  const tokens = usable(await post(scene, '/tokenize', { model, content: text }));
  const back = usable(await post(scene, '/detokenize', { model, tokens: valueAt(tokens.json, 'tokens') }));
  const told = valueAt(back.json, 'content');
  return told === text ? [] : [`the text ${show(text)} comes back as ${show(told)}`];
}

/** Chat is a template and a text completion. */
export async function templateContinued(scene: Scene): Promise<string[]> {
  const { model, messages } = scene.request().body as { model: string; messages: unknown };
  const rendered = usable(await post(scene, '/apply-template', { model, messages }));
  const ask = { model, temperature: 0, max_tokens: 12 };
  const chat = (): Promise<Answer> => post(scene, 'chat/completions', { ...ask, messages });
  const { text } = answerText(usable(await chat()));
  if (answerText(usable(await chat())).text !== text) throw new Skip(unrepeatable);
  const prompt = valueAt(rendered.json, 'prompt');
  const told = answerText(usable(await post(scene, 'completions', { ...ask, prompt }))).text;
  return told === text ? [] : [`chat says ${show(text)}, the rendered prompt is continued with ${show(told)}`];
}

function promptsOf(scene: Scene): string[] {
  return scene.parameters['prompts'] as string[];
}

async function texts(scene: Scene, prompts: readonly string[]): Promise<string[]> {
  const all: string[] = [];
  for (const prompt of prompts) all.push(answerText(await succeed(scene, { with: { prompt } })).text);
  return all;
}

function post(scene: Scene, path: string, body: unknown): Promise<Answer> {
  return scene.client.send({ method: 'POST', path, body });
}
