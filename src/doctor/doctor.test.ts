import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { readCommand, type Config } from '../config.ts';
import { runProgram } from '../testing/server-process.ts';
import { diagnose, type Diagnosis } from './doctor.ts';
import { reportText } from './report.ts';

function configOf(args: readonly string[]): Config {
  const command = readCommand({ args: ['doctor', '--port', '0', ...args], env: {}, version: '', columns: 80 });
  if (command.type !== 'doctor') throw new Error('no doctor');
  return command.config;
}

void t.test('a machine that can serve: words on standard output, exit code 0', async (t) => {
  const { exit, stdout, stderr } = await runProgram(['doctor', '--port', '0', '--threads', '1']);
  t.equal(exit, 0);
  t.equal(stderr, '');
  t.match(stdout, /^ {2}ok {4}Node \d+\.\d+\.\d+/);
  t.match(stdout, /\n {2}ok {4}1 thread on \d+ cores?, SIMD build \w+ /);
  t.match(stdout.replaceAll(/\n +/g, ' '), /self-test of \d\d kernels, \d+\.\d s/);
  t.match(stdout, /\n {2}ok {4}model demo-3m-Q8_0: llama, Q8_0, 3\.\d MiB/);
  t.match(stdout, /\n {2}ok {4}memory [\d.]+ [MG]iB free; the model needs [\d.]+ MiB/);
  t.match(stdout, /\n {2}ok {4}any free port on 127\.0\.0\.1\n {2}ok {4}transport /);
  t.match(stdout, /\n {2}All is well: tramontane serve\n$/);
});

void t.test('--json: one object with everything that was looked at', async (t) => {
  const { exit, stdout } = await runProgram(['doctor', '--json', '--port', '0', '-m', '/some/where/none.gguf']);
  t.equal(exit, 3, 'as serve would end');
  const report = JSON.parse(stdout) as Diagnosis;
  t.match(report, { version: /^\d/, system: { platform: process.platform, node: process.versions.node } });
  t.match(report, { warnings: 0, failures: 1, exitCode: 3 });
  t.same(
    report.checks.map(({ name, status }) => `${name} ${status}`),
    ['node ok', 'kernels ok', 'model fail', 'memory ok', 'port ok', 'transport ok', 'keys ok'],
  );
  t.match(report.checks[1].facts, { build: String, kernels: Number, wrong: [], cores: Number });
});

void t.test('what would keep serve from starting is found, with its exit code', async (t) => {
  const folder = t.testdir();
  const damaged = join(folder, 'damaged.gguf');
  writeFileSync(damaged, 'GGUF');
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  t.teardown(() => other.close());
  const { port } = other.address() as AddressInfo;

  const cases: readonly (readonly [readonly string[], number, string, RegExp])[] = [
    [['-m', damaged], 1, 'model', /damaged\.gguf/],
    [['--ctx', '8000000', '--kv-cache', 'f32'], 4, 'memory', /needs .*[MG]iB/],
    [['--port', String(port)], 1, 'port', new RegExp(`^port ${port} is used by another program`)],
    [['--metrics-port', String(port)], 1, 'port', new RegExp(`^port ${port} is used by another program`)],
    [['--host', '192.0.2.1', '--api-key', 'k'.repeat(32)], 1, 'port', /^192\.0\.2\.1 is no address of this machine/],
    [['--api-key-file', join(folder, 'no-keys')], 3, 'keys', /no-keys/],
    [['--prefix-cache-dir', join(damaged, 'below')], 1, 'prefix cache', /cannot write/],
    [['--engine-runtime', '/no/node'], 3, 'node', /^--engine-runtime: there is no file/],
  ];
  for (const [args, exitCode, name, text] of cases) {
    const diagnosis = await diagnose(configOf(['--threads', '1', ...args]), '1');
    t.match(diagnosis, { exitCode, failures: 1 }, args.join(' '));
    t.match(
      diagnosis.checks.find(({ status }) => status === 'fail'),
      { name, text, remedy: String, exitCode },
    );
  }
});

void t.test('what would be slow is warned of', async (t) => {
  const slow = await diagnose(configOf(['--device', 'reference']), '1');
  t.match(slow, { exitCode: 0, warnings: 1, failures: 0 });
  t.match(slow.checks[1], { name: 'kernels', status: 'warn', remedy: /--device wasm/ });
  const open = await diagnose(configOf(['--host', '0.0.0.0', '--device', 'reference']), '1');
  t.match(open.checks.at(-1), { name: 'keys', status: 'warn', remedy: /--api-key-file/ });
  const crowded = await diagnose(configOf(['--threads', '200']), '1');
  t.match(crowded.checks[1], { name: 'kernels', status: 'warn', remedy: /^use --threads \d+: / });
});

const diagnosis: Diagnosis = {
  version: '0.1.0',
  system: {},
  warnings: 1,
  failures: 1,
  exitCode: 3,
  checks: [
    { name: 'node', status: 'ok', text: 'Node 24.21.0' },
    {
      name: 'memory',
      status: 'warn',
      text: 'memory 2.1 GiB free; the model needs 3.4 GiB',
      remedy: 'use --ctx 4096 (2.0 GiB)',
    },
    {
      name: 'model',
      status: 'fail',
      text: 'there is no file or folder qwen3-0.6b-Q8_0.gguf',
      remedy: 'look into ., or leave --model out for the bundled model',
      exitCode: 3,
    },
  ],
};

const goldens: Readonly<Record<number, string>> = {
  60: `  ok    Node 24.21.0
  warn  memory 2.1 GiB free; the model needs 3.4 GiB
        -> use --ctx 4096 (2.0 GiB)
  fail  there is no file or folder qwen3-0.6b-Q8_0.gguf
        -> look into ., or leave --model out for the bundled
        model
  1 problem, 1 warning. Full report for an issue: tramontane
  doctor --json
`,
  80: `  ok    Node 24.21.0
  warn  memory 2.1 GiB free; the model needs 3.4 GiB
        -> use --ctx 4096 (2.0 GiB)
  fail  there is no file or folder qwen3-0.6b-Q8_0.gguf
        -> look into ., or leave --model out for the bundled model
  1 problem, 1 warning. Full report for an issue: tramontane doctor --json
`,
  120: `  ok    Node 24.21.0
  warn  memory 2.1 GiB free; the model needs 3.4 GiB      -> use --ctx 4096 (2.0 GiB)
  fail  there is no file or folder qwen3-0.6b-Q8_0.gguf      -> look into ., or leave --model out for the bundled model
  1 problem, 1 warning. Full report for an issue: tramontane doctor --json
`,
};

void t.test('the report at 60, 80 and 120 columns', async (t) => {
  for (const [columns, golden] of Object.entries(goldens)) {
    t.equal(reportText(diagnosis, { columns: Number(columns), color: false }), golden);
  }
  const colored = reportText(diagnosis, { columns: 80, color: true });
  t.match(colored, '\u001b[31mfail\u001b[0m');
  t.equal(colored.replaceAll(new RegExp(`${String.fromCharCode(27)}\\[\\d+m`, 'g'), ''), goldens[80]);
});
