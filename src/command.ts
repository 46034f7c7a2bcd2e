// The command line: what is to be done, and how a failure is told. What only one command needs is loaded with it.

import { chooseRuntime } from './choose-runtime.ts';
import { readCommand, type Config } from './config.ts';
import { createOutput, tellFailure, widthOf, type Terminal } from './output.ts';
import { exitCodeOf } from './start-error.ts';
import { version } from './version.ts';

/** Runs the command line; resolves with the exit code when everything is closed. */
export async function main(): Promise<number> {
  const { env, stdout, stderr } = process;
  const isTerminal = stderr.isTTY && env['TERM'] !== 'dumb';
  let terminal: Terminal = { isTerminal, color: isTerminal && (env['NO_COLOR'] ?? '') === '' };
  let config: Config | undefined;
  try {
    const args = process.argv.slice(2);
    const command = readCommand({ args, env, version, columns: widthOf(stdout) });
    // Keys are known now, hashed; whatever is started from here has no business with them.
    delete env['TRAMONTANE_API_KEY'];
    if (command.type === 'print') {
      stdout.write(`${command.text}\n`);
      return 0;
    }
    ({ config } = command);
    terminal = { isTerminal, color: isTerminal && config.color };
    if (command.type === 'doctor') return await examine(config, command.json);
    return await runServer(config, terminal);
  } catch (error) {
    await tellFailure(error, config, terminal);
    return exitCodeOf(error);
  }
}

/** The Node of the engine is looked for while the server's own modules are loaded: that one is a process, these are a tenth of a second. */
async function runServer(config: Config, terminal: Terminal): Promise<number> {
  const output = await createOutput(config, terminal);
  try {
    const runtime = chooseRuntime(config, output.log);
    // It is waited for later.
    runtime.catch(() => undefined);
    const { serve } = await import('./main.ts');
    return await serve(config, terminal, output, runtime);
  } finally {
    output.flush();
  }
}

/** The doctor is only loaded when called. */
async function examine(config: Config, json: boolean): Promise<number> {
  const { stdout } = process;
  const { diagnose } = await import('./doctor/doctor.ts');
  const { reportText } = await import('./doctor/report.ts');
  const diagnosis = await diagnose(config, version);
  const color = config.color && stdout.isTTY && process.env['TERM'] !== 'dumb';
  stdout.write(
    json ? `${JSON.stringify(diagnosis, undefined, 2)}\n` : reportText(diagnosis, { columns: widthOf(stdout), color }),
  );
  return diagnosis.exitCode;
}
