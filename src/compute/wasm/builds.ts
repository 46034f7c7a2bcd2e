// The kernel builds and what each asks of a machine. The choice follows a fixed order, never timing (a noisy choice would change results)
// and never a version.

import { existsSync } from 'node:fs';
import type { KernelProbe } from './probe.ts';

export type KernelBuild = 'vnni' | 'rel16' | 'strict';

interface BuildTraits {
  /** Why this one, for the start-up screen. */
  readonly reason: string;
  /** What a machine lacks to run it with the right results, if anything. */
  readonly lacks: (probe: KernelProbe) => string | undefined;
}

/** Best first: the order of choice. `rel16` and `vnni` give equal bits everywhere, so both need a multiply-add that rounds once. */
const builds: Readonly<Record<KernelBuild, BuildTraits>> = {
  vnni: {
    reason: 'exact int8 dot products in one instruction',
    lacks: (probe) => {
      const missing = lacksRelaxed(probe);
      if (missing !== undefined || probe.i32Dot === 'exact') return missing;
      return `exact relaxed i32 dot products, which are ${probe.i32Dot} here (Node 24 has them on a CPU with AVX-VNNI)`;
    },
  },
  rel16: {
    reason: 'relaxed 16-bit dot products',
    lacks: (probe) => lacksRelaxed(probe) ?? (probe.i16Dot ? undefined : 'exact relaxed i16 dot products'),
  },
  strict: { reason: 'the same bits on every machine', lacks: () => undefined },
};

function lacksRelaxed({ relaxed, fused }: KernelProbe): string | undefined {
  if (!relaxed) return 'relaxed SIMD';
  return fused ? undefined : 'a multiply-add that rounds once';
}

const order = Object.keys(builds) as readonly KernelBuild[];

export function buildFile(name: KernelBuild): URL {
  return new URL(`../../../kernels/${name}.wasm`, import.meta.url);
}

/** The builds there are, best first: each is a target of asconfig.json. */
export function builtKernels(): readonly KernelBuild[] {
  return order.filter((name) => existsSync(buildFile(name)));
}

/** Why a build must not run on such a machine; `undefined`: it may. */
export function whyNot(name: KernelBuild, probe: KernelProbe): string | undefined {
  const missing = builds[name].lacks(probe);
  return missing === undefined ? undefined : `kernels build "${name}" needs ${missing}`;
}

/** Builds of equal numerics give equal bits. */
export function numericsOf(name: KernelBuild): 'strict' | 'fused' {
  return name === 'strict' ? 'strict' : 'fused';
}

/** Why it is chosen where it may run. */
export function whyThis(name: KernelBuild): string {
  return builds[name].reason;
}

/** `wanted`: `auto` or a name. `undefined`: nothing that is wanted and built runs on such a machine. */
export function bestBuild(wanted: string, probe: KernelProbe, built = builtKernels()): KernelBuild | undefined {
  return built.find((name) => (wanted === 'auto' || wanted === name) && whyNot(name, probe) === undefined);
}

/** Whether build `a` comes before `b` in the order of choice; none comes last. */
export function isBetter(a: KernelBuild | undefined, b: KernelBuild | undefined): boolean {
  return a !== undefined && (b === undefined || order.indexOf(a) < order.indexOf(b));
}
