// 10,000 mutated GGUF files: each opens or is refused with a `CheckpointError`, in less than a second and little memory. The
// generator is seeded: a failure names the seed of its file, and `mutate(seed)` makes that file again.

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { CheckpointError } from './checkpoint.ts';
import { describeCheckpoint } from './describe.ts';
import { layOut } from './gguf-writer.ts';
import type { GgufContent } from './gguf-writer.ts';
import { openCheckpoint } from './gguf.ts';

const files = 10_000;
const most = { cpuMs: 1000, rssBytes: 256 * 1024 * 1024 };

const contents: readonly GgufContent[] = [
  {
    metadata: {
      'general.architecture': { type: 'string', value: 'llama' },
      'general.name': { type: 'string', value: 'tiny' },
      'general.alignment': { type: 'u32', value: 64 },
      'llama.block_count': { type: 'u32', value: 2 },
      'llama.rope.freq_base': { type: 'f32', value: 10_000 },
      'tokenizer.ggml.tokens': { type: 'array', of: 'string', value: ['<s>', 'a', '\udcff', 'é', ''] },
      'tokenizer.ggml.scores': { type: 'array', of: 'f32', value: [0, 1, 2, 3, 4] },
      'tokenizer.ggml.add_bos_token': { type: 'bool', value: true },
    },
    tensors: [
      { name: 'token_embd.weight', shape: [32, 5], dtype: 'Q8_0' },
      { name: 'blk.0.attn_norm.weight', shape: [32], dtype: 'F32' },
      { name: 'blk.0.ffn_up.weight', shape: [256, 2], dtype: 'Q4_K' },
      { name: 'experts', shape: [32, 2, 3], dtype: 'F16' },
    ],
  },
  {
    metadata: {
      'split.no': { type: 'u16', value: 0 },
      'split.count': { type: 'u16', value: 1 },
      nested: {
        type: 'array',
        of: 'array',
        value: [
          { type: 'array', of: 'u8', value: [1, 2, 3] },
          { type: 'array', of: 'array', value: [{ type: 'array', of: 'i64', value: [1n, -1n] }] },
        ],
      },
      large: { type: 'u64', value: 2n ** 64n - 1n },
      double: { type: 'f64', value: Math.PI },
    },
    tensors: [{ name: 'x', shape: [1, 1, 1, 1], dtype: 'BF16' }],
  },
  { metadata: {}, tensors: [] },
];

const seedFiles = contents.map(wholeFile);

function wholeFile(content: GgufContent): Buffer {
  const { header, fileBytes } = layOut(content);
  return Buffer.concat([header, Buffer.alloc(fileBytes - header.length)]);
}

interface Random {
  /** 0 .. bound - 1. */
  below(bound: number): number;
}

/** The "mulberry32" generator: a Weyl sequence through a mixing function. */
function random(seed: number): Random {
  let state = seed;
  return {
    below(bound) {
      state = (state + 0x6d2b_79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * bound);
    },
  };
}

type Mutation = (bytes: Buffer, random: Random) => Buffer;

const mutations: readonly Mutation[] = [
  flipBits,
  setByte,
  setField,
  setField,
  setField,
  truncate,
  duplicate,
  remove,
  splice,
];

/** One to four mutations, fewer more often, of one of the seed files. */
function mutate(seed: number): Buffer {
  const source = random(seed);
  let bytes: Buffer = Buffer.from(seedFiles[source.below(8) === 0 ? 2 : source.below(2)]);
  const rounds = 1 + source.below(1 + source.below(4));
  for (let i = 0; i < rounds && bytes.length > 0; i++) {
    bytes = mutations[source.below(mutations.length)](bytes, source);
  }
  // Mostly the mutation should be met behind the magic.
  if (source.below(20) > 0) bytes.write('GGUF', 'latin1');
  return bytes;
}

/** Mostly in the header, which is where the reader reads. */
function place(bytes: Buffer, random: Random): number {
  return random.below(random.below(4) === 0 ? bytes.length : Math.min(bytes.length, 700));
}

function flipBits(bytes: Buffer, random: Random): Buffer {
  for (let i = random.below(8); i >= 0; i--) bytes[place(bytes, random)] ^= 1 << random.below(8);
  return bytes;
}

function setByte(bytes: Buffer, random: Random): Buffer {
  bytes[place(bytes, random)] = [0, 1, 7, 8, 9, 10, 12, 13, 0x7f, 0x80, 0xff][random.below(11)];
  return bytes;
}

