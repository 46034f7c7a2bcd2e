// The generated surface beside the documents that others have published: requests that they take, and answers that they promise.

import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import t from 'tap';
import type { Test } from 'tap';
import type { Route } from '../../src/core/operation.ts';
import { document } from '../../src/generated/document.js';
import { routes } from '../../src/generated/operations.ts';
import { fixture } from '../../src/testing/fixtures.ts';
import type { AnySchema } from './samples.ts';
import { Samples } from './samples.ts';

const { schemas } = document['components'] as { schemas: Record<string, AnySchema> };
const samples = new Samples(schemas);

const byId = Object.fromEntries(routes.map((route) => [route.operationId, route])) as Record<string, Route>;
const chat = byId['createChatCompletion'];
const completion = byId['createCompletion'];

interface Published {
  readonly ajv: Ajv2020;
  readonly samples: Samples;
  readonly schemas: Readonly<Record<string, AnySchema>>;
}

function published(t: Test, name: string): Published | undefined {
  const file = fixture(t, `openapi/${name}.json`);
  if (file === undefined) return undefined;
  const { components } = modern(JSON.parse(readFileSync(file, 'utf8'))) as { components: Published };
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  ajv.addSchema({ $id: '/doc', components });
  return { ajv, schemas: components.schemas, samples: new Samples(components.schemas) };
}

/** OpenAPI 3.0's `nullable` as JSON Schema says it; discriminators are hints and go. */
function modern(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(modern);
  if (typeof value !== 'object' || value === null) return value;
  const { nullable, discriminator: _, ...rest } = value as Record<string, unknown>;
  const schema = Object.fromEntries(Object.entries(rest).map(([key, inner]) => [key, modern(inner)]));
  return nullable === true ? { anyOf: [schema, { type: 'null' }] } : schema;
}

/** Every request near an example that they take, we take (whether or not we then refuse the field). */
function takesAll(
  t: Test,
  { ajv, samples, schemas }: Published,
  name: string,
  { route = chat, refusedOnPurpose }: { readonly route?: Route; readonly refusedOnPurpose: readonly RegExp[] },
): number {
  const theirs = ajv.getSchema(`/doc#/components/schemas/${name}`);
  if (theirs === undefined) throw new Error(`no schema ${name}`);
  const { properties = {} } = samples.resolve(schemas[name]);
  let tried = 0;
  for (const [key, property] of Object.entries(properties)) {
    for (const value of samples.some(property, 2)) {
      const subject = route === chat ? { messages: [{ role: 'user', content: 'Hello' }] } : { prompt: 'Hello' };
      const body = { model: 'a', ...subject, [key]: value };
      const text = JSON.stringify({ [key]: value });
      if (theirs(body) !== true || refusedOnPurpose.some((pattern) => pattern.test(text))) continue;
      tried++;
      const violation = route.body?.validate(body);
      if (violation !== undefined) t.fail(text, { violation });
    }
  }
  return tried;
}

void t.test("we take what OpenAI's published chat schema takes", async (t) => {
  const openai = published(t, 'openai-2.3.0-scope');
  if (openai === undefined) return;
  const known = samples.resolve(schemas['ChatCompletionRequest']).properties ?? {};
  const { properties = {} } = openai.samples.resolve(openai.schemas['CreateChatCompletionRequest']);
  for (const key of Object.keys(properties)) t.ok(known[key], `${key} is known`);
  t.ok(takesAll(t, openai, 'CreateChatCompletionRequest', { refusedOnPurpose: [] }) > 300);
});

