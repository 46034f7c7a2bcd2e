// The log of the whole process: lines for people here, JSON lines in `json-log.ts`. Never what a prompt or an answer says.

import { accessWords, inAccessWords } from './access-line.ts';
import type { LogLevel } from './config.ts';
import type { Log, LogFields } from './core/log.ts';

export interface LogOptions {
  readonly level: LogLevel;
  /** Takes one whole line with its line feed. */
  readonly write: (line: string) => void;
  readonly now?: () => Date;
}

export function createTextLog({ level, write, now }: LogOptions): Log {
  return textLog(levels[level], write, now, undefined);
}

const levels = { debug: 20, info: 30, warn: 40, error: 50, silent: 100 } as const;

function textLog(
  least: number,
  write: (line: string) => void,
  now: LogOptions['now'],
  bound: LogFields | undefined,
): Log {
  const clock = new Clock(now);
  const at =
    (level: Exclude<LogLevel, 'silent'>) =>
    (message: string, fields: LogFields = {}): void => {
      if (levels[level] < least) return;
      const all = bound === undefined ? fields : { ...bound, ...fields };
      const isAccess = message === 'request';
      let line = clock.text();
      line += level === 'info' ? '  ' : `  ${level}: `;
      line += isAccess ? accessWords(all) : message;
      for (const key in all) {
        if (!isAccess || !inAccessWords.has(key)) line += pair(key, all[key], least);
      }
      write(`${printable(line)}\n`);
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    with: (fields) => textLog(least, write, now, { ...bound, ...fields }),
  };
}

/** Hours, minutes and seconds where we are, written once a second. */
class Clock {
  readonly #now: () => Date | number;
  #second = Number.NaN;
  #text = '';

  constructor(now: () => Date | number = Date.now) {
    this.#now = now;
  }

  text(): string {
    const now = this.#now();
    const second = Math.floor(Number(now) / 1000);
    if (second !== this.#second) {
      const date = new Date(now);
      const two = (value: number): string => String(value).padStart(2, '0');
      this.#second = second;
      this.#text = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
    }
    return this.#text;
  }
}

/** `  key=value`. The stack of an error only at level debug. */
function pair(key: string, value: unknown, least: number): string {
  if (value === undefined) return '';
  if (value instanceof Error) return pair(key, least <= levels.debug ? value.stack : value.message, least);
  if (typeof value === 'string' && /^[\w./:@+,-]+$/.test(value)) return `  ${key}=${value}`;
  return `  ${key}=${JSON.stringify(value) ?? typeof value}`;
}

/** What a caller wrote must not start a line of its own, nor move the cursor: control characters are spelled out. */
function printable(text: string): string {
  // Looked for first: a replacement that finds nothing costs several times as much.
  if (!/\p{Cc}/u.test(text)) return text;
  return text.replace(/\p{Cc}/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
