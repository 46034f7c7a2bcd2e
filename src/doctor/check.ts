// One thing that was looked at, and what came of it.

import { exitCodeOf, linesOf } from '../start-error.ts';

export interface Check {
  /** Short and stable, for scripts: `node`, `kernels`, `model`, ... */
  readonly name: string;
  readonly status: 'ok' | 'warn' | 'fail';
  /** What was found. */
  readonly text: string;
  /** What to do about it. */
  readonly remedy?: string | undefined;
  /** With which serve would end because of it; only where it failed. */
  readonly exitCode?: number | undefined;
  /** Numbers behind the text, for the report. */
  readonly facts?: Readonly<Record<string, unknown>> | undefined;
}

/** Whatever the way of serve would end with. */
export function failed(name: string, error: unknown, facts?: Check['facts']): Check {
  const [text, ...remedy] = linesOf(error).split('\n');
  const exitCode = exitCodeOf(error);
  return { name, status: 'fail', text, remedy: remedy.length === 0 ? undefined : remedy.join(' '), exitCode, facts };
}
