// Methods of str: the white space, splitting and case rules are Python's, positions count code points.

import { integerArgument, required, textArgument } from './arguments.ts';
import { formatBraces, padded } from './format.ts';
import { TemplateFailure, Tuple, bounded, boundedList, characters, isText, iterate, text, typeName } from './values.ts';
import type { Arguments, Value } from './values.ts';

type Method = (self: string, args: Arguments) => Value;

/** What `str.isspace` and a bare `strip` mean by white space. */
const blank = String.raw`\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000`;
const leadingBlank = new RegExp(`^[${blank}]+`);
const words = new RegExp(`[^${blank}]+`, 'g');

export function strip(value: string, side: 'both' | 'left' | 'right', stripped?: string): string {
  const set = stripped === undefined ? undefined : new Set(stripped);
  const goes = set === undefined ? (c: string): boolean => leadingBlank.test(c) : (c: string): boolean => set.has(c);
  let start = 0;
  let end = value.length;
  for (let more = side !== 'right'; more && start < end;) {
    const character = String.fromCodePoint(value.codePointAt(start) ?? 0);
    more = goes(character);
    if (more) start += character.length;
  }
  for (let more = side !== 'left'; more && end > start;) {
    const isPair = /[\ud800-\udbff]/.test(value[end - 2] ?? '') && /[\udc00-\udfff]/.test(value[end - 1]);
    const character = value.slice(end - (isPair ? 2 : 1), end);
    more = goes(character);
    if (more) end -= character.length;
  }
  return value.slice(start, end);
}

export function replaceText(value: string, old: string, replacement: string, count = -1): string {
  if (old === '') {
    const pieces = characters(value);
    const times = count < 0 ? pieces.length + 1 : Math.min(count, pieces.length + 1);
    const head = pieces
      .slice(0, times)
      .map((c) => replacement + c)
      .join('');
    return bounded(head + pieces.slice(times).join('') + (times > pieces.length ? replacement : ''));
  }
  const pieces = value.split(old);
  if (count < 0 || count >= pieces.length - 1) {
    checkGrowth(value, replacement, pieces.length - 1);
    return bounded(pieces.join(replacement));
  }
  checkGrowth(value, replacement, count);
  return bounded(
    pieces.slice(0, count + 1).join(replacement) +
      pieces
        .slice(count + 1)
        .map((piece) => old + piece)
        .join(''),
  );
}

/** Looks at the size before it is made. */
function checkGrowth(value: string, replacement: string, times: number): void {
  if (value.length + replacement.length * times > 1 << 27)
    throw new TemplateFailure('the template makes a text that is too long');
}

export function capitalize(value: string): string {
  const first = value === '' ? '' : String.fromCodePoint(value.codePointAt(0) ?? 0);
  return first.toUpperCase() + value.slice(first.length).toLowerCase();
}

/** Every kind of line end that Python knows; `\r\n` is one. */
const lineEnds: ReadonlySet<string> = new Set('\n\r\v\f\u001c\u001d\u001e\u0085\u2028\u2029');

export function splitLines(value: string, keepsEnds = false): string[] {
  const lines: string[] = [];
  let start = 0;
  for (let at = 0; at < value.length; at++) {
    if (!lineEnds.has(value[at])) continue;
    const next = value[at] === '\r' && value[at + 1] === '\n' ? at + 2 : at + 1;
    lines.push(value.slice(start, keepsEnds ? next : at));
    start = next;
    at = next - 1;
  }
  if (start < value.length) lines.push(value.slice(start));
  return boundedList(lines);
}

function split(self: string, args: Arguments): Value {
  const separator = textArgument(args, 0, 'sep');
  const limit = integerArgument(args, 1, 'maxsplit') ?? -1;
  if (separator === '') throw new TemplateFailure('empty separator');
  if (separator !== undefined) {
    const pieces = self.split(separator);
    if (limit < 0 || pieces.length <= limit + 1) return boundedList(pieces);
    return boundedList([...pieces.slice(0, limit), pieces.slice(limit).join(separator)]);
  }
  const pieces: string[] = [];
  for (const match of self.matchAll(words)) {
    if (limit >= 0 && pieces.length >= limit) {
      pieces.push(self.slice(match.index));
      break;
    }
    pieces.push(match[0]);
  }
  return boundedList(pieces);
}

function splitFromRight(self: string, args: Arguments): Value {
  const separator = textArgument(args, 0, 'sep');
  const limit = integerArgument(args, 1, 'maxsplit') ?? -1;
  if (separator === '') throw new TemplateFailure('empty separator');
  if (separator !== undefined) {
    const pieces = self.split(separator);
    if (limit < 0 || pieces.length <= limit + 1) return boundedList(pieces);
    const head = pieces.slice(0, pieces.length - limit).join(separator);
    return boundedList([head, ...pieces.slice(pieces.length - limit)]);
  }
  const all = [...self.matchAll(words)];
  if (limit < 0 || all.length <= limit) return boundedList(all.map((match) => match[0]));
  const kept = all.slice(all.length - limit);
  const before = strip(self.slice(0, kept[0]?.index ?? self.length), 'both');
  return boundedList(before === '' ? kept.map((match) => match[0]) : [before, ...kept.map((match) => match[0])]);
}

