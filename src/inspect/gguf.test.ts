// The report of `inspect gguf`, as data and as text.

import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { fixture, projectRoot } from '../testing/fixtures.ts';
import { writeGguf } from '../weights/gguf-writer.ts';
import { inspectGguf, run } from './gguf.ts';
import type { GgufReport } from './gguf.ts';

async function output(args: readonly string[]): Promise<{ readonly code: number; readonly text: string }> {
  let text = '';
  const code = await run(args, {
    write: (piece) => {
      text += piece;
    },
  });
  return { code, text };
}

async function writeModel(path: string): Promise<void> {
  await writeGguf(
    path,
    {
      metadata: {
        'general.architecture': { type: 'string', value: 'llama' },
        'general.name': { type: 'string', value: 'Tiny \u001b[31mred' },
        large: { type: 'u64', value: 2n ** 64n - 1n },
        epsilon: { type: 'f32', value: 1e-5 },
        floats: { type: 'array', of: 'f32', value: [NaN, 0.5] },
        tokens: { type: 'array', of: 'string', value: Array.from({ length: 20 }, (_, i) => `t${i}`) },
        template: { type: 'string', value: 'x'.repeat(500) },
      },
      tensors: [
        { name: 'token_embd.weight', shape: [32, 20], dtype: 'Q8_0' },
        { name: 'output_norm.weight', shape: [32], dtype: 'F32' },
      ],
    },
    ({ bytes }) => [new Uint8Array(bytes)],
  );
}

void t.test('a report holds what the header says', async (t) => {
  const path = join(t.testdir(), 'tiny.gguf');
  await writeModel(path);
  const { code, text } = await output([path, '--json']);
  t.equal(code, 0);
  t.equal(text.trimEnd().split('\n').length, 1, 'one line');
  const report = JSON.parse(text) as GgufReport;
  t.match(report, {
    architecture: 'llama',
    parameters: 672,
    quantization: 'Q8_0',
    files: [{ file: path, version: 3, alignment: 32 }],
    metadata: {
      large: { type: 'u64', value: '18446744073709551615' },
      floats: { type: 'f32[]', length: 2, value: ['NaN', 0.5] },
      tokens: { type: 'string[]', length: 20, value: ['t0', 't1', 't2', 't3', 't4', 't5', 't6', 't7'] },
      template: { type: 'string', value: `${'x'.repeat(200)}…` },
    },
    tensors: [
      { name: 'token_embd.weight', shape: [32, 20], type: 'Q8_0', file: 0, bytes: 680 },
      { name: 'output_norm.weight', shape: [32], type: 'F32', file: 0, bytes: 128 },
    ],
  });
  t.equal((report.metadata['tokens'].value as string[]).length, 8);
  t.equal(report.tensors[0].offset, report.files[0].dataOffset);
  const full = await inspectGguf(path, { full: true });
  t.equal((full.metadata['tokens'].value as string[]).length, 20);
  t.equal((full.metadata['template'].value as string).length, 500);
});

void t.test('the text has every key and tensor, and no terminal codes of the file', async (t) => {
  const path = join(t.testdir(), 'tiny.gguf');
  await writeModel(path);
  const { code, text } = await output([path]);
  t.equal(code, 0);
  t.match(text, /GGUF version 3, 1,\d\d\d bytes/);
  t.match(text, /name +Tiny \\u001b\[31mred\n/);
  t.match(text, /tokens +string\[20\] +"t0", .*"t7", …\n/);
  t.match(text, /token_embd\.weight +32 x 20 +Q8_0 +[\d,]+ +680\n/);
  t.match(text, /epsilon +f32 +0\.00001\n/, 'an f32 is not shown as the double that it became');
  t.notOk(text.includes('\u001b'));
});

void t.test('what is no model and what is no argument', async (t) => {
  const path = join(t.testdir(), 'm.gguf');
  writeFileSync(path, 'noise of some length');
  const script = join(projectRoot, 'build/src/inspect/gguf.js');
  const shell = (...args: readonly string[]): { code: number; stderr: string } => {
    const source = `import { run } from ${JSON.stringify(script)}; process.exitCode = await run(process.argv.slice(1), process.stdout);`;
    try {
      execFileSync(process.execPath, ['--input-type=module', '-e', source, '--', ...args], { stdio: 'pipe' });
      return { code: 0, stderr: '' };
    } catch (error) {
      const { status, stderr } = error as { status: number; stderr: Buffer };
      return { code: status, stderr: stderr.toString() };
    }
  };
  const noModel = shell(path);
  t.equal(noModel.code, 1);
  t.match(noModel.stderr, /m\.gguf is not a GGUF file/);
  for (const args of [[], [path, path], [path, '--nonsense']]) {
    const { code, stderr } = shell(...args);
    t.equal(code, 2);
    t.match(stderr, /usage: inspect gguf PATH/);
  }
});

void t.test('the demo model', async (t) => {
  const path = fixture(t, 'models/demo/demo-3m-Q8_0.gguf');
  if (path === undefined) return;
  const { text } = await output([path]);
  t.match(text, /architecture +llama\nparameters +3,279,104\nquantization +Q8_0, 8\.52 bits per weight/);
  t.match(text, /blk\.3\.ffn_down\.weight +768 x 256 +Q8_0/);
});
