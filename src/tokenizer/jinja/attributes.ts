// `value.name` and `value[key]` in a sandbox: methods of Python's types where they exist, never those that change a list or dict.

import { argument, required } from './arguments.ts';
import { textMethods } from './text-methods.ts';
import {
  Callable,
  Markup,
  Namespace,
  TemplateFailure,
  Tuple,
  Undefined,
  characters,
  equal,
  isText,
  iterate,
  keyOf,
  numeric,
  repr,
  text,
  typeName,
  undefinedError,
} from './values.ts';
import type { Arguments, Dict, Value } from './values.ts';

/** Methods that would change their object: the sandbox names them, and forbids them. */
const changing: ReadonlySet<string> = new Set([
  ...['append', 'clear', 'extend', 'insert', 'pop', 'remove', 'reverse', 'sort'].map((name) => `list.${name}`),
  ...['clear', 'pop', 'popitem', 'setdefault', 'update'].map((name) => `dict.${name}`),
]);

const dictMethods: ReadonlyMap<string, (self: Dict, args: Arguments) => Value> = new Map<
  string,
  (self: Dict, args: Arguments) => Value
>([
  ['get', (self, args) => firstOf(self.get(keyOf(required(args, 0, 'key'))), argument(args, 1, 'default')) ?? null],
  ['items', (self) => dictItems(self)],
  ['keys', (self) => [...self.keys()]],
  ['values', (self) => [...self.values()]],
  ['copy', (self) => new Map(self)],
]);

/** The first that is there; `None` (null) is there. */
function firstOf(a: Value | undefined, b: Value | undefined): Value | undefined {
  return a === undefined ? b : a;
}

export function dictItems(dict: Dict): Tuple[] {
  return [...dict].map(([key, value]) => new Tuple([key, value]));
}

/** `object.name`: the attribute first, the item where there is none. */
export function attribute(object: Value, name: string): Value {
  if (object instanceof Undefined) throw undefinedError(object);
  if (name.startsWith('__')) return unsafe(object, name);
  const found = firstOf(method(object, name), item(object, name));
  return found === undefined ? missing(object, name) : found;
}

/** `object[key]`: the item first, the attribute where there is none. */
export function subscript(object: Value, key: Value): Value {
  if (object instanceof Undefined) throw undefinedError(object);
  const found = firstOf(item(object, key), isText(key) ? method(object, text(key)) : undefined);
  return found === undefined ? missing(object, key) : found;
}

/** `object[start:stop:step]` */
export function slice(object: Value, start: Value, stop: Value, step: Value): Value {
  if (!isText(object) && !Array.isArray(object) && !(object instanceof Tuple)) {
    if (object instanceof Undefined) throw undefinedError(object);
    throw new TemplateFailure(`'${typeName(object)}' object is not subscriptable`);
  }
  const items = isText(object) ? characters(text(object)) : iterate(object);
  const chosen = sliceIndices(items.length, bound(start), bound(stop), bound(step) ?? 1).map((index) => items[index]);
  if (Array.isArray(object)) return chosen;
  if (object instanceof Tuple) return new Tuple(chosen);
  return chosen.map(text).join('');
}

function bound(value: Value): number | undefined {
  if (value === null) return undefined;
  const number = numeric(value);
  if (number === undefined)
    throw new TemplateFailure('slice indices must be integers or None or have an __index__ method');
  return Math.trunc(number);
}

function sliceIndices(length: number, start: number | undefined, stop: number | undefined, step: number): number[] {
  if (step === 0) throw new TemplateFailure('slice step cannot be zero');
  const [lowest, highest] = step > 0 ? [0, length] : [-1, length - 1];
  const clamp = (value: number | undefined, otherwise: number): number =>
    value === undefined ? otherwise : Math.min(Math.max(value < 0 ? value + length : value, lowest), highest);
  const indices: number[] = [];
  const end = clamp(stop, step > 0 ? highest : lowest);
  for (let i = clamp(start, step > 0 ? lowest : highest); step > 0 ? i < end : i > end; i += step) indices.push(i);
  return indices;
}

function item(object: Value, key: Value): Value | undefined {
  if (object instanceof Map) return object.get(keyOf(key));
  if (object instanceof Namespace) return isText(key) ? object.values.get(text(key)) : undefined;
  const index = numeric(key);
  if (index === undefined || !Number.isInteger(index)) return undefined;
  if (isText(object)) return characterAt(text(object), index);
  if (Array.isArray(object)) return object.at(index);
  return object instanceof Tuple ? object.items.at(index) : undefined;
}

function characterAt(value: string, index: number): string | undefined {
  // Without surrogates a code unit is a character.
  return /[\ud800-\udfff]/.test(value) ? characters(value).at(index) : value.at(index);
}

function method(object: Value, name: string): Value | undefined {
  if (isText(object)) {
    const found = textMethods.get(name);
    if (found === undefined) return undefined;
    const rewrap = (result: Value): Value =>
      object instanceof Markup && typeof result === 'string' ? new Markup(result) : result;
    return new Callable(name, (args) => rewrap(found(text(object), args)));
  }
  if (changing.has(`${typeName(object)}.${name}`)) return unsafe(object, name);
  if (object instanceof Map) {
    const found = dictMethods.get(name);
    return found === undefined ? undefined : new Callable(name, (args) => found(object, args));
  }
  if (Array.isArray(object) || object instanceof Tuple) {
    const items = iterate(object);
    if (name === 'count') {
      return new Callable(name, (args) => items.filter((each) => equal(each, required(args, 0, 'value'))).length);
    }
    if (name === 'copy' && Array.isArray(object)) return new Callable(name, () => [...items]);
    if (name === 'index') {
      return new Callable(name, (args) => {
        const found = items.findIndex((each) => equal(each, required(args, 0, 'value')));
        if (found < 0) throw new TemplateFailure(`${repr(required(args, 0, 'value'))} is not in list`);
        return found;
      });
    }
  }
  return undefined;
}

function missing(object: Value, key: Value): Undefined {
  if (object === null)
    return new Undefined(isText(key) ? `'None' has no attribute '${text(key)}'` : `None has no element ${repr(key)}`);
  const owner = `${object instanceof Namespace ? 'jinja2.utils.Namespace' : typeName(object)} object`;
  return new Undefined(
    isText(key) ? `'${owner}' has no attribute '${text(key)}'` : `${owner} has no element ${repr(key)}`,
  );
}

/** Harmless until it is used. */
function unsafe(object: Value, name: string): Undefined {
  return new Undefined(`access to attribute '${name}' of '${typeName(object)}' object is unsafe.`);
}
