// Source of a template -> tree. Reading is @huggingface/jinja's work (its whitespace rules are those of transformers); this file
// names the shapes of its tree, bounds what a hostile file may ask for, and adds what its grammar lacks: tests with arguments.

import { parse, tokenize } from '@huggingface/jinja';

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
/** The package's search for white space before a tag is quadratic in the length of a run. */
const maxBlankRun = 1024;

export function readProgram(source: string): readonly Statement[] {
  if (source.length > maxSource)
    throw new SyntaxError(`the template has ${source.length} characters; at most ${maxSource} are accepted`);
  if (hasLongBlank(source))
    throw new SyntaxError(`the template holds more than ${maxBlankRun} white space characters in a row`);
  const tokens = tokenize(source, { lstrip_blocks: true, trim_blocks: true });
  const tree: Tree = parse(withTestArguments(tokens));
  return tree.body as readonly Statement[];
}

function hasLongBlank(source: string): boolean {
  let run = 0;
  for (let i = 0; i < source.length; i++) {
    const code = source.charCodeAt(i);
    run = code <= 0x20 || code === 0xa0 || code >= 0x1680 ? run + 1 : 0;
    // Rare white space is counted with all high characters, and looked at properly only then.
    if (run > maxBlankRun) return /\s{1025}/.test(source);
  }
  return false;
}

type Tokens = ReturnType<typeof tokenize>;

/** Prefix of the filters that stand for tests with arguments: `x is divisibleby(3)` is read as `x | is:divisibleby(3)`. */
export const testFilter = 'is:';
export const negatedTestFilter = 'is not:';

const literals: ReadonlySet<string> = new Set(['NumericLiteral', 'StringLiteral']);

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
    const like = (type: string, value: string): Tokens[number] =>
      Object.assign(Object.create(Object.getPrototypeOf(token) as object), { type, value });
    read.push(like('Pipe', '|'), like('Identifier', (negated ? negatedTestFilter : testFilter) + name.value));
    i = at;
    if (!isCall) {
      read.push(like('OpenParen', '('), next, like('CloseParen', ')'));
      i++;
    }
  }
  return read;
}
