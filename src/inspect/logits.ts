// `inspect logits`: the logits of given ids, as JSON lines, by which anybody checks this engine against another one.
//
//   {"position": 7, "logits": base64 of float32, little-endian}     one line per position
//   {"greedy": [id, ...]}                                           with --greedy N: up to N ids, none from an end-of-text id on

import { parseArgs } from 'node:util';
import type { Backend } from '../compute/backend.ts';
import { BackendError } from '../compute/error.ts';
import { createReferenceBackend } from '../compute/reference/backend.ts';
import { physicalCores } from '../cores.ts';
import { ApiError } from '../core/errors.ts';
import type { Metadata } from '../core/metadata.ts';
import { createWasmBackend } from '../compute/wasm/backend.ts';
import { kvCacheTypes, type DeviceKind, type KernelsBuild, type KvCacheType } from '../engine/messages.ts';
import { ModelError } from '../model/error.ts';
import { buildModel } from '../model/model.ts';
import { Probe } from '../model/probe.ts';
import { createSampler, SamplingError } from '../sampling/sampler.ts';
import { CheckpointError } from '../weights/checkpoint.ts';
import { openCheckpoint } from '../weights/gguf.ts';

export interface DeviceOptions {
  readonly kernels: KernelsBuild | 'auto' | undefined;
  readonly threads: number | undefined;
}

/** Device -> its backend. The first row is the default. */
const devices: Readonly<Record<DeviceKind, (options: DeviceOptions) => Backend>> = {
  wasm: ({ kernels = 'auto', threads = physicalCores() }) => createWasmBackend({ kernels, threads }),
  reference: ({ kernels, threads }) => {
    if (kernels !== undefined) throw new UsageError('--kernels has no meaning for --device reference.');
    if (threads !== undefined && threads !== 1) throw new UsageError('--device reference runs on one thread.');
    return createReferenceBackend();
  },
};

export const usage =
  'inspect logits --model PATH --ids 1,2,3 [--positions 0,7] [--greedy N] [--device D] [--kernels K] [--threads N] ' +
  '[--kv-cache f32|f16|q8_0] [--ctx N]';

/** Exit code: 0, 1 when the model cannot be run, 2 for arguments that are not understood. Problems go to standard error. */
export async function run(args: readonly string[], out: { write(text: string): unknown }): Promise<number> {
  try {
    await printLogits(readRequest(args), out);
    return 0;
  } catch (error) {
    if (error instanceof UsageError) {
      process.stderr.write(`${error.message}\nusage: ${usage}\n`);
      return 2;
    }
    if (expected.some((kind) => error instanceof kind) && error instanceof Error) {
      process.stderr.write(`${error.message}\n`);
      return 1;
    }
    throw error;
  }
}

/** What can be wrong with a file, a device or a request; anything else is a bug and is thrown. */
const expected = [CheckpointError, ModelError, BackendError, SamplingError, ApiError] as const;

class UsageError extends Error {}

interface Request {
  readonly model: string;
  readonly ids: readonly number[];
  readonly positions: readonly number[];
  readonly greedy: number | undefined;
  readonly device: DeviceKind;
  readonly options: DeviceOptions;
  readonly kvCache: KvCacheType;
  readonly contextLength: number | undefined;
}

