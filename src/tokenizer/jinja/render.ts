// The face of this folder: source and context in, text out. Equal, to the character, to what Python's transformers renders.

import { argument, integerArgument, required } from './arguments.ts';
import { run } from './interpreter.ts';
import { readProgram } from './program.ts';
import type { Statement } from './program.ts';
import { strftime } from './strftime.ts';
import {
  Callable,
  Namespace,
  TemplateFailure,
  Tuple,
  boundedList,
  fromData,
  isText,
  iterate,
  maxItems,
  text,
} from './values.ts';
import type { Arguments, Dict, Value } from './values.ts';

export class JinjaTemplate {
  readonly #program: readonly Statement[];

  /** Throws when the source cannot be read. */
  constructor(source: string) {
    this.#program = readProgram(source);
  }

  /** Throws with Python's words when the template raises or fails. */
  render(context: Readonly<Record<string, unknown>>, now: () => Date): string {
    const variables = globals(now);
    for (const [name, data] of Object.entries(context)) if (data !== undefined) variables.set(name, fromData(data));
    return run(this.#program, variables);
  }
}

/** Names that belong to the language. */
export const languageNames: readonly string[] = [...globals(() => new Date(0)).keys(), 'loop', 'caller'];

function globals(now: () => Date): Map<string, Value> {
  const functions: Record<string, (args: Arguments) => Value> = {
    raise_exception: (args) => {
      throw new TemplateFailure(text(required(args, 0, 'message')));
    },
    strftime_now: (args) => strftime(now(), text(required(args, 0, 'format'))),
    range,
    namespace,
    dict: (args) => new Map([...entriesOf(argument(args, 0)), ...args.keywords]),
  };
  return new Map<string, Value>([
    ['true', true],
    ['True', true],
    ['false', false],
    ['False', false],
    ['none', null],
    ['None', null],
    ...Object.entries(functions).map(([name, body]) => [name, new Callable(name, body)] as const),
  ]);
}

function range(args: Arguments): Value {
  const first = integerArgument(args, 0, 'start') ?? 0;
  const second = integerArgument(args, 1, 'stop');
  const [start, stop] = second === undefined ? [0, first] : [first, second];
  const step = integerArgument(args, 2, 'step') ?? 1;
  if (step === 0) throw new TemplateFailure('range() arg 3 must not be zero');
  if ((stop - start) / step > maxItems) throw new TemplateFailure('Range too big.');
  const numbers: number[] = [];
  for (let i = start; step > 0 ? i < stop : i > stop; i += step) numbers.push(i);
  return numbers;
}

function namespace(args: Arguments): Value {
  const made = new Namespace();
  for (const [key, value] of [...entriesOf(argument(args, 0)), ...args.keywords]) made.values.set(String(key), value);
  return made;
}

function entriesOf(value: Value | undefined): Dict {
  if (value === undefined) return new Map();
  if (value instanceof Map) return value;
  return new Map(
    boundedList([...iterate(value)]).map((pair) => {
      const items = pair instanceof Tuple || Array.isArray(pair) || isText(pair) ? iterate(pair) : [];
      if (items.length !== 2) throw new TemplateFailure('dictionary update sequence elements must be pairs');
      return [text(items[0]), items[1]];
    }),
  );
}
