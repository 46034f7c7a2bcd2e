// GGUF files made to harm, byte by byte: each check of the reader has its file, and its words.

import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Test } from 'tap';
import { CheckpointError, tensorOf } from './checkpoint.ts';
import { describeCheckpoint } from './describe.ts';
import { openCheckpoint } from './gguf.ts';

async function refused(t: Test, path: string, words: RegExp, name: string): Promise<void> {
  try {
    await openCheckpoint(path);
    t.fail(`${name}: it opened`);
  } catch (error) {
    t.ok(error instanceof CheckpointError && error.message.includes(path), `${name}: ${String(error)}`);
    t.match(String(error), words);
  }
}

const u32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
const u64 = (value: number | bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
};
const text = (value: string | Uint8Array): Buffer =>
  Buffer.concat([u64(Buffer.from(value).length), Buffer.from(value)]);
const key = (name: string, type: number, ...value: readonly Uint8Array[]): Buffer =>
  Buffer.concat([text(name), u32(type), ...value]);
const tensor = (name: string, dims: readonly (number | bigint)[], type: number, offset: number | bigint): Buffer =>
  Buffer.concat([text(name), u32(dims.length), ...dims.map(u64), u32(type), u64(offset)]);

interface Parts {
  readonly magic?: string;
  readonly version?: number;
  readonly keyCount?: number | bigint;
  readonly tensorCount?: number | bigint;
  readonly keys?: readonly Buffer[];
  readonly tensors?: readonly Buffer[];
  readonly dataBytes?: number;
}

/** A file of raw parts, with counts that may lie. */
function build(parts: Parts): Buffer {
  const { keys = [], tensors = [] } = parts;
  const header = Buffer.concat([
    Buffer.from(parts.magic ?? 'GGUF'),
    u32(parts.version ?? 3),
    u64(parts.tensorCount ?? tensors.length),
    u64(parts.keyCount ?? keys.length),
    ...keys,
    ...tensors,
  ]);
  return Buffer.concat([header, Buffer.alloc(-header.length & 31), Buffer.alloc(parts.dataBytes ?? 128)]);
}

const twoTo63 = 1n << 63n;
const hostile: Readonly<Record<string, readonly [Parts, RegExp]>> = {
  'big-endian': [{ version: 0x0300_0000 }, /big-endian GGUF file.*little-endian/],
  'version 1': [{ version: 1 }, /GGUF version 1; versions 2 and 3 are supported/],
  'version 4': [{ version: 4 }, /GGUF version 4.*Update this program/],
  'version 0': [{ version: 0 }, /GGUF version 0/],
  'more tensors than bytes': [{ tensorCount: 1_000_000 }, /claims 1000000 tensors/],
  '2^63 tensors': [{ tensorCount: twoTo63 }, /over 2\^53 tensors/],
  'more keys than bytes': [{ keyCount: 5_000 }, /claims 5000 keys/],
  '2^64 - 1 keys': [{ keyCount: (1n << 64n) - 1n }, /over 2\^53 keys/],
  'a key that is longer than the file': [{ keyCount: 1, keys: [u64(50_000)] }, /ends after .* inside its header/],
  'a key that is longer than keys may be': [{ keyCount: 1, keys: [u64(65_536)] }, /longer than 65535 bytes/],
  'a string of 2^63 bytes': [{ keys: [key('k', 8, u64(twoTo63))] }, /value of "k" is wrong: a string is longer/],
  'a string of 65 MiB': [{ keys: [key('k', 8, u64(65 * 2 ** 20))] }, /value of "k" is wrong: a string is longer/],
  'an unknown value type': [{ keys: [key('k', 13, u64(0))] }, /value of "k" is wrong: there is no value type 13/],
  'an unknown element type': [{ keys: [key('k', 9, u32(99), u64(0))] }, /there is no value type 99/],
  'a boolean of 2': [{ keys: [key('k', 7, Buffer.of(2))] }, /value of "k" is wrong: a boolean is 2/],
  'an array beyond the file': [{ keys: [key('k', 9, u32(0), u64(10_000))] }, /an array claims 10000 elements/],
  'an array of 2^61 longs': [{ keys: [key('k', 9, u32(10), u64(1n << 61n))] }, /an array claims over 2\^53 elements/],
  'arrays in arrays in arrays …': [
    { keys: [key('k', 9, ...Array.from({ length: 20 }, () => Buffer.concat([u32(9), u64(1)])), u32(0), u64(0))] },
    /nested deeper than 4/,
  ],
  'a key twice': [{ keys: [key('k', 4, u32(1)), key('k', 4, u32(1))] }, /the key "k" occurs twice/],
  'a key of terminal codes': [{ keys: [key('\u001b[2J\u009b', 13)] }, /the value of "\\u001b\[2J\\u009b"/],
  'alignment 0': [{ keys: [key('general.alignment', 4, u32(0))] }, /general\.alignment/],
  'alignment 3': [{ keys: [key('general.alignment', 4, u32(3))] }, /general\.alignment/],
  'alignment 2^30': [{ keys: [key('general.alignment', 4, u32(2 ** 30))] }, /general\.alignment/],
  'alignment as text': [{ keys: [key('general.alignment', 8, text('32'))] }, /general\.alignment/],
  'a tensor without dimensions': [{ tensors: [tensor('x', [], 0, 0)] }, /"x" has 0 dimensions/],
  'a tensor of 5 dimensions': [{ tensors: [tensor('x', [1, 1, 1, 1, 1], 0, 0)] }, /"x" has 5 dimensions/],
  'a tensor of 2^32 - 1 dimensions': [
    { tensors: [Buffer.concat([text('x'), u32(2 ** 32 - 1), u64(0), u64(0), u64(0)])] },
    /has 4294967295 dimensions/,
  ],
  'an empty tensor': [{ tensors: [tensor('x', [0], 0, 0)] }, /impossible shape \[0\]/],
  'a product that overflows': [{ tensors: [tensor('x', [2 ** 32, 2 ** 32], 0, 0)] }, /impossible shape/],
  'a product that wraps to little': [{ tensors: [tensor('x', [1n << 62n, 4], 0, 0)] }, /impossible shape/],
  'a tensor beyond byte 2^53': [{ tensors: [tensor('x', [2 ** 52], 0, 0)] }, /ends beyond byte 2\^53/],
  'an offset of 2^63': [{ tensors: [tensor('x', [1], 0, twoTo63)] }, /begins beyond byte 2\^53/],
  'a misaligned tensor': [{ tensors: [tensor('x', [1], 0, 4)] }, /begins at 4, no multiple of the alignment 32/],
  'half a block': [{ tensors: [tensor('x', [33], 8, 0)] }, /33 long, are no whole number of Q8_0 blocks/],
  'overlapping tensors': [
    { tensors: [tensor('y', [1], 0, 32), tensor('x', [16], 0, 0)] },
    /the tensors "x" and "y" overlap/,
  ],
  'two tensors in one place': [{ tensors: [tensor('x', [1], 0, 0), tensor('y', [1], 99, 0)] }, /overlap/],
  'a tensor twice': [{ tensors: [tensor('x', [1], 0, 0), tensor('x', [1], 0, 32)] }, /tensor "x" occurs twice/],
  'a tensor name of a kilobyte': [{ tensors: [tensor('x'.repeat(1024), [1], 0, 0)] }, /longer than 512 bytes/],
  'a tensor beyond the end': [
    { tensors: [tensor('x', [64], 0, 32)] },
    /ends after 192 bytes, its header promises 352: the download was cut/,
  ],
  'a cut tail': [{ tensors: [tensor('x', [33], 0, 0)] }, /ends after 192 bytes, its header promises 196/],
};

