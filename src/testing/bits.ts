// The bits that each kernel build of this Node computes, by name of build and model.

import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import { createWasmBackend } from '../compute/wasm/backend.ts';
import { builtKernels, whyNot } from '../compute/wasm/builds.ts';
import { probeKernels } from '../compute/wasm/probe.ts';
import { buildModel } from '../model/model.ts';
import { Probe } from '../model/probe.ts';
import { openCheckpoint } from '../weights/gguf.ts';

/** Build -> model -> hash of the logits of a prompt. Builds that must not run here are left out. */
export type Bits = Readonly<Record<string, Readonly<Record<string, string>>>>;

export async function computeBits(paths: readonly string[]): Promise<Bits> {
  const bits: Record<string, Record<string, string>> = {};
  for (const build of builtKernels().filter((name) => whyNot(name, probeKernels()) === undefined)) {
    bits[build] = {};
    for (const path of paths) bits[build][basename(path)] = await hashLogits(path, build);
  }
  return bits;
}

async function hashLogits(path: string, kernels: string): Promise<string> {
  const model = buildModel(await openCheckpoint(path), { contextLength: 128 });
  const backend = createWasmBackend({ threads: 2, kernels });
  const probe = await Probe.load(model, backend, { kvCache: 'f16', batchTokens: 32 });
  const ids = Array.from({ length: 40 }, (_, i) => (7 + 31 * i) % Math.min(256, model.config.vocabularySize));
  const sum = createHash('sha256');
  for (const row of await probe.feed(ids, [...ids.keys()])) sum.update(row);
  await probe.close();
  return sum.digest('hex').slice(0, 16);
}
