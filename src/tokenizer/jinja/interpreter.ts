// Runs a template's tree with the semantics of Jinja 3.1 in the sandbox that transformers uses. The package that reads templates
// can also run them, but prints lists, None and true as JavaScript does, ignores some arguments and knows no bounds; a chat template
// must give, to the character, the text that the model was trained on.

import { attribute, slice, subscript } from './attributes.ts';
import { findFilter } from './filters.ts';
import { binary, unary } from './operators.ts';
import { findTest } from './predicates.ts';
import { isBlock, negatedTestFilter, testFilter, tupleEnd } from './program.ts';
import type { Argument, Call, Expression, Named, Parameter, Slice, Statement } from './program.ts';
import {
  Callable,
  Float,
  Namespace,
  TemplateFailure,
  Tuple,
  Undefined,
  bounded,
  boundedList,
  iterate,
  keyOf,
  maxText,
  text,
  truth,
  typeName,
  undefinedError,
} from './values.ts';
import type { Arguments, Dict, Value } from './values.ts';

/** Nodes visited by one rendering. A conversation of a thousand messages needs some hundred thousand. */
const maxSteps = 10_000_000;

export function run(program: readonly Statement[], globals: ReadonlyMap<string, Value>): string {
  const output = new Output();
  new Interpreter().execute(program, new Scope(undefined, globals), output);
  return output.text();
}

class Output {
  readonly #pieces: string[] = [];
  #length = 0;

  write(piece: string): void {
    this.#length += piece.length;
    if (this.#length > maxText) throw new TemplateFailure('the template makes a text that is too long');
    this.#pieces.push(piece);
  }

  text(): string {
    return this.#pieces.join('');
  }
}

class Scope {
  readonly #parent: Scope | undefined;
  readonly #variables: Map<string, Value>;

  constructor(parent: Scope | undefined, variables?: ReadonlyMap<string, Value>) {
    this.#parent = parent;
    this.#variables = new Map(variables);
  }

  set(name: string, value: Value): void {
    this.#variables.set(name, value);
  }

  get(name: string): Value {
    const own = this.#variables.get(name);
    if (own !== undefined) return own;
    for (let scope = this.#parent; scope !== undefined; scope = scope.#parent) {
      const value = scope.#variables.get(name);
      if (value !== undefined) return value;
    }
    return new Undefined(`'${name}' is undefined`);
  }
}

/** How a list of statements ended. */
type Ending = 'break' | 'continue' | undefined;

class Interpreter {
  #steps = 0;

  execute(statements: readonly Statement[], scope: Scope, output: Output): Ending {
    for (const statement of statements) {
      const ending = this.#statement(statement, scope, output);
      if (ending !== undefined) return ending;
    }
    return undefined;
  }

