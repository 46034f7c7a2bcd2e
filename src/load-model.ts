// From a file to everything between messages and text: the header's tokenizer and template here, the weights in an engine process.

import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Config } from './config.ts';
import type { Log } from './core/log.ts';
import { createEngineClient, type EngineClient, type EngineClientOptions } from './engine/client.ts';
import type { LoadedModel } from './engine/messages.ts';
import type { EngineRuntime } from './engine/runtime.ts';
import { chooseFormat } from './generation/formats/choose.ts';
import type { ModelParts } from './generation/models.ts';
import { readSamplingDefaults } from './generation/sampling-defaults.ts';
import { architectureOf } from './model/architectures/index.ts';
import { prefixCacheFolder } from './prefix-cache-flags.ts';
import { createTokenizer } from './tokenizer/gguf.ts';
import { readChatTemplate } from './tokenizer/template.ts';
import type { Vocabulary } from './tokenizer/tokenizer.ts';
import type { Checkpoint } from './weights/checkpoint.ts';
import { openCheckpoint } from './weights/gguf.ts';
import { partOfName } from './weights/gguf-parts.ts';

/** The model that comes with the package. */
export const bundledModel = fileURLToPath(new URL('../../models/demo-3m-Q8_0.gguf', import.meta.url));

/** `/m/qwen3-0.6b-Q8_0-00001-of-00002.gguf` -> `qwen3-0.6b-Q8_0`: how requests name the model. */
export function modelName(path: string): string {
  const file = basename(path);
  return partOfName(file)?.stem ?? file.replace(/\.gguf$/i, '');
}

export interface LoadingModel {
  /** Hear its state; end it. There from the first moment. */
  readonly engine: EngineClient;
  /** Rejects with a message for the operator. */
  readonly loaded: Promise<LoadedParts>;
}

export interface LoadedParts {
  readonly parts: ModelParts;
  readonly info: LoadedModel;
  readonly runtime: EngineRuntime;
}

export interface LoadModelOptions {
  /** A GGUF file, the first part of a split one. */
  readonly path: string;
  readonly config: Config;
  readonly log: Log;
  /** Who runs the engine. */
  readonly runtime: Promise<EngineRuntime>;
  readonly onProgress: EngineClientOptions['onProgress'];
  readonly meter: EngineClientOptions['meter'];
  /** Aborted when nobody wants the model any more: then no engine is started. */
  readonly signal: AbortSignal;
}

export function loadModel({ onProgress, meter, ...options }: LoadModelOptions): LoadingModel {
  const entry = fileURLToPath(new URL('./engine/host.js', import.meta.url));
  const restart = { stuckMs: options.config.watchdogMs };
  const engine = createEngineClient({ entry, log: options.log, restart, onProgress, meter });
  const load = async (): Promise<LoadedParts> => {
    const [checkpoint, runtime] = await Promise.all([openCheckpoint(options.path), options.runtime]);
    return await start(engine, checkpoint, runtime, options);
  };
  return { engine, loaded: load() };
}

async function start(
  engine: EngineClient,
  checkpoint: Checkpoint,
  runtime: EngineRuntime,
  { path, config, log, signal }: Pick<LoadModelOptions, 'path' | 'config' | 'log' | 'signal'>,
): Promise<LoadedParts> {
  // Says what is supported before anything else is said of a model that is not.
  architectureOf(checkpoint.metadata);
  const tokenizer = createTokenizer(checkpoint.metadata);
  const { template, warning } = readChatTemplate(checkpoint.metadata);
  if (warning !== undefined) log.warn(warning);
  const folder = await prefixCacheFolder(config);
  signal.throwIfAborted();
  const options = {
    path,
    device: config.device,
    kernels: config.kernels,
    threads: config.threads,
    contextLength: config.contextLength,
    kvCache: config.kvCache,
    maxSequences: config.maxSequences,
    maxBatchTokens: config.maxBatchTokens,
    maxWaiting: config.maxWaiting,
    prefixCache: config.prefixCache,
    prefixCacheFolder: folder,
    speculation: config.speculation,
  };
  const info = await engine.start(options, runtime.execPath);
  const { contextLength, trainedContextLength, fingerprint } = info;
  if (contextLength > trainedContextLength) {
    log.warn(
      `the context of ${contextLength} positions is longer than the ${trainedContextLength} that the model was trained for: ` +
        'answers may become worse beyond them',
    );
  }
  const longestToken = longestOf(tokenizer.vocabulary);
  const samplingDefaults = readSamplingDefaults(checkpoint.metadata);
  return {
    parts: {
      engine,
      tokenizer,
      template,
      format: chooseFormat(template.source),
      contextLength,
      fingerprint,
      samplingDefaults,
      longestToken,
    },
    info,
    runtime: taken(runtime, info),
  };
}

/** What was chosen, or the server's own where the engine did not start on it. */
function taken(runtime: EngineRuntime, { node }: LoadedModel): EngineRuntime {
  if (node === `v${runtime.node}`) return runtime;
  return { execPath: process.execPath, node: node.slice(1), why: `Node ${runtime.node} failed to start` };
}

/** A piece has one character for each byte, or for each character, of its text. */
function longestOf(vocabulary: Vocabulary): number {
  let longest = 1;
  for (let id = 0; id < vocabulary.size; id++) longest = Math.max(longest, vocabulary.piece(id).length);
  return longest;
}
