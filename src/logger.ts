// The log of the whole process: JSON lines by pino, or lines for people. Never what a prompt or an answer says.

import { accessWords, inAccessWords } from './access-line.ts';
import { pino, type DestinationStream, type Logger } from 'pino';
import type { LogLevel } from './config.ts';
import type { Log, LogFields } from './core/log.ts';

export interface LoggerOptions {
  readonly format: 'text' | 'json';
  readonly level: LogLevel;
  /** Takes one whole line with its line feed. */
  readonly write: (line: string) => void;
  readonly now?: () => Date;
}

export function createLog({ format, level, write, now = () => new Date() }: LoggerOptions): Log {
  return format === 'json' ? jsonLog(level, { write }, now) : textLog(levels[level], write, now, undefined);
}

const levels = { debug: 20, info: 30, warn: 40, error: 50, silent: 100 } as const;

function jsonLog(level: LogLevel, destination: DestinationStream, now: () => Date): Log {
  const logger = pino(
    {
      level,
      base: null,
      messageKey: 'msg',
      timestamp: () => `,"ts":"${now().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: pino.stdSerializers.err },
    },
    destination,
  );
  return over(logger);
}

function over(logger: Logger): Log {
  return {
    debug: (message, fields) => logger.debug(snakeCased(fields), message),
    info: (message, fields) => logger.info(snakeCased(fields), message),
    warn: (message, fields) => logger.warn(snakeCased(fields), message),
    error: (message, fields) => logger.error(snakeCased(fields), message),
    with: (fields) => over(logger.child(snakeCased(fields))),
  };
}

/** `requestId` -> `request_id`: the custom of JSON logs, and of those who search them. */
function snakeCased(fields: LogFields = {}): Record<string, unknown> {
  const cased: Record<string, unknown> = {};
  for (const name in fields) cased[snake(name)] = fields[name];
  return cased;
}

/** Names are few, and written by us. */
const snakes = new Map<string, string>();

function snake(name: string): string {
  const known = snakes.get(name) ?? name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  if (snakes.size < 1000) snakes.set(name, known);
  return known;
}

function textLog(least: number, write: (line: string) => void, now: () => Date, bound: LogFields | undefined): Log {
  const clock = new Clock();
  const at =
    (level: Exclude<LogLevel, 'silent'>) =>
    (message: string, fields: LogFields = {}): void => {
      if (levels[level] < least) return;
      const all = bound === undefined ? fields : { ...bound, ...fields };
      const isAccess = message === 'request';
      let line = clock.text(now());
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
  #second = Number.NaN;
  #text = '';

  text(date: Date): string {
    const second = Math.floor(date.getTime() / 1000);
    if (second !== this.#second) {
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