async function printLogits(request: Request, out: { write(text: string): unknown }): Promise<void> {
  const { ids, positions, greedy = 0 } = request;
  const checkpoint = await openCheckpoint(request.model);
  const needed = ids.length + Math.max(0, greedy - 1);
  const model = buildModel(checkpoint, { contextLength: request.contextLength });
  if (needed > model.contextLength) {
    throw new UsageError(`${needed} positions do not fit the context of ${model.contextLength}; --ctx N sets it.`);
  }
  const vocabulary = model.config.vocabularySize;
  const unknown = ids.find((id) => id >= vocabulary);
  if (unknown !== undefined) throw new UsageError(`--ids: ${unknown} is not below the vocabulary's ${vocabulary}.`);

  const backend = devices[request.device](request.options);
  const probe = await Probe.load(model, backend, { kvCache: request.kvCache, batchTokens: 512 });
  try {
    const last = ids.length - 1;
    const rows = await probe.feed(ids, [...positions, last]);
    positions.forEach((position, i) => {
      const { buffer, byteOffset, byteLength } = rows[i];
      const logits = Buffer.from(buffer, byteOffset, byteLength).toString('base64');
      out.write(`${JSON.stringify({ position, logits })}\n`);
    });
    if (request.greedy === undefined) return;
    const tokens = await continueGreedily(probe, rows[positions.length], greedy, endIds(checkpoint.metadata));
    out.write(`${JSON.stringify({ greedy: tokens })}\n`);
  } finally {
    await probe.close();
  }
}

async function continueGreedily(
  probe: Probe,
  logits: Float32Array,
  count: number,
  ends: readonly unknown[],
): Promise<number[]> {
  const tokens: number[] = [];
  const greedy = { temperature: 0, topP: 1, topK: 0, minP: 0, seed: 0 };
  const source = createSampler(logits.length).begin({ sampling: greedy, prompt: new Int32Array(), choice: 0 });
  let row = logits;
  while (tokens.length < count) {
    const token = source.next(row).id;
    if (ends.includes(token)) break;
    tokens.push(token);
    if (tokens.length < count) [row] = await probe.feed([token], [0]);
  }
  return tokens;
}

function endIds(metadata: Metadata): readonly unknown[] {
  return ['eos', 'eot', 'eom'].map((name) => metadata[`tokenizer.ggml.${name}_token_id`]);
}

function readRequest(args: readonly string[]): Request {
  const values = parse(args);
  if (values.model === undefined) throw new UsageError('--model PATH is missing.');
  if (values.ids === undefined) throw new UsageError('--ids is missing.');
  const ids = integers('--ids', values.ids);
  const positions = values.positions === undefined ? [ids.length - 1] : integers('--positions', values.positions);
  const outside = positions.find((position) => position >= ids.length);
  if (outside !== undefined)
    throw new UsageError(`--positions: ${outside} is not below the number of ids, ${ids.length}.`);
  return {
    model: values.model,
    ids,
    positions,
    greedy: optional(values.greedy, (text) => integer('--greedy', text)),
    device: choice('--device', values.device ?? Object.keys(devices)[0], Object.keys(devices) as DeviceKind[]),
    options: {
      kernels: optional(values.kernels, (text) => choice('--kernels', text, ['auto', 'strict', 'rel16', 'vnni'])),
      threads: optional(values.threads, (text) => integer('--threads', text)),
    },
    kvCache: choice('--kv-cache', values['kv-cache'] ?? 'i16', kvCacheTypes),
    contextLength: optional(values.ctx, (text) => integer('--ctx', text)),
  };
}

function parse(args: readonly string[]): Readonly<Partial<Record<(typeof flags)[number], string>>> {
  try {
    const options = Object.fromEntries(flags.map((flag) => [flag, { type: 'string' }] as const));
    return parseArgs({ args: [...args], options, strict: true, allowPositionals: false }).values;
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : 'The arguments are not understood.', { cause });
  }
}

const flags = ['model', 'ids', 'positions', 'greedy', 'device', 'kernels', 'threads', 'kv-cache', 'ctx'] as const;

function optional<T>(text: string | undefined, read: (text: string) => T): T | undefined {
  return text === undefined ? undefined : read(text);
}

function integers(flag: string, text: string): number[] {
  return text.split(',').map((part) => integer(flag, part.trim()));
}

function integer(flag: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new UsageError(`${flag}: ${JSON.stringify(text)} is not a number of at most nine digits.`);
}

function choice<T extends string>(flag: string, text: string | undefined, choices: readonly T[]): T {
  const found = choices.find((known) => known === text);
  if (found !== undefined) return found;
  throw new UsageError(`${flag}: supported: ${choices.join(', ')}.`);
}
