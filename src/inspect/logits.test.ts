// The checking tool as somebody else's script sees it: JSON lines out, exit codes, nothing else.

import { readFileSync } from 'node:fs';
import t from 'tap';
import { fixture } from '../testing/fixtures.ts';
import { run } from './logits.ts';

async function capture(
  args: readonly string[],
): Promise<{ code: number; lines: Record<string, unknown>[]; errors: string }> {
  let [text, errors] = ['', ''];
  const write = process.stderr.write.bind(process.stderr);
  process.stderr.write = (chunk: string | Uint8Array) => {
    errors += chunk.toString();
    return true;
  };
  try {
    const code = await run(args, { write: (chunk) => (text += chunk) });
    const lines = text.split('\n').filter((line) => line !== '');
    return { code, lines: lines.map((line) => JSON.parse(line) as Record<string, unknown>), errors };
  } finally {
    process.stderr.write = write;
  }
}

void t.test('logits prints a line per position and the greedy ids', async (t) => {
  const model = fixture(t, 'models/arch/llama.gguf');
  const expectedPath = fixture(t, 'models/arch/llama.expected.json');
  if (model === undefined || expectedPath === undefined) return;
  const expected = JSON.parse(readFileSync(expectedPath, 'utf8')) as {
    prompt_ids: number[];
    exact_logits: Record<string, number[]>;
    greedy: number[];
  };
  const options = ['--device', 'reference', '--kv-cache', 'f32', '--positions', '39,0', '--greedy', '16'];
  const { code, lines } = await capture(['--model', model, '--ids', expected.prompt_ids.join(','), ...options]);
  t.equal(code, 0);
  t.strictSame(
    lines.map(({ position }) => position),
    [39, 0, undefined],
  );
  for (const { position, logits } of lines.slice(0, 2)) {
    const bytes = Buffer.from(String(logits), 'base64');
    const values = expected.exact_logits[String(position)].map((_, i) => bytes.readFloatLE(4 * i));
    const far = expected.exact_logits[String(position)].filter((exact, i) => !(Math.abs(values[i] - exact) < 1e-4));
    t.strictSame(far, [], `position ${String(position)}`);
  }
  t.strictSame(lines[2], { greedy: expected.greedy });
});

void t.test('what cannot be done is said on standard error', async (t) => {
  const missing = await capture(['--model', '/nonexistent/model.gguf', '--ids', '1']);
  t.equal(missing.code, 1);
  t.match(missing.errors, '/nonexistent/model.gguf');
  const misuses = [
    [],
    ['--model', 'x'],
    ['--model', 'x', '--ids', '1,-2'],
    ['--model', 'x', '--ids', '1', '--positions', '1'],
    ['--model', 'x', '--ids', '1', '--device', 'abacus'],
    ['--model', 'x', '--ids', '1', '--unknown', '1'],
    ['--model', 'x', '--ids', '1', '--kv-cache', 'f8'],
  ];
  for (const args of misuses) {
    const { code, lines, errors } = await capture(args);
    t.equal(code, 2, args.join(' '));
    t.match(errors, 'usage: inspect logits');
    t.strictSame(lines, []);
  }
  const model = fixture(t, 'models/arch/llama.gguf');
  if (model === undefined) return;
  for (const more of [
    ['--kernels', 'strict'],
    ['--threads', '2'],
    ['--ctx', '1', '--greedy', '2'],
    ['--ids', '320'],
  ]) {
    t.equal(
      (await capture(['--model', model, '--ids', '1', '--device', 'reference', ...more])).code,
      2,
      more.join(' '),
    );
  }
});
