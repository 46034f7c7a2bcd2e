// One measurement by node-llama-cpp. Arguments: the folder of the package, the work as JSON; prints a `Measurement`.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Measurement, Work } from './peer.ts';

/** What is used of version 3's interface; the package is none of ours. */
interface Package {
  readonly getLlama: (options: object) => Promise<Llama>;
}

interface Llama {
  loadModel(options: object): Promise<Model>;
  dispose(): Promise<void>;
}

interface Model {
  createContext(options: object): Promise<{ getSequence(): Sequence }>;
}

interface Sequence {
  evaluateWithoutGeneratingNewTokens(tokens: readonly number[]): Promise<void>;
  evaluate(tokens: readonly number[], options: object): AsyncIterable<number>;
  clearHistory(): Promise<void>;
}

const [folder, text] = process.argv.slice(2);
const { model: modelPath, threads, prompt, gen, depth } = JSON.parse(text) as Work;
const { getLlama } = (await import(pathToFileURL(join(folder, 'dist', 'index.js')).href)) as Package;
const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { readonly version: string };

const llama = await getLlama({ gpu: false, build: 'never', logLevel: 'error', maxThreads: threads });
const model = await llama.loadModel({ modelPath });
const contextSize = depth + Math.max(prompt, gen) + 64;
const context = await model.createContext({ contextSize, batchSize: 512, threads, flashAttention: true });
const sequence = context.getSequence();

// Warm, as ours is.
await sequence.evaluateWithoutGeneratingNewTokens(tokens(Math.min(64, prompt)));
await generate(8);
await startBehind();

const prefillMs = await timed(() => sequence.evaluateWithoutGeneratingNewTokens(tokens(prompt)));
await startBehind();
const decodeMs = await timed(() => generate(gen));
const measurement: Measurement = {
  prefill_tok_s: (prompt / prefillMs) * 1000,
  decode_tok_s: (gen / decodeMs) * 1000,
  version: `${version}, flash attention, Node ${process.versions.node}`,
};
await llama.dispose();
process.stdout.write(`${JSON.stringify(measurement)}\n`);

async function startBehind(): Promise<void> {
  await sequence.clearHistory();
  if (depth > 0) await sequence.evaluateWithoutGeneratingNewTokens(tokens(depth));
}

/** Plain ids that every vocabulary of more than 128 has. */
function tokens(count: number): number[] {
  return Array.from({ length: count }, (_, i) => 32 + ((i * 31) % 64));
}

/** Its loop over tokens, greedy; after the end of an answer it goes on with another. */
async function generate(count: number): Promise<void> {
  for (let left = count, next = 33; left > 0;) {
    for await (const token of sequence.evaluate([next], { temperature: 0, yieldEogToken: true })) {
      next = token;
      if (--left === 0) return;
    }
  }
}

async function timed(work: () => Promise<void>): Promise<number> {
  const from = performance.now();
  await work();
  return performance.now() - from;
}
