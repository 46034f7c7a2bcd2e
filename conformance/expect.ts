// What an answer must be like: status, headers, JSON Schema of the body or of single values, sums, laws of a stream, or one of
// several alternatives. Every check returns sentences; an empty list means that it holds.

import { Ajv2020 } from 'ajv/dist/2020.js';
import type { AnySchema, ErrorObject, ValidateFunction } from 'ajv/dist/2020.js';
import type { Answer } from './client.ts';
import { checkLaw, foldChoices, streamObjects } from './stream.ts';

export interface Expectation {
  /** `200`, one of `[400, 404]`, or a class as `"4xx"`. */
  readonly status?: number | readonly number[] | string | undefined;
  /** Name -> case-insensitive regular expression; `null`: the header is absent. */
  readonly headers?: Readonly<Record<string, string | null>> | undefined;
  /** JSON Schema of the body; `{"$ref": "chat-completion.json"}` names a file of cases/schemas. */
  readonly body?: AnySchema | undefined;
  /** Path as `choices[0].message` -> JSON Schema of the value there; `false`: nothing is there. */
  readonly at?: Readonly<Record<string, AnySchema>> | undefined;
  /** Path -> the paths whose numbers add up to it. */
  readonly sums?: Readonly<Record<string, readonly string[]>> | undefined;
  /** Case-sensitive regular expressions that lines of the body match. */
  readonly text?: readonly string[] | undefined;
  readonly stream?: StreamExpectation | undefined;
  /** At least one of these holds, beside everything else. */
  readonly anyOf?: readonly (Expectation & { readonly meaning: string })[] | undefined;
}

export interface StreamExpectation {
  /** JSON Schema of every event's data (the closing `[DONE]` aside). */
  readonly each?: AnySchema | undefined;
  /** Names from the table in stream.ts. */
  readonly laws?: readonly string[] | undefined;
  /** Like `at`, in the object that the chunks of a chat completion fold into. */
  readonly folded?: Readonly<Record<string, AnySchema>> | undefined;
}

/** The JSON Schemas of cases/schemas and those written inside the cases, compiled once. */
export class Schemas {
  readonly #ajv = new Ajv2020({ allErrors: true, allowUnionTypes: true, strictTypes: false, strictRequired: false });
  readonly #compiled = new Map<string, ValidateFunction>();

  constructor() {
    this.#ajv.addFormat('json-text', { type: 'string', validate: isJson });
  }

  add(name: string, schema: unknown): void {
    this.#ajv.addSchema(schema as AnySchema, name);
  }

  /** Sentences that say where `value` departs from the schema. */
  check(schema: AnySchema, value: unknown): string[] {
    if (schema === false) return value === undefined ? [] : [`must be absent, is ${show(value)}`];
    if (value === undefined) return ['is missing'];
    const key = JSON.stringify(schema);
    let validate = this.#compiled.get(key);
    if (validate === undefined) {
      validate = this.#ajv.compile(schema);
      this.#compiled.set(key, validate);
    }
    if (validate(value)) return [];
    return [...new Set((validate.errors ?? []).map((error) => sentence(error, value)))].slice(0, 8);
  }
}

export function check(expected: Expectation, answer: Answer, schemas: Schemas): string[] {
  const found = [
    ...checkStatus(expected.status, answer),
    ...checkHeaders(expected.headers ?? {}, answer),
    ...checkBody(expected, answer, schemas),
    ...checkText(expected.text ?? [], answer),
    ...checkStream(expected.stream, answer, schemas),
  ];
  if (expected.anyOf === undefined) return found;
  const tries = expected.anyOf.map((entry) => ({ meaning: entry.meaning, problems: check(entry, answer, schemas) }));
  if (tries.some(({ problems }) => problems.length === 0)) return found;
  return [...found, ...tries.map(({ meaning, problems }) => `not "${meaning}": ${problems.join('; ')}`)];
}

