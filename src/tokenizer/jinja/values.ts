// Values as Python sees them, held in JavaScript's: int and bool and str and list and None are number, boolean, string, array and
// null; what has no counterpart has a class here. Texts (`str`, `repr`), truth, equality and order follow Python 3 and Jinja 3.1.

export type Value =
  string | number | boolean | null | Value[] | Float | Markup | Tuple | Lazy | Dict | Namespace | Callable | Undefined;

export type Dict = Map<Key, Value>;
export type Key = string | number | boolean | null;

export class Float {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

/** Text marked as safe: adding plain text to it escapes that text (`markupsafe`). */
export class Markup {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

export class Tuple {
  readonly items: readonly Value[];
  constructor(items: readonly Value[]) {
    this.items = items;
  }
}

/** What `map`, `select` and their kin give: it can be walked once, has no length, and is true even when it is empty. */
export class Lazy {
  #items: readonly Value[];

  constructor(items: readonly Value[]) {
    this.#items = items;
  }

  take(): readonly Value[] {
    const items = this.#items;
    this.#items = [];
    return items;
  }
}

export class Namespace {
  readonly values = new Map<string, Value>();
}

export interface Arguments {
  readonly positional: readonly Value[];
  readonly keywords: ReadonlyMap<string, Value>;
}

export class Callable {
  readonly name: string;
  readonly call: (args: Arguments) => Value;
  constructor(name: string, call: (args: Arguments) => Value) {
    this.name = name;
    this.call = call;
  }
}

/** Prints as nothing and is false; anything else done with it is an error that names it. */
export class Undefined {
  readonly words: string;
  constructor(words: string) {
    this.words = words;
  }
}

/** What went wrong while rendering, in the words that Python would use. */
export class TemplateFailure extends Error {
  override readonly name = 'TemplateFailure';
}

/** No text or list of one rendering may grow beyond this (characters, items). */
export const maxText = 1 << 26;
export const maxItems = 1 << 20;

export function bounded(text: string): string {
  if (text.length > maxText) throw new TemplateFailure('the template makes a text that is too long');
  return text;
}

export function boundedList<T>(items: T[]): T[] {
  if (items.length > maxItems) throw new TemplateFailure('the template makes a list that is too long');
  return items;
}

export function undefinedError(value: Undefined): TemplateFailure {
  return new TemplateFailure(value.words);
}

/** JSON-like data -> value. */
export function fromData(data: unknown, depth = 0): Value {
  if (depth > 256) throw new TemplateFailure('the data is nested too deeply');
  if (data === undefined) return new Undefined('a variable is undefined');
  if (data === null || typeof data === 'string' || typeof data === 'boolean') return data;
  if (typeof data === 'number') return Number.isInteger(data) ? data : new Float(data);
  if (typeof data === 'bigint') return Number(data);
  if (Array.isArray(data)) return data.map((item) => fromData(item, depth + 1));
  if (typeof data === 'object') {
    return new Map(
      Object.entries(data)
        .filter(([, value]) => value !== undefined)
        .map(([key, value]) => [key, fromData(value, depth + 1)]),
    );
  }
  throw new TemplateFailure(`a ${typeof data} cannot be given to a template`);
}

export function isText(value: Value): value is string | Markup {
  return typeof value === 'string' || value instanceof Markup;
}

export function typeName(value: Value): string {
  if (value === null) return 'NoneType';
  if (typeof value === 'string') return 'str';
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'number') return 'int';
  if (Array.isArray(value)) return 'list';
  if (value instanceof Map) return 'dict';
  if (value instanceof Float) return 'float';
  if (value instanceof Markup) return 'Markup';
  if (value instanceof Tuple) return 'tuple';
  if (value instanceof Lazy) return 'generator';
  if (value instanceof Undefined) return 'Undefined';
  return value instanceof Namespace ? 'Namespace' : 'function';
}

export function truth(value: Value): boolean {
  if (value === null || value instanceof Undefined) return false;
  if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number') return Boolean(value);
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Map) return value.size > 0;
  if (value instanceof Float) return value.value !== 0;
  if (value instanceof Markup) return value.text !== '';
  if (value instanceof Tuple) return value.items.length > 0;
  return true;
}

/** `str(value)` */
export function text(value: Value): string {
  if (typeof value === 'string') return value;
  if (value instanceof Markup) return value.text;
  if (value instanceof Undefined) return '';
  return repr(value);
}

export function repr(value: Value, depth = 0): string {
  if (depth > 256) throw new TemplateFailure('maximum recursion depth exceeded');
  if (value === null) return 'None';
  if (typeof value === 'boolean') return value ? 'True' : 'False';
  if (typeof value === 'number') return integerText(value);
  if (typeof value === 'string') return quoted(value);
  if (Array.isArray(value)) return bounded(`[${value.map((item) => repr(item, depth + 1)).join(', ')}]`);
  if (value instanceof Map) {
    return bounded(`{${[...value].map(([key, item]) => `${repr(key)}: ${repr(item, depth + 1)}`).join(', ')}}`);
  }
  if (value instanceof Float) return floatText(value.value);
  if (value instanceof Markup) return `Markup(${quoted(value.text)})`;
  if (value instanceof Tuple) {
    const items = value.items.map((item) => repr(item, depth + 1));
    return bounded(items.length === 1 ? `(${items[0]},)` : `(${items.join(', ')})`);
  }
  if (value instanceof Undefined) return 'Undefined';
  if (value instanceof Callable) return `<function ${value.name}>`;
  return `<${typeName(value)} object>`;
}

export function integerText(value: number): string {
  return Math.abs(value) < 1e21 ? String(value === 0 ? 0 : value) : BigInt(value).toString();
}

