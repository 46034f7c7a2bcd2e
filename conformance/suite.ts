// Runs cases one after the other and gives each a verdict. Law and taste stay apart: a SHOULD that is not followed is advice
// (counted as skipped) unless the run is strict.

import type { Case, Need, Step } from './cases.ts';
import { merge } from './cases.ts';
import type { Answer, Client } from './client.ts';
import { ConnectionFailure } from './client.ts';
import { MalformedAnswer } from './answer.ts';
import type { Schemas } from './expect.ts';
import { check, show, valueAt } from './expect.ts';
import { scenarios } from './scenarios/index.ts';
import { Skip, Unusable } from './scenarios/scene.ts';

export interface Result {
  readonly case: Case;
  readonly verdict: 'passed' | 'failed' | 'skipped';
  /** Why it failed or was skipped: sentences. */
  readonly reasons: readonly string[];
  /** A SHOULD that is not followed, in a run that is not strict. */
  readonly advice: boolean;
  /** The start of the answer that broke the requirement, if there is one. */
  readonly received: string | undefined;
  readonly milliseconds: number;
}

export interface SuiteOptions {
  readonly client: Client;
  readonly schemas: Schemas;
  /** SHOULD counts like MUST. */
  readonly strict: boolean;
  /** The model asked for; `default` is no name. */
  readonly model: string;
}

export async function* runSuite(cases: readonly Case[], options: SuiteOptions): AsyncGenerator<Result, void, void> {
  for (const entry of cases) {
    const began = performance.now();
    const outcome = await verdict(entry, options);
    const { reasons = [], received } = outcome;
    const advice = outcome.verdict === 'failed' && entry.level === 'SHOULD' && !options.strict;
    yield {
      case: entry,
      verdict: advice ? 'skipped' : outcome.verdict,
      reasons,
      advice,
      received,
      milliseconds: Math.round(performance.now() - began),
    };
  }
}

/** The cases at or below any of the paths; all when there are none. */
export function select(cases: readonly Case[], only: readonly string[]): Case[] {
  const wanted = only.map((path) => path.replace(/^\/+|\/+$/g, ''));
  if (wanted.length === 0) return [...cases];
  return cases.filter(({ path }) => wanted.some((prefix) => path === prefix || path.startsWith(`${prefix}/`)));
}

interface Outcome {
  readonly verdict: Result['verdict'];
  readonly reasons?: readonly string[];
  readonly received?: string | undefined;
}

async function verdict(entry: Case, options: SuiteOptions): Promise<Outcome> {
  const unmet = entry.needs.find((need) => !isMet(need, options));
  if (unmet !== undefined) return { verdict: 'skipped', reasons: [needReasons[unmet]] };
  try {
    if (entry.kind === 'steps') return await runSteps(entry.steps, entry.same, entry.different, options);
    const run = scenarios[entry.scenario];
    if (run === undefined) return { verdict: 'failed', reasons: [`this runner has no scenario ${entry.scenario}`] };
    const { base, ...parameters } = entry.parameters;
    const { client, schemas } = options;
    const problems = await run({
      client,
      schemas,
      parameters,
      request: (difference = {}) => merge(base as Step['request'] | undefined, difference, entry.path),
    });
    return problems.length === 0 ? { verdict: 'passed' } : { verdict: 'failed', reasons: problems };
  } catch (error) {
    if (error instanceof Skip) return { verdict: 'skipped', reasons: [error.message] };
    if (error instanceof Unusable || error instanceof ConnectionFailure || error instanceof MalformedAnswer) {
      return { verdict: 'failed', reasons: [error.message] };
    }
    throw error;
  }
}

async function runSteps(
  steps: readonly Step[],
  same: readonly string[],
  different: readonly string[],
  { client, schemas }: SuiteOptions,
): Promise<Outcome> {
  const answers: Answer[] = [];
  for (const [index, { request, expect, skipIf }] of steps.entries()) {
    const answer = await client.send(request);
    if (skipIf !== undefined && check(skipIf.expect, answer, schemas).length === 0) {
      return { verdict: 'skipped', reasons: [skipIf.because] };
    }
    const problems = check(expect, answer, schemas);
    if (problems.length > 0) {
      const prefix = steps.length > 1 ? `step ${index + 1}: ` : '';
      return { verdict: 'failed', reasons: problems.map((problem) => prefix + problem), received: excerpt(answer) };
    }
    answers.push(answer);
  }
  const problems = [
    ...same.flatMap((path) => compare(path, answers, true)),
    ...different.flatMap((path) => compare(path, answers, false)),
  ];
  return problems.length === 0 ? { verdict: 'passed' } : { verdict: 'failed', reasons: problems };
}

/** `path` in the JSON of all answers, or `header:name` in their headers. */
function compare(path: string, answers: readonly Answer[], same: boolean): string[] {
  const values = answers.map((answer) =>
    JSON.stringify(
      path.startsWith('header:') ? answer.headers[path.slice('header:'.length)] : valueAt(answer.json, path),
    ),
  );
  const missing = values.indexOf(undefined as unknown as string);
  if (missing >= 0) return [`${path} is missing in the answer of step ${missing + 1}`];
  const distinct = new Set(values).size;
  if (same) return distinct === 1 ? [] : [`${path} must be the same in all steps, is ${show(values)}`];
  return distinct === values.length ? [] : [`${path} must differ from step to step, is ${show(values)}`];
}

function isMet(need: Need, { client, model }: SuiteOptions): boolean {
  switch (need) {
    case 'api-key':
      return client.options.apiKey !== undefined;
    case 'no-api-key':
      return client.options.apiKey === undefined;
    case 'model-name':
      return model !== 'default';
    default:
      return need satisfies never;
  }
}

const needReasons: Readonly<Record<Need, string>> = {
  'api-key': 'only for servers that ask for a key: give --api-key',
  'no-api-key': 'only for servers that ask for no key: --api-key was given',
  'model-name': 'only for a model named as the server lists it: --model is default',
};

/** Status, content type and the start of the body, for people. */
export function excerpt(answer: Answer): string {
  const text = answer.text.length > 400 ? `${answer.text.slice(0, 400)}... (${answer.body.length} bytes)` : answer.text;
  return `${answer.status} ${answer.headers['content-type'] ?? 'without content type'}: ${text}`;
}
