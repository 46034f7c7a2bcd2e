// Source of a template -> tree. Reading is @huggingface/jinja's work; this file names the shapes of its tree, bounds what a hostile
// file may ask for, and adds what its grammar lacks: tests with arguments, tuples of none or one.

import { parse, tokenize } from '@huggingface/jinja';
import { resolveSource } from './source.ts';

export interface Named {
  readonly type: 'Identifier';
  readonly value: string;
}

export interface Call {
  readonly type: 'CallExpression';
  readonly callee: Expression;
  readonly args: readonly Argument[];
}

export type Argument =
  | Expression
  | { readonly type: 'KeywordArgumentExpression'; readonly key: Named; readonly value: Expression }
  | { readonly type: 'SpreadExpression'; readonly argument: Expression }
  | { readonly type: 'KeywordSpreadExpression'; readonly argument: Expression };

export type Parameter =
  Named | { readonly type: 'KeywordArgumentExpression'; readonly key: Named; readonly value: Expression };

export interface Slice {
  readonly type: 'SliceExpression';
  readonly start?: Expression;
  readonly stop?: Expression;
  readonly step?: Expression;
}

export type Expression =
  | Named
  | Call
  | { readonly type: 'StringLiteral'; readonly value: string }
  | { readonly type: 'IntegerLiteral' | 'FloatLiteral'; readonly value: number }
  | { readonly type: 'ArrayLiteral' | 'TupleLiteral'; readonly value: readonly Expression[] }
  | { readonly type: 'ObjectLiteral'; readonly value: ReadonlyMap<Expression, Expression> }
  | {
      readonly type: 'MemberExpression';
      readonly object: Expression;
      readonly property: Expression | Slice;
      readonly computed: boolean;
    }
  | { readonly type: 'UnaryExpression'; readonly operator: { readonly value: string }; readonly argument: Expression }
  | {
      readonly type: 'BinaryExpression';
      readonly operator: { readonly value: string };
      readonly left: Expression;
      readonly right: Expression;
    }
  | { readonly type: 'FilterExpression'; readonly operand: Expression; readonly filter: Named | Call }
  | { readonly type: 'TestExpression'; readonly operand: Expression; readonly negate: boolean; readonly test: Named }
  /** `a if test` without an else: undefined where the test fails. In a loop: its filter. */
  | { readonly type: 'SelectExpression'; readonly lhs: Expression; readonly test: Expression }
  | {
      readonly type: 'Ternary';
      readonly condition: Expression;
      readonly trueExpr: Expression;
      readonly falseExpr: Expression;
    };

export type Block =
  | {
      readonly type: 'If';
      readonly test: Expression;
      readonly body: readonly Statement[];
      readonly alternate: readonly Statement[];
    }
  | {
      readonly type: 'For';
      readonly loopvar: Expression;
      readonly iterable: Expression;
      readonly body: readonly Statement[];
      readonly defaultBlock: readonly Statement[];
    }
  | {
      readonly type: 'Set';
      readonly assignee: Expression;
      readonly value: Expression | null;
      readonly body: readonly Statement[];
    }
  | {
      readonly type: 'Macro';
      readonly name: Named;
      readonly args: readonly Parameter[];
      readonly body: readonly Statement[];
    }
  | {
      readonly type: 'CallStatement';
      readonly call: Call;
      readonly callerArgs: readonly Parameter[] | null;
      readonly body: readonly Statement[];
    }
  | { readonly type: 'FilterStatement'; readonly filter: Named | Call; readonly body: readonly Statement[] }
  | { readonly type: 'Break' | 'Continue' | 'Comment' };

/** A block, or an expression whose text is written. */
export type Statement = Block | Expression;

const blocks: ReadonlySet<string> = new Set([
  'If',
  'For',
  'Set',
  'Macro',
  'CallStatement',
  'FilterStatement',
  'Break',
  'Continue',
  'Comment',
] satisfies readonly Block['type'][]);

export function isBlock(statement: Statement): statement is Block {
  return blocks.has(statement.type);
}

/** The package types its tree loosely; these are the shapes that its parser makes. */
type Tree = { readonly body: readonly { readonly type: string }[] };

/** The longest chat templates in use have about 20 kB. */
const maxSource = 1 << 19;
/** The package looks for white space before a tag in time quadratic in the length of a run. */
const longBlank = /\s{1025}/;

