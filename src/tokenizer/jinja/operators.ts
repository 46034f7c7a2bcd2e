// Binary and unary operators of expressions, with Python's rules and Python's complaints.

import {
  Float,
  Lazy,
  Markup,
  TemplateFailure,
  Tuple,
  Undefined,
  bounded,
  boundedList,
  compare,
  equal,
  isText,
  iterate,
  keyOf,
  maxText,
  numeric,
  text,
  truth,
  typeName,
  undefinedError,
} from './values.ts';
import type { Value } from './values.ts';
import { escapeHtml } from './markup.ts';
import { formatPercent } from './format.ts';

export function unary(operator: string, value: Value): Value {
  if (operator === 'not') return !truth(value);
  if (value instanceof Undefined) throw undefinedError(value);
  const number = numeric(value);
  if (number === undefined) throw new TemplateFailure(`bad operand type for unary ${operator}: '${typeName(value)}'`);
  const result = operator === '-' ? -number : number;
  return value instanceof Float ? new Float(result) : result === 0 ? 0 : result;
}

/** Every operator but `and` and `or`, which look at one side only. */
export function binary(operator: string, left: Value, right: Value): Value {
  switch (operator) {
    case '==':
      return equal(left, right);
    case '!=':
      return !equal(left, right);
    case '~':
      return bounded(text(left) + text(right));
    case 'in':
      return contains(right, left);
    case 'not in':
      return !contains(right, left);
    default:
      break;
  }
  for (const side of [left, right]) if (side instanceof Undefined) throw undefinedError(side);
  switch (operator) {
    case '<':
      return compare(left, right, operator) < 0;
    case '<=':
      return compare(left, right, operator) <= 0;
    case '>':
      return compare(left, right, operator) > 0;
    case '>=':
      return compare(left, right, operator) >= 0;
    case '+':
      return add(left, right);
    case '%':
      if (isText(left)) return formatPercent(text(left), right);
      break;
    case '*':
      if (typeof right === 'number' && numeric(left) === undefined) return repeat(left, right);
      if (typeof left === 'number' && numeric(right) === undefined) return repeat(right, left);
      break;
    default:
      break;
  }
  return arithmetic(operator, left, right);
}

function add(left: Value, right: Value): Value {
  if (left instanceof Markup && isText(right)) return new Markup(bounded(left.text + safeText(right)));
  if (right instanceof Markup && isText(left)) return new Markup(bounded(safeText(left) + right.text));
  if (typeof left === 'string') {
    if (typeof right === 'string') return bounded(left + right);
    throw new TemplateFailure(`can only concatenate str (not "${typeName(right)}") to str`);
  }
  if (Array.isArray(left)) {
    if (Array.isArray(right)) return boundedList([...left, ...right]);
    throw new TemplateFailure(`can only concatenate list (not "${typeName(right)}") to list`);
  }
  if (left instanceof Tuple && right instanceof Tuple) return new Tuple(boundedList([...left.items, ...right.items]));
  return arithmetic('+', left, right);
}

function safeText(value: string | Markup): string {
  return value instanceof Markup ? value.text : escapeHtml(value);
}

function repeat(value: Value, times: number): Value {
  const count = Math.max(0, Math.trunc(times));
  if (isText(value)) {
    const unit = text(value);
    if (unit.length * count > maxText) throw new TemplateFailure('the template makes a text that is too long');
    return value instanceof Markup ? new Markup(unit.repeat(count)) : unit.repeat(count);
  }
  if (Array.isArray(value)) {
    const items: Value[] = [];
    for (let i = 0; i < count && value.length > 0; i++) boundedList(items).push(...value);
    return boundedList(items);
  }
  throw new TemplateFailure(`can't multiply sequence by non-int of type '${typeName(value)}'`);
}

function arithmetic(operator: string, left: Value, right: Value): Value {
  const [a, b] = [numeric(left), numeric(right)];
  if (a === undefined || b === undefined) {
    throw new TemplateFailure(
      `unsupported operand type(s) for ${operator}: '${typeName(left)}' and '${typeName(right)}'`,
    );
  }
  const isFloat = left instanceof Float || right instanceof Float;
  const made = (value: number): Value => (isFloat ? new Float(value) : value === 0 ? 0 : value);
  switch (operator) {
    case '+':
      return made(a + b);
    case '-':
      return made(a - b);
    case '*':
      return made(a * b);
    case '**':
      return b < 0 ? new Float(a ** b) : made(a ** b);
    case '/':
    case '//':
    case '%':
      if (b === 0) throw new TemplateFailure('division by zero');
      if (operator === '/') return new Float(a / b);
      // The remainder has the sign of the divisor.
      return made(operator === '//' ? Math.floor(a / b) : a - b * Math.floor(a / b));
    default:
      throw new TemplateFailure(`unknown operator ${operator}`);
  }
}

function contains(container: Value, item: Value): boolean {
  if (isText(container)) {
    if (isText(item)) return text(container).includes(text(item));
    if (item instanceof Undefined) throw undefinedError(item);
    throw new TemplateFailure(`'in <string>' requires string as left operand, not ${typeName(item)}`);
  }
  if (container instanceof Map) return !(item instanceof Undefined) && container.has(keyOf(item));
  if (
    Array.isArray(container) ||
    container instanceof Tuple ||
    container instanceof Lazy ||
    container instanceof Undefined
  ) {
    return iterate(container).some((each) => equal(each, item));
  }
  throw new TemplateFailure(`argument of type '${typeName(container)}' is not iterable`);
}
