// What the relaxed SIMD of this machine and this V8 computes. Asked by running it, never concluded from a version or the name of a
// CPU: one V8 lowers the same opcode to different instructions, and Node 20's baseline compiler drops the accumulator of one of them.

import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';

export interface KernelProbe {
  /** Whether modules with relaxed SIMD are valid here. */
  readonly relaxed: boolean;
  /** Whether the i16 dot product is exact for a second factor of 0..127. */
  readonly i16Dot: boolean;
  /**
   * The accumulating i32 dot product for a second factor of 0..255. `exact`: taken as unsigned, no intermediate saturates.
   * `saturating`: unsigned, pairs saturate at 16 bits. `signed`: taken as signed. `wrong`: not even right where the specification
   * leaves no choice. `none`: no relaxed SIMD.
   */
  readonly i32Dot: 'exact' | 'saturating' | 'signed' | 'wrong' | 'none';
  /** Whether multiply-add rounds once. */
  readonly fused: boolean;
}

const nothing: KernelProbe = { relaxed: false, i16Dot: false, i32Dot: 'none', fused: false };

/** The operations in question, on whole vectors. `tier`: run once by the baseline compiler, or after the optimizing one took over. */
export interface RelaxedOperations {
  /** a, b: 16 bytes -> 8 sums of 2 products. */
  dotI16(a: Uint8Array, b: Uint8Array, tier: Tier): Int16Array;
  /** a, b: 16 bytes; acc -> 4 sums of 4 products and acc. */
  dotI32(a: Uint8Array, b: Uint8Array, acc: number, tier: Tier): Int32Array;
  madd(a: number, b: number, c: number, tier: Tier): number;
}

export type Tier = 'first' | 'optimized';

let answer: KernelProbe | undefined;

/**
 * Asks once per process, which takes some 5 ms: V8 shares the code of equal modules, so that asking again would meet the code of the
 * optimizing tier only.
 */
export function probeKernels(): KernelProbe {
  return (answer ??= ask());
}

function ask(): KernelProbe {
  const bytes = readFileSync(new URL('../../../kernels/probe.wasm', import.meta.url));
  enableRelaxedSimd(bytes);
  return WebAssembly.validate(bytes) ? judge(operationsOf(new WebAssembly.Module(bytes))) : nothing;
}

/** Node 20 knows relaxed SIMD behind a flag, which later versions refuse; there setting it would print a complaint. */
function enableRelaxedSimd(bytes: Uint8Array): void {
  if (WebAssembly.validate(bytes) || !process.versions.node.startsWith('20.')) return;
  setFlagsFromString('--experimental-wasm-relaxed-simd');
}

export function judge(operations: RelaxedOperations): KernelProbe {
  return {
    relaxed: true,
    i16Dot: inBothTiers((tier) => isExactI16(operations, tier)) === true,
    i32Dot: inBothTiers((tier) => kindOfI32(operations, tier)) ?? 'wrong',
    fused: inBothTiers((tier) => isFused(operations, tier)) === true,
  };
}

/** The answer that both tiers give. */
function inBothTiers<T>(ask: (tier: Tier) => T): T | undefined {
  const answer = ask('first');
  return ask('optimized') === answer ? answer : undefined;
}

/** First factors: both ends of int8, alone and mixed. Second factors: both ends of 7 bits, and values in between. */
const firstFactors = [fill(127), fill(-128), fill(-1), mixed(37), mixed(101)];
const sevenBits = [fill(127), fill(1), mixed(53).map((value) => value & 127), mixed(11).map((value) => value & 127)];
const eightBits = [fill(255), fill(128), mixed(29), mixed(83)];
/** An accumulator of 0 does not show that it was dropped. */
const accumulators = [0, 7, -100_000];

function isExactI16(operations: RelaxedOperations, tier: Tier): boolean {
  return pairs(firstFactors, sevenBits).every(([a, b]) => {
    const sums = operations.dotI16(a, b, tier);
    return sums.every((sum, lane) => sum === dot(a, b, 2 * lane, 2));
  });
}