/** The shortest digits that read back as the same double; an exponent below 1e-4 and from 1e16 on. */
export function floatText(value: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (value === 0) return Object.is(value, -0) ? '-0.0' : '0.0';
  const size = Math.abs(value);
  if (size >= 1e16 || size < 1e-4) {
    const [digits, exponent] = value.toExponential().split('e');
    const power = Number(exponent);
    return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
  }
  return Number.isInteger(value) ? `${value}.0` : String(value);
}

const escapes: Readonly<Record<string, string>> = {
  '\n': String.raw`\n`,
  '\r': String.raw`\r`,
  '\t': String.raw`\t`,
  '\\': '\\\\',
};

function quoted(value: string): string {
  const quote = value.includes("'") && !value.includes('"') ? '"' : "'";
  let body = '';
  for (const character of value) {
    if (character === quote) body += `\\${quote}`;
    else if (escapes[character] !== undefined) body += escapes[character];
    else if (character !== ' ' && /[\p{C}\p{Z}]/u.test(character)) body += codeEscape(character.codePointAt(0) ?? 0);
    else body += character;
  }
  return quote + body + quote;
}

function codeEscape(code: number): string {
  if (code < 0x100) return `\\x${code.toString(16).padStart(2, '0')}`;
  return code < 0x10000 ? `\\u${code.toString(16).padStart(4, '0')}` : `\\U${code.toString(16).padStart(8, '0')}`;
}

/** Python counts bool as a number. */
export function numeric(value: Value): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  return value instanceof Float ? value.value : undefined;
}

export function equal(a: Value, b: Value, depth = 0): boolean {
  if (a === b) return true;
  if (depth > 256) throw new TemplateFailure('maximum recursion depth exceeded in comparison');
  const [x, y] = [numeric(a), numeric(b)];
  if (x !== undefined || y !== undefined) return x === y;
  if (isText(a) && isText(b)) return text(a) === text(b);
  if (Array.isArray(a) && Array.isArray(b))
    return a.length === b.length && a.every((item, i) => equal(item, b[i], depth + 1));
  if (a instanceof Tuple && b instanceof Tuple) {
    return a.items.length === b.items.length && a.items.every((item, i) => equal(item, b.items[i], depth + 1));
  }
  if (a instanceof Map && b instanceof Map) {
    return a.size === b.size && [...a].every(([key, item]) => b.has(key) && equal(item, b.get(key) ?? null, depth + 1));
  }
  return a instanceof Undefined && b instanceof Undefined;
}

/** Negative, zero or positive; throws where Python has no order. */
export function compare(a: Value, b: Value, operator = '<'): number {
  const [x, y] = [numeric(a), numeric(b)];
  if (x !== undefined && y !== undefined) return x - y;
  if (isText(a) && isText(b)) return compareText(text(a), text(b));
  if (a instanceof Undefined) throw undefinedError(a);
  if (b instanceof Undefined) throw undefinedError(b);
  const left = Array.isArray(a) ? a : a instanceof Tuple ? a.items : undefined;
  const right = Array.isArray(b) ? b : b instanceof Tuple ? b.items : undefined;
  if (left !== undefined && right !== undefined && typeName(a) === typeName(b)) {
    for (let i = 0; i < Math.min(left.length, right.length); i++) {
      if (!equal(left[i], right[i])) return compare(left[i], right[i], operator);
    }
    return left.length - right.length;
  }
  throw new TemplateFailure(`'${operator}' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`);
}

/** A text as Python counts it: one string per code point. */
export function characters(value: string): string[] {
  return Array.from(value);
}

/** By code points: UTF-16 order differs above U+FFFF. */
export function compareText(a: string, b: string): number {
  const shorter = Math.min(a.length, b.length);
  let at = 0;
  while (at < shorter && a.charCodeAt(at) === b.charCodeAt(at)) at++;
  if (at === shorter) return a.length - b.length;
  const [x, y] = [a.charCodeAt(at), b.charCodeAt(at)];
  const isPair = (unit: number): boolean => unit >= 0xd800 && unit < 0xe000;
  return isPair(x) === isPair(y) ? x - y : isPair(x) ? 1 : -1;
}

/** The items that `for` would see. */
export function iterate(value: Value): readonly Value[] {
  if (Array.isArray(value)) return value;
  if (value instanceof Tuple) return value.items;
  if (value instanceof Map) return [...value.keys()];
  if (isText(value)) return boundedList(characters(text(value)));
  if (value instanceof Undefined) return [];
  if (value instanceof Lazy) return value.take();
  throw new TemplateFailure(`'${typeName(value)}' object is not iterable`);
}

export function length(value: Value): number {
  if (isText(value)) return codePoints(text(value));
  if (value instanceof Map) return value.size;
  if (Array.isArray(value)) return value.length;
  if (value instanceof Tuple) return value.items.length;
  if (value instanceof Undefined) return 0;
  throw new TemplateFailure(`object of type '${typeName(value)}' has no len()`);
}

function codePoints(value: string): number {
  let count = value.length;
  for (let i = 0; i < value.length - 1; i++) {
    const code = value.charCodeAt(i);
    if (code >= 0xd800 && code < 0xdc00) {
      const next = value.charCodeAt(i + 1);
      if (next >= 0xdc00 && next < 0xe000) count--;
    }
  }
  return count;
}

export function keyOf(value: Value): Key {
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
    return value;
  if (value instanceof Markup) return value.text;
  if (value instanceof Float) return value.value;
  throw new TemplateFailure(`unhashable type: '${typeName(value)}'`);
}
