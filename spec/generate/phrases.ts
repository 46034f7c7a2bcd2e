// What a schema accepts, in words that end the sentence "temperature must be ...". Null is never named: it is accepted wherever a
// field is optional.

import type { Document, Schema } from './schema.ts';
import { isNull, resolve } from './schema.ts';

export function phrase(schema: Schema, document: Document): string {
  if (schema['x-expects'] !== undefined) return schema['x-expects'];
  const plain = resolve(schema, document);
  if (plain['x-expects'] !== undefined) return plain['x-expects'];
  const values = plain.enum ?? (plain.const === undefined ? undefined : [plain.const]);
  if (values !== undefined) return oneOf(values.filter((value) => value !== null));
  const branches = plain.anyOf?.filter((branch) => !isNull(branch));
  if (branches !== undefined) return joined(branches.map((branch) => phrase(branch, document)));
  if (plain.oneOf !== undefined) return plain.title === undefined ? 'an object' : `a ${plain.title} (an object)`;
  const types = [plain.type ?? []].flat().filter((type) => type !== 'null');
  if (types.length === 0) return plain.type === undefined ? 'any value' : 'null';
  return joined(types.map((type) => typed({ ...plain, type }, document)));
}

function typed(schema: Schema, document: Document): string {
  switch (schema.type) {
    case 'boolean':
      return 'true or false';
    case 'integer':
      return `an integer${bounds(schema)}`;
    case 'number':
      return `a number${bounds(schema)}`;
    case 'string':
      return withPattern(schema, `a ${(schema.minLength ?? 0) === 1 ? 'non-empty ' : ''}string${length(schema)}`);
    case 'array':
      return `a ${(schema.minItems ?? 0) === 1 ? 'non-empty ' : ''}list${count(schema)}${elements(schema, document)}`;
    case 'object':
      return `an object${entries(schema)}`;
    default:
      return 'null';
  }
}

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

function withPattern({ pattern }: Schema, words: string): string {
  return pattern === undefined ? words : `${words} that matches ${pattern}`;
}

function count({ minItems = 0, maxItems }: Schema): string {
  if (maxItems === undefined) return minItems > 1 ? ` of at least ${minItems}` : ' of';
  return minItems > 1 ? ` of ${minItems} to ${maxItems}` : ` of at most ${maxItems}`;
}

function elements({ items }: Schema, document: Document): string {
  return ` ${items === undefined ? 'values' : plural(items, document)}`;
}

function plural(schema: Schema, document: Document): string {
  const plain = resolve(schema, document);
  if (plain.title !== undefined) return `${plain.title}s`;
  const types = [plain.type ?? []].flat();
  if (types.length !== 1) return 'values';
  switch (types[0]) {
    case 'string':
      return plain.minLength === 1 ? 'non-empty strings' : 'strings';
    case 'integer':
    case 'number':
    case 'object':
    case 'boolean':
      return `${types[0]}s`;
    case 'array':
      return 'lists';
    default:
      return 'values';
  }
}

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
