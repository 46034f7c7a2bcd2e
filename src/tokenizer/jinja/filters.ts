// Filters (Jinja 3.1, "List of Builtin Filters"), those that chat templates use and their near relatives.

import { argument, integerArgument, required, textArgument } from './arguments.ts';
import { attribute as attributeOf, dictItems, subscript } from './attributes.ts';
import { formatPercent } from './format.ts';
import { toJson } from './json.ts';
import { escapeHtml } from './markup.ts';
import { findTest } from './predicates.ts';
import { capitalize, replaceText, splitLines, strip } from './text-methods.ts';
import {
  Float,
  Lazy,
  Markup,
  TemplateFailure,
  Tuple,
  Undefined,
  bounded,
  characters,
  compare,
  equal,
  floatText,
  isText,
  iterate,
  length,
  numeric,
  text,
  truth,
  typeName,
  undefinedError,
} from './values.ts';
import { binary } from './operators.ts';
import type { Arguments, Value } from './values.ts';

export type Filter = (value: Value, args: Arguments) => Value;

/** Text in, text out; marked text stays marked. */
const onText =
  (change: (value: string, args: Arguments) => string): Filter =>
  (value, args) => {
    const changed = bounded(change(text(value), args));
    return value instanceof Markup ? new Markup(changed) : changed;
  };

