// Stop strings, whatever the model says: the greedy answer is taken first, and the stop strings are cut out of it.

import { show } from '../expect.ts';
import { foldChoices, streamText, streamObjects } from '../stream.ts';
import { answerText, isTrue, Skip, succeed } from './scene.ts';
import type { Scene } from './scene.ts';
import { valueAt } from '../expect.ts';

interface Told {
  readonly text: string;
  readonly finish: unknown;
}

/** The text ends before the stop string, and says `stop`. `count` strings are sent, the first ones never occur. */
export async function stopAbsent(scene: Scene): Promise<string[]> {
  const text = await greedyText(scene);
  const characters = Array.from(text); // code points: half a character is no stop string
  const middle = Math.floor(characters.length / 2);
  const stop = characters.slice(middle, middle + 3).join('');
  const expected = text.slice(0, text.indexOf(stop));
  const count = Number(scene.parameters['count'] ?? 1);
  const strings = [...Array.from({ length: count - 1 }, (_, index) => `\u0001${index}`), stop];
  const told = await ask(scene, count === 1 ? stop : strings);
  const found: string[] = [];
  if (told.text !== expected)
    found.push(`with the stop string ${show(stop)} the text must be ${show(expected)}, is ${show(told.text)}`);
  if (told.finish !== 'stop') found.push(`finish_reason must be "stop", is ${show(told.finish)}`);
  return found;
}

/** What begins like a stop string and turns out to be none is delivered, in the middle (`at` 0.5) and at the end (`at` 1). */
export async function stopBeginning(scene: Scene): Promise<string[]> {
  const text = await greedyText(scene);
  const characters = Array.from(text);
  const end = Math.max(2, Math.floor(characters.length * Number(scene.parameters['at'] ?? 1)));
  const stop = `${characters.slice(end - 2, end).join('')}\u0001`;
  const told = await ask(scene, stop);
  if (told.text === text) return [];
  return [`the stop string ${show(stop)} never comes, so the text must be ${show(text)}, is ${show(told.text)}`];
}

/** The answer without stop strings, long enough to be cut, and the same twice. */
async function greedyText(scene: Scene): Promise<string> {
  const first = answerText(await succeed(scene)).text;
  const second = answerText(await succeed(scene)).text;
  if (first !== second)
    throw new Skip('the server does not repeat its own answer at temperature 0, so there is nothing to compare with');
  if (first.length < 6) throw new Skip(`the model's answer is too short to cut a stop string from: ${show(first)}`);
  return first;
}

async function ask(scene: Scene, stop: string | readonly string[]): Promise<Told> {
  if (!isTrue(scene.parameters, 'stream')) return answerText(await succeed(scene, { with: { stop } }));
  const answer = await succeed(scene, { with: { stop, stream: true } });
  return { text: streamText(answer), finish: valueAt(foldChoices(streamObjects(answer)), 'choices[0].finish_reason') };
}
