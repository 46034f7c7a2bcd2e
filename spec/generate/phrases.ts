// What a schema accepts, in words that end the sentence "temperature must be ...". Null is never named: it is accepted wherever a
// field is optional.

import type { Document, JsonType, Schema } from './schema.ts';
import { isNull, resolve } from './schema.ts';
import { tagOf } from './unions.ts';

/** The phrase of a schema without any demand. */
export const anything = 'any value';

export function phrase(schema: Schema, document: Document): string {
  if (schema['x-expects'] !== undefined) return schema['x-expects'];
  const plain = resolve(schema, document);
  if (plain['x-expects'] !== undefined) return plain['x-expects'];
  const values = plain.enum ?? (plain.const === undefined ? undefined : [plain.const]);
  if (values !== undefined) return oneOf(values.filter((value) => value !== null));
  if (tagOf(plain) !== undefined) return plain.title === undefined ? 'an object' : `a ${plain.title} (an object)`;
  const branches = plain.anyOf?.filter((branch) => !isNull(branch));
  if (branches !== undefined) return joined(branches.map((branch) => phrase(branch, document)));
  const types = [plain.type ?? []].flat().filter((type) => type !== 'null');
  if (types.length === 0) return plain.type === undefined ? anything : 'null';
  return joined(types.map((type) => typed[type](plain, document)));
}

const typed: Record<JsonType, (schema: Schema, document: Document) => string> = {
  null: () => 'null',
  boolean: () => 'true or false',
  integer: (schema) => `an integer${bounds(schema)}`,
  number: (schema) => `a number${bounds(schema)}`,
  string: (schema) => `a ${schema.minLength === 1 ? 'non-empty ' : ''}string${length(schema)}${pattern(schema)}`,
  array: (schema, document) =>
    `a ${schema.minItems === 1 ? 'non-empty ' : ''}list${count(schema)} ${elements(schema, document)}`,
  object: (schema) => `an object${entries(schema)}`,
};

function bounds({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: Schema): string {
  if (minimum !== undefined && maximum !== undefined) return ` between ${digits(minimum)} and ${digits(maximum)}`;
  const limits = [
    minimum !== undefined && `of at least ${digits(minimum)}`,
    exclusiveMinimum !== undefined && `above ${digits(exclusiveMinimum)}`,
    maximum !== undefined && `of at most ${digits(maximum)}`,
    exclusiveMaximum !== undefined && `below ${digits(exclusiveMaximum)}`,
  ].filter((limit) => limit !== false);
  return limits.length === 0 ? '' : ` ${limits.join(' and ')}`;
}

/** 2^63 as it is, not as 9223372036854776000. */
function digits(value: number): string {
  return Number.isInteger(value) ? BigInt(value).toString() : String(value);
}

function length({ minLength = 0, maxLength }: Schema): string {
  const least = minLength > 1 ? `at least ${minLength}` : undefined;
  const most = maxLength === undefined ? undefined : `at most ${maxLength}`;
  const limits = [least, most].filter((limit) => limit !== undefined);
  return limits.length === 0 ? '' : ` of ${limits.join(' and ')} characters`;
}

function pattern({ pattern }: Schema): string {
  return pattern === undefined ? '' : ` that matches ${pattern}`;
}

function count({ minItems = 0, maxItems }: Schema): string {
  if (maxItems === undefined) return minItems > 1 ? ` of at least ${minItems}` : ' of';
  return minItems > 1 ? ` of ${minItems} to ${maxItems}` : ` of at most ${maxItems}`;
}

function elements({ items }: Schema, document: Document): string {
  if (items === undefined) return 'values';
  const plain = resolve(items, document);
  if (plain.title !== undefined) return `${plain.title}s`;
  const types = [plain.type ?? []].flat();
  if (types.length !== 1) return 'values';
  return `${types[0] === 'string' && plain.minLength === 1 ? 'non-empty ' : ''}${plural[types[0]]}`;
}

const plural: Record<JsonType, string> = {
  null: 'nulls',
  boolean: 'booleans',
  integer: 'integers',
  number: 'numbers',
  string: 'strings',
  array: 'lists',
  object: 'objects',
};

function entries({ maxProperties }: Schema): string {
  return maxProperties === undefined ? '' : ` with at most ${maxProperties} keys`;
}

function oneOf(values: readonly unknown[]): string {
  return joined(values.map((value) => JSON.stringify(value)));
}

/** `a, b or c` */
function joined(words: readonly string[]): string {
  return words.length < 2 ? (words[0] ?? 'null') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}
