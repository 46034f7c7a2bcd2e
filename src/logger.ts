// The log of the whole process: JSON lines by pino, or lines for people. Never what a prompt or an answer says.

import { accessLine } from './access-line.ts';
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
  return format === 'json' ? jsonLog(level, { write }, now) : textLog(levels[level], write, now, {});
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
  const snake = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [snake(name), value]));
}

function textLog(least: number, write: (line: string) => void, now: () => Date, bound: LogFields): Log {
  const at =
    (level: Exclude<LogLevel, 'silent'>) =>
    (message: string, fields?: LogFields): void => {
      if (levels[level] < least) return;
      const all = { ...bound, ...fields };
      const { words, rest } = message === 'request' ? accessLine(all) : { words: [message], rest: all };
      const label = level === 'info' ? '' : `${level}: `;
      const pairs = Object.entries(rest).flatMap(([key, value]) => pair(key, value, least));
      write(`${printable([time(now()), label + words.join('  '), ...pairs].join('  '))}\n`);
    };
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    with: (fields) => textLog(least, write, now, { ...bound, ...fields }),
  };
}

function time(date: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** `key=value`. The stack of an error only at level debug. */
function pair(key: string, value: unknown, least: number): string[] {
  if (value === undefined) return [];
  if (value instanceof Error) return pair(key, least <= levels.debug ? value.stack : value.message, least);
  if (typeof value === 'string' && /^[\w./:@+,-]+$/.test(value)) return [`${key}=${value}`];
  return [`${key}=${JSON.stringify(value) ?? typeof value}`];
}

/** What a caller wrote must not start a line of its own, nor move the cursor: control characters are spelled out. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
