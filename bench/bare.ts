// The ceilings of a build on this machine (assembly/bare.ts), compiled when they are asked for: they are no part of the product.

import { main } from 'assemblyscript/asc';
import { instantiateSync } from '@assemblyscript/loader';
import type { KernelBuild } from '../src/compute/wasm/builds.ts';
import { projectRoot } from '../src/testing/fixtures.ts';

export interface BareKernels {
  /** 8192 int8 products, `times` times, in cache. */
  productsOfBytes(weights: number, input: number, times: number, out: number): void;
  productsOfNibbles(weights: number, input: number, times: number, out: number): void;
  read(at: number, bytes: number, out: number): void;
}

export const bareProducts = 8 * 4 * 64 * 4;

export async function compileBare(build: KernelBuild): Promise<WebAssembly.Module> {
  const builds: readonly KernelBuild[] = ['strict', 'rel16', 'vnni'];
  let wasm: Uint8Array | undefined;
  const target = `assembly/bare.ts --outFile bare.wasm --use BUILD=${builds.indexOf(build)} --enable simd --enable threads --enable relaxed-simd`;
  // Those of asconfig.json.
  const options =
    '--optimizeLevel 1 --shrinkLevel 0 --runtime stub --noAssert --uncheckedBehavior always ' +
    '--importMemory --sharedMemory --initialMemory 1 --maximumMemory 65536 --noExportMemory';
  const { error } = await main([...target.split(' '), ...options.split(' '), '--baseDir', projectRoot], {
    writeFile: (_, contents) => {
      if (typeof contents !== 'string') wasm = contents;
    },
  });
  if (error !== null) throw error;
  if (wasm === undefined) throw new Error('the compiler wrote nothing');
  return new WebAssembly.Module(wasm.slice());
}

export function instantiateBare(module: WebAssembly.Module, memory: WebAssembly.Memory): BareKernels {
  return instantiateSync<BareKernels & Record<string, unknown>>(module, { env: { memory } }).exports;
}
