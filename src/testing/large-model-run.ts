// One load of `test:large`, in a process of its own: arguments are a model and the most bytes of an arena; prints JSON.

import { createHash } from 'node:crypto';
import { createWasmBackend } from '../compute/wasm/backend.ts';
import { planLayout } from '../compute/wasm/layout.ts';
import type { MemoryPlan } from '../compute/backend.ts';
import { buildModel } from '../model/model.ts';
import { planProbe, Probe } from '../model/probe.ts';
import { openCheckpoint } from '../weights/gguf.ts';

export interface LargeModelRun {
  readonly build: string;
  readonly arenas: number;
  readonly lastLayerArena: number;
  /** Offset of the last matrix in its arena, over all arenas. */
  readonly highestPointer: number;
  readonly memory: MemoryPlan;
  /** Most resident memory that the process ever had. */
  readonly peakBytes: number;
  readonly loadMs: number;
  readonly tokenMs: number;
  readonly isFinite: boolean;
  /** Hash of all logits of the prompt in one pass. */
  readonly logits: string;
  /** The same after a prompt in several passes. */
  readonly chunked: string;
}

const [path = '', limit = ''] = process.argv.slice(2);
const threads = 2;
const options = { kvCache: 'f32', batchTokens: 16 } as const;
const arenaBytes = limit === '' ? {} : { arenaBytes: Number(limit) };
const model = buildModel(await openCheckpoint(path), { contextLength: 64 });
const backend = createWasmBackend({ threads, kernels: 'auto', ...arenaBytes });
const layout = planLayout(planProbe(model, options), threads, backend.build.name, arenaBytes.arenaBytes);
const matrices = [...layout.home].map(([id, arena]) => ({ arena, layer: model.weights[id].layer, id }));
const lastLayer = matrices.find(({ layer }) => layer === model.layers - 1);

const started = performance.now();
const probe = await Probe.load(model, backend, options);
const loadMs = performance.now() - started;
const prompt = Array.from({ length: 12 }, (_, i) => 1 + 37 * i);
const all = [...prompt.keys()];
const whole = await probe.feed(prompt, all);

probe.rewind(0);
const chunked: Float32Array[] = [];
const from = performance.now();
for (const [start, end] of [
  [0, 1],
  [1, 6],
  [6, 12],
] as const) {
  const part = prompt.slice(start, end);
  chunked.push(...(await probe.feed(part, [...part.keys()])));
}
const tokenMs = (performance.now() - from) / prompt.length;

const result: LargeModelRun = {
  build: probe.executor.build,
  arenas: layout.arenas.length,
  lastLayerArena: lastLayer?.arena ?? 0,
  highestPointer: Math.max(...matrices.map(({ arena, id }) => layout.pointers.get(`${arena}:${id}`) ?? 0)),
  memory: probe.executor.memory,
  peakBytes: process.resourceUsage().maxRSS * 1024,
  loadMs,
  tokenMs,
  isFinite: whole.every((row) => row.every(Number.isFinite)),
  logits: hash(whole),
  chunked: hash(chunked),
};
await probe.close();
process.stdout.write(JSON.stringify(result));

function hash(rows: readonly Float32Array[]): string {
  const sum = createHash('sha256');
  for (const row of rows) sum.update(row);
  return sum.digest('hex');
}