/** A 32- or 64-bit field set to an extreme; the counts of the header and the lengths of strings more often than chance would. */
function setField(bytes: Buffer, random: Random): Buffer {
  const lengths = lengthFields(bytes);
  const counts = [8, 16];
  const choice = random.below(8);
  const at =
    choice === 0
      ? counts[random.below(2)]
      : choice < 3
        ? (lengths[random.below(lengths.length)] ?? 8)
        : place(bytes, random);
  if (at + 8 > bytes.length) return bytes;
  const size = BigInt(bytes.length);
  const extremes = [
    0n,
    1n,
    2n ** 31n,
    2n ** 32n - 1n,
    2n ** 53n,
    2n ** 63n,
    2n ** 64n - 1n,
    size,
    size - 1n,
    size + 1n,
    65_535n,
  ];
  const value = extremes[random.below(extremes.length)];
  if (random.below(3) === 0) bytes.writeUInt32LE(Number(value & 0xffff_ffffn), at);
  else bytes.writeBigUInt64LE(value, at);
  return bytes;
}

/** Places where a small number is followed by that many letters. */
function lengthFields(bytes: Buffer): number[] {
  const found: number[] = [];
  for (let at = 24; at + 9 < bytes.length; at++) {
    const isSmall = bytes[at] > 0 && bytes[at] < 64 && bytes.readUIntLE(at + 1, 6) === 0 && bytes[at + 7] === 0;
    if (isSmall && bytes[at + 8] >= 0x5f) found.push(at);
  }
  return found;
}

function truncate(bytes: Buffer, random: Random): Buffer {
  return bytes.subarray(0, place(bytes, random));
}

function duplicate(bytes: Buffer, random: Random): Buffer {
  const from = place(bytes, random);
  const region = bytes.subarray(from, from + 1 + random.below(64));
  const to = place(bytes, random);
  return Buffer.concat([bytes.subarray(0, to), region, bytes.subarray(to)]);
}

function remove(bytes: Buffer, random: Random): Buffer {
  const from = place(bytes, random);
  return Buffer.concat([bytes.subarray(0, from), bytes.subarray(from + 1 + random.below(32))]);
}

/** The beginning of one file and the end of another. */
function splice(bytes: Buffer, random: Random): Buffer {
  const other = seedFiles[random.below(seedFiles.length)];
  return Buffer.concat([bytes.subarray(0, place(bytes, random)), other.subarray(random.below(other.length))]);
}

void t.test('every mutated file opens or is refused, quickly and in little memory', async (t) => {
  const path = join(t.testdir(), 'mutated.gguf');
  for (const [i, bytes] of seedFiles.entries()) {
    writeFileSync(path, bytes);
    await openCheckpoint(path).then(
      () => t.pass(`seed file ${i} is good`),
      (error: unknown) => t.fail(String(error)),
    );
  }
  const startRss = process.resourceUsage().maxRSS * 1024;
  const verdicts = { opened: 0, refused: 0 };
  const problems = new Map<string, number>();
  let slowest = 0;
  for (let seed = 0; seed < files; seed++) {
    writeFileSync(path, mutate(seed));
    const started = process.cpuUsage();
    try {
      describeCheckpoint(await openCheckpoint(path));
      verdicts.opened++;
    } catch (error) {
      verdicts.refused++;
      if (!(error instanceof CheckpointError)) t.fail(`seed ${seed}: ${String(error)}`);
      const words = String(error)
        .replaceAll(path, '')
        .replaceAll(/\d+|"[^"]*"|\[.*\]/g, '#');
      problems.set(words, (problems.get(words) ?? 0) + 1);
    }
    const { user, system } = process.cpuUsage(started);
    slowest = Math.max(slowest, (user + system) / 1000);
  }
  t.ok(slowest < most.cpuMs, `the slowest took ${slowest.toFixed(1)} ms of processor time`);
  const grown = process.resourceUsage().maxRSS * 1024 - startRss;
  t.ok(grown < most.rssBytes, `the process grew by ${(grown / 2 ** 20).toFixed(0)} MiB for all of them together`);
  // A generator that only makes noise would prove nothing: many files open, and most checks are met.
  t.ok(verdicts.opened > files / 20 && verdicts.refused > files / 2, JSON.stringify(verdicts));
  t.ok(problems.size >= 20, `${problems.size} kinds of refusal`);
});

void t.test('the same seed makes the same file', async (t) => {
  for (const seed of [0, 1, 9999]) t.same(mutate(seed), mutate(seed));
});
