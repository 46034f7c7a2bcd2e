// The part of OpenAPI 3.1 that this project writes, as types, with the few questions that every generator asks of a schema.

export type JsonType = 'null' | 'boolean' | 'integer' | 'number' | 'string' | 'array' | 'object';

/** JSON Schema 2020-12 as far as spec/ uses it; `checkSchema` in read.ts refuses any other keyword. */
export interface Schema {
  $ref?: string;
  type?: JsonType | JsonType[];
  title?: string;
  description?: string;
  deprecated?: boolean;
  default?: unknown;
  const?: unknown;
  enum?: unknown[];
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: number;
  exclusiveMaximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  minItems?: number;
  maxItems?: number;
  items?: Schema;
  required?: string[];
  properties?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
  maxProperties?: number;
  propertyNames?: Schema;
  not?: Schema;
  anyOf?: Schema[];
  oneOf?: Schema[];
  discriminator?: { propertyName: string };
  /** On `anyOf`: the property that tells the branches apart when it may be missing or open, so that `discriminator` would be wrong. */
  'x-tag'?: string;
  /** What is done with this property (or with a value of this kind): see spec/README.md. */
  'x-support'?: Support;
  /** Values of a refused property that are harmless beside null and the default. */
  'x-accepts'?: unknown[];
  /** The sentence that ends the refusal: what to do instead. */
  'x-reason'?: string;
  /** Words for `... must be ...` where the made ones would be clumsy. */
  'x-expects'?: string;
}

export type Support = 'honoured' | 'echoed' | 'refused';

export interface Parameter {
  name: string;
  in: 'path' | 'query' | 'header';
  required?: boolean;
  description?: string;
  schema: Schema;
  /** Of a map in the query: `name[key]=value`. The only one that is read. */
  style?: 'deepObject';
  /** A path parameter, last in its path, that may contain slashes. */
  'x-slashes'?: boolean;
}

export interface MediaType {
  schema: Schema;
  /** Of `text/event-stream`: whether events are named by their type, and the last data line. */
  'x-events'?: { named: boolean; end?: string };
}

export interface Response {
  $ref?: string;
  description?: string;
  content?: Record<string, MediaType>;
}

export interface OperationObject {
  operationId: string;
  summary?: string;
  description?: string;
  parameters?: Parameter[];
  requestBody?: { required?: boolean; content: Record<string, MediaType> };
  responses: Record<string, Response>;
  /** `[]`: never asks for a key. With `{}` among the requirements: asks for one only where the server is bound beyond loopback. */
  security?: object[];
  /** Shape of the errors; `openai` when left out. */
  'x-dialect'?: 'openai' | 'anthropic';
}

export type PathItem = Partial<Record<Method, OperationObject>>;

export const methods = ['get', 'post', 'put', 'patch', 'delete'] as const;
export type Method = (typeof methods)[number];

export interface Document {
  openapi: string;
  info: { title: string; version: string };
  paths: Record<string, PathItem>;
  components: { schemas: Record<string, Schema>; responses?: Record<string, Response> };
}

/** A mistake in spec/, with its place. */
export class SpecError extends Error {
  override readonly name = 'SpecError';
  constructor(place: string, problem: string) {
    super(`${place}: ${problem}`);
  }
}

const prefix = '#/components/schemas/';

export function reference(name: string): string {
  return prefix + name;
}

/** Name of the schema that a `$ref` means. */
export function referredName(schema: Schema): string | undefined {
  return schema.$ref?.startsWith(prefix) ? schema.$ref.slice(prefix.length) : undefined;
}

/** Follows `$ref`s; what stands beside a `$ref` is not merged in. */
export function resolve(schema: Schema, document: Document): Schema {
  const name = referredName(schema);
  if (name === undefined) return schema;
  const target = document.components.schemas[name];
  if (target === undefined) throw new SpecError(schema.$ref ?? '', 'no such schema');
  return resolve(target, document);
}

/** Schemas directly inside this one that describe the same value, or a part of it. `$ref`s are not followed. */
export function children(schema: Schema): Schema[] {
  const { items, properties, additionalProperties, propertyNames, anyOf, oneOf } = schema;
  return [
    ...(items === undefined ? [] : [items]),
    ...Object.values(properties ?? {}),
    ...(typeof additionalProperties === 'object' ? [additionalProperties] : []),
    ...(propertyNames === undefined ? [] : [propertyNames]),
    ...(anyOf ?? []),
    ...(oneOf ?? []),
  ];
}

/** JSON types of the values that a schema takes; `undefined` is any. */
export function jsonTypes(schema: Schema, document: Document): ReadonlySet<JsonType> | undefined {
  const plain = resolve(schema, document);
  if (plain.type !== undefined) return new Set(Array.isArray(plain.type) ? plain.type : [plain.type]);
  const branches = plain.anyOf ?? plain.oneOf;
  if (branches === undefined) return undefined;
  const all = new Set<JsonType>();
  for (const branch of branches) {
    const types = jsonTypes(branch, document);
    if (types === undefined) return undefined;
    for (const type of types) all.add(type);
  }
  return all;
}

export function isNull(schema: Schema): boolean {
  return schema.type === 'null';
}

/** Names of all schemas that can be reached from these, themselves included. */
export function reachable(from: readonly Schema[], document: Document): ReadonlySet<string> {
  const found = new Set<string>();
  const visit = (schema: Schema): void => {
    const name = referredName(schema);
    if (name !== undefined && !found.has(name)) {
      found.add(name);
      visit(resolve(schema, document));
    }
    children(schema).forEach(visit);
  };
  from.forEach(visit);
  return found;
}

/** One operation of the document with its place. */
export interface Place {
  readonly path: string;
  readonly method: Method;
  readonly operation: OperationObject;
}

export function operationsOf(document: Document): Place[] {
  return Object.entries(document.paths).flatMap(([path, item]) =>
    methods.flatMap((method) => {
      const operation = item[method];
      return operation === undefined ? [] : [{ path, method, operation }];
    }),
  );
}

/** The JSON body schema of an operation. */
export function bodySchema(operation: OperationObject): Schema | undefined {
  return operation.requestBody?.content['application/json']?.schema;
}

/** What a successful call answers, by media type. */
export function answers(operation: OperationObject): Record<string, MediaType> {
  const success = Object.keys(operation.responses).find((status) => status.startsWith('2'));
  return success === undefined ? {} : (operation.responses[success]?.content ?? {});
}