export function readProgram(source: string): readonly Statement[] {
  if (source.length > maxSource) {
    throw new SyntaxError(`the template has ${source.length} characters; at most ${maxSource} are accepted`);
  }
  const resolved = resolveSource(source);
  if (longBlank.test(resolved))
    throw new SyntaxError('the template holds more than 1024 white space characters in a row');
  const tokens = withTupleEnds(withTestArguments(withExponents(tokenize(resolved))));
  let tree: Tree;
  try {
    tree = parse(tokens);
  } catch (error) {
    // The package's parser runs off the end of its tokens.
    if (error instanceof TypeError)
      throw new SyntaxError('the template ends inside a block or an expression', { cause: error });
    throw error;
  }
  return tree.body as readonly Statement[];
}

type Tokens = ReturnType<typeof tokenize>;

/** Prefix of the filters that stand for tests with arguments: `x is divisibleby(3)` is read as `x | is:divisibleby(3)`. */
export const testFilter = 'is:';
export const negatedTestFilter = 'is not:';

const literals: ReadonlySet<string> = new Set(['NumericLiteral', 'StringLiteral']);

/** Stands where a tuple's last comma has nothing after it; no name of a template can have a space. */
export const tupleEnd = 'tuple end';

const like = (token: Tokens[number], type: string, value: string): Tokens[number] =>
  Object.assign(Object.create(Object.getPrototypeOf(token) as object), { type, value }) as Tokens[number];

/** `1e-5` comes as `1`, `e`, `-`, `5`. */
function withExponents(tokens: Tokens): Tokens {
  const read: Tokens = [];
  for (let i = 0; i < tokens.length; i++) {
    const [token, letter, sign, digits] = [tokens[i], tokens[i + 1], tokens[i + 2], tokens[i + 3]];
    const isNumber = token.type === 'NumericLiteral' && letter?.type === 'Identifier';
    if (isNumber && /^[eE]\d+$/.test(letter.value)) {
      read.push(like(token, 'NumericLiteral', decimal(token.value + letter.value)));
      i++;
    } else if (
      isNumber &&
      /^[eE]$/.test(letter.value) &&
      /^[+-]$/.test(sign?.value) &&
      digits?.type === 'NumericLiteral'
    ) {
      read.push(like(token, 'NumericLiteral', decimal(token.value + letter.value + sign.value + digits.value)));
      i += 3;
    } else read.push(token);
  }
  return read;
}

/** Spelled with a point, by which the parser knows a float. */
function decimal(value: string): string {
  return value.includes('.') ? value : value.replace(/[eE]/, '.0e');
}

/** `(a,)` -> `(a, tuple end)` and `()` -> `(tuple end, tuple end)`; who evaluates leaves the mark out. */
function withTupleEnds(tokens: Tokens): Tokens {
  const read: Tokens = [];
  for (const [i, token] of tokens.entries()) {
    const before = tokens[i - 1];
    const mark = like(token, 'Identifier', tupleEnd);
    if (token.type === 'CloseParen' && before?.type === 'Comma') read.push(mark);
    if (token.type === 'CloseParen' && before?.type === 'OpenParen' && !isCalled(tokens[i - 2])) {
      read.push(mark, like(token, 'Comma', ','), mark);
    }
    read.push(token);
  }
  return read;
}

/** Whether a parenthesis after this token calls it. */
function isCalled(token: { readonly type: string; readonly value: string } | undefined): boolean {
  if (token === undefined) return false;
  if (token.type === 'CloseParen' || token.type === 'CloseSquareBracket') return true;
  return token.type === 'Identifier' && !operatorWords.has(token.value);
}

const operatorWords: ReadonlySet<string> = new Set(['in', 'and', 'or', 'not', 'is', 'if', 'else']);

function withTestArguments(tokens: Tokens): Tokens {
  const read: Tokens = [];
  for (let i = 0; i < tokens.length; i++) {
    const token = tokens[i];
    const negated = tokens[i + 1]?.type === 'Identifier' && tokens[i + 1].value === 'not';
    const at = i + (negated ? 2 : 1);
    const name = tokens[at];
    const next = tokens[at + 1];
    if (token.type !== 'Identifier' || token.value !== 'is' || name?.type !== 'Identifier' || next === undefined) {
      read.push(token);
      continue;
    }
    const isCall = next.type === 'OpenParen';
    if (!isCall && !literals.has(next.type)) {
      read.push(token);
      continue;
    }
    read.push(
      like(token, 'Pipe', '|'),
      like(token, 'Identifier', (negated ? negatedTestFilter : testFilter) + name.value),
    );
    i = at;
    if (!isCall) {
      read.push(like(token, 'OpenParen', '('), next, like(token, 'CloseParen', ')'));
      i++;
    }
  }
  return read;
}
