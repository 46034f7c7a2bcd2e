// Picks the kernel build that this machine runs with the right results, and gives its exports types. Builds are modules of their own:
// an opcode that a machine lacks makes a whole module invalid.

import { readFileSync } from 'node:fs';
import { instantiateSync } from '@assemblyscript/loader';
import { ApiError } from '../../core/errors.ts';

export type KernelBuild = 'strict';

/** All pointers are byte offsets into the memory of the arena that the instance was made for. */
export interface Kernels {
  /** Runs this thread's share of `count` records; returns when all threads have. */
  run(records: number, count: number, batch: number, sync: number, threads: number, scratch: number): void;
  /** Waits until all threads are here. */
  barrier(sync: number, threads: number, counter: number): void;
  packF32(source: number, target: number, panels: number, cols: number): void;
  packF16(source: number, target: number, panels: number, cols: number): void;
  packQ8(source: number, target: number, panels: number, blocks: number): void;
  packQ4(source: number, target: number, panels: number, blocks: number): void;
}

export interface ChosenBuild {
  readonly name: KernelBuild;
  /** Why this one, for the start-up screen. */
  readonly reason: string;
  readonly module: WebAssembly.Module;
}

/** Compiles the build. Throws when this Node cannot run 128-bit SIMD and threads. */
export function chooseBuild(wanted: string): ChosenBuild {
  if (wanted !== 'auto' && wanted !== 'strict') {
    throw new ApiError('not_implemented', `kernels build "${wanted}" is not built; available: strict (and auto)`, {
      code: 'unsupported_kernels',
    });
  }
  const bytes = readFileSync(new URL('../../../kernels/strict.wasm', import.meta.url));
  if (!WebAssembly.validate(bytes)) {
    throw new ApiError(
      'not_implemented',
      'this Node does not run WebAssembly with 128-bit SIMD and threads; use Node 20.19 or newer, or --device reference',
      { code: 'unsupported_kernels' },
    );
  }
  return { name: 'strict', reason: 'the same bits on every machine', module: new WebAssembly.Module(bytes) };
}

export function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): Kernels {
  return instantiateSync<Kernels & Record<string, unknown>>(module, { env: { memory } }).exports;
}
