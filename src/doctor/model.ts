// The model: is the file whole and understood, and does it fit into memory.

import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import type { Backend } from '../compute/backend.ts';
import { createReferenceBackend } from '../compute/reference/backend.ts';
import { createWasmBackend } from '../compute/wasm/backend.ts';
import type { Config } from '../config.ts';
import { grouped, mebibytes } from '../core/units.ts';
import { freeMemory } from '../engine/free-memory.ts';
import { describeMemory, judgeMemory, totalOf } from '../engine/memory.ts';
import { bundledModel, modelName } from '../load-model.ts';
import { buildModel } from '../model/model.ts';
import { exitCodeOf, exitCodes, noSuchModel } from '../start-error.ts';
import { createTokenizer } from '../tokenizer/gguf.ts';
import { readChatTemplate } from '../tokenizer/template.ts';
import type { Checkpoint } from '../weights/checkpoint.ts';
import { describeCheckpoint } from '../weights/describe.ts';
import { openCheckpoint } from '../weights/gguf.ts';
import { failed, type Check } from './check.ts';

/** Two checks, `model` and `memory`. */
export async function checkModel(config: Config): Promise<readonly Check[]> {
  const path = config.model ?? bundledModel;
  // Folders stay out of a report that may be published.
  const facts = { file: basename(path) };
  const { freeBytes } = freeMemory();
  const free: Check = {
    name: 'memory',
    status: 'ok',
    text: `memory ${mebibytes(freeBytes)} free`,
    facts: { freeBytes },
  };
  try {
    if (!existsSync(path)) throw noSuchModel(path);
    const checkpoint = await openCheckpoint(path);
    const model = modelCheck(checkpoint);
    const memory = memoryCheck(checkpoint, config);
    // A context may be too long for other reasons than memory.
    if (memory.status === 'ok') buildModel(checkpoint, { contextLength: config.contextLength });
    return [model, memory];
  } catch (error) {
    return [failed('model', error, facts), free];
  }
}

function modelCheck(checkpoint: Checkpoint): Check {
  const { architecture, parameters, quantization } = describeCheckpoint(checkpoint);
  const name = modelName(checkpoint.files[0]);
  const { contextLength } = buildModel(checkpoint);
  createTokenizer(checkpoint.metadata);
  const { warning } = readChatTemplate(checkpoint.metadata);
  const size = mebibytes(checkpoint.tensorBytes);
  const facts = { name, architecture, parameters, quantization, contextLength, tensorBytes: checkpoint.tensorBytes };
  const text = `model ${name}: ${architecture}, ${quantization}, ${size}; header, tokenizer and template are fine`;
  if (warning === undefined) return { name: 'model', status: 'ok', text, facts };
  return { name: 'model', status: 'warn', text: `model ${name}: ${warning}`, facts };
}

function memoryCheck(checkpoint: Checkpoint, config: Config): Check {
  const { contextLength: wanted, kvCache, maxSequences, maxBatchTokens, speculation } = config;
  const backend = backendOf(config);
  try {
    const options = { maxSequences, maxBatchTokens, contextLength: wanted, kvCache, speculation };
    const verdict = judgeMemory(checkpoint, backend, options);
    const { need, free, contextLength } = verdict;
    const facts = { ...free, ...need, contextLength };
    if (verdict.verdict === 'fits') {
      const bytes = mebibytes(totalOf(need));
      const text = `memory ${mebibytes(free.freeBytes)} free; the model needs ${bytes} with a context of ${grouped(contextLength)}`;
      return { name: 'memory', status: 'ok', text, facts };
    }
    const { what, remedy } = describeMemory(verdict);
    if (verdict.verdict === 'too_large') {
      return { name: 'memory', status: 'fail', text: what, remedy, exitCode: exitCodes.doesNotFit, facts };
    }
    return { name: 'memory', status: 'warn', text: `${what}: other programs will be swapped out`, remedy, facts };
  } catch (error) {
    if (exitCodeOf(error) === exitCodes.doesNotFit) return failed('memory', error);
    throw error;
  }
}

/** Sizes hardly depend on the build, and the one asked for may not run on this Node. */
function backendOf({ device, threads }: Config): Backend {
  return device === 'reference' ? createReferenceBackend() : createWasmBackend({ threads, kernels: 'auto' });
}
