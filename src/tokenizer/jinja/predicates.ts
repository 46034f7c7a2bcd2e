// Tests: what may follow `is`, and be named to `select`, `reject` and their kin.

import { required } from './arguments.ts';
import { binary } from './operators.ts';
import {
  Callable,
  Float,
  Lazy,
  Markup,
  TemplateFailure,
  Tuple,
  Undefined,
  equal,
  isText,
  numeric,
  text,
  typeName,
  undefinedError,
} from './values.ts';
import type { Arguments, Value } from './values.ts';

export type Test = (value: Value, args: Arguments) => boolean;

const isString: Test = (value) => isText(value);
const relation =
  (operator: string): Test =>
  (value, args) =>
    binary(operator, value, required(args, 0, 'other')) === true;
const remainder = (value: Value, by: Value): Value => {
  if (value instanceof Undefined) throw undefinedError(value);
  if (numeric(value) === undefined)
    throw new TemplateFailure(`unsupported operand type(s) for %: '${typeName(value)}' and 'int'`);
  return binary('%', value, by);
};
const isListLike = (value: Value): boolean =>
  Array.isArray(value) || value instanceof Tuple || value instanceof Map || isText(value) || value instanceof Undefined;

export const tests: ReadonlyMap<string, Test> = new Map<string, Test>([
  ['defined', (value) => !(value instanceof Undefined)],
  ['undefined', (value) => value instanceof Undefined],
  ['none', (value) => value === null],
  ['boolean', (value) => typeof value === 'boolean'],
  ['true', (value) => value === true],
  ['false', (value) => value === false],
  ['integer', (value) => typeof value === 'number'],
  ['float', (value) => value instanceof Float],
  ['number', (value) => numeric(value) !== undefined],
  ['string', isString],
  ['mapping', (value) => value instanceof Map],
  ['sequence', isListLike],
  ['iterable', (value) => isListLike(value) || value instanceof Lazy],
  ['callable', (value) => value instanceof Callable],
  ['escaped', (value) => value instanceof Markup],
  ['lower', (value) => text(value) === text(value).toLowerCase() && text(value) !== text(value).toUpperCase()],
  ['upper', (value) => text(value) === text(value).toUpperCase() && text(value) !== text(value).toLowerCase()],
  ['odd', (value) => equal(remainder(value, 2), 1)],
  ['even', (value) => equal(remainder(value, 2), 0)],
  ['divisibleby', (value, args) => equal(remainder(value, required(args, 0, 'num')), 0)],
  ['sameas', (value, args) => value === required(args, 0, 'other')],
  ['in', (value, args) => binary('in', value, required(args, 0, 'seq')) === true],
  ...['eq', 'equalto', '=='].map((name) => [name, relation('==')] as const),
  ...['ne', '!='].map((name) => [name, relation('!=')] as const),
  ...['lt', 'lessthan', '<'].map((name) => [name, relation('<')] as const),
  ...['le', '<='].map((name) => [name, relation('<=')] as const),
  ...['gt', 'greaterthan', '>'].map((name) => [name, relation('>')] as const),
  ...['ge', '>='].map((name) => [name, relation('>=')] as const),
]);

export function findTest(name: string): Test {
  const test = tests.get(name);
  if (test === undefined) throw new TemplateFailure(`No test named '${name}'.`);
  return test;
}
