// Answer schemas -> standalone fast-json-stringify code. Properties that the spec does not name are left out of the answer; a missing
// required one throws.

import build from 'fast-json-stringify';
import type { Document, JsonType, Schema } from './schema.ts';
import { isNull, referredName, resolve, SpecError } from './schema.ts';

/** `schemas`: export name -> schema. Result: an ES module of functions `value => JSON text`. */
export function serializerCode(schemas: Readonly<Record<string, Schema>>, document: Document): string {
  const functions = Object.entries(schemas).map(([name, schema]) => {
    if (isFreeForm(resolve(schema, document))) return `export const ${name} = (value) => JSON.stringify(value);`;
    const code = build(inline(schema, document, []), { mode: 'standalone' });
    // The library writes a CommonJS module; here it is the body of a function.
    return `export const ${name} = ((module) => {${code}\nreturn module.exports;\n})({});`;
  });
  return [
    `import { createRequire } from 'node:module';`,
    `const require = createRequire(import.meta.url);`,
    ...functions,
    '',
  ].join('\n');
}

export function serializerTypes(names: readonly string[]): string {
  return [...names.map((name) => `export declare const ${name}: (value: unknown) => string;`), ''].join('\n');
}

function isFreeForm(schema: Schema): boolean {
  return schema.type === 'object' && schema.properties === undefined && schema.additionalProperties === true;
}

/**
 * A schema without `$ref`s, notes and `X or null` unions. The library decides other unions with ajv, which it would load and compile when the
 * server starts; the types of an answer have no need of it.
 */
function inline(schema: Schema, document: Document, path: readonly string[]): Schema {
  const name = referredName(schema);
  if (name !== undefined) {
    if (path.includes(name)) throw new SpecError(`schema ${name}`, 'an answer must not contain itself');
    return inline(resolve({ $ref: schema.$ref! }, document), document, [...path, name]);
  }
  const branches = schema.anyOf ?? schema.oneOf;
  if (branches !== undefined) {
    const [only, ...more] = branches.filter((branch) => !isNull(branch));
    if (only === undefined || more.length > 0)
      throw new SpecError('an answer', 'the only union it may have is "X or null"');
    const plain = inline(only, document, path);
    return branches.some(isNull) ? { ...plain, type: [plain.type ?? 'object', 'null'].flat() as never } : plain;
  }
  const { type, const: constant, enum: values, required, properties, items, additionalProperties } = schema;
  const inner = (child: Schema): Schema => inline(child, document, path);
  return {
    ...(type !== undefined && { type: ordered(type) }),
    ...(constant !== undefined && { const: constant }),
    ...(values !== undefined && type === undefined && { enum: values }),
    ...(required !== undefined && { required }),
    ...(properties !== undefined && {
      properties: Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, inner(value)])),
    }),
    ...(items !== undefined && { items: inner(items) }),
    ...(additionalProperties !== undefined && {
      additionalProperties:
        typeof additionalProperties === 'object' ? inner(additionalProperties) : additionalProperties,
    }),
  };
}

/** The library tries types in this order, and takes objects and lists for strings, too. */
function ordered(type: JsonType | JsonType[]): JsonType | JsonType[] {
  if (!Array.isArray(type)) return type;
  return [...type.filter((each) => each !== 'string'), ...type.filter((each) => each === 'string')];
}