void t.test("we take what mistral.rs' published chat schema takes", async (t) => {
  const mistral = published(t, 'mistralrs-0.9.2');
  if (mistral === undefined) return;
  const refusedOnPurpose = [
    // An unknown policy, or nobody to answer.
    /_permission":"text"|^\{"messages":\[\]\}$/,
    // Nothing to generate, or no answer at all, is a mistake of the caller.
    /^\{"(max_tokens|n)":0\}$/,
    // What has not been repeated is no repetition.
    /^\{"dry_allowed_length":0\}$/,
    // Parts have a type or a text; a map of other things would be dropped unseen.
    /"content":\[\{("key"|\})/,
  ];
  t.ok(takesAll(t, mistral, 'ChatCompletionRequest', { refusedOnPurpose }) > 100);
});

void t.test('we take what their schemas of text completions take, and know their fields', async (t) => {
  const known = samples.resolve(schemas['CompletionRequest']).properties ?? {};
  const theirs = [
    ['openai-2.3.0-scope', 'CreateCompletionRequest'],
    ['mistralrs-0.9.2', 'CompletionRequest'],
  ];
  // No prompt at all, and no choice at all, are mistakes of the caller; what has not been repeated is no repetition.
  const refusedOnPurpose = [/^\{"prompt":\[\]\}$/, /^\{"(n|dry_allowed_length)":0\}$/];
  for (const [file, name] of theirs) {
    const document = published(t, file);
    if (document === undefined) return;
    const { properties = {} } = document.samples.resolve(document.schemas[name]);
    for (const key of Object.keys(properties)) t.ok(known[key], `${key} of ${name} is known`);
    t.ok(takesAll(t, document, name, { route: completion, refusedOnPurpose }) > 30);
  }
});

/** `choices[].message.role` for each property of each object in a schema: whether it is required. */
function places(samples: Samples, schema: AnySchema, place = ''): Map<string, boolean> {
  const plain = samples.resolve(schema);
  const found = new Map<string, boolean>();
  const add = (inner: ReadonlyMap<string, boolean>): void =>
    inner.forEach((required, path) => found.set(path, required));
  for (const branch of plain.anyOf ?? plain.oneOf ?? []) add(places(samples, branch, place));
  if (plain.items !== undefined) add(places(samples, plain.items, `${place}[]`));
  for (const [key, property] of Object.entries(plain.properties ?? {})) {
    found.set(`${place}.${key}`, plain.required?.includes(key) === true);
    add(places(samples, property, `${place}.${key}`));
  }
  return found;
}

void t.test("our answers hold every key that OpenAI's require, and validate against them", async (t) => {
  const openai = published(t, 'openai-2.3.0-scope');
  if (openai === undefined) return;
  const pairs: [string, string, (value: unknown) => string][] = [
    ['ChatCompletion', 'CreateChatCompletionResponse', chat.serialize],
    ['ChatCompletionChunk', 'CreateChatCompletionStreamResponse', chat.stream?.serialize ?? String],
    ['Completion', 'CreateCompletionResponse', completion.serialize],
    ['Model', 'Model', byId['retrieveModel'].serialize],
    ['ModelList', 'ListModelsResponse', byId['listModels'].serialize],
    ['ErrorEnvelope', 'ErrorResponse', JSON.stringify],
  ];
  // Only calls of functions are answered.
  const never = '.choices[].message.tool_calls[].custom';
  for (const [ours, theirs, serialize] of pairs) {
    const mine = places(samples, schemas[ours]);
    const objects = new Set([...mine.keys()].map((place) => place.slice(0, place.lastIndexOf('.'))));
    for (const [place, isRequired] of places(openai.samples, openai.schemas[theirs])) {
      // Objects that we never answer with (annotations, sound) need no keys.
      const isOurs = objects.has(place.slice(0, place.lastIndexOf('.')));
      if (isRequired && isOurs && place !== never) t.equal(mine.get(place), true, `${ours}${place}`);
    }
    const validate = openai.ajv.getSchema(`/doc#/components/schemas/${theirs}`);
    const values = samples.some(schemas[ours], 3);
    t.ok(values.length > 0);
    for (const value of values) {
      // Nothing precedes the first token of an echoed prompt: the hosted API says null there, the document forgets it.
      const text = serialize(value).replace('"token_logprobs":[null]', '"token_logprobs":[0]');
      const answer: unknown = JSON.parse(text.replace('"top_logprobs":[null]', '"top_logprobs":[{}]'));
      if (validate?.(answer) !== true) t.fail(`${ours} as ${theirs}`, { answer, errors: validate?.errors });
    }
  }
});
