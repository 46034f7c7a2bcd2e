// From a file to a running engine: checkpoint -> model -> backend -> executor -> Engine. A failure's message is for the operator.

import type { Backend } from '../compute/backend.ts';
import { createReferenceBackend } from '../compute/reference/backend.ts';
import { createWasmBackend } from '../compute/wasm/backend.ts';
import { ApiError } from '../core/errors.ts';
import { mebibytes } from '../core/units.ts';
import { buildModel, type Model } from '../model/model.ts';
import { ModelError } from '../model/error.ts';
import { createSampler } from '../sampling/sampler.ts';
import { openCheckpoint } from '../weights/gguf.ts';
import type { BlockKind } from './disk/block-file.ts';
import { DiskCache } from './disk/disk-cache.ts';
import { fileBytes } from './disk/folder.ts';
import { Engine } from './engine.ts';
import { fingerprint } from './fingerprint.ts';
import { canRemember, canSpeculate } from './layer-states.ts';
import type { LoadEngine } from './loop.ts';
import { describeMemory, judgeMemory } from './memory.ts';
import type { DeviceKind, FromEngine, LoadOptions } from './messages.ts';
import { planBackend } from './plan.ts';
import { runModel } from './runner.ts';
import { PromptLookup } from './speculation/speculation.ts';

export const loadEngine: LoadEngine = async (options, emit) => {
  const from = performance.now();
  checkNumbers(options);
  const checkpoint = await openCheckpoint(options.path);
  const { backend, kernels } = backends[options.device](options);
  const memory = judgeMemory(checkpoint, backend, options);
  if (memory.verdict !== 'fits') {
    const { what, remedy } = describeMemory(memory);
    if (memory.verdict === 'too_large') {
      throw new ApiError('invalid_request', `${what}\n${remedy}`, { code: 'insufficient_memory' });
    }
    // Lines of this process are warnings in the server's log.
    process.stderr.write(`${what}: other programs will be swapped out, and answers may be slow; ${remedy}\n`);
  }
  const model = buildModel(checkpoint, { contextLength: options.contextLength });
  const plan = planBackend(model, options, memory.poolBytes);
  checkFolderBytes(options, backend.measure(plan).kvCacheBytes / plan.kvBlocks);
  const executor = await backend.load(plan, reportProgress(emit));
  const { contextLength } = model;
  const vocabularySize = model.program.buffers[model.program.logits].cols;
  const runner = runModel(executor, vocabularySize);
  const { maxSequences, maxBatchTokens, maxWaiting, kvCache } = options;
  const { weights } = model;
  const name = await fingerprint(checkpoint, { weights, kvCache, numerics: executor.numerics });
  const { layout, bytes } = executor.blocks;
  const disk = await openDisk(model, options, { fingerprint: name, layout, bytes });
  const engine = new Engine({
    runner,
    sampler: createSampler(vocabularySize),
    emit,
    contextLength,
    kvBlocks: plan.kvBlocks,
    maxSequences,
    maxBatchTokens,
    maxOutputs: plan.limits.outputs,
    maxWaiting,
    stampsTokens: options.stampsTokens,
    prefixCache: canRemember(model, options) ? { salt: kvCache, disk } : undefined,
    speculation: canSpeculate(model, options) ? new PromptLookup() : undefined,
  });
  return {
    engine,
    close: async () => {
      await disk?.close();
      await runner.close();
    },
    model: {
      architecture: model.config.architecture,
      parameters: model.parameters,
      quantization: model.quantization,
      vocabularySize,
      contextLength,
      trainedContextLength: model.config.trainedContextLength,
      ...executor.memory,
      device: options.device,
      kernels,
      threads: options.threads,
      node: process.version,
      fingerprint: name,
      loadMs: Math.round(performance.now() - from),
      diskCache: disk && options.prefixCacheFolder && { ...options.prefixCacheFolder, bytes: disk.bytes },
    },
  };
};

interface ChosenBackend {
  readonly backend: Backend;
  /** What computes and why, for the start-up screen. */
  readonly kernels: string;
}

const backends: Record<DeviceKind, (options: LoadOptions) => ChosenBackend> = {
  wasm: ({ threads, kernels }) => {
    const backend = createWasmBackend({ threads, kernels });
    return { backend, kernels: `${backend.build.name} (${backend.build.reason})` };
  },
  reference: () => ({ backend: createReferenceBackend(), kernels: 'scalar TypeScript' }),
};

/** Said before weights are read. `bytes`: of one block. */
function checkFolderBytes({ prefixCacheFolder }: LoadOptions, bytes: number): void {
  const least = fileBytes({ bytes });
  if (prefixCacheFolder === undefined || prefixCacheFolder.maxBytes >= least) return;
  throw new ModelError(
    `The prefix cache on disk may take ${mebibytes(prefixCacheFolder.maxBytes)}, but 64 positions of this model take ${mebibytes(least)}. Raise --prefix-cache-dir-limit.`,
  );
}

/** The server has seen that the folder can be written to; that it cannot any more after a restart is no reason not to serve. */
async function openDisk(model: Model, options: LoadOptions, kind: BlockKind): Promise<DiskCache | undefined> {
  const { prefixCacheFolder } = options;
  if (prefixCacheFolder === undefined) return undefined;
  const warn = (text: string): void => void process.stderr.write(`${text}\n`);
  if (!canRemember(model, options)) {
    warn(
      'prefix cache: nothing is kept on disk, since this model has layers whose state exists only at the end of a text',
    );
    return undefined;
  }
  const { path: folder, maxBytes } = prefixCacheFolder;
  try {
    return await DiskCache.open({ folder, maxBytes, kind, warn });
  } catch (error) {
    warn(`prefix cache: nothing is kept on disk: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

/** Values come from flags; what the engine needs of them is said before a file is opened. */
function checkNumbers({ threads, maxSequences, maxBatchTokens, maxWaiting }: LoadOptions): void {
  const atLeast = (name: string, value: number, least: number): void => {
    if (Number.isInteger(value) && value >= least) return;
    throw new ModelError(`The ${name} must be an integer of at least ${least}, not ${value}.`);
  };
  atLeast('number of threads', threads, 1);
  atLeast('number of sequences', maxSequences, 1);
  atLeast('number of waiting requests', maxWaiting, 0);
  // Every decoding sequence has one token in each pass.
  atLeast(`number of tokens of one pass with ${maxSequences} sequences`, maxBatchTokens, maxSequences);
}

const progressMs = 50;

function reportProgress(emit: (message: FromEngine) => void): (done: number, total: number) => void {
  let last = -Infinity;
  return (done, total) => {
    const now = performance.now();
    if (done < total && now - last < progressMs) return;
    last = now;
    emit({ type: 'progress', phase: 'reading', done, total });
  };
}