function kindOfI32(operations: RelaxedOperations, tier: Tier): KernelProbe['i32Dot'] {
  const isExact = ([a, b]: readonly [Uint8Array, Uint8Array]): boolean =>
    accumulators.every((acc) =>
      operations.dotI32(a, b, acc, tier).every((sum, lane) => sum === acc + dot(a, b, 4 * lane, 4)),
    );
  if (!pairs(firstFactors, sevenBits).every(isExact)) return 'wrong';
  const [telling] = operations.dotI32(fill(127), fill(255), 0, tier);
  if (telling === 4 * 127 * 255) return pairs(firstFactors, eightBits).every(isExact) ? 'exact' : 'wrong';
  if (telling === 2 * 32767) return 'saturating';
  return telling === 4 * 127 * -1 ? 'signed' : 'wrong';
}

/** (1 + e)^2 - (1 + 2e) is e^2 when rounded once; when rounded twice e^2 is lost. */
function isFused(operations: RelaxedOperations, tier: Tier): boolean {
  const e = 2 ** -12;
  return operations.madd(1 + e, 1 + e, -(1 + 2 * e), tier) === e * e;
}

/** The exact sum of `count` products from `from` on; a signed, b unsigned. */
function dot(a: Uint8Array, b: Uint8Array, from: number, count: number): number {
  let sum = 0;
  for (let i = from; i < from + count; i++) sum += ((a[i] << 24) >> 24) * b[i];
  return sum;
}

function pairs(as: readonly Uint8Array[], bs: readonly Uint8Array[]): (readonly [Uint8Array, Uint8Array])[] {
  return as.flatMap((a) => bs.map((b) => [a, b] as const));
}

function fill(value: number): Uint8Array {
  return new Uint8Array(16).fill(value);
}

/** 16 different bytes; `step` is odd. */
function mixed(step: number): Uint8Array {
  return Uint8Array.from({ length: 16 }, (_, i) => 200 + i * step);
}

/** Node 20 to 26 take the optimizing tier after less than 50,000 turns, 1 ms (2026-11); this is ten times as many. */
const turns = 10_000;
const warmUpCalls = 50;

interface ProbeExports {
  readonly memory: WebAssembly.Memory;
  dotI16(a: number, b: number, out: number, times: number): void;
  dotI32(a: number, b: number, acc: number, out: number, times: number): void;
  madd(a: number, b: number, c: number, out: number, times: number): void;
}

/** Memory: three operands at 0, 16 and 32, the result at 48. An operation is optimized from its first such question on. */
function operationsOf(module: WebAssembly.Module): RelaxedOperations {
  const exports = new WebAssembly.Instance(module).exports as unknown as ProbeExports;
  const bytes = new Uint8Array(exports.memory.buffer);
  const ints = new Int32Array(exports.memory.buffer);
  const reals = new Float32Array(exports.memory.buffer);
  const warm = new Set<string>();
  const run = (name: string, tier: Tier, call: (times: number) => void): void => {
    if (tier === 'optimized' && !warm.has(name)) {
      for (let i = 0; i < warmUpCalls; i++) call(turns);
      warm.add(name);
    }
    call(1);
  };
  return {
    dotI16(a, b, tier) {
      bytes.set(a, 0);
      bytes.set(b, 16);
      run('dotI16', tier, (times) => exports.dotI16(0, 16, 48, times));
      return new Int16Array(exports.memory.buffer, 48, 8).slice();
    },
    dotI32(a, b, acc, tier) {
      bytes.set(a, 0);
      bytes.set(b, 16);
      ints.fill(acc, 8, 12);
      run('dotI32', tier, (times) => exports.dotI32(0, 16, 32, 48, times));
      return ints.slice(12, 16);
    },
    madd(a, b, c, tier) {
      reals.fill(a, 0, 4);
      reals.fill(b, 4, 8);
      reals.fill(c, 8, 12);
      run('madd', tier, (times) => exports.madd(0, 16, 32, 48, times));
      return reals[12];
    },
  };
}
