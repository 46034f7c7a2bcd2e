// The whole server as a process of its own, as users start it: `node src/serve.js ...` on a free port.

import { spawn, type ChildProcess } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Test } from 'tap';
import { projectRoot } from './fixtures.ts';

export interface ServerProcess {
  readonly process: ChildProcess;
  readonly url: string;
  readonly enginePid: number;
  /** Lines of the log so far. */
  readonly log: readonly LogLine[];
  /** Resolves with the first line, past or future, with this message. */
  line(message: string): Promise<LogLine>;
  /** Resolves with the exit code, or the signal that ended it. */
  readonly exit: Promise<Exit>;
}

export type LogLine = Readonly<Record<string, unknown>> & { readonly msg: string };

export interface ProgramRun {
  readonly exit: Exit;
  readonly stdout: string;
  readonly stderr: string;
}

/** Without the hooks that the test runner puts into processes started below it. */
const env = { ...process.env, NODE_OPTIONS: '', NO_COLOR: undefined, PORT: undefined };

/** Ours; tests of the package start an unpacked one. */
const launcher = join(projectRoot, 'src', 'serve.js');

export type Exit = number | NodeJS.Signals | null;

/** Starts it on a free port, with each line of its JSON log handed over. Whoever starts it ends it. */
export function spawnServer(
  args: readonly string[],
  onLine: (line: LogLine) => void,
  program = launcher,
): { readonly process: ChildProcess; readonly exit: Promise<Exit> } {
  const fixed = ['--port', '0', '--log-format', 'json'];
  const child = spawn(process.execPath, [program, ...fixed, ...args], { env, stdio: ['ignore', 'ignore', 'pipe'] });
  createInterface({ input: child.stderr }).on('line', (text) =>
    onLine(text.startsWith('{') ? (JSON.parse(text) as LogLine) : { msg: text }),
  );
  const exit = new Promise<Exit>((resolve) => {
    child.on('close', (code, signal) => resolve(code ?? signal));
  });
  return { process: child, exit };
}

/** Ready when this resolves; ended with the test, if it is still there. `args` come after those for a free port and a JSON log. */
export async function startServer(t: Test, args: readonly string[] = [], program = launcher): Promise<ServerProcess> {
  const log: LogLine[] = [];
  const waiting = new Set<() => void>();
  const wake = (): void => {
    for (const each of waiting) each();
  };
  const take = (line: LogLine): void => {
    log.push(line);
    wake();
  };
  const { process: child, exit } = spawnServer(['--log-level', 'debug', ...args], take, program);
  t.teardown(() => child.kill('SIGKILL'));
  void exit.then(wake);
  const line = async (message: string): Promise<LogLine> => {
    for (;;) {
      const found = log.find(({ msg }) => msg === message);
      if (found !== undefined) return found;
      if (child.exitCode !== null) throw new Error(`the server ended: ${log.map(({ msg }) => msg).join(' | ')}`);
      await new Promise<void>((resolve) => waiting.add(resolve));
    }
  };
  const { url, engine_pid: enginePid } = await line('ready');
  return { process: child, url: String(url), enginePid: Number(enginePid), log, line, exit };
}

/** Runs the program to its end. */
export async function runProgram(
  args: readonly string[],
  extraEnv: Readonly<Record<string, string>> = {},
  program = launcher,
): Promise<ProgramRun> {
  const child = spawn(process.execPath, [program, ...args], {
    env: { ...env, ...extraEnv },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const read = async (stream: NodeJS.ReadableStream): Promise<string> => {
    let text = '';
    for await (const piece of stream) text += String(piece);
    return text;
  };
  const exit = new Promise<Exit>((resolve) => {
    child.on('close', (code, signal) => resolve(code ?? signal));
  });
  const [stdout, stderr] = await Promise.all([read(child.stdout), read(child.stderr)]);
  return { exit: await exit, stdout, stderr };
}
