// Requirements about chance: only what holds for every model that has a choice at all.

import type { Answer } from '../client.ts';
import { show, valueAt } from '../expect.ts';
import { answerText, Skip, succeed, usable } from './scene.ts';
import type { Scene } from './scene.ts';

/** Of several seeds at a high temperature, at least two give different texts. */
export async function seedsDiffer(scene: Scene): Promise<string[]> {
  const texts: string[] = [];
  for (const seed of [1, 2, 3, 4, 5, 6]) {
    texts.push(answerText(await succeed(scene, { with: { seed, temperature: 2 } })).text);
    if (texts.some((text) => text !== texts[0])) return [];
  }
  return [`six seeds at temperature 2 all give ${show(texts[0])}`];
}

/** The second to the last choice has a generator of its own. */
export async function choicesDiffer(scene: Scene): Promise<string[]> {
  const answer = await several(scene, { n: 6, seed: 1, temperature: 2 });
  const texts = Array.from({ length: 6 }, (_, index) => valueAt(answer.json, `choices[${index}].message.content`));
  if (texts.some((text) => text !== texts[0])) return [];
  return [`six choices at temperature 2 are all ${show(texts[0])}`];
}

export async function choicesUsage(scene: Scene): Promise<string[]> {
  const tokensOf = (answer: Answer): number => Number(valueAt(answer.json, 'usage.completion_tokens'));
  const one = tokensOf(await succeed(scene));
  const three = tokensOf(await several(scene, { n: 3 }));
  return three === 3 * one ? [] : [`one choice has ${one} completion tokens, three have ${three}`];
}

/** One choice is answered, but the tokens of all continuations are counted. */
export async function bestOfUsage(scene: Scene): Promise<string[]> {
  const answer = await scene.client.send(scene.request({ with: { best_of: 3 } }));
  if (answer.status === 400 && valueAt(answer.json, 'error.param') === 'best_of')
    throw new Skip('best_of is refused aloud');
  const choices = valueAt(usable(answer).json, 'choices');
  const count = Array.isArray(choices) ? choices.length : 0;
  const { max_tokens: most } = scene.request().body as { readonly max_tokens: number };
  const tokens = Number(valueAt(answer.json, 'usage.completion_tokens'));
  const problems = count === 1 ? [] : [`there must be one choice, there are ${count}`];
  // Three that were all over at once would be less; no continuation of this prompt is.
  return tokens > most ? problems : [...problems, `usage.completion_tokens is ${tokens}, no more than one can have`];
}

/** Several choices may be refused aloud. */
async function several(scene: Scene, fields: Readonly<Record<string, unknown>>): Promise<Answer> {
  const answer = await scene.client.send(scene.request({ with: fields }));
  if (answer.status === 400 && valueAt(answer.json, 'error.param') === 'n')
    throw new Skip('several choices are refused aloud');
  return usable(answer);
}
