// Picks the kernel build that this machine runs with the right results, and gives its exports types. Builds are modules of their own:
// an opcode that a machine lacks makes a whole module invalid.

import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { instantiateSync } from '@assemblyscript/loader';
import { ApiError } from '../../core/errors.ts';
import { bestBuild, buildFile, builtKernels, whyNot, whyThis, type KernelBuild } from './builds.ts';
import { probeKernels } from './probe.ts';

/** All pointers are byte offsets into the memory of the arena that the instance was made for. */
export interface Kernels {
  /** Runs this thread's share of `count` records; returns when all threads have. */
  run(
    records: number,
    count: number,
    batch: number,
    sync: number,
    threads: number,
    thread: number,
    scratch: number,
  ): void;
  /** This thread's share of a stage of `count` joined records, without the barrier behind it. `counters`: those of the stage. */
  work(
    records: number,
    count: number,
    batch: number,
    counters: number,
    threads: number,
    thread: number,
    scratch: number,
  ): void;
  /** Waits until all threads are here; resets the counters of a phase's first `stages` stages. */
  barrier(sync: number, threads: number, stages: number): void;
  pack2(source: number, target: number, panels: number, cols: number): void;
  pack4(source: number, target: number, panels: number, cols: number): void;
  packBytes(source: number, target: number, panels: number, cols: number): void;
  packNibbles(source: number, target: number, panels: number, cols: number, halves: number, high: number): void;
  packQ45K(source: number, target: number, panels: number, cols: number, fifth: number): void;
  packQ6K(source: number, target: number, panels: number, cols: number): void;
}

export interface ChosenBuild {
  readonly name: KernelBuild;
  /** Why this one, for the start-up screen. */
  readonly reason: string;
  readonly module: WebAssembly.Module;
}

/** Compiles the best build of those wanted (`auto` or a name). Throws when none of them runs here with the right results. */
export function chooseBuild(wanted: string): ChosenBuild {
  const built = builtKernels();
  const asked = built.find((name) => name === wanted);
  if (asked === undefined && wanted !== 'auto') {
    throw unsupported(`kernels build "${wanted}" is not built; available: ${built.join(', ')} (and auto)`);
  }
  const probe = probeKernels();
  const name = bestBuild(wanted, probe, built);
  if (name === undefined) throw unsupported((asked && whyNot(asked, probe)) ?? 'no kernels are built: npm run build');
  const bytes = readFileSync(buildFile(name));
  if (!WebAssembly.validate(bytes)) {
    throw unsupported(
      'this Node does not run WebAssembly with 128-bit SIMD and threads; use Node 20.19 or newer, or --device reference',
    );
  }
  compileWell();
  return { name, reason: whyThis(name), module: new WebAssembly.Module(bytes) };
}

/**
 * Full speed from the first token: V8 would begin with its baseline compiler, at less than half of the speed, and go over to the other
 * one function by function. From Node 24 on, where that is known to be safe, all is compiled well at once, in the background (some 80 ms
 * of CPU time). On Node 20 the flag that does so saves nothing: measured.
 */
function compileWell(): void {
  const [major] = process.versions.node.split('.').map(Number);
  if (major < 24) return;
  setFlagsFromString('--no-wasm-lazy-compilation');
  setFlagsFromString('--no-wasm-dynamic-tiering');
}

function unsupported(message: string): ApiError {
  return new ApiError('not_implemented', message, { code: 'unsupported_kernels' });
}

export function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): Kernels {
  return instantiateSync<Kernels & Record<string, unknown>>(module, { env: { memory } }).exports;
}
