// Operations -> the route table that the server runs, and the type that the object of all handlers must have. A handler too few or too
// many does not compile.

import { FieldPlans } from './fields.ts';
import type { Document, MediaType, OperationObject, Place, Schema } from './schema.ts';
import { answers, bodySchema, operationsOf, SpecError } from './schema.ts';
import { typeText } from './types.ts';

/** Schemas for which validators and serializers are made, by the names under which routes import them. */
export interface Functions {
  readonly validators: Record<string, Schema>;
  readonly serializers: Record<string, Schema>;
}

export function functionsOf(document: Document): Functions {
  const validators: Record<string, Schema> = {};
  const serializers: Record<string, Schema> = {};
  for (const place of operationsOf(document)) {
    const { operationId } = place.operation;
    const body = bodySchema(place.operation);
    if (body !== undefined) validators[`${operationId}Body`] = body;
    const query = querySchema(place);
    if (query !== undefined) validators[`${operationId}Query`] = query;
    const { type, media } = resultOf(place);
    if (type === json) serializers[`${operationId}Result`] = media.schema;
    const stream = streamOf(place);
    if (stream !== undefined) serializers[`${operationId}Event`] = stream.schema;
  }
  return { validators, serializers };
}

export function operationsCode(document: Document): string {
  const places = operationsOf(document);
  const plans = new FieldPlans(document);
  const routes = places.map((place) => route(place, plans));
  const operations = places.map(operationType);
  const names = Object.keys(document.components.schemas);
  const used = names.filter((name) => new RegExp(`\\b${name}\\b`).test(operations.join('\n')));
  return [
    `import type { Context, Eventually, EventStream, FieldPlan, Route } from '../core/operation.ts';`,
    `import * as serializers from './serializers.js';`,
    `import type { ${used.join(', ')} } from './types.ts';`,
    `import * as validators from './validators.js';`,
    '',
    '/** One handler per operation. A type alias, so that it is also a record of operations. */',
    'export type Operations = {',
    ...operations,
    '};',
    '',
    'export type OperationId = keyof Operations;',
    '',
    plans.constants(),
    '',
    'export const routes: readonly (Route & { readonly operationId: OperationId })[] = [',
    ...routes,
    '];',
    '',
  ].join('\n');
}

function operationType(place: Place): string {
  const { operation } = place;
  const body = bodySchema(operation);
  const query = querySchema(place);
  const path = pathSchema(place);
  const parts = [
    body === undefined
      ? 'readonly body?: undefined'
      : `readonly body: ${typeText(body)}${operation.requestBody?.required === true ? '' : ' | undefined'}`,
    path === undefined ? 'readonly path?: undefined' : `readonly path: ${typeText(path)}`,
    query === undefined ? 'readonly query?: undefined' : `readonly query: ${typeText(query)}`,
  ];
  const stream = streamOf(place);
  const result =
    typeText(resultOf(place).media.schema) + (stream === undefined ? '' : ` | EventStream<${typeText(stream.schema)}>`);
  const note = operation.summary === undefined ? '' : `  /** ${operation.summary}. */\n`;
  return `${note}  readonly ${operation.operationId}: (request: { ${parts.join('; ')} }, context: Context) => Eventually<${result}>;`;
}

