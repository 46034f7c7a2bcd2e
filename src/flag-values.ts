// The text of a flag or an environment variable -> its value, or a sentence that says what is wanted.

import { KeyError, readKey, type ApiKey } from './http/keys.ts';

/** The command line or the environment is wrong; the message says what would be right. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export function nonEmpty(text: string): string {
  if (text.trim() === '') throw new UsageError('it must not be empty');
  return text;
}

export function integer(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^-?\d+$/.test(text) || value < least || value > most) {
      throw new UsageError(`a whole number from ${least} to ${most} is wanted`);
    }
    return value;
  };
}

/** `later` names values that will come, each with what to do meanwhile. */
export function oneOf<const T extends string>(
  values: readonly T[],
  later: Readonly<Record<string, string>> = {},
): (text: string) => T {
  return (text) => {
    const found = values.find((value) => value === text);
    if (found !== undefined) return found;
    throw new UsageError(Object.hasOwn(later, text) ? later[text] : `one of ${values.join(', ')} is wanted`);
  };
}

export function truth(text: string): boolean {
  if (['1', 'true', 'yes', 'on'].includes(text.toLowerCase())) return true;
  if (['0', 'false', 'no', 'off'].includes(text.toLowerCase())) return false;
  throw new UsageError('true or false is wanted');
}

export function apiKey(text: string): ApiKey {
  try {
    return readKey(text);
  } catch (error) {
    throw error instanceof KeyError ? new UsageError(error.message) : error;
  }
}

const units: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
  tib: 2 ** 40,
  k: 1e3,
  m: 1e6,
  g: 1e9,
  t: 1e12,
};

/** At most 2 GiB: a body is held in one buffer. */
export const size = sizeWithin('1KiB', '2GiB', '50MiB');

export function sizeWithin(least: string, most: string, example: string): (text: string) => number {
  const range = [readSize(least), readSize(most)];
  return (text) => {
    const bytes = readSize(text);
    if (bytes >= range[0] && bytes <= range[1]) return bytes;
    throw new UsageError(`a size from ${least} to ${most} is wanted, as ${example}`);
  };
}

/** NaN for what is none. */
function readSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text);
  const unit = match === null ? undefined : units[match[2].toLowerCase()];
  return match === null || unit === undefined ? Number.NaN : Math.floor(Number(match[1]) * unit);
}

export function origin(text: string): string {
  if (text === '*') return text;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.origin !== text.replace(/\/$/, '')) {
    throw new UsageError('an origin is wanted, as https://app.example or http://localhost:3000, or *');
  }
  return url.origin;
}