const filters: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ['string', (value) => (value instanceof Markup ? value : text(value))],
  ['safe', (value) => new Markup(text(value))],
  ['escape', escape],
  ['e', escape],
  ['trim', onText((value, args) => strip(value, 'both', textArgument(args, 0, 'chars')))],
  ['upper', onText((value) => value.toUpperCase())],
  ['lower', onText((value) => value.toLowerCase())],
  ['capitalize', onText(capitalize)],
  [
    'title',
    onText((value) =>
      value
        .split(/([-\s({[<]+)/u)
        .map(capitalize)
        .join(''),
    ),
  ],
  ['indent', onText(indent)],
  ['replace', replace],
  [
    'format',
    (value, args) =>
      formatPercent(text(value), args.keywords.size > 0 ? new Map(args.keywords) : new Tuple(args.positional)),
  ],
  ['wordcount', (value) => text(value).match(/[\p{L}\p{N}_]+/gu)?.length ?? 0],
  ['tojson', (value, args) => toJson(value, jsonStyle(args))],
  ['length', (value) => length(value)],
  ['count', (value) => length(value)],
  ['list', (value) => [...iterate(value)]],
  ['first', (value) => edge(value, 0, 'first')],
  ['last', (value) => edge(reversible(value), -1, 'last')],
  [
    'reverse',
    (value) =>
      isText(value) ? characters(text(value)).reverse().join('') : new Lazy([...iterate(reversible(value))].reverse()),
  ],
  ['join', join],
  ['sort', sort],
  ['unique', unique],
  ['min', (value, args) => extreme(value, args, -1)],
  ['max', (value, args) => extreme(value, args, 1)],
  ['sum', sum],
  ['map', map],
  ['select', (value, args) => choose(value, args, false, true)],
  ['reject', (value, args) => choose(value, args, false, false)],
  ['selectattr', (value, args) => choose(value, args, true, true)],
  ['rejectattr', (value, args) => choose(value, args, true, false)],
  ['items', items],
  ['dictsort', dictSort],
  ['attr', (value, args) => attributeOf(value, text(required(args, 0, 'name')))],
  ['default', withDefault],
  ['d', withDefault],
  ['int', toInteger],
  ['float', toFloat],
  [
    'abs',
    (value) => (numericOf(value) < 0 ? (value instanceof Float ? new Float(-value.value) : -numericOf(value)) : value),
  ],
  ['round', round],
]);

export function findFilter(name: string): Filter {
  const filter = filters.get(name);
  if (filter === undefined) throw new TemplateFailure(`No filter named '${name}'.`);
  return filter;
}

function reversible(value: Value): Value {
  if (value instanceof Lazy) throw new TemplateFailure("'generator' object is not reversible");
  return value;
}

function edge(value: Value, at: number, name: string): Value {
  const found = iterate(value).at(at);
  return found === undefined ? new Undefined(`No ${name} item, sequence was empty.`) : found;
}

function escape(value: Value): Value {
  return value instanceof Markup ? value : new Markup(bounded(escapeHtml(text(value))));
}

function indent(value: string, args: Arguments): string {
  const width = argument(args, 0, 'width') ?? 4;
  const unit = isText(width) ? text(width) : text(binary('*', ' ', width));
  const [first, blank] = [argument(args, 1, 'first') ?? false, argument(args, 2, 'blank') ?? false];
  const lines = splitLines(`${value}\n`);
  if (lines.length * unit.length > 1 << 26) throw new TemplateFailure('the template makes a text that is too long');
  const indented = lines.map((line, i) => (i === 0 || (line === '' && !truth(blank)) ? line : unit + line)).join('\n');
  return truth(first) ? unit + indented : indented;
}

function replace(value: Value, args: Arguments): Value {
  return replaceText(
    text(value),
    text(required(args, 0, 'old')),
    text(required(args, 1, 'new')),
    integerArgument(args, 2, 'count') ?? -1,
  );
}

function jsonStyle(args: Arguments): Parameters<typeof toJson>[1] {
  const indent = argument(args, 1, 'indent') ?? null;
  const separators = argument(args, 2, 'separators') ?? null;
  const isIndented = indent !== null;
  const [item, key] = separators === null ? [isIndented ? ',' : ', ', ': '] : iterate(separators).map(text);
  const unit =
    indent === null
      ? undefined
      : isText(indent)
        ? text(indent)
        : ' '.repeat(Math.min(Math.max(numericOf(indent), 0), 100));
  return {
    indent: unit,
    itemSeparator: item ?? ', ',
    keySeparator: key ?? ': ',
    sortsKeys: truth(argument(args, 3, 'sort_keys') ?? false),
    asciiOnly: truth(argument(args, 0, 'ensure_ascii') ?? false),
  };
}

function join(value: Value, args: Arguments): Value {
  const getter = itemGetter(argument(args, 1, 'attribute'));
  const separator = text(argument(args, 0, 'd') ?? '');
  const pieces = iterate(value).map((item) => text(getter(item)));
  if (pieces.length * separator.length > 1 << 26)
    throw new TemplateFailure('the template makes a text that is too long');
  return bounded(pieces.join(separator));
}

/** `a.b.0` -> that path of an item; without a path the item itself. */
function itemGetter(path: Value | undefined, otherwise?: Value): (item: Value) => Value {
  if (path === undefined || path === null) return (item) => item;
  const parts =
    typeof path === 'number'
      ? [path]
      : text(path)
          .split('.')
          .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
  return (item) => {
    let found = item;
    for (const part of parts) found = subscript(found, part);
    return found instanceof Undefined && otherwise !== undefined ? otherwise : found;
  };
}

/** Letters of either case are the same unless `case_sensitive`. */
function folded(isCaseSensitive: Value | undefined): (value: Value) => Value {
  return (value) => (isText(value) && !truth(isCaseSensitive ?? false) ? text(value).toLowerCase() : value);
}

/** Equal things need no order: two `None` may stand side by side. */
function order(a: Value, b: Value): number {
  return equal(a, b) ? 0 : compare(a, b);
}

function sort(value: Value, args: Arguments): Value {
  const fold = folded(argument(args, 1, 'case_sensitive'));
  const getter = itemGetter(argument(args, 2, 'attribute'));
  const sign = truth(argument(args, 0, 'reverse') ?? false) ? -1 : 1;
  return [...iterate(value)].sort((a, b) => sign * order(fold(getter(a)), fold(getter(b))));
}

function unique(value: Value, args: Arguments): Value {
  const fold = folded(argument(args, 0, 'case_sensitive'));
  const getter = itemGetter(argument(args, 1, 'attribute'));
  const seen = new Set<string | number | boolean | null>();
  const others: Value[] = [];
  const kept = iterate(value).filter((item) => {
    const key = fold(getter(item));
    if (key === null || typeof key !== 'object') return seen.has(key) ? false : seen.add(key);
    if (others.some((other) => equal(other, key))) return false;
    others.push(key);
    return true;
  });
  return new Lazy(kept);
}

function extreme(value: Value, args: Arguments, sign: number): Value {
  const fold = folded(argument(args, 0, 'case_sensitive'));
  const getter = itemGetter(argument(args, 1, 'attribute'));
  const all = iterate(value);
  if (all.length === 0) return new Undefined('No aggregated item, sequence was empty.');
  return all.reduce((best, item) => (sign * compare(fold(getter(item)), fold(getter(best))) > 0 ? item : best));
}

function sum(value: Value, args: Arguments): Value {
  const getter = itemGetter(argument(args, 0, 'attribute'));
  return iterate(value).reduce<Value>(
    (total, item) => binary('+', total, getter(item)),
    argument(args, 1, 'start') ?? 0,
  );
}

function map(value: Value, args: Arguments): Value {
  const path = args.keywords.get('attribute');
  if (path !== undefined) return new Lazy(iterate(value).map(itemGetter(path, args.keywords.get('default'))));
  const [name, ...rest] = args.positional;
  if (name === undefined) throw new TemplateFailure('map requires a filter argument');
  const filter = findFilter(text(name));
  return new Lazy(iterate(value).map((item) => filter(item, { positional: rest, keywords: args.keywords })));
}

function choose(value: Value, args: Arguments, byAttribute: boolean, keeps: boolean): Value {
  const rest = [...args.positional];
  const getter = byAttribute ? itemGetter(rest.shift() ?? '') : (item: Value): Value => item;
  const name = rest.shift();
  const test =
    name === undefined
      ? truth
      : (item: Value): boolean => findTest(text(name))(item, { positional: rest, keywords: args.keywords });
  return new Lazy(iterate(value).filter((item) => test(getter(item)) === keeps));
}

function items(value: Value): Value {
  if (value instanceof Undefined) return new Lazy([]);
  if (value instanceof Map) return new Lazy(dictItems(value));
  throw new TemplateFailure('Can only get item pairs from a mapping.');
}

function dictSort(value: Value, args: Arguments): Value {
  if (!(value instanceof Map)) throw new TemplateFailure(`'${typeName(value)}' object has no attribute 'items'`);
  const fold = folded(argument(args, 0, 'case_sensitive'));
  const by = text(argument(args, 1, 'by') ?? 'key') === 'value' ? 1 : 0;
  const sign = truth(argument(args, 2, 'reverse') ?? false) ? -1 : 1;
  return dictItems(value).sort((a, b) => sign * order(fold(a.items[by]), fold(b.items[by])));
}

function withDefault(value: Value, args: Arguments): Value {
  const given = argument(args, 0, 'default_value');
  const otherwise = given === undefined ? '' : given;
  const isMissing = value instanceof Undefined || (truth(argument(args, 1, 'boolean') ?? false) && !truth(value));
  return isMissing ? otherwise : value;
}

function numericOf(value: Value): number {
  if (value instanceof Undefined) throw undefinedError(value);
  const number = numeric(value);
  if (number === undefined) throw new TemplateFailure(`a number is required, not ${typeName(value)}`);
  return number;
}

function toInteger(value: Value, args: Arguments): Value {
  const given = argument(args, 0, 'default');
  const otherwise = given === undefined ? 0 : given;
  if (value instanceof Undefined) throw undefinedError(value);
  if (isText(value)) {
    const base = integerArgument(args, 1, 'base') ?? 10;
    const digits = strip(text(value), 'both').replaceAll(/(?<=\d)_(?=\d)/g, '');
    if (base !== 10) {
      const parsed = Number.parseInt(digits.replace(/^0[xXoObB]/, ''), base);
      return Number.isNaN(parsed) ? otherwise : parsed;
    }
    if (/^[+-]?\d+$/.test(digits)) return Number(digits);
    const float = parseFloatText(digits);
    return float === undefined || !Number.isFinite(float) ? otherwise : Math.trunc(float);
  }
  const number = numeric(value);
  return number === undefined || !Number.isFinite(number) ? otherwise : Math.trunc(number);
}

function toFloat(value: Value, args: Arguments): Value {
  if (value instanceof Undefined) throw undefinedError(value);
  const number = isText(value) ? parseFloatText(strip(text(value), 'both')) : numeric(value);
  const otherwise = argument(args, 0, 'default');
  return number === undefined ? (otherwise === undefined ? new Float(0) : otherwise) : new Float(number);
}

function parseFloatText(value: string): number | undefined {
  return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/.test(value) ? Number(value) : undefined;
}

function round(value: Value, args: Arguments): Value {
  const precision = integerArgument(args, 0, 'precision') ?? 0;
  const method = text(argument(args, 1, 'method') ?? 'common');
  const number = numericOf(value);
  const scale = 10 ** precision;
  if (method === 'ceil') return new Float(Math.ceil(number * scale) / scale);
  if (method === 'floor') return new Float(Math.floor(number * scale) / scale);
  if (precision < 0 || precision > 15) return new Float(Math.round(number * scale) / scale);
  return new Float(Number(roundHalfEven(number, precision)));
}

/** Python rounds the exact binary value; only a true tie goes to the even digit. */
function roundHalfEven(number: number, precision: number): string {
  const scaled = number * 10 ** precision;
  const isTie = Math.abs(scaled % 1) === 0.5 && floatText(scaled).endsWith('.5');
  if (isTie) return String((2 * Math.round(scaled / 2)) / 10 ** precision);
  return number.toFixed(precision);
}
