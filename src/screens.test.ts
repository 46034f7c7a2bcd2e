// What is really seen: the server inside terminals of several widths, and without one.

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { projectRoot } from './testing/fixtures.ts';
import { startServer } from './testing/server-process.ts';
import { runInTerminal, type TerminalRun } from './testing/pseudo-terminal.ts';

const escape = String.fromCharCode(27);
const colours = new RegExp(`${escape}\\[\\d+m`, 'g');

/** The lines of the screen; a bar that was on the first of them has been taken away. */
function screenOf(output: string): string[] {
  const text = output.replace(colours, '');
  const lines = text.slice(text.indexOf('  tramontane ')).split(/\r*\n/);
  return lines.slice(0, lines.findIndex((line) => line.includes('Ctrl-C stops')) + 1);
}

function checkScreen(t: Test, lines: readonly string[], columns: number): void {
  const labels = lines.map((line) => /^ {2}(\w+) {2,}\S/.exec(line)?.[1]).filter((label) => label !== undefined);
  t.same(labels, ['model', 'memory', 'kernels', 'engine', 'threads', 'http', 'api', 'docs', 'try']);
  for (const line of lines) if (!/ (curl|api|docs) /.test(line)) t.ok(line.length <= columns, `${columns}: ${line}`);
  t.match(lines.join('\n'), /\n {2}try {6}curl http:\/\/127\.0\.0\.1:\d+\/v1\/chat\/completions -H .* -d '\{.*\}'\n/);
}

/** Ctrl-C, as a key. */
async function stop(t: Test, run: TerminalRun): Promise<void> {
  run.type('\u0003');
  await run.until(/stopped cleanly/);
  t.match(run.output, /stopping · Ctrl-C again stops now/);
  t.equal(await run.exit, 0);
}

void t.test('on terminals of 60, 80 and 120 columns', async (t) => {
  const cases: readonly (readonly [number, string, Readonly<Record<string, string>>])[] = [
    [60, '--color', {}],
    [80, '--no-color', {}],
    [100, '--threads=1', { NO_COLOR: '1' }],
    [120, '--threads=1', { TERM: 'dumb' }],
  ];
  for (const [columns, flag, env] of cases) {
    const run = runInTerminal(t, { args: ['--port', '0', flag], columns, env });
    if (run === undefined) return;
    await run.until(/Ctrl-C stops/);
    checkScreen(t, screenOf(run.output), columns);
    t.equal(run.output.match(colours) !== null, flag === '--color', `colour at ${columns}`);
    if (env['TERM'] === 'dumb') t.notOk(run.output.includes(escape), 'a dumb terminal gets letters only');
    await stop(t, run);
  }
});

void t.test('without a terminal: the same screen, letters only, on the error output', async (t) => {
  const child = spawn(process.execPath, [join(projectRoot, 'src', 'serve.js'), '--port', '0'], {
    env: { ...process.env, NODE_OPTIONS: '', FORCE_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (text) => (stdout += String(text)));
  await new Promise<void>((resolve) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
      if (stderr.includes('Ctrl-C stops')) resolve();
    });
  });
  child.kill('SIGINT');
  const exit = await new Promise((resolve) => child.on('close', resolve));
  t.equal(exit, 0);
  t.equal(stdout, '');
  t.notOk(stderr.includes(escape));
  checkScreen(t, screenOf(stderr), 80);
});

void t.test('with a log for machines every line is one', async (t) => {
  const { log, process: child, exit } = await startServer(t);
  child.kill('SIGTERM');
  await exit;
  t.ok(log.length > 3);
  for (const line of log) t.match(line, { level: String, ts: String, msg: String });
});

void t.test('what is wrong is red on a terminal, and only there', async (t) => {
  const run = runInTerminal(t, { args: ['--modle', 'x'], columns: 80 });
  if (run === undefined) return;
  t.equal(await run.exit, 2);
  t.equal(
    run.output.replaceAll('\r', ''),
    `${escape}[31merror:${escape}[0m unknown flag --modle. Did you mean --model (-m)?\n       all flags: tramontane --help all\n`,
  );
});

void t.test('--help fits the terminal', async (t) => {
  for (const columns of [60, 120]) {
    const run = runInTerminal(t, { args: ['--help'], columns });
    if (run === undefined) return;
    t.equal(await run.exit, 0);
    const lines = run.output.split(/\r*\n/);
    t.ok(lines.every(({ length }) => length <= columns));
    t.ok(Math.max(...lines.map(({ length }) => length)) > columns - 30, 'and uses it');
    t.match(run.output, /Model +-m, --model PATH/);
  }
});
