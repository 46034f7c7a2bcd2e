// Flags of the bench commands.

import { parseArgs } from 'node:util';

export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export interface Arguments {
  readonly positionals: readonly string[];
  text(name: string): string | undefined;
  count(name: string, fallback: number): number;
  flag(name: string): boolean;
}

/** `values`: flags with a value; `flags`: those without. */
export function readArguments(args: readonly string[], values: readonly string[], flags: readonly string[]): Arguments {
  const options = Object.fromEntries([
    ...values.map((name) => [name, { type: 'string' as const }]),
    ...flags.map((name) => [name, { type: 'boolean' as const }]),
  ]) as Record<string, { type: 'string' | 'boolean' }>;
  let parsed;
  try {
    parsed = parseArgs({ args: [...args], options, allowPositionals: true });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
  const text = (name: string): string | undefined => {
    const value = parsed.values[name];
    return typeof value === 'string' ? value : undefined;
  };
  return {
    positionals: parsed.positionals,
    text,
    count(name, fallback) {
      const value = text(name);
      if (value === undefined) return fallback;
      if (!/^\d{1,9}$/.test(value)) throw new UsageError(`--${name} takes a whole number, not ${value}`);
      return Number(value);
    },
    flag: (name) => parsed.values[name] === true,
  };
}
