// Requirements about chance: only what holds for every model that has a choice at all.

import { show } from '../expect.ts';
import { answerText, succeed } from './scene.ts';
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
