// Opening GGUF models: what is right opens and says the right thing, what is wrong is refused in words.

import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { dequantize } from '../tensor/dequantize.ts';
import { quantize } from '../tensor/quantize.ts';
import { fixture } from '../testing/fixtures.ts';
import { CheckpointError, tensorOf } from './checkpoint.ts';
import type { Checkpoint } from './checkpoint.ts';
import { describeCheckpoint } from './describe.ts';
import { writeGguf } from './gguf-writer.ts';
import type { GgufContent, GgufValue } from './gguf-writer.ts';
import { openCheckpoint, openParts } from './gguf.ts';

// ---- fixtures ----

void t.test('the architecture fixtures open with the shapes their metadata asks for', async (t) => {
  const folder = fixture(t, 'models/arch');
  if (folder === undefined) return;
  const names = readdirSync(folder).filter((name) => name.endsWith('.gguf'));
  t.equal(names.length, 17);
  for (const name of names) {
    const checkpoint = await openCheckpoint(join(folder, name));
    const { metadata } = checkpoint;
    const architecture = String(metadata['general.architecture']);
    const width = metadata[`${architecture}.embedding_length`];
    const tokens = metadata['tokenizer.ggml.tokens'];
    t.ok(Array.isArray(tokens) && tokens.every((token) => typeof token === 'string'), `${name}: tokens are strings`);
    t.same(tensorOf(checkpoint, 'token_embd.weight').shape, [width, (tokens as string[]).length], `${name}: embedding`);
    for (let layer = 0; layer < Number(metadata[`${architecture}.block_count`]); layer++) {
      t.ok(
        [...checkpoint.tensors.keys()].some((tensor) => tensor.startsWith(`blk.${layer}.`)),
        `${name}: layer ${layer}`,
      );
    }
    const sum = [...checkpoint.tensors.values()].reduce((bytes, tensor) => bytes + tensor.bytes, 0);
    t.equal(checkpoint.tensorBytes, sum);
    t.ok([...checkpoint.tensors.values()].every(({ offset }) => offset % 32 === 0));
    t.equal(describeCheckpoint(checkpoint).quantization, 'F32');
  }
});

void t.test('the weights of every quantized fixture are near those of the F16 one', async (t) => {
  const folder = fixture(t, 'models/quant');
  if (folder === undefined) return;
  // Relative error of the type itself, on the normally distributed weights of these files; ternary types keep little of them.
  const bounds: Record<string, number> = { bf16: 0.002, q8_0: 0.006, q6_k: 0.02, q5_k: 0.04, q5_1: 0.04, q5_0: 0.05 };
  const coarse: Record<string, number> = {
    q2_k: 0.31,
    iq3_xxs: 0.23,
    iq3_s: 0.18,
    q3_k: 0.17,
    tq1_0: 0.82,
    tq2_0: 0.82,
  };
  const reference = await openCheckpoint(join(folder, 'q-f16.gguf'));
  const names = readdirSync(folder).filter((name) => name.endsWith('.gguf'));
  t.equal(names.length, 20);
  for (const name of names) {
    const type = name.slice(2, -5);
    const checkpoint = await openCheckpoint(join(folder, name));
    t.equal(tensorOf(checkpoint, 'blk.0.ffn_up.weight').dtype, type.toUpperCase(), name);
    t.equal(describeCheckpoint(checkpoint).quantization, type.toUpperCase(), name);
    for (const tensor of ['blk.0.attn_k.weight', 'blk.0.ffn_up.weight', 'token_embd.weight']) {
      const error = relativeError(values(checkpoint, tensor), values(reference, tensor));
      const bound = bounds[type] ?? coarse[type] ?? 0.12;
      t.ok(error <= (tensor === 'token_embd.weight' ? 0 : bound), `${name} ${tensor}: ${error}`);
    }
  }
});

