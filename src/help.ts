// What --help prints, from the same table as the flags: an overview of names and defaults, every flag with its words, or those that a word
// finds. Readable at 60 columns.

import { UsageError } from './flag-values.ts';
import { environmentNames, nearest, type Flag, type Flags } from './flags.ts';
import { flow } from './terminal.ts';

export interface HelpOptions {
  readonly flags: Flags;
  /** What the command does, and how it is called. */
  readonly intro: readonly string[];
  /** `undefined`: the overview. `all`: every flag. Else what to look for in names, words and variables. */
  readonly topic: string | undefined;
  /** Of the terminal. */
  readonly columns: number;
}

/** Throws `UsageError` for a topic that nothing has to do with. */
export function helpText({ flags, intro, topic, columns }: HelpOptions): string {
  const width = Math.max(50, Math.min(columns, 110));
  if (topic === undefined) return overview(flags, intro, width).join('\n');
  if (topic === 'all') return [...intro, ...details(flags, width), '', 'Other', ...others].join('\n');
  const found = flags.filter((flag) => isAbout(flag, topic.toLowerCase()));
  if (found.length === 0) throw nothingAbout(topic, flags);
  return details(found, width).slice(1).join('\n');
}

const others = ['  -h, --help [all|WORD]', '  -v, --version'];

function overview(flags: Flags, intro: readonly string[], width: number): string[] {
  const groups = [...new Set(flags.map(({ group }) => group))];
  const indent = Math.max(...groups.map(({ length }) => length)) + 4;
  const rows = groups.flatMap((group) => {
    const items = flags.filter((flag) => flag.group === group).map(title);
    const [first, ...more] = flow(items, '   ', indent, width);
    return [`  ${group}`.padEnd(indent) + first.trimStart(), ...more];
  });
  const more = ['--help all: every flag, default and variable', '--help cache: those about a word', '--version'];
  return [...intro, '', ...rows, '', ...flow(more, ' · ', 2, width)];
}

/** `-p, --port N (1234)`, `--api-key KEY [TRAMONTANE_API_KEY]`: secrets do not belong on command lines. */
function title(flag: Flag<unknown>): string {
  // A switch that is on is there to be turned off.
  if (flag.value === undefined && flag.fallback() === true) return `--no-${flag.name}`;
  if (flag.isSecret === true) return `${call(flag)} [${environmentNames(flag)[0]}]`;
  const value = defaultOf(flag);
  return call(flag) + (value !== undefined && value.length <= 12 ? ` (${value})` : '');
}

function details(flags: Flags, width: number): string[] {
  return [...new Set(flags.map(({ group }) => group))].flatMap((group) => [
    '',
    group,
    ...flags.filter((flag) => flag.group === group).flatMap((flag) => detail(flag, width)),
  ]);
}

function detail(flag: Flag<unknown>, width: number): string[] {
  const value = defaultOf(flag);
  const fallback = value === undefined ? '' : ` Default: ${value}.`;
  const words = `${flag.text.charAt(0).toUpperCase()}${flag.text.slice(1)}.${fallback} [${environmentNames(flag).join(', ')}]`;
  const lead = flag.short === undefined ? '      ' : '  ';
  return [lead + call(flag), ...flow(words.split(' '), ' ', 10, width)];
}

/** `-m, --model PATH` */
function call({ name, short, value }: Flag<unknown>): string {
  return `${short === undefined ? '' : `-${short}, `}--${name}${value === undefined ? '' : ` ${value}`}`;
}

/** `undefined`: there is none worth telling. */
function defaultOf(flag: Flag<unknown>): string | undefined {
  if (flag.value === undefined) return undefined;
  const value = flag.fallbackText ?? flag.fallback();
  return typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;
}

function isAbout(flag: Flag<unknown>, word: string): boolean {
  const { name, text, group, value = '' } = flag;
  return [name, text, group, value, ...environmentNames(flag)].some((part) => part.toLowerCase().includes(word));
}

function nothingAbout(topic: string, flags: Flags): UsageError {
  const meant = nearest(
    topic,
    flags.map(({ name }) => name),
  );
  const hint = meant === undefined ? '' : ` Did you mean ${meant}?`;
  return new UsageError(`no flag has to do with "${topic}".${hint}`);
}
