// One run of another program, with what it printed.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** A run of the largest models on slow machines. */
const timeoutMs = 1_800_000;

/** Its output. Rejects with the program's own last words. */
export async function outputOf(program: string, args: readonly string[]): Promise<string> {
  // Without hooks that a test runner puts into processes below it.
  const env = { ...process.env, NODE_OPTIONS: '' };
  try {
    const { stdout } = await promisify(execFile)(program, [...args], { env, maxBuffer: 2 ** 24, timeout: timeoutMs });
    return stdout;
  } catch (error) {
    const { stderr = '', message } = error as Error & { stderr?: string };
    const words = stderr.trim().split('\n').at(-1) ?? '';
    throw new Error(words === '' ? message : words, { cause: error });
  }
}