function values(checkpoint: Checkpoint, name: string): Float32Array {
  const { file, offset, bytes, dtype, shape } = tensorOf(checkpoint, name);
  const elements = shape.reduce((product, length) => product * length, 1);
  return dequantize(dtype, readFileSync(file).subarray(offset, offset + bytes), elements);
}

function relativeError(actual: Float32Array, expected: Float32Array): number {
  let error = 0;
  let power = 0;
  for (let i = 0; i < expected.length; i++) {
    error += (actual[i] - expected[i]) ** 2;
    power += expected[i] ** 2;
  }
  return Math.sqrt(error / power);
}

void t.test('the demo model is described as what it is', async (t) => {
  const path = fixture(t, 'models/demo/demo-3m-Q8_0.gguf');
  if (path === undefined) return;
  const checkpoint = await openCheckpoint(path);
  const { name, architecture, parameters, quantization, bitsPerWeight } = describeCheckpoint(checkpoint);
  t.same(
    { name, architecture, parameters, quantization },
    {
      name: 'demo-3m',
      architecture: 'llama',
      parameters: 3_279_104,
      quantization: 'Q8_0',
    },
  );
  t.ok(Math.abs(bitsPerWeight - 8.5165) < 1e-3);
  t.same(tensorOf(checkpoint, 'blk.3.ffn_down.weight').shape, [768, 256]);
});

void t.test('vocabulary files without tensors open, and quickly', async (t) => {
  const path = fixture(t, 'tokenizers/gemma-4.gguf');
  if (path === undefined) return;
  const started = performance.now();
  const { metadata, tensors } = await openCheckpoint(path);
  t.ok(performance.now() - started < 5000);
  t.equal(tensors.size, 0);
  t.equal((metadata['tokenizer.ggml.tokens'] as string[]).length, 262_144);
});

// ---- the writer ----

const everyValue: Readonly<Record<string, GgufValue>> = {
  'general.architecture': { type: 'string', value: 'llama' },
  'general.name': { type: 'string', value: 'Ünï 😀' },
  u8: { type: 'u8', value: 255 },
  i8: { type: 'i8', value: -128 },
  u16: { type: 'u16', value: 65_535 },
  i16: { type: 'i16', value: -32_768 },
  u32: { type: 'u32', value: 4_294_967_295 },
  i32: { type: 'i32', value: -2_147_483_648 },
  f32: { type: 'f32', value: Math.fround(0.1) },
  f64: { type: 'f64', value: 0.1 },
  yes: { type: 'bool', value: true },
  no: { type: 'bool', value: false },
  small: { type: 'u64', value: 7 },
  safe: { type: 'i64', value: -9_007_199_254_740_991n },
  large: { type: 'u64', value: 18_446_744_073_709_551_615n },
  negative: { type: 'i64', value: -9_223_372_036_854_775_808n },
  texts: { type: 'array', of: 'string', value: ['a', '', 'bytes \udcff\udc80', 'ß'] },
  floats: { type: 'array', of: 'f32', value: [1, -0.5, Infinity] },
  bools: { type: 'array', of: 'bool', value: [true, false] },
  longs: { type: 'array', of: 'i64', value: [1, 9_223_372_036_854_775_807n] },
  empty: { type: 'array', of: 'u8', value: [] },
  nested: {
    type: 'array',
    of: 'array',
    value: [
      { type: 'array', of: 'u16', value: [1, 2] },
      { type: 'array', of: 'string', value: ['x'] },
    ],
  },
  ['__proto__']: { type: 'string', value: 'a key like any other' },
};

const source = Float32Array.from({ length: 64 * 3 }, (_, i) => Math.sin(i));
const small: GgufContent = {
  metadata: everyValue,
  tensors: [
    { name: 'a.weight', shape: [64, 3], dtype: 'Q8_0' },
    { name: 'b.weight', shape: [5], dtype: 'F32' },
    { name: 'c.weight', shape: [32, 2, 3], dtype: 'F16' },
  ],
};

