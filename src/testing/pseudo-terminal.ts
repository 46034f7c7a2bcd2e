// A program inside a terminal of a given width, by `script` of util-linux. Where that is not installed such tests skip and are counted.

import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import type { Test } from 'tap';
import { projectRoot } from './fixtures.ts';

export interface TerminalRun {
  /** Everything shown so far, with escape sequences and line ends as the terminal gets them. */
  readonly output: string;
  /** Resolves when the output matches. */
  until(pattern: RegExp): Promise<void>;
  /** As typed. Ctrl-C is `\u0003`. */
  type(text: string): void;
  /** Resolves with the exit code. */
  readonly exit: Promise<number | null>;
}

export interface TerminalRunOptions {
  readonly args: readonly string[];
  readonly columns: number;
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts `node src/serve.js` with the arguments; `undefined`, and the test skipped, without `script`. Ended with the test. */
export function runInTerminal(t: Test, { args, columns, env = {} }: TerminalRunOptions): TerminalRun | undefined {
  if (!hasScript()) {
    void t.skip('no `script` of util-linux on the path', () => undefined);
    return undefined;
  }
  const program = [process.execPath, join(projectRoot, 'src', 'serve.js'), ...args].map(quoted).join(' ');
  const command = `stty cols ${columns} rows 40; exec ${program}`;
  const child = spawn('script', ['-qec', command, '/dev/null'], {
    env: { ...process.env, NODE_OPTIONS: '', NO_COLOR: undefined, PORT: undefined, TERM: 'xterm', ...env },
    stdio: ['pipe', 'pipe', 'ignore'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  return new Run(child);
}

function hasScript(): boolean {
  return process.platform === 'linux' && spawnSync('script', ['--version']).status === 0;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

class Run implements TerminalRun {
  readonly exit: Promise<number | null>;
  readonly #child: ChildProcess;
  readonly #waiting = new Set<() => void>();
  #output = '';
  #isOver = false;

  constructor(child: ChildProcess) {
    this.#child = child;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#output += text;
      this.#wake();
    });
    // Typing into a terminal that has gone.
    child.stdin?.on('error', () => undefined);
    this.exit = new Promise((resolve) => {
      child.on('close', (code) => {
        this.#isOver = true;
        this.#wake();
        resolve(code);
      });
    });
  }

  get output(): string {
    return this.#output;
  }

  async until(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.#output)) {
      if (this.#isOver) throw new Error(`it ended without ${String(pattern)}: ${this.#output}`);
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  type(text: string): void {
    this.#child.stdin?.write(text);
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}
