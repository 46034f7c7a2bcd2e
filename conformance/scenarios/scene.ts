// What a scenario is given and what it gives back. Scenarios are for requirements that need several steps which depend on each
// other; their prose, source and level stand in the case files that name them.

import type { Answer, Client } from '../client.ts';
import type { Request } from '../request.ts';
import type { Parameters } from '../cases.ts';
import type { Schemas } from '../expect.ts';
import { show, valueAt } from '../expect.ts';

export interface Scene {
  readonly client: Client;
  readonly schemas: Schemas;
  readonly parameters: Parameters;
  /** The file's base request, with differences as a case file writes them. */
  request(difference?: Difference): Request;
}

export interface Difference {
  readonly with?: Readonly<Record<string, unknown>>;
  readonly without?: readonly string[];
  readonly headers?: Readonly<Record<string, string | null>>;
}

/** Sentences about what is wrong; none when the requirement holds. */
export type Scenario = (scene: Scene) => Promise<string[]>;

/** This server gives no ground to test the requirement on. */
export class Skip extends Error {
  override readonly name = 'Skip';
}

/** The answer was not what every further step needs. */
export class Unusable extends Error {
  override readonly name = 'Unusable';
}

/** Sends the base request and gives its answer, or fails the case when it is not a 200. */
export async function succeed(scene: Scene, difference: Difference = {}): Promise<Answer> {
  return usable(await scene.client.send(scene.request(difference)));
}

export function usable(answer: Answer): Answer {
  if (answer.status !== 200)
    throw new Unusable(`status must be 200, is ${answer.status}: ${answer.text.slice(0, 200)}`);
  return answer;
}

/** Text and finish reason of choice 0 of a chat or text completion object. */
export function answerText(answer: Answer): { readonly text: string; readonly finish: unknown } {
  const text = valueAt(answer.json, 'choices[0].text') ?? valueAt(answer.json, 'choices[0].message.content');
  const thought = ['reasoning_content', 'reasoning'].some((key) => valueAt(answer.json, `choices[0].message.${key}`));
  if (thought && (text === null || text === '')) throw new Skip('the model spends its tokens on thinking');
  if (typeof text !== 'string') throw new Unusable(`the text of choices[0] must be a string, is ${show(text)}`);
  return { text, finish: valueAt(answer.json, 'choices[0].finish_reason') };
}

export function isTrue(parameters: Parameters, name: string): boolean {
  return parameters[name] === true;
}
