// `'%s' % value` and `'{}'.format(value)`: the parts of Python's two little formatting languages that templates use.

import {
  Float,
  TemplateFailure,
  Tuple,
  bounded,
  characters,
  floatText,
  integerText,
  numeric,
  repr,
  text,
  typeName,
} from './values.ts';
import type { Arguments, Value } from './values.ts';

/** Widths and precisions beyond this are nobody's. */
const maxWidth = 1000;

/** printf style: flags `-` and `0`, width, precision, and the types s r d i f F x X o %. */
export function formatPercent(pattern: string, value: Value): string {
  const values = value instanceof Tuple ? value.items : [value];
  let next = 0;
  const result = pattern.replaceAll(
    /%(?:\((\w+)\))?([-0 +#]*)(\d+)?(?:\.(\d+))?([a-zA-Z%])/g,
    (
      _,
      name: string | undefined,
      flags: string,
      width: string | undefined,
      precision: string | undefined,
      type: string,
    ) => {
      if (type === '%') return '%';
      let item: Value | undefined;
      if (name !== undefined) item = value instanceof Map ? value.get(name) : undefined;
      else item = values[next++];
      if (item === undefined) throw new TemplateFailure('not enough arguments for format string');
      return padded(
        one(item, type, precision),
        flags.includes('-') ? '<' : '>',
        flags.includes('0') ? '0' : ' ',
        Number(width ?? 0),
      );
    },
  );
  if (next < values.length && !(value instanceof Map))
    throw new TemplateFailure('not all arguments converted during string formatting');
  return bounded(result);
}

/** `{}`, `{0}`, `{name}` with an optional `:` specification of fill, alignment, width, precision and type. */
export function formatBraces(pattern: string, args: Arguments): string {
  let next = 0;
  return bounded(
    pattern.replaceAll(
      /\{\{|\}\}|\{(\w*)(?::([^{}]*))?\}/g,
      (whole, name: string | undefined, specification: string | undefined) => {
        if (whole === '{{') return '{';
        if (whole === '}}') return '}';
        const item =
          name === undefined || name === ''
            ? args.positional[next++]
            : args.keywords.has(name)
              ? args.keywords.get(name)
              : args.positional[Number(name)];
        if (item === undefined)
          throw new TemplateFailure(
            name === undefined || name === '' ? 'Replacement index out of range' : `KeyError: '${name}'`,
          );
        if (specification === undefined || specification === '') return text(item);
        const match = /^(?:(.)?([<>^]))?(0)?(\d+)?(?:\.(\d+))?([a-zA-Z%])?$/u.exec(specification);
        if (match === null) throw new TemplateFailure(`Invalid format specifier '${specification}'`);
        const [, fill, align, zero, width, precision, type] = match;
        const isNumber = numeric(item) !== undefined;
        return padded(
          one(item, type ?? (isNumber && precision !== undefined ? 'f' : 's'), precision),
          align ?? (isNumber ? '>' : '<'),
          fill ?? (zero === undefined ? ' ' : '0'),
          Number(width ?? 0),
        );
      },
    ),
  );
}

function one(item: Value, type: string, precision: string | undefined): string {
  if (type === 's')
    return precision === undefined ? text(item) : characters(text(item)).slice(0, Number(precision)).join('');
  if (type === 'r') return repr(item);
  const number = numeric(item);
  if (number === undefined)
    throw new TemplateFailure(`%${type} format: a real number is required, not ${typeName(item)}`);
  switch (type) {
    case 'd':
    case 'i':
      return integerText(Math.trunc(number));
    case 'f':
    case 'F':
      return number.toFixed(Math.min(Number(precision ?? 6), 100));
    case 'x':
      return Math.trunc(number).toString(16);
    case 'X':
      return Math.trunc(number).toString(16).toUpperCase();
    case 'o':
      return Math.trunc(number).toString(8);
    case 'g':
      return item instanceof Float ? floatText(item.value) : integerText(number);
    default:
      throw new TemplateFailure(`unsupported format character '${type}'`);
  }
}

export function padded(value: string, align: string, fill: string, width: number): string {
  if (width > maxWidth) throw new TemplateFailure(`a width of ${width} is more than ${maxWidth}`);
  const missing = width - characters(value).length;
  if (missing <= 0) return value;
  if (align === '<') return value + fill.repeat(missing);
  if (align === '>')
    return fill === '0' && value.startsWith('-')
      ? `-${fill.repeat(missing)}${value.slice(1)}`
      : fill.repeat(missing) + value;
  const before = Math.floor(missing / 2);
  return fill.repeat(before) + value + fill.repeat(missing - before);
}
