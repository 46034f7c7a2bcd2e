// The query string -> typed values, as the route declares its parameters.

import { ApiError } from '../core/errors.ts';
import type { QueryParameter, Route } from '../core/operation.ts';

export interface Query {
  readonly values: Readonly<Record<string, unknown>>;
  /** Names that the route does not know. */
  readonly unknown: readonly string[];
}

/**
 * What cannot be read as the declared type stays text: the validator then says what was expected. Lists are repeated names, with
 * or without `[]` (`include=a&include=b`, `include[]=a`). Maps name the key in brackets (`metadata[topic]=sea`).
 */
export function readQuery(raw: string, declared: Route['query']): Query {
  if (raw === '' && declared === undefined) return nothing;
  const values: Record<string, unknown> = {};
  const unknown = new Set<string>();
  const parameters = new Map(declared?.parameters.map((parameter) => [parameter.name, parameter]));
  for (const [key, text] of raw === '' ? [] : new URLSearchParams(raw)) {
    const [, name, inner] = /^([^[\]]+)\[([^[\]]*)\]$/.exec(key) ?? [];
    const map = name === undefined ? undefined : parameters.get(name);
    if (map?.type === 'object' && inner !== undefined) {
      // Without a prototype: keys are the caller's.
      const pairs = (values[map.name] ??= Object.create(null)) as Record<string, string>;
      pairs[inner] = text;
      continue;
    }
    const parameter = parameters.get(key) ?? parameters.get(key.replace(/\[\d*\]$/, ''));
    if (parameter === undefined || parameter.type === 'object') {
      unknown.add(key);
    } else if (parameter.type === 'array') {
      const list = (values[parameter.name] ??= []) as string[];
      list.push(text);
    } else if (Object.hasOwn(values, parameter.name)) {
      throw new ApiError('invalid_request', `The query parameter '${parameter.name}' was given twice; send it once.`, {
        param: parameter.name,
        code: 'invalid_value',
      });
    } else values[parameter.name] = coerce(text, parameter);
  }
  const violation = declared?.validate(values);
  if (violation !== undefined) {
    throw new ApiError('invalid_request', violation.message, {
      param: violation.param === '' ? undefined : violation.param,
      code: 'invalid_value',
    });
  }
  return { values, unknown: [...unknown] };
}

const nothing: Query = { values: {}, unknown: [] };

function coerce(text: string, { type }: QueryParameter): unknown {
  switch (type) {
    case 'integer':
      return /^-?\d{1,15}$/.test(text) ? Number(text) : text;
    case 'number':
      return /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text) ? Number(text) : text;
    case 'boolean':
      if (text === 'true' || text === '1') return true;
      return text === 'false' || text === '0' ? false : text;
    case 'string':
    case 'array':
    case 'object':
      return text;
    default:
      return type satisfies never;
  }
}
