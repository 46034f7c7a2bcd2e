// Request schemas -> standalone ajv code. Before ajv sees a schema it is rewritten: unions become a choice of one branch (unions.ts), notes
// for people go, and each schema gets `expects`, the words for what it accepts (phrases.ts), which violation.ts puts into messages.

import { Ajv2020 } from 'ajv/dist/2020.js';
import standalone from 'ajv/dist/standalone/index.js';
import { anything, phrase } from './phrases.ts';
import type { Document, Schema } from './schema.ts';
import { reachable, referredName, resolve } from './schema.ts';
import type { TaggedUnion, TypedUnion } from './unions.ts';
import { unionOf } from './unions.ts';

/** `schemas`: export name -> schema. Result: an ES module of functions `value => Violation | undefined`. */
export function validatorCode(schemas: Readonly<Record<string, Schema>>, document: Document): string {
  const ajv = newAjv();
  const $defs: Record<string, object> = {};
  for (const name of reachable(Object.values(schemas), document)) {
    $defs[name] = rewrite(document.components.schemas[name], document);
  }
  ajv.addSchema({ $id: '/spec', $defs });
  const exported: Record<string, string> = {};
  for (const [name, schema] of Object.entries(schemas)) {
    const rewritten = rewrite(schema, document);
    ajv.addSchema({ $id: `/${name}`, ...rewritten });
    exported[`check_${name}`] = `/${name}`;
  }
  const code = standalone.default(ajv, exported).replaceAll(/^export const check_/gm, 'const check_');
  return [
    `import { createRequire } from 'node:module';`,
    `import { violation } from './violation.js';`,
    `const require = createRequire(import.meta.url);`,
    code.replace(/^"use strict";/, ''),
    ...Object.keys(schemas).map(
      (name) =>
        `export function ${name}(value) { return check_${name}(value) ? undefined : violation(check_${name}.errors[0]); }`,
    ),
    '',
  ].join('\n');
}

export function validatorTypes(names: readonly string[]): string {
  return [
    `import type { Validate } from '../core/operation.ts';`,
    ...names.map((name) => `export declare const ${name}: Validate;`),
    '',
  ].join('\n');
}

export function newAjv(): Ajv2020 {
  const ajv = new Ajv2020({
    strict: true,
    // `[string, array]` is a union like any other.
    allowUnionTypes: true,
    // Errors carry the schema at fault: violation.ts reads its `expects`.
    verbose: true,
    code: { source: true, esm: true, lines: true },
  });
  ajv.addKeyword('expects');
  return ajv;
}

/** A schema as ajv gets it. `expects` replaces the words for the schema itself. */
function rewrite(schema: Schema, document: Document, expects: string = phrase(schema, document)): object {
  const name = referredName(schema);
  if (name !== undefined) return { $ref: `/spec#/$defs/${name}`, expects };
  const union = unionOf(schema, document);
  if (union?.kind === 'tagged') return taggedChoice(union, document, expects);
  if (union?.kind === 'typed') return typedChoice(union, document, expects);
  const said = expects === anything ? {} : { expects };
  const inner = (child: Schema): object => rewrite(child, document);
  const { properties, items, additionalProperties, propertyNames } = schema;
  const kept = Object.fromEntries(Object.entries(schema).filter(([key]) => assertions.has(key)));
  return {
    ...kept,
    ...said,
    ...(properties && {
      properties: Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, inner(value)])),
    }),
    ...(items && { items: inner(items) }),
    ...(typeof additionalProperties === 'object' && { additionalProperties: inner(additionalProperties) }),
    ...(propertyNames && { propertyNames: inner(propertyNames) }),
  };
}

/** Keywords that are passed on as they stand. */
const assertions = new Set(
  (
    'type const enum minimum maximum exclusiveMinimum exclusiveMaximum minLength maxLength pattern minItems maxItems required ' +
    'maxProperties not'
  ).split(' '),
);

/** { type: [all], allOf: [{ if: type A, then: A }, ...] } */
function typedChoice(union: TypedUnion, document: Document, expects: string): object {
  const types = union.branches.flatMap(({ types }) => types);
  return {
    type: union.nullable && !types.includes('null') ? [...types, 'null'] : types,
    expects,
    allOf: union.branches.map(({ types, schema }) => {
      // Words for the whole, as a string of the wrong length could also become a list.
      const words = referredName(schema) === undefined && !types.includes('object') ? expects : undefined;
      return conditional({ type: types }, rewrite(schema, document, words));
    }),
  };
}

/** if tag is a then A, else if tag is b then B, ... else the open branch, or an error that lists the tags. */
function taggedChoice(union: TaggedUnion, document: Document, expects: string): object {
  const { tag, branches, otherwise, untagged } = union;
  const supported = branches.filter(({ schema }) => resolve(schema, document)['x-support'] !== 'refused');
  const named = (values: readonly string[]): string => phrase({ enum: [...values] }, document);
  let choice: object =
    otherwise === undefined
      ? {
          type: 'object',
          required: [tag],
          properties: {
            [tag]: {
              enum: branches.flatMap(({ values }) => values),
              expects: named(supported.flatMap(({ values }) => values)),
            },
          },
        }
      : rewrite(otherwise, document);
  for (const { values, schema } of branches.toReversed()) {
    const isThis = { type: 'object', required: [tag], properties: { [tag]: { enum: values } } };
    choice = conditional(isThis, rewrite(schema, document), choice);
  }
  if (untagged !== undefined) {
    const has = { type: 'object', required: [tag], properties: { [tag]: { not: { type: 'null' } } } };
    choice = conditional(has, choice, rewrite(untagged, document));
  }
  return { type: 'object', ...choice, expects };
}

/** The three keywords of JSON Schema. */
function conditional(test: object, consequence: object, alternative?: object): object {
  return Object.fromEntries([
    ['if', test],
    // oxlint-disable-next-line unicorn/no-thenable -- a keyword, nobody awaits a schema
    ['then', consequence],
    ...(alternative === undefined ? [] : [['else', alternative]]),
  ]);
}