function checkStatus(expected: Expectation['status'], { status }: Answer): string[] {
  if (expected === undefined) return [];
  const allowed = (Array.isArray(expected) ? expected : [expected]) as readonly (number | string)[];
  const fits = (entry: number | string): boolean =>
    typeof entry === 'number' ? entry === status : entry.replaceAll('x', '') === String(status).slice(0, 1);
  return allowed.some(fits) ? [] : [`status must be ${allowed.join(' or ')}, is ${status}`];
}

function checkHeaders(expected: Readonly<Record<string, string | null>>, { headers }: Answer): string[] {
  return Object.entries(expected).flatMap(([name, pattern]) => {
    const value = headers[name.toLowerCase()];
    if (pattern === null) return value === undefined ? [] : [`header ${name} must be absent, is ${show(value)}`];
    if (value === undefined) return [`header ${name} is missing`];
    return new RegExp(pattern, 'i').test(value) ? [] : [`header ${name} must match /${pattern}/i, is ${show(value)}`];
  });
}

function checkBody(expected: Expectation, answer: Answer, schemas: Schemas): string[] {
  const { body, at = {}, sums = {} } = expected;
  if (body === undefined && Object.keys(at).length === 0 && Object.keys(sums).length === 0) return [];
  if (answer.json === undefined) return [`the body must be JSON, is ${show(answer.text)}`];
  const found = body === undefined ? [] : schemas.check(body, answer.json).map((problem) => `body ${problem}`);
  for (const [path, schema] of Object.entries(at)) {
    found.push(...schemas.check(schema, valueAt(answer.json, path)).map((problem) => `${path} ${problem}`));
  }
  for (const [path, parts] of Object.entries(sums)) {
    const values = parts.map((part) => Number(valueAt(answer.json, part)));
    const sum = values.reduce((total, value) => total + value, 0);
    const value = valueAt(answer.json, path);
    if (value !== sum) found.push(`${path} must be ${parts.join(' + ')} = ${values.join(' + ')}, is ${show(value)}`);
  }
  return found;
}

function checkText(expected: readonly string[], { text }: Answer): string[] {
  return expected
    .filter((pattern) => !new RegExp(pattern, 'm').test(text))
    .map((pattern) => `no line of the body matches /${pattern}/`);
}

function checkStream(expected: StreamExpectation | undefined, answer: Answer, schemas: Schemas): string[] {
  if (expected === undefined) return [];
  if (answer.events.length === 0) return [`there must be a stream of events, the body is ${show(answer.text)}`];
  const found: string[] = [];
  const { each, laws = [], folded = {} } = expected;
  if (each !== undefined) {
    for (const [index, object] of streamObjects(answer).entries()) {
      found.push(...schemas.check(each, object).map((problem) => `event ${index} ${problem}`));
      if (found.length > 3) break;
    }
  }
  const object = foldChoices(streamObjects(answer));
  for (const [path, schema] of Object.entries(folded)) {
    found.push(...schemas.check(schema, valueAt(object, path)).map((problem) => `the folded ${path} ${problem}`));
  }
  return [...found, ...laws.flatMap((law) => checkLaw(law, answer))];
}

/** `choices[0].message.content` of a JSON value; `undefined` where the way ends. */
export function valueAt(value: unknown, path: string): unknown {
  let here = value;
  for (const [, name, index] of path.matchAll(/([^.[\]]+)|\[(\d+)\]/g)) {
    if (here === null || typeof here !== 'object') return undefined;
    here = (here as Record<string, unknown>)[index ?? name ?? ''];
  }
  return here;
}

/** A value in a sentence, shortened. */
export function show(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 160 ? `${text.slice(0, 157)}...` : text;
}

function sentence(error: ErrorObject, root: unknown): string {
  const path = error.instancePath.slice(1).replaceAll('/', '.');
  const what = error.message ?? error.keyword;
  const allowed =
    error.keyword === 'enum' || error.keyword === 'const' ? ` ${show(Object.values(error.params)[0])}` : '';
  const extra = error.keyword === 'additionalProperties' ? ` (${show(Object.values(error.params)[0])})` : '';
  const value = error.keyword === 'required' ? '' : `, is ${show(valueAt(root, path))}`;
  return `${path === '' ? '' : `at ${path} `}${what}${allowed}${extra}${value}`;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
