// A table of flags as a command line: reading arguments and environment, "did you mean", and --help. What the flags are is in
// config.ts.

import { parseArgs } from 'node:util';
import { UsageError } from './flag-values.ts';

/** One row. `T`: the value in the configuration. */
export interface Flag<T> {
  readonly name: string;
  readonly short?: string;
  /** Heading in --help. */
  readonly group: string;
  /** Placeholder of the value in --help; none: a switch, which `parse` sees as `true` or `false`. */
  readonly value?: string;
  /** May be given several times, or with commas; `parse` sees each item. */
  readonly isList?: boolean;
  readonly text: string;
  readonly parse: (text: string) => T extends readonly (infer Item)[] ? Item : T;
  readonly fallback: () => T;
  /** The default in words, where `fallback` does not say it. */
  readonly fallbackText?: string;
  /** What was given is shown nowhere, not even where it is wrong. */
  readonly isSecret?: boolean;
  /** A further environment variable that other servers use. */
  readonly alsoEnv?: string;
}

export type Flags = readonly Flag<unknown>[];
export type Environment = Readonly<Record<string, string | undefined>>;

/** What was given: flag name -> texts in order. Switches are `true`, or `false` after `--no-`. */
export interface Arguments {
  readonly values: ReadonlyMap<string, readonly string[]>;
  readonly positionals: readonly string[];
}

export function readArguments(flags: Flags, args: readonly string[]): Arguments {
  const options: NonNullable<Parameters<typeof parseArgs>[0]>['options'] = {
    help: { type: 'boolean', short: 'h' },
    version: { type: 'boolean', short: 'v' },
  };
  for (const { name, short, value } of flags) {
    options[name] = { type: value === undefined ? 'boolean' : 'string', ...(short !== undefined && { short }) };
    if (value === undefined) options[`no-${name}`] = { type: 'boolean' };
  }
  // Not strict: our own messages say what would be right.
  const { tokens } = parseArgs({ args: [...args], options, strict: false, allowPositionals: true, tokens: true });
  const values = new Map<string, string[]>();
  const positionals: string[] = [];
  for (const token of tokens) {
    if (token.kind === 'positional') positionals.push(token.value);
    if (token.kind !== 'option') continue;
    const known = Object.hasOwn(options, token.name) ? options[token.name] : undefined;
    if (known === undefined) throw unknownFlag(flags, token.rawName);
    if (known.type === 'string') {
      // `--model --port 80`: the next flag is no value.
      if (token.value === undefined || (!token.inlineValue && /^--?[a-z]/.test(token.value))) {
        const value = flags.find((flag) => flag.name === token.name)?.value;
        throw new UsageError(`${token.rawName} needs a value: ${token.rawName} ${value ?? 'VALUE'}`);
      }
      values.set(token.name, [...(values.get(token.name) ?? []), token.value]);
      continue;
    }
    if (token.value !== undefined) throw new UsageError(`${token.rawName} takes no value`);
    const isNegated = token.name.startsWith('no-') && flags.some(({ name }) => `no-${name}` === token.name);
    values.set(isNegated ? token.name.slice(3) : token.name, [isNegated ? 'false' : 'true']);
  }
  return { values, positionals };
}

/** The value of one flag: as given, else from the environment, else its default. The last of several wins, but for lists. */
export function readFlag(flag: Flag<unknown>, values: Arguments['values'], env: Environment): unknown {
  const parse = (text: string, source: string): unknown => {
    try {
      return flag.parse(text);
    } catch (error) {
      const given = flag.isSecret === true ? 'wrong' : `"${text}"`;
      if (error instanceof UsageError) throw new UsageError(`${source} is ${given}: ${error.message}`);
      throw error;
    }
  };
  const read = (texts: readonly string[], source: string): unknown => {
    if (flag.isList !== true) return parse(texts[texts.length - 1], source);
    return texts.flatMap((text) => text.split(',')).map((item) => parse(item.trim(), source));
  };
  const given = values.get(flag.name);
  if (given !== undefined) return read(given, `--${flag.name}`);
  for (const name of environmentNames(flag)) {
    const text = env[name];
    // An empty variable counts as unset, as in the shell's ${X:-default}.
    if (text !== undefined && text !== '') return read([text], name);
  }
  return flag.fallback();
}

export function helpText(flags: Flags, intro: readonly string[], columns: number): string {
  const width = Math.max(50, Math.min(columns, 110));
  const lines = [...intro];
  for (const group of new Set(flags.map((flag) => flag.group))) {
    lines.push('', group);
    for (const flag of flags.filter((each) => each.group === group)) {
      const short = flag.short === undefined ? '    ' : `-${flag.short}, `;
      lines.push(`  ${short}--${flag.name}${flag.value === undefined ? '' : ` ${flag.value}`}`);
      const words = `${sentence(flag.text)}${defaultText(flag)} [${environmentNames(flag).join(', ')}]`;
      lines.push(...wrap(words, 10, width));
    }
  }
  return [...lines, '', 'Other', '  -h, --help', '  -v, --version'].join('\n');
}

function environmentNames(flag: Flag<unknown>): string[] {
  const own = `TRAMONTANE_${flag.name.toUpperCase().replaceAll('-', '_')}`;
  return flag.alsoEnv === undefined ? [own] : [own, flag.alsoEnv];
}

function unknownFlag(flags: Flags, raw: string): UsageError {
  const names = [...flags.map(({ name }) => name), 'help', 'version'];
  const wanted = raw.replace(/^-+/, '').toLowerCase();
  let best = { name: '', distance: Infinity };
  for (const name of names) {
    const distance = editDistance(wanted, name);
    if (distance < best.distance) best = { name, distance };
  }
  // A third of the letters wrong is still a slip; more is another word.
  const isNear = best.distance <= Math.max(1, Math.floor(best.name.length / 3));
  const short = flags.find((flag) => flag.name === best.name)?.short;
  const hint = isNear ? ` Did you mean --${best.name}${short === undefined ? '' : ` (-${short})`}?` : '';
  return new UsageError(`unknown flag ${raw}.${hint}`);
}

/** Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment distance). */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [Array.from({ length: b.length + 1 }, (_, j) => j)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = rows[i - 1][j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1);
      let cost = Math.min(rows[i - 1][j] + 1, row[j - 1] + 1, substitution);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        cost = Math.min(cost, rows[i - 2][j - 2] + 1);
      row.push(cost);
    }
    rows.push(row);
  }
  return rows[a.length][b.length];
}

function defaultText(flag: Flag<unknown>): string {
  if (flag.value === undefined) return '';
  const value = flag.fallbackText ?? flag.fallback();
  return Array.isArray(value) && value.length === 0 ? '' : ` Default: ${String(value)}.`;
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

function wrap(text: string, indent: number, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && indent + line.length + 1 + word.length > width) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].map((each) => ' '.repeat(indent) + each);
}
