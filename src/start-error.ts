// Why a server could not start: one line that says what happened, one that says what to do, and the exit code for scripts.

import { dirname } from 'node:path';
import { UnloadableError } from './engine/client.ts';
import { UsageError } from './flag-values.ts';

export const exitCodes = { failed: 1, usage: 2, notFound: 3, doesNotFit: 4, interrupted: 130 } as const;

export interface StartErrorOptions {
  readonly remedy: string;
  readonly exitCode?: number;
  readonly cause?: unknown;
}

/** The message has a second line: the remedy. */
export class StartError extends Error {
  override readonly name = 'StartError';
  readonly exitCode: number;

  constructor(what: string, { remedy, exitCode = exitCodes.failed, cause }: StartErrorOptions) {
    super(`${what}\n${remedy}`, { cause });
    this.exitCode = exitCode;
  }
}

/** For scripts: what kind of problem ended the start. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof UsageError) return exitCodes.usage;
  if (error instanceof StartError) return error.exitCode;
  const isTooLarge = error instanceof UnloadableError && error.code === 'insufficient_memory';
  return isTooLarge ? exitCodes.doesNotFit : exitCodes.failed;
}

/** The system's word on `listen` -> ours. */
export function cannotListen(error: unknown, host: string, port: number): StartError {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  switch (code) {
    case 'EADDRINUSE':
      return new StartError(`port ${port} is used by another program`, {
        remedy: `use another one: tramontane --port ${port + 1}      or see what runs there: curl http://127.0.0.1:${port}/health`,
        cause: error,
      });
    case 'EACCES':
      return new StartError(`this user may not open port ${port}`, {
        remedy: 'use a port above 1023: tramontane --port 1234',
        cause: error,
      });
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return new StartError(`${host} is no address of this machine`, {
        remedy: 'listen on this machine only: --host 127.0.0.1      or on all its addresses: --host 0.0.0.0',
        cause: error,
      });
    default:
      return new StartError(
        `cannot listen on ${host} port ${port}: ${error instanceof Error ? error.message : String(error)}`,
        {
          remedy: 'choose another --host or --port',
          cause: error,
        },
      );
  }
}

export function noSuchModel(path: string): StartError {
  const isName = /^[\w.-]+\/[\w.:-]+$/.test(path) && !path.endsWith('.gguf');
  return new StartError(`there is no file or folder ${path}`, {
    remedy: isName
      ? 'models are not fetched by name in this release: give the path of a GGUF file, or leave --model out for the bundled one'
      : `look into ${dirname(path)}, or leave --model out for the bundled model`,
    exitCode: exitCodes.notFound,
  });
}
