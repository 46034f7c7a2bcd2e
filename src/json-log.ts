// The log as JSON lines, by pino.

import { pino, type Logger } from 'pino';
import type { Log, LogFields } from './core/log.ts';
import type { LogOptions } from './logger.ts';

export function createJsonLog({ level, write, now = () => new Date() }: LogOptions): Log {
  const logger = pino(
    {
      level,
      base: null,
      messageKey: 'msg',
      timestamp: () => `,"ts":"${now().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: pino.stdSerializers.err },
    },
    { write },
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