function* smallData({ dtype }: { readonly dtype: string }): Generator<Uint8Array> {
  if (dtype === 'Q8_0') for (const piece of split(quantize('Q8_0', source), 40)) yield piece;
  else if (dtype === 'F16') yield quantize('F16', source);
  else yield quantize('F32', source.subarray(0, 5));
}

function* split(bytes: Uint8Array, size: number): Generator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

function plainValue(value: GgufValue): unknown {
  if (value.type !== 'array') return typeof value.value === 'bigint' ? plainInteger(value.value) : value.value;
  if (value.of === 'array') return value.value.map(plainValue);
  return value.value.map((element) => (typeof element === 'bigint' ? plainInteger(element) : element));
}

function plainInteger(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

void t.test('what the writer writes, the reader reads', async (t) => {
  const folder = t.testdir();
  const path = join(folder, 'small.gguf');
  await writeGguf(path, small, smallData);
  const checkpoint = await openCheckpoint(path);
  t.same(Object.keys(checkpoint.metadata), Object.keys(everyValue));
  for (const [key, value] of Object.entries(everyValue)) t.same(checkpoint.metadata[key], plainValue(value), key);
  t.same([...checkpoint.tensors.keys()], ['a.weight', 'b.weight', 'c.weight']);
  t.same(tensorOf(checkpoint, 'c.weight').shape, [32, 2, 3]);
  t.ok(relativeError(values(checkpoint, 'a.weight'), source) < 0.01);
  t.same(values(checkpoint, 'b.weight'), source.subarray(0, 5));
  const [{ metadataTypes, version, fileBytes, dataOffset }] = await openParts(path);
  t.equal(version, 3);
  t.equal(metadataTypes.get('texts'), 'string[]');
  t.equal(metadataTypes.get('large'), 'u64');
  t.equal(fileBytes, readFileSync(path).length);
  t.equal(dataOffset % 32, 0);
  t.same(readdirSync(folder), ['small.gguf'], 'nothing is left beside it');
  t.throws(() => tensorOf(checkpoint, 'd.weight'), { name: 'CheckpointError', message: /small\.gguf.*missing/ });
});

void t.test('the writer keeps the old file when it cannot finish the new one', async (t) => {
  const path = join(t.testdir({ 'm.gguf': 'old' }), 'm.gguf');
  const write = async (content: Partial<GgufContent>, piece: Uint8Array): Promise<void> =>
    writeGguf(path, { ...small, ...content }, () => [piece]);
  await t.rejects(write({}, new Uint8Array(7)), RangeError, 'too few bytes');
  await t.rejects(write({}, new Uint8Array(7000)), RangeError, 'too many bytes');
  const bad: readonly GgufValue[] = [
    { type: 'u32', value: -1 },
    { type: 'u8', value: 256 },
    { type: 'i64', value: 9_223_372_036_854_775_808n },
    { type: 'u32', value: 1.5 },
    { type: 'bool', value: 1 },
    { type: 'f32', value: 1n },
    { type: 'array', of: 'i8', value: [128] },
  ];
  for (const value of bad) await t.rejects(write({ metadata: { value } }, new Uint8Array(0)), RangeError, value.type);
  await t.rejects(write({ tensors: [{ name: 'x', shape: [33], dtype: 'Q8_0' }] }, new Uint8Array(34)), RangeError);
  await t.rejects(write({ tensors: [{ name: 'x', shape: [], dtype: 'F32' }] }, new Uint8Array(4)), RangeError);
  t.equal(readFileSync(path, 'utf8'), 'old');
  t.same(readdirSync(join(path, '..')), ['m.gguf']);
});

void t.test('the alignment in the metadata is the one that is used', async (t) => {
  const path = join(t.testdir(), 'm.gguf');
  const metadata: GgufContent['metadata'] = { 'general.alignment': { type: 'u32', value: 256 } };
  await writeGguf(path, { metadata, tensors: small.tensors }, smallData);
  const { tensors } = await openCheckpoint(path);
  t.ok([...tensors.values()].every(({ offset }) => offset % 256 === 0));
  await t.rejects(
    writeGguf(path, { metadata: { 'general.alignment': { type: 'u32', value: 24 } }, tensors: [] }, () => []),
    RangeError,
  );
});

// ---- names, parts and folders ----

function splitMetadata(number: number, count: number): GgufContent['metadata'] {
  return { 'split.no': { type: 'u16', value: number }, 'split.count': { type: 'u16', value: count } };
}

async function writeParts(folder: string, stem: string, count: number, withKeys = true): Promise<string[]> {
  const paths: string[] = [];
  for (let i = 0; i < count; i++) {
    const digits = (n: number): string => String(n).padStart(5, '0');
    const path = join(folder, `${stem}-${digits(i + 1)}-of-${digits(count)}.gguf`);
    const metadata = {
      ...(i === 0 ? { 'general.name': { type: 'string', value: 'whole' } as const } : {}),
      ...(withKeys ? splitMetadata(i, count) : {}),
      ...(withKeys ? { 'split.tensors.count': { type: 'i32', value: count } as const } : {}),
    };
    await writeGguf(path, { metadata, tensors: [{ name: `t${i}`, shape: [4], dtype: 'F32' }] }, () => [
      new Uint8Array(16),
    ]);
    paths.push(path);
  }
  return paths;
}

void t.test('any part of a split model opens all of it', async (t) => {
  const folder = t.testdir();
  const paths = await writeParts(folder, 'm', 3);
  for (const path of [...paths, folder]) {
    const checkpoint = await openCheckpoint(path);
    t.same(checkpoint.files, paths);
    t.same(
      [...checkpoint.tensors].map(([name, { file }]) => [name, file]),
      paths.map((file, i) => [`t${i}`, file]),
    );
    t.equal(checkpoint.metadata['general.name'], 'whole');
    t.equal(checkpoint.tensorBytes, 48);
  }
  renameSync(paths[1], join(folder, 'elsewhere'));
  await refused(t, paths[0], /part 1 of 3; missing beside it: m-00002-of-00003\.gguf/);
  const old = join(folder, 'old');
  mkdirSync(old);
  const [first] = await writeParts(old, 'unkeyed', 2, false);
  t.equal((await openCheckpoint(first)).tensors.size, 2, 'parts without split keys go by their names');
  t.equal(describeCheckpoint({ ...(await openCheckpoint(first)), metadata: {} }).name, 'unkeyed');
});

void t.test('parts that do not belong together are refused', async (t) => {
  const folder = t.testdir();
  const paths = await writeParts(folder, 'm', 2);
  const renamed = join(folder, 'renamed.gguf');
  writeFileSync(renamed, readFileSync(paths[1]));
  await refused(t, renamed, /says it is part 2 of 2, but was opened as part 1 of 1.*name NAME-00001/);
  writeFileSync(paths[1], readFileSync(paths[0]));
  await refused(t, paths[0], /says it is part 1 of 2, but was opened as part 2 of 2/);
  const twice: GgufContent = { metadata: {}, tensors: [{ name: 't', shape: [1], dtype: 'F32' }] };
  for (const path of paths) await writeGguf(path, twice, () => [new Uint8Array(4)]);
  await refused(t, paths[0], /"t" is in another part as well/);
  const counted = { 'split.tensors.count': { type: 'i32', value: 9 } } as const;
  await writeGguf(paths[0], { metadata: counted, tensors: [] }, () => []);
  await refused(t, paths[0], /have 1 tensors, its header promises 9/);
});

void t.test('a folder with exactly one model is that model', async (t) => {
  const folder = t.testdir({ 'README.md': 'words', 'mmproj-m.gguf': 'a companion' });
  await refused(t, folder, /holds no GGUF model/);
  await writeGguf(join(folder, 'm.gguf'), small, smallData);
  t.same((await openCheckpoint(folder)).files, [join(folder, 'm.gguf')]);
  symlinkSync(join(folder, 'm.gguf'), join(folder, 'link.gguf'));
  await refused(t, folder, /holds 2 models: "link\.gguf", "m\.gguf"\. Give the path of one/);
});

void t.test('what is no model at all is named for what it is', async (t) => {
  const folder = t.testdir({
    'empty.gguf': '',
    'short.gguf': 'GGUF',
    'page.gguf': '<!DOCTYPE html><title>Sign in</title>',
    'pointer.gguf': 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1',
    'model.safetensors': `${'\0'.repeat(8)}{"__metadata__": {"format": "pt"}}`,
    'pytorch.bin': 'PK\u0003\u0004 and so on and so on and so on',
    'old.bin': 'tjgg\u0003\u0000\u0000\u0000 an old file, of some length',
    'noise.bin': 'anything else of some length, really',
    'folder.gguf': {},
  });
  const rows: readonly (readonly [string, RegExp])[] = [
    ['empty.gguf', /is not a GGUF file: it is empty/],
    ['short.gguf', /ends after 4 bytes, inside its header: the download was cut/],
    ['page.gguf', /web page/],
    ['pointer.gguf', /Git LFS pointer.*git lfs pull/],
    ['model.safetensors', /safetensors/],
    ['pytorch.bin', /zip archive/],
    ['old.bin', /replaced in 2023/],
    ['noise.bin', /does not begin with "GGUF"/],
    ['absent.gguf', /cannot open .*absent\.gguf: there is no such file/],
    ['noise.bin/x.gguf', /a part of the path is not a folder/],
    ['folder.gguf', /holds no GGUF model/],
    ['zero\0.gguf', /zero character/],
  ];
  for (const [name, words] of rows) await refused(t, join(folder, name), words);
  await refused(t, '/dev/null', /neither a file nor a folder/);
});

async function refused(t: Test, path: string, words: RegExp, message = String(words)): Promise<void> {
  try {
    await openCheckpoint(path);
    t.fail(`${message}: it opened`);
  } catch (error) {
    t.ok(error instanceof CheckpointError, `${message}: ${String(error)}`);
    t.match(String(error), words);
    t.ok(String(error).includes(dirname(path)), 'the file is named, or the part at fault beside it');
  }
}

void t.test('a header longer than any window is read whole', async (t) => {
  const path = join(t.testdir(), 'm.gguf');
  const long = 'x'.repeat(700_000);
  const tokens = Array.from({ length: 300_000 }, (_, i) => `token ${i}`);
  const metadata: GgufContent['metadata'] = {
    long: { type: 'string', value: long },
    tokens: { type: 'array', of: 'string', value: tokens },
    last: { type: 'array', of: 'i32', value: tokens.map((_, i) => i) },
  };
  await writeGguf(path, { metadata, tensors: small.tensors }, smallData);
  const checkpoint = await openCheckpoint(path);
  t.equal(checkpoint.metadata['long'], long);
  const hash = (value: unknown): string => createHash('sha256').update(JSON.stringify(value)).digest('hex');
  t.equal(hash(checkpoint.metadata['tokens']), hash(tokens));
  t.equal((checkpoint.metadata['last'] as number[])[299_999], 299_999);
  t.equal(checkpoint.tensors.size, 3);
});

void t.test('a header cut anywhere is a cut download', async (t) => {
  const path = join(t.testdir(), 'm.gguf');
  await writeGguf(path, small, smallData);
  const whole = readFileSync(path);
  for (let length = whole.length - 32; length >= 24; length -= 7) {
    writeFileSync(path, whole.subarray(0, length));
    await refused(t, path, /the download was cut|claims \d+ (tensors|keys|elements)/, `${length} bytes`);
  }
});
