// Reading the arguments of a filter, method or function by position or name, as Python binds them.

import { TemplateFailure, isText, numeric, text, typeName } from './values.ts';
import type { Arguments, Value } from './values.ts';

/** The argument, or `undefined` when it was not given. */
export function argument(args: Arguments, position: number, name?: string): Value | undefined {
  // `None` (null) is an argument like any other: `??` would lose it.
  const value = args.positional[position];
  return value !== undefined || name === undefined ? value : args.keywords.get(name);
}

export function required(args: Arguments, position: number, name: string): Value {
  const value = argument(args, position, name);
  if (value === undefined) throw new TemplateFailure(`missing 1 required positional argument: '${name}'`);
  return value;
}

/** A text; `None` counts as not given. */
export function textArgument(args: Arguments, position: number, name: string): string | undefined {
  const value = argument(args, position, name);
  if (value === undefined || value === null) return undefined;
  if (!isText(value)) throw new TemplateFailure(`${name} must be str, not ${typeName(value)}`);
  return text(value);
}

/** A whole number; `None` counts as not given. */
export function integerArgument(args: Arguments, position: number, name: string): number | undefined {
  const value = argument(args, position, name);
  if (value === undefined || value === null) return undefined;
  const number = numeric(value);
  if (number === undefined || !Number.isInteger(number)) {
    throw new TemplateFailure(`'${typeName(value)}' object cannot be interpreted as an integer`);
  }
  return number;
}