function partition(self: string, at: number, separator: string): Value {
  if (separator === '') throw new TemplateFailure('empty separator');
  return new Tuple([self.slice(0, at), separator, self.slice(at + separator.length)]);
}

function affixed(args: Arguments, test: (affix: string) => boolean, name: string): boolean {
  const value = required(args, 0, name);
  const choices = value instanceof Tuple ? value.items : [value];
  return choices.some((choice) => {
    if (!isText(choice)) {
      throw new TemplateFailure(`${name} first arg must be str or a tuple of str, not ${typeName(choice)}`);
    }
    return test(text(choice));
  });
}

function position(self: string, found: number): number {
  return found < 0 ? -1 : characters(self.slice(0, found)).length;
}

const sought = (args: Arguments): string => textOf(required(args, 0, 'sub'));

function textOf(value: Value): string {
  if (!isText(value)) throw new TemplateFailure(`must be str, not ${typeName(value)}`);
  return text(value);
}

const every =
  (pattern: RegExp): Method =>
  (self) =>
    self !== '' && pattern.test(self);

const width = (args: Arguments): number => integerArgument(args, 0, 'width') ?? 0;
const fill = (args: Arguments): string => textArgument(args, 1, 'fillchar') ?? ' ';

export const textMethods: ReadonlyMap<string, Method> = new Map<string, Method>([
  ['strip', (self, args) => strip(self, 'both', textArgument(args, 0, 'chars'))],
  ['lstrip', (self, args) => strip(self, 'left', textArgument(args, 0, 'chars'))],
  ['rstrip', (self, args) => strip(self, 'right', textArgument(args, 0, 'chars'))],
  ['upper', (self) => self.toUpperCase()],
  ['lower', (self) => self.toLowerCase()],
  ['casefold', (self) => self.toLowerCase()],
  ['capitalize', capitalize],
  ['title', (self) => self.replaceAll(/\p{L}+/gu, capitalize)],
  [
    'swapcase',
    (self) =>
      characters(self)
        .map((c) => (c === c.toUpperCase() ? c.toLowerCase() : c.toUpperCase()))
        .join(''),
  ],
  ['split', split],
  ['rsplit', splitFromRight],
  [
    'splitlines',
    (self, args) => splitLines(self, args.positional[0] === true || args.keywords.get('keepends') === true),
  ],
  [
    'replace',
    (self, args) =>
      replaceText(
        self,
        textOf(required(args, 0, 'old')),
        textOf(required(args, 1, 'new')),
        integerArgument(args, 2, 'count') ?? -1,
      ),
  ],
  ['startswith', (self, args) => affixed(args, (affix) => self.startsWith(affix), 'startswith')],
  ['endswith', (self, args) => affixed(args, (affix) => self.endsWith(affix), 'endswith')],
  ['removeprefix', (self, args) => (self.startsWith(sought(args)) ? self.slice(sought(args).length) : self)],
  [
    'removesuffix',
    (self, args) => (sought(args) !== '' && self.endsWith(sought(args)) ? self.slice(0, -sought(args).length) : self),
  ],
  ['find', (self, args) => position(self, self.indexOf(sought(args)))],
  ['rfind', (self, args) => position(self, self.lastIndexOf(sought(args)))],
  ['index', (self, args) => present(position(self, self.indexOf(sought(args))))],
  ['rindex', (self, args) => present(position(self, self.lastIndexOf(sought(args))))],
  ['count', (self, args) => (sought(args) === '' ? characters(self).length + 1 : self.split(sought(args)).length - 1)],
  [
    'partition',
    (self, args) => {
      const at = self.indexOf(sought(args));
      return at < 0 ? new Tuple([self, '', '']) : partition(self, at, sought(args));
    },
  ],
  [
    'rpartition',
    (self, args) => {
      const at = self.lastIndexOf(sought(args));
      return at < 0 ? new Tuple(['', '', self]) : partition(self, at, sought(args));
    },
  ],
  [
    'join',
    (self, args) =>
      bounded(
        iterate(required(args, 0, 'iterable'))
          .map(textOf)
          .join(self),
      ),
  ],
  ['format', (self, args) => formatBraces(self, args)],
  ['zfill', (self, args) => padded(self, '>', '0', width(args))],
  ['ljust', (self, args) => padded(self, '<', fill(args), width(args))],
  ['rjust', (self, args) => padded(self, '>', fill(args), width(args))],
  ['center', (self, args) => padded(self, '^', fill(args), width(args))],
  ['isdigit', every(/^[\p{Nd}\u00b2\u00b3\u00b9\u2070\u2074-\u2079\u2080-\u2089]+$/u)],
  ['isdecimal', every(/^\p{Nd}+$/u)],
  ['isnumeric', every(/^\p{N}+$/u)],
  ['isalpha', every(/^\p{L}+$/u)],
  ['isalnum', every(/^[\p{L}\p{N}]+$/u)],
  ['isspace', every(new RegExp(`^[${blank}]+$`))],
  ['isascii', (self) => characters(self).every((c) => c <= '\u007f')],
  ['isupper', (self) => self === self.toUpperCase() && self !== self.toLowerCase()],
  ['islower', (self) => self === self.toLowerCase() && self !== self.toUpperCase()],
]);

function present(found: number): number {
  if (found < 0) throw new TemplateFailure('substring not found');
  return found;
}
