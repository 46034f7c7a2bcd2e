// The document as it is served: spec/ with the null rule written out. An optional property of anything that a caller sends may also be
// null, and null means that it was left out. Clients serialise empty fields that way, so no single field has to remember it. And with the
// notes of shared schemas at the properties that refer to them, so that a reader and the field plans find them there.

import type { Document, Schema } from './schema.ts';
import {
  bodySchema,
  children,
  jsonTypes,
  operationsOf,
  reachable,
  referredName,
  resolve,
  SpecError,
} from './schema.ts';
import { tagOf } from './unions.ts';

/** A new document; the given one stays as it is. */
export function bundle(source: Document): Document {
  const document = structuredClone(source);
  const places = operationsOf(document);
  const bodies = places.flatMap(({ operation }) => bodySchema(operation) ?? []);
  const sent = reachable(bodies, document);
  const answered = reachable(
    places.flatMap(({ operation }) => responseSchemas(operation.responses)),
    document,
  );
  const changed = new Set<string>();
  const visit = (schema: Schema, name: string): void => {
    const { properties = {}, required } = schema;
    for (const [key, referring] of Object.entries(properties)) {
      const property = withNotes(referring, source);
      properties[key] = property;
      if (required?.includes(key) || acceptsNull(property, source)) continue;
      properties[key] = withNull(property);
      changed.add(name);
    }
    children(schema).forEach((child) => visit(child, name));
  };
  for (const name of sent) visit(document.components.schemas[name], name);
  bodies.forEach((body) => visit(body, 'a request body'));
  for (const name of changed) {
    if (!answered.has(name)) continue;
    throw new SpecError(
      `schema ${name}`,
      'is sent and answered, and has optional properties: null is right in one and wrong in the other; write two',
    );
  }
  return document;
}

function responseSchemas(responses: object): Schema[] {
  const found: Schema[] = [];
  const collect = (value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    if (referredName(value) !== undefined) found.push(value);
    Object.values(value).forEach(collect);
  };
  collect(responses);
  return found;
}

/** What is said about a shared schema holds for each property that refers to it, unless the property says otherwise. */
function withNotes(property: Schema, document: Document): Schema {
  if (property.$ref === undefined) return property;
  const said = Object.entries(resolve(property, document)).filter(([key]) => sharedNotes.has(key));
  return { ...Object.fromEntries(said), ...property };
}

function acceptsNull(schema: Schema, document: Document): boolean {
  return jsonTypes(schema, document)?.has('null') ?? true;
}

/** The same schema, or null. */
export function withNull(schema: Schema): Schema {
  const { const: constant, enum: values, type, anyOf, oneOf, ...rest } = schema;
  if (schema.$ref !== undefined || tagOf(schema) !== undefined) return wrapped(schema);
  const branches = anyOf ?? oneOf;
  if (branches !== undefined) return { ...rest, anyOf: [...branches, { type: 'null' }] };
  const types = type === undefined ? [] : [type].flat();
  const choice = values ?? (constant === undefined ? undefined : [constant]);
  return {
    ...(types.length > 0 && { type: [...types, 'null'] }),
    ...(choice !== undefined && { enum: [...choice, null] }),
    ...rest,
  };
}

/** `{ anyOf: [schema, null] }`, with what is said about the property left outside. */
function wrapped(schema: Schema): Schema {
  const entries = Object.entries(schema);
  const outside = entries.filter(([key]) => propertyNotes.has(key));
  const inside = entries.filter(([key]) => !propertyNotes.has(key));
  return { ...Object.fromEntries(outside), anyOf: [Object.fromEntries(inside), { type: 'null' }] };
}

const sharedNotes = new Set('description deprecated default x-accepts x-reason'.split(' '));

const propertyNotes = new Set([...sharedNotes, 'x-support', 'x-expects']);