void t.test('hostile files are refused in words', async (t) => {
  const path = join(t.testdir(), 'hostile.gguf');
  writeFileSync(path, build({ tensors: [tensor('x', [32], 0, 0)], keys: [key('k', 4, u32(1))] }));
  t.equal((await openCheckpoint(path)).tensors.size, 1, 'the same builder makes good files');
  for (const [name, [parts, words]] of Object.entries(hostile)) {
    writeFileSync(path, build(parts));
    await refused(t, path, words, name);
  }
});

void t.test('sizes that only a huge file could have are capped by number', async (t) => {
  const path = join(t.testdir(), 'sparse.gguf');
  const rows: readonly (readonly [Parts, RegExp])[] = [
    [{ tensorCount: 200_000 }, /claims 200000 tensors/],
    [{ keyCount: 70_000 }, /claims 70000 keys/],
    [{ keys: [key('k', 9, u32(0), u64(1e9))] }, /more than 8388608 elements/],
    [{ keys: [key('k', 9, u32(8), u64(2e7))] }, /more than 8388608 elements/],
    [{ keys: [key('k', 8, u64(1e9))] }, /longer than 67108864 bytes/],
  ];
  for (const [parts, words] of rows) {
    writeFileSync(path, build(parts));
    // A hole: no bytes on disk.
    truncateSync(path, 4e9);
    await refused(t, path, words, String(words));
  }
});

void t.test('an unknown tensor type matters only to who needs the tensor', async (t) => {
  const path = join(t.testdir(), 'm.gguf');
  writeFileSync(path, build({ tensors: [tensor('known', [8], 0, 0), tensor('young', [128], 41, 32)] }));
  const checkpoint = await openCheckpoint(path);
  t.same([...checkpoint.tensors.keys()], ['known']);
  t.match(checkpoint.unsupported?.get('young'), { name: 'young', typeId: 41, shape: [128] });
  t.throws(() => tensorOf(checkpoint, 'young'), { name: 'CheckpointError', message: /young has type 41.*Convert/ });
  t.equal(describeCheckpoint(checkpoint).parameters, 136);
});

void t.test('version 2 and token bytes that are no UTF-8 are read', async (t) => {
  const path = join(t.testdir(), 'm.gguf');
  const tokens = Buffer.concat([u32(8), u64(2), text(Buffer.of(0x61, 0xff)), text('€')]);
  writeFileSync(path, build({ version: 2, keys: [key('tokens', 9, tokens)] }));
  t.same((await openCheckpoint(path)).metadata['tokens'], ['a\udcff', '€']);
});
