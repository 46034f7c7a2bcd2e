// The fold law: the chunks of a stream, put together, are the object that the same request gives without a stream.

import { show, valueAt } from '../expect.ts';
import { comparableChoices, foldChoices, streamObjects } from '../stream.ts';
import type { Json } from '../stream.ts';
import type { Answer } from '../client.ts';
import { Skip, succeed, Unusable } from './scene.ts';
import type { Scene } from './scene.ts';

/** Text, tool calls and finish reason of every choice. */
export async function foldEqualsObject(scene: Scene): Promise<string[]> {
  const object = await repeatableObject(scene, false);
  const stream = await succeed(scene, { with: { stream: true } });
  return compare(comparableChoices(foldChoices(streamObjects(stream)), false), object);
}

/** The token counts of the usage chunk are those of the object. */
export async function usageEqualsObject(scene: Scene): Promise<string[]> {
  const object = await repeatableObject(scene, true);
  const stream = await succeed(scene, { with: { stream: true, stream_options: { include_usage: true } } });
  const folded = foldChoices(streamObjects(stream));
  if (folded['usage'] === undefined) throw new Skip('the stream tells no usage');
  return compare(pick(comparableChoices(folded, true)), pick(object));
}

/** Asked twice: a server that does not repeat itself at temperature 0 cannot be held to the law. */
async function repeatableObject(scene: Scene, withUsage: boolean): Promise<Json> {
  const [first, second] = [await object(scene), await object(scene)].map((answer) => comparable(answer, withUsage));
  if (first === undefined || JSON.stringify(first) !== JSON.stringify(second)) {
    throw new Skip('the server does not repeat its own answer at temperature 0, so there is nothing to compare with');
  }
  return first;
}

async function object(scene: Scene): Promise<Answer> {
  const answer = await succeed(scene, { without: ['stream'] });
  if (['message', 'text'].every((key) => valueAt(answer.json, `choices[0].${key}`) === undefined))
    throw new Unusable(`there is neither choices[0].message nor choices[0].text in ${answer.text.slice(0, 200)}`);
  return answer;
}

function comparable(answer: Answer, withUsage: boolean): Json {
  return comparableChoices((answer.json ?? {}) as Json, withUsage);
}

function pick(object: Json): Json {
  return { usage: object['usage'] };
}

function compare(folded: Json, object: Json): string[] {
  if (JSON.stringify(folded) === JSON.stringify(object)) return [];
  return [`the folded stream is ${show(folded)}`, `the object is ${show(object)}`];
}