function route(place: Place, plans: FieldPlans): string {
  const { method, operation } = place;
  const { operationId } = operation;
  const fields = [
    `operationId: '${operationId}'`,
    `method: '${method.toUpperCase()}'`,
    `path: '${routePath(place)}'`,
    `dialect: '${operation['x-dialect'] ?? 'openai'}'`,
    `access: '${accessOf(operation)}'`,
  ];
  const body = bodySchema(operation);
  if (body !== undefined) {
    const plan = plans.plan(body, operationId);
    if (plan === undefined) throw new SpecError(operationId, 'the body of a request must be an object with properties');
    const required = operation.requestBody?.required === true;
    fields.push(`body: { required: ${required}, validate: validators.${operationId}Body, fields: ${plan} }`);
  }
  const parameters = (operation.parameters ?? []).filter(({ in: where }) => where === 'query');
  if (parameters.length > 0) {
    const list = parameters.map(({ name, schema }) => `{ name: '${name}', type: '${parameterType(schema, name)}' }`);
    fields.push(`query: { validate: validators.${operationId}Query, parameters: [${list.join(', ')}] }`);
  }
  const { type } = resultOf(place);
  fields.push(`contentType: '${type}'`);
  // A text is its own serialization: the handler's type says that it is one.
  fields.push(type === json ? `serialize: serializers.${operationId}Result` : 'serialize: String');
  const stream = streamOf(place);
  if (stream !== undefined) {
    const { named, end } = stream['x-events'] ?? {};
    if (named === undefined) throw new SpecError(operationId, 'text/event-stream needs x-events: { named, end }');
    fields.push(`stream: { serialize: serializers.${operationId}Event, named: ${named}, end: ${JSON.stringify(end)} }`);
  }
  return `  {\n${fields.map((field) => `    ${field},\n`).join('')}  },`;
}

/** `/v1/models/{model}`, or `/v1/models/{+model}` when the parameter may contain slashes. */
function routePath({ path, operation }: Place): string {
  return (operation.parameters ?? [])
    .filter((parameter) => parameter['x-slashes'] === true)
    .reduce((text, { name }) => text.replace(`{${name}}`, `{+${name}}`), path);
}

function pathSchema({ operation }: Place): Schema | undefined {
  const parameters = (operation.parameters ?? []).filter(({ in: where }) => where === 'path');
  if (parameters.length === 0) return undefined;
  // What stands in a path is text; a handler that wants more reads it there.
  const properties = Object.fromEntries(parameters.map(({ name }) => [name, { type: 'string' } as const]));
  return { type: 'object', required: Object.keys(properties), properties };
}

function querySchema({ operation }: Place): Schema | undefined {
  const parameters = (operation.parameters ?? []).filter(({ in: where }) => where === 'query');
  if (parameters.length === 0) return undefined;
  return {
    type: 'object',
    required: parameters.filter(({ required }) => required === true).map(({ name }) => name),
    properties: Object.fromEntries(parameters.map(({ name, schema }) => [name, schema])),
  };
}

function parameterType(schema: Schema, name: string): string {
  const type = schema.type ?? (schema.enum === undefined && schema.const === undefined ? undefined : 'string');
  if (type === 'object' && schema.properties !== undefined)
    throw new SpecError(`query parameter ${name}`, 'of type object is a map: it must not list properties');
  if (['string', 'integer', 'number', 'boolean', 'array', 'object'].includes(String(type))) return String(type);
  throw new SpecError(`query parameter ${name}`, 'must have one plain type');
}

/** OpenAPI 3.1 §4.8.30: no requirement asks for nothing, an empty one among others makes them optional. */
function accessOf({ operationId, security }: OperationObject): 'key' | 'open' | 'open_on_loopback' {
  if (security === undefined) return 'key';
  if (security.length === 0) return 'open';
  if (security.some((requirement) => Object.keys(requirement).length === 0)) return 'open_on_loopback';
  throw new SpecError(operationId, 'security: only [] (open) and one with {} (open on loopback) mean something here');
}

const json = 'application/json';

/** JSON, or one kind of text. */
function resultOf({ operation, path }: Place): { readonly type: string; readonly media: MediaType } {
  const kinds = Object.entries(answers(operation)).filter(([type]) => type !== eventStream);
  const [[type, media] = [], ...more] = kinds;
  if (type === undefined || media === undefined || more.length > 0)
    throw new SpecError(path, 'must answer one of application/json and text/*');
  if (type === json) return { type, media };
  if (!/^text\/[\w.+; =-]+$/.test(type) || media.schema.type !== 'string')
    throw new SpecError(
      path,
      `answers ${type}: only application/json, and text/* with a schema of type string, are written`,
    );
  return { type, media };
}

const eventStream = 'text/event-stream';

function streamOf({ operation }: Place): MediaType | undefined {
  return answers(operation)[eventStream];
}
