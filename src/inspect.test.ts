import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { bundledModel } from './load-model.ts';
import { projectRoot } from './testing/fixtures.ts';

function inspect(args: readonly string[], input = ''): { status: number | null; stdout: string; stderr: string } {
  const program = join(projectRoot, 'build', 'src', 'inspect.js');
  return spawnSync(process.execPath, [program, ...args], { input, encoding: 'utf8', env: { NODE_OPTIONS: '' } });
}

void t.test('help, of all and of each', async (t) => {
  const { stdout, status } = inspect(['--help']);
  t.equal(status, 0);
  for (const name of ['gguf', 'logits', 'tokenize', 'template']) {
    t.match(stdout, `  ${name} `);
    t.match(inspect([name, '--help']), { status: 0, stdout: `Usage: inspect ${name} `, stderr: '' });
  }
  t.match(inspect(['nope']), { status: 2, stdout: '', stderr: /^error: there is no command "nope"\nUsage/ });
  t.match(inspect([]), { status: 2, stderr: /^Usage/ });
});

void t.test('commands get their arguments and lines, and their exit code comes out', async (t) => {
  const bad = inspect(['gguf', '--nope']);
  t.match(bad, { status: 2, stdout: '' });
  t.match(inspect(['gguf', bundledModel]), { status: 0, stdout: /architecture +llama/ });
  t.match(inspect(['tokenize', '--model', bundledModel], '"Hello"\n"Hi"\n'), {
    status: 0,
    stdout: /^{"ids":.*}\n{"ids":.*}\n$/,
  });
});
