import { join } from 'node:path';
import t from 'tap';
import { byteCharacter } from '../tokenizer/byte-alphabet.ts';
import { writeGguf } from '../weights/gguf-writer.ts';
import type { GgufValue } from '../weights/gguf-writer.ts';
import { run as runTemplate } from './template.ts';
import { run as runTokenize } from './tokenize.ts';

async function* linesOf(lines: readonly string[]): AsyncGenerator<string> {
  yield* lines;
}

type Run = typeof runTokenize;

/** Exit code and the parsed lines of the output. */
async function answers(
  run: Run,
  args: readonly string[],
  lines: readonly string[],
): Promise<readonly [number, unknown[]]> {
  let output = '';
  const code = await run(args, linesOf(lines), { write: (text: string) => (output += text) });
  return [
    code,
    output
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as unknown),
  ];
}

const tokens = [...Array.from({ length: 256 }, (_, byte) => byteCharacter(byte)), 'hi', 'Ġ.', '<|end|>'];

async function tinyModel(folder: string, more: Readonly<Record<string, GgufValue>> = {}): Promise<string> {
  const path = join(folder, 'tiny.gguf');
  const strings = (value: readonly string[]): GgufValue => ({ type: 'array', of: 'string', value });
  const metadata: Record<string, GgufValue> = {
    'general.architecture': { type: 'string', value: 'llama' },
    'tokenizer.ggml.model': { type: 'string', value: 'gpt2' },
    'tokenizer.ggml.pre': { type: 'string', value: 'gpt-2' },
    'tokenizer.ggml.tokens': strings(tokens),
    'tokenizer.ggml.token_type': { type: 'array', of: 'i32', value: tokens.map((_, id) => (id === 258 ? 3 : 1)) },
    'tokenizer.ggml.merges': strings(['h i', 'Ġ .']),
    'tokenizer.ggml.eos_token_id': { type: 'u32', value: 258 },
    'tokenizer.chat_template': { type: 'string', value: '{{ messages[0].content }}{{ eos_token }}{{ tools }}' },
    ...more,
  };
  await writeGguf(path, { metadata, tensors: [] }, () => []);
  return path;
}

void t.test('tokenize answers each text with its ids', async (t) => {
  const model = await tinyModel(t.testdir());
  const plain = await answers(runTokenize, ['--model', model], ['"hi"', '', '"h<|end|>"', '3', '{']);
  t.equal(plain[0], 1, 'a line was no text');
  t.match(plain[1], [{ ids: [256] }, { ids: [104, 60, 124] }, { error: /JSON string/ }, { error: /not JSON/ }]);
  t.same(await answers(runTokenize, ['--model', model, '--special'], ['"hi<|end|>"']), [0, [{ ids: [256, 258] }]]);
});

void t.test('tokenize --decode answers ids with their text', async (t) => {
  const model = await tinyModel(t.testdir());
  t.same(await answers(runTokenize, ['--model', model, '--decode'], ['[256,258,257]', '[]']), [
    0,
    [{ text: 'hi.' }, { text: '' }],
  ]);
  t.same(await answers(runTokenize, ['--model', model, '--decode', '--special'], ['[256,258]']), [
    0,
    [{ text: 'hi<|end|>' }],
  ]);
  const [code, wrong] = await answers(runTokenize, ['--model', model, '--decode'], ['[999]', '"hi"']);
  t.match([code, wrong], [1, [{ error: /999 is not a token id/ }, { error: /array of token ids/ }]]);
});

void t.test('template renders the template of a model or of a file', async (t) => {
  const folder = t.testdir({
    'a.jinja': "{{ messages|length }}{{ strftime_now('%Y') }}{{ raise_exception('no') if messages|length > 1 }}",
  });
  const model = await tinyModel(folder);
  t.same(await answers(runTemplate, ['--model', model], ['{"messages":[{"content":"hi"}]}']), [
    0,
    [{ ok: 'hi<|end|>None' }],
  ]);
  const file = ['--template', join(folder, 'a.jinja'), '--now', '2026-11-20T10:30:00'];
  t.same(await answers(runTemplate, file, ['{"messages":[]}', '{"messages":[1,2]}']), [
    0,
    [{ ok: '02026' }, { error: 'no' }],
  ]);
  t.match(await answers(runTemplate, file, ['[]']), [1, [{ error: /JSON object/ }]]);
});

void t.test('what cannot be used is said, with an exit code', async (t) => {
  const folder = t.testdir({ 'bad.jinja': '{% if %}' });
  const model = await tinyModel(folder, { 'tokenizer.ggml.pre': { type: 'string', value: 'unheard-of' } });
  t.capture(process.stderr, 'write', () => true);
  t.equal((await answers(runTokenize, ['--model', model], []))[0], 1);
  t.equal((await answers(runTokenize, ['--model', join(folder, 'none.gguf')], []))[0], 1);
  t.equal((await answers(runTokenize, ['--modell', model], []))[0], 2);
  t.equal((await answers(runTokenize, [], []))[0], 2);
  t.equal((await answers(runTemplate, ['--template', join(folder, 'bad.jinja')], []))[0], 1);
  t.equal((await answers(runTemplate, ['--template', join(folder, 'none.jinja')], []))[0], 1);
  t.equal((await answers(runTemplate, ['--template', 'a', '--model', 'b'], []))[0], 2);
  t.equal((await answers(runTemplate, ['--template', 'a', '--now', 'soon'], []))[0], 2);
});
