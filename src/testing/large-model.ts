// `npm run test:large`: a model of more than 5 GiB, which no WASM memory can hold, runs in several arenas. Needs some 6 GiB of memory and
// as much of disk, and a minute; never part of `npm test`. Each load is a process of its own: its peak is measured, and nothing is left.

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { open, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { openCheckpoint } from '../weights/gguf.ts';
import type { LargeModelRun } from './large-model-run.ts';
import { projectRoot } from './fixtures.ts';

const gib = 2 ** 30;
const fileBytes = 5.1 * gib;

/** What the process takes beside weights, cache and scratch: Node itself, its threads, the header. */
const baseBytes = 0.25 * gib;

void t.test('a model of more than 5 GiB', async (t) => {
  const missing = await whatIsMissing();
  if (missing !== undefined) {
    void t.skip(missing, () => undefined);
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'large-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'wide-5b-Q8_0.gguf');
  await run([join(projectRoot, 'build/bench/run.js'), 'synth', 'wide-5b', 'q8_0', path]);
  const { size } = statSync(path);
  t.ok(size > 5 * gib, `a file of ${inGib(size)}`);

  const whole = await load(t, path, 'as large arenas as there can be');
  t.equal(whole.arenas, 2);
  t.ok(whole.lastLayerArena > 0, 'the last layer lies beyond the first arena');
  t.ok(whole.highestPointer > 2 ** 31, 'and some weights where pointers are negative as i32');
  t.equal(whole.chunked, whole.logits, 'the same bits in chunks of 1, 5 and the rest');

  const split = await load(t, path, 'an arena for each layer', gib);
  t.ok(split.arenas >= 6 && split.highestPointer < gib);
  t.equal(split.logits, whole.logits, 'the same bits where all pointers are small');

  await zeroLastLayer(path);
  const changed = await load(t, path, 'with a last layer of zeros');
  t.not(changed.logits, whole.logits, 'other bits');
});

async function load(t: Test, path: string, what: string, arenaBytes?: number): Promise<LargeModelRun> {
  const script = fileURLToPath(new URL('./large-model-run.js', import.meta.url));
  const result = JSON.parse(await run([script, path, String(arenaBytes ?? '')])) as LargeModelRun;
  const { memory, peakBytes, arenas, loadMs, build, tokenMs } = result;
  const planned = memory.weightBytes + memory.kvCacheBytes + memory.scratchBytes;
  t.comment(
    `${what}: ${build}, ${arenas} arenas, loaded in ${(loadMs / 1000).toFixed(1)} s, ${Math.round(tokenMs)} ms a token, ` +
      `peak ${inGib(peakBytes)} = ${inGib(planned)} planned + ${inGib(peakBytes - planned)}`,
  );
  t.ok(result.isFinite, `${what}: finite logits`);
  const { size } = statSync(path);
  const allowed = 1.01 * size + memory.kvCacheBytes + memory.scratchBytes + baseBytes;
  t.ok(peakBytes < allowed, `${what}: no more memory than file, cache and scratch`);
  return result;
}

async function run(args: readonly string[]): Promise<string> {
  return (await promisify(execFile)(process.execPath, args, { maxBuffer: 2 ** 24 })).stdout;
}

/** Overwrites the beginning of a matrix that every token passes. */
async function zeroLastLayer(path: string): Promise<void> {
  const tensor = (await openCheckpoint(path)).tensors.get('blk.5.ffn_down.weight');
  if (tensor === undefined) throw new Error('the synthetic model has a last layer');
  const file = await open(path, 'r+');
  await file.write(new Uint8Array(2 ** 24), 0, 2 ** 24, tensor.offset);
  await file.close();
}

async function whatIsMissing(): Promise<string | undefined> {
  const { bavail, bsize, type } = await statfs(tmpdir());
  const disk = bavail * bsize;
  if (disk < 1.05 * fileBytes) return `${tmpdir()} has ${inGib(disk)} free, ${inGib(1.05 * fileBytes)} are needed`;
  // A file in a memory file system (tmpfs) takes memory too.
  const isInMemory = type === 0x01021994;
  const needed = fileBytes * (isInMemory ? 2 : 1) + gib;
  const free = process.availableMemory();
  return free < needed ? `${inGib(free)} of memory are free, ${inGib(needed)} are needed` : undefined;
}

function inGib(bytes: number): string {
  return `${(bytes / gib).toFixed(2)} GiB`;
}
