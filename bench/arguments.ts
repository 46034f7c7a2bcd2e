// Flags of the commands in this folder.

import { parseArgs } from 'node:util';

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export interface Arguments {
  /** Those without a flag; everything after `--` is among them. */
  readonly positionals: readonly string[];
  readonly text: (name: string) => string | undefined;
  readonly required: (name: string) => string;
  /** Split at commas. */
  readonly list: (name: string) => readonly string[] | undefined;
  /** A whole number from 0 on. */
  readonly count: (name: string, fallback: number) => number;
  /** The same, from 1 on. */
  readonly amount: (name: string, fallback: number) => number;
  /** Several of them, split at commas. */
  readonly amounts: (name: string, fallback: readonly number[]) => readonly number[];
  /** Any number from 0 on, as 0.5. */
  readonly number: (name: string, fallback: number) => number;
  readonly flag: (name: string) => boolean;
}

/** `values`: flags with a value; `flags`: those without. Throws `UsageError`, as do the readers of values. */
export function readArguments(args: readonly string[], values: readonly string[], flags: readonly string[]): Arguments {
  const parsed = parse(args, values, flags);
  const text = (name: string): string | undefined => {
    const value = parsed.values[name];
    return typeof value === 'string' ? value : undefined;
  };
  const list = (name: string): readonly string[] | undefined =>
    text(name)
      ?.split(',')
      .map((part) => part.trim());
  const amount = (name: string, value: string): number => {
    if (!/^[1-9]\d{0,8}$/.test(value)) throw new UsageError(`--${name} takes a whole number from 1 on, not ${value}`);
    return Number(value);
  };
  return {
    positionals: parsed.positionals,
    text,
    list,
    required(name) {
      const value = text(name);
      if (value === undefined || value === '') throw new UsageError(`--${name} is required`);
      return value;
    },
    count(name, fallback) {
      const value = text(name);
      if (value === undefined) return fallback;
      if (!/^\d{1,9}$/.test(value)) throw new UsageError(`--${name} takes a whole number, not ${value}`);
      return Number(value);
    },
    amount(name, fallback) {
      const value = text(name);
      return value === undefined ? fallback : amount(name, value);
    },
    amounts: (name, fallback) => list(name)?.map((value) => amount(name, value)) ?? fallback,
    number(name, fallback) {
      const value = text(name);
      if (value === undefined) return fallback;
      if (!/^(\d{1,9}\.?\d*|\.\d+)$/.test(value)) throw new UsageError(`--${name} takes a number, not ${value}`);
      return Number(value);
    },
    flag: (name) => parsed.values[name] === true,
  };
}

interface Parsed {
  readonly values: Readonly<Record<string, unknown>>;
  readonly positionals: readonly string[];
}

function parse(args: readonly string[], values: readonly string[], flags: readonly string[]): Parsed {
  const options: Record<string, { type: 'string' | 'boolean' }> = {};
  for (const name of values) options[name] = { type: 'string' };
  for (const name of flags) options[name] = { type: 'boolean' };
  try {
    return parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}