  #statement(node: Statement, scope: Scope, output: Output): Ending {
    if (!isBlock(node)) {
      output.write(text(this.#value(node, scope)));
      return undefined;
    }
    switch (node.type) {
      case 'Comment':
        return undefined;
      case 'Break':
        return 'break';
      case 'Continue':
        return 'continue';
      case 'If':
        return this.execute(truth(this.#value(node.test, scope)) ? node.body : node.alternate, scope, output);
      case 'For':
        this.#loop(node, scope, output);
        return undefined;
      case 'Set':
        this.#assign(
          node.assignee,
          node.value === null ? this.#block(node.body, scope) : this.#value(node.value, scope),
          scope,
        );
        return undefined;
      case 'Macro':
        scope.set(node.name.value, this.#macro(node.name.value, node.args, node.body, scope));
        return undefined;
      case 'CallStatement': {
        const caller = this.#macro('caller', node.callerArgs ?? [], node.body, scope);
        const args = this.#arguments(node.call.args, scope);
        const keywords = new Map([...args.keywords, ['caller', caller] as const]);
        output.write(text(call(this.#value(node.call.callee, scope), { positional: args.positional, keywords })));
        return undefined;
      }
      case 'FilterStatement':
        output.write(text(this.#filter(this.#block(node.body, scope), node.filter, scope)));
        return undefined;
      default:
        throw new TemplateFailure(`unknown statement: ${String(node satisfies never)}`);
    }
  }

  #block(body: readonly Statement[], scope: Scope): string {
    const inner = new Output();
    this.execute(body, new Scope(scope), inner);
    return inner.text();
  }

  #loop(node: Extract<Statement, { type: 'For' }>, scope: Scope, output: Output): void {
    // `for x in list if test` filters; the test sees the loop variables, not `loop`.
    const selection = node.iterable.type === 'SelectExpression' ? node.iterable : undefined;
    const all = iterate(this.#value(selection?.lhs ?? node.iterable, scope));
    const items =
      selection === undefined
        ? all
        : all.filter((item) => {
            const inner = new Scope(scope);
            this.#assign(node.loopvar, item, inner);
            return truth(this.#value(selection.test, inner));
          });
    const loop = new Namespace();
    for (let i = 0; i < items.length; i++) {
      // A fresh scope each time: what an iteration sets ends with it.
      const inner = new Scope(scope);
      describeLoop(loop, items, i);
      inner.set('loop', loop);
      this.#assign(node.loopvar, items[i], inner);
      if (this.execute(node.body, inner, output) === 'break') break;
    }
    if (items.length === 0) this.execute(node.defaultBlock, new Scope(scope), output);
  }

  #assign(target: Expression, value: Value, scope: Scope): void {
    if (target.type === 'Identifier') {
      scope.set(target.value, value);
    } else if (target.type === 'TupleLiteral') {
      const items = iterate(value);
      const expected = target.value.length;
      if (items.length < expected) {
        throw new TemplateFailure(`not enough values to unpack (expected ${expected}, got ${items.length})`);
      }
      if (items.length > expected) throw new TemplateFailure(`too many values to unpack (expected ${expected})`);
      for (const [i, part] of target.value.entries()) this.#assign(part, items[i], scope);
    } else if (target.type === 'MemberExpression' && target.property.type === 'Identifier' && !target.computed) {
      const object = this.#value(target.object, scope);
      if (!(object instanceof Namespace)) throw new TemplateFailure('cannot assign attribute on non-namespace object');
      object.values.set(target.property.value, value);
    } else {
      throw new TemplateFailure(`cannot assign to ${target.type}`);
    }
  }

  #macro(name: string, parameters: readonly Parameter[], body: readonly Statement[], scope: Scope): Callable {
    return new Callable(name, (args) => {
      const inner = new Scope(scope);
      const keywords = new Map(args.keywords);
      for (const [i, parameter] of parameters.entries()) {
        const key = parameter.type === 'Identifier' ? parameter.value : parameter.key.value;
        const given = i < args.positional.length ? args.positional[i] : keywords.get(key);
        keywords.delete(key);
        if (given !== undefined) inner.set(key, given);
        else if (parameter.type === 'Identifier') inner.set(key, new Undefined(`parameter '${key}' was not provided`));
        else inner.set(key, this.#value(parameter.value, inner));
      }
      const caller = keywords.get('caller');
      keywords.delete('caller');
      inner.set('caller', caller ?? new Undefined(`No caller defined`));
      inner.set('varargs', new Tuple(args.positional.slice(parameters.length)));
      inner.set('kwargs', new Map(keywords));
      const output = new Output();
      this.execute(body, inner, output);
      return output.text();
    });
  }

  #value(node: Expression, scope: Scope): Value {
    this.#charge(1);
    switch (node.type) {
      case 'StringLiteral':
      case 'IntegerLiteral':
        return node.value;
      case 'FloatLiteral':
        return new Float(node.value);
      case 'Identifier':
        return scope.get(node.value);
      case 'ArrayLiteral':
        return node.value.map((item) => this.#value(item, scope));
      case 'TupleLiteral':
        return new Tuple(node.value.filter(isMeant).map((item) => this.#value(item, scope)));
      case 'ObjectLiteral': {
        const dict: Dict = new Map();
        for (const [key, item] of node.value) dict.set(keyOf(this.#value(key, scope)), this.#value(item, scope));
        return dict;
      }
      case 'MemberExpression':
        return this.#member(node.object, node.property, node.computed, scope);
      case 'CallExpression':
        return call(this.#value(node.callee, scope), this.#arguments(node.args, scope));
      case 'UnaryExpression':
        return unary(node.operator.value, this.#value(node.argument, scope));
      case 'BinaryExpression': {
        const left = this.#value(node.left, scope);
        if (node.operator.value === 'and') return truth(left) ? this.#value(node.right, scope) : left;
        if (node.operator.value === 'or') return truth(left) ? left : this.#value(node.right, scope);
        return binary(node.operator.value, left, this.#value(node.right, scope));
      }
      case 'FilterExpression':
        return this.#filter(this.#value(node.operand, scope), node.filter, scope);
      case 'TestExpression': {
        const test = findTest(node.test.value);
        return test(this.#value(node.operand, scope), { positional: [], keywords: new Map() }) !== node.negate;
      }
      case 'SelectExpression':
        if (truth(this.#value(node.test, scope))) return this.#value(node.lhs, scope);
        return new Undefined('the inline if-expression evaluated to false and no else section was defined.');
      case 'Ternary':
        return this.#value(truth(this.#value(node.condition, scope)) ? node.trueExpr : node.falseExpr, scope);
      default:
        throw new TemplateFailure(`unknown expression: ${String(node satisfies never)}`);
    }
  }

  #charge(steps: number): void {
    this.#steps += steps;
    if (this.#steps > maxSteps) throw new TemplateFailure('the template takes too many steps');
  }

  #member(object: Expression, property: Expression | Slice, isComputed: boolean, scope: Scope): Value {
    const owner = this.#value(object, scope);
    if (typeof owner === 'string' || property.type === 'SliceExpression') this.#charge(sizeOf(owner));
    if (property.type === 'SliceExpression') {
      const edge = (node: Expression | undefined): Value => (node === undefined ? null : this.#value(node, scope));
      return slice(owner, edge(property.start), edge(property.stop), edge(property.step));
    }
    if (isComputed) return subscript(owner, this.#value(property, scope));
    // `list.0` is an item, `dict.name` an attribute or item.
    return property.type === 'Identifier'
      ? attribute(owner, property.value)
      : subscript(owner, this.#value(property, scope));
  }

  #filter(value: Value, node: Named | Call, scope: Scope): Value {
    const callee = node.type === 'CallExpression' ? node.callee : node;
    if (callee.type !== 'Identifier') throw new TemplateFailure('a filter is called by its name');
    const args = this.#arguments(node.type === 'CallExpression' ? node.args : [], scope);
    const name = callee.value;
    this.#charge(sizeOf(value));
    if (name.startsWith(testFilter)) return findTest(name.slice(testFilter.length))(value, args);
    if (name.startsWith(negatedTestFilter)) return !findTest(name.slice(negatedTestFilter.length))(value, args);
    return findFilter(name)(value, args);
  }

  #arguments(nodes: readonly Argument[], scope: Scope): Arguments {
    const positional: Value[] = [];
    const keywords = new Map<string, Value>();
    for (const node of nodes.filter(isMeant)) {
      if (node.type === 'KeywordArgumentExpression') {
        keywords.set(node.key.value, this.#value(node.value, scope));
      } else if (node.type === 'SpreadExpression') {
        for (const item of iterate(this.#value(node.argument, scope))) positional.push(item);
        boundedList(positional);
      } else if (node.type === 'KeywordSpreadExpression') {
        const dict = this.#value(node.argument, scope);
        if (!(dict instanceof Map))
          throw new TemplateFailure(`argument after ** must be a mapping, not ${typeName(dict)}`);
        for (const [key, item] of dict) keywords.set(String(key), item);
      } else {
        positional.push(this.#value(node, scope));
      }
    }
    return { positional, keywords };
  }
}

/** What working through a value costs, in steps. */
function sizeOf(value: Value): number {
  return typeof value === 'string' || Array.isArray(value) ? value.length >> 6 : 0;
}

/** All but the mark that the reader put after a last comma. */
function isMeant(node: Argument): boolean {
  return node.type !== 'Identifier' || node.value !== tupleEnd;
}

function call(callee: Value, args: Arguments): Value {
  if (callee instanceof Undefined) throw undefinedError(callee);
  if (!(callee instanceof Callable)) throw new TemplateFailure(`'${typeName(callee)}' object is not callable`);
  const result = callee.call(args);
  return typeof result === 'string' ? bounded(result) : result;
}

function describeLoop(loop: Namespace, items: readonly Value[], i: number): void {
  const { values } = loop;
  values.set('index', i + 1);
  values.set('index0', i);
  values.set('revindex', items.length - i);
  values.set('revindex0', items.length - i - 1);
  values.set('first', i === 0);
  values.set('last', i === items.length - 1);
  values.set('length', items.length);
  values.set('depth', 1);
  values.set('depth0', 0);
  values.set('previtem', i === 0 ? new Undefined('there is no previous item') : items[i - 1]);
  values.set('nextitem', i === items.length - 1 ? new Undefined('there is no next item') : items[i + 1]);
  values.set(
    'cycle',
    new Callable('cycle', (args) => {
      if (args.positional.length === 0) throw new TemplateFailure('no items for cycling given');
      return args.positional[i % args.positional.length];
    }),
  );
}
