// Starting and not starting: what is printed where, and the exit codes.

import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import t from 'tap';
import { bundledModel, modelName } from './load-model.ts';
import { projectRoot } from './testing/fixtures.ts';
import { runProgram } from './testing/server-process.ts';
import { writeGguf } from './weights/gguf-writer.ts';

void t.test('what was asked for goes to standard output, exit code 0', async (t) => {
  const [help, version] = await Promise.all([runProgram(['--help']), runProgram(['serve', '--version'])]);
  t.match(help, { exit: 0, stdout: /--model PATH/, stderr: '' });
  t.match(version, { exit: 0, stdout: /^\d+\.\d+\.\d+\n$/, stderr: '' });
});

void t.test('what cannot start says why and what to do, in two lines', async (t) => {
  const folder = t.testdir();
  const damaged = join(folder, 'damaged.gguf');
  writeFileSync(damaged, readFileSync(bundledModel).subarray(0, 4000));
  const cut = join(folder, 'cut.gguf');
  writeFileSync(cut, readFileSync(bundledModel).subarray(0, 3_000_000));
  const noModel = join(folder, 'no.gguf');
  writeFileSync(noModel, 'hello');
  const foreign = join(folder, 'foreign.gguf');
  const token = { name: 'token_embd.weight', shape: [32, 4], dtype: 'F32' } as const;
  await writeGguf(
    foreign,
    {
      metadata: {
        'general.architecture': { type: 'string', value: 'abacus' },
        'tokenizer.ggml.model': { type: 'string', value: 'gpt2' },
        'tokenizer.ggml.tokens': { type: 'array', of: 'string', value: ['a', 'b', 'c', 'd'] },
        'tokenizer.ggml.merges': { type: 'array', of: 'string', value: [] },
      },
      tensors: [token],
    },
    ({ bytes }) => [new Uint8Array(bytes)],
  );
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  t.teardown(() => other.close());
  const { port } = other.address() as AddressInfo;

  // The program is this test; Linux tells.
  const owner = process.platform === 'linux' ? ` \\(pid ${process.pid}, \\w+\\)` : '';

  const cases: readonly (readonly [readonly string[], number, RegExp])[] = [
    [
      ['--modle', 'x'],
      2,
      /^error: unknown flag --modle\. Did you mean --model \(-m\)\?\n +all flags: tramontane --help all\n$/,
    ],
    [
      ['-m', join(folder, 'none.gguf')],
      3,
      /^error: there is no file or folder .*none\.gguf\n +look into .* bundled model\n$/,
    ],
    [['-m', 'org/model'], 3, /^error: there is no file .*\n +models are not fetched by name in this release/],
    [['-m', damaged, '--port', '0'], 1, /^error: .*damaged\.gguf is damaged .*\n {7}fetch the file again or/],
    [
      ['-m', cut, '--port', '0'],
      1,
      /^error: .*cut\.gguf ends after 3000000 bytes, .* was cut\n {7}fetch the file again\n$/,
    ],
    [
      ['-m', noModel, '--port', '0'],
      1,
      /^error: .*no\.gguf is not a GGUF file: .*\n {7}give the path of a GGUF model\n$/,
    ],
    [
      ['-m', foreign, '--port', '0', '--device', 'reference'],
      1,
      /^error: architecture "abacus" is not supported; supported: llama, .*[^.]\n$/,
    ],
    [['-m', folder, '--port', '0'], 1, /^error: .* holds 4 models: .*\n {7}give the path of one of them\n$/],
    [
      ['--ctx', '8000000', '--kv-cache', 'f32', '--port', '0'],
      4,
      /^error: (the model|layer \d+) needs .*[GM]iB.*\n {7}use .*--ctx/,
    ],
    [
      ['--prefix-cache-dir', join(noModel, 'below'), '--port', '0'],
      1,
      /^error: the prefix cache cannot write to .*no\.gguf\/below: .*\n {7}give --prefix-cache-dir a folder/,
    ],
    [
      ['--prefix-cache-dir', folder, '--prefix-cache-dir-limit', '4KiB', '--port', '0'],
      1,
      /^error: the prefix cache on disk may take .*64 positions of this model take .*\n {7}raise --prefix-cache-dir-limit\n$/,
    ],
    [['-m', foreign, '--engine-runtime', '/no/node'], 3, /^error: --engine-runtime: .*\n {7}give the path of a Node/],
    [
      ['--port', String(port)],
      1,
      new RegExp(`^error: port ${port} is used by another program${owner}\\n +use another one: .*--port ${port + 1}`),
    ],
    [['--host', '192.0.2.1', '--port', '0'], 1, /^error: 192\.0\.2\.1 is no address of this machine\n +listen on/],
  ];
  for (const [args, exit, stderr] of cases) t.match(await runProgram(args), { exit, stdout: '', stderr });
});

void t.test('with a log for machines, the last words are one line for machines', async (t) => {
  const { exit, stderr } = await runProgram(['-m', 'none.gguf', '--log-format', 'json']);
  t.equal(exit, 3);
  const line = JSON.parse(stderr) as Record<string, unknown>;
  t.match(line, { level: 'error', exit_code: 3, msg: /^there is no file or folder/, remedy: /^look into/ });
  t.equal(line['error'], undefined, 'stacks are for --log-level debug');
  const debug = await runProgram(['-m', 'none.gguf', '--log-level', 'debug']);
  t.match(debug.stderr, /^error: there is no file .*\n.*\nStartError: [^]*\n {4}at /);
});

void t.test('the launcher without a build says which command is missing', async (t) => {
  const folder = t.testdir();
  mkdirSync(join(folder, 'src'));
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  copyFileSync(join(projectRoot, 'src', 'serve.js'), join(folder, 'src', 'serve.js'));
  const run = async (): Promise<unknown> => {
    try {
      return await promisify(execFile)(process.execPath, [join(folder, 'src', 'serve.js')], {
        env: { NODE_OPTIONS: '' },
      });
    } catch (error) {
      return error;
    }
  };
  t.match(await run(), { code: 1, stderr: 'error: the server is not built\n       install and build it: npm ci\n' });
  mkdirSync(join(folder, 'node_modules'));
  t.match(await run(), { code: 1, stderr: /build it: npm run build\n$/ });
});

void t.test('a model is named after its file', async (t) => {
  t.equal(modelName('/m/qwen3-0.6b-Q8_0.gguf'), 'qwen3-0.6b-Q8_0');
  t.equal(modelName('/m/big-00001-of-00003.gguf'), 'big');
  t.equal(modelName('odd'), 'odd');
});
