// What the program says on its error output: log, progress, the screen, and its last words when it cannot start.

import type { Config } from './config.ts';
import type { Log } from './core/log.ts';
import { LineWriter } from './line-writer.ts';
import { createTextLog, type LogOptions } from './logger.ts';
import { createProgress, type Progress } from './progress.ts';
import { exitCodeOf, linesOf } from './start-error.ts';
import { errorText } from './terminal.ts';

export interface Output {
  readonly log: Log;
  readonly progress: Progress;
  /** For people; in order with the log. */
  readonly write: (text: string) => void;
  /** Writes what is still here. */
  readonly flush: () => void;
}

/** Log and progress share the error output: a bar steps aside for lines. */
export async function createOutput(config: Config, { isTerminal }: Terminal): Promise<Output> {
  const { logFormat: format, logLevel: level } = config;
  const { stderr } = process;
  const isTalkative = level === 'info' || level === 'debug';
  const { line: write, flush } = new LineWriter((text) => {
    progress.hide();
    stderr.write(text);
  });
  const log = await createLog(format, { level, write });
  const hasBar = isTerminal && isTalkative && format === 'text';
  // Not for those who see none.
  const bar = hasBar
    ? (await import('./progress-bar.ts')).createBar({ stream: stderr, columns: widthOf(stderr) })
    : undefined;
  const progress = createProgress({
    bar,
    step: ({ phase, words, percent }) => {
      if (format === 'json') log.info('loading', { phase, percent });
      else if (isTalkative) write(`  ${words}  ${percent} %\n`);
    },
  });
  return { log, progress, write, flush };
}

async function createLog(format: Config['logFormat'], options: LogOptions): Promise<Log> {
  if (format === 'text') return createTextLog(options);
  // With pino, for which those who read the log themselves need not wait.
  const { createJsonLog } = await import('./json-log.ts');
  return createJsonLog(options);
}

/** The last words of a program that could not start; for machines where the log is for machines. */
export async function tellFailure(error: unknown, config: Config | undefined, { color }: Terminal): Promise<void> {
  const { stderr } = process;
  const lines = linesOf(error);
  const stack = config?.logLevel === 'debug' && error instanceof Error ? error : undefined;
  if (config?.logFormat === 'json') {
    const [message, ...remedy] = lines.split('\n');
    const log = await createLog('json', { level: 'error', write: (line) => void stderr.write(line) });
    log.error(message, { remedy: remedy.join('\n') || undefined, exitCode: exitCodeOf(error), error: stack });
    return;
  }
  stderr.write(errorText(lines, color));
  if (stack?.stack !== undefined) stderr.write(`${stack.stack}\n`);
}

/** No terminal, or one that does not know its width: the width of old. */
export function widthOf({ columns }: { readonly columns?: number | undefined }): number {
  return columns === undefined || columns === 0 ? 80 : columns;
}

export interface Terminal {
  readonly isTerminal: boolean;
  readonly color: boolean;
}
