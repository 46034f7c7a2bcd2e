// The probe's judgement on machines made of plain arithmetic, and what this machine really says.

import { readFileSync } from 'node:fs';
import t from 'tap';
import { bestBuild, whyNot, type KernelBuild } from './builds.ts';
import { chooseBuild } from './kernels.ts';
import { judge, probeKernels, type KernelProbe, type RelaxedOperations } from './probe.ts';

const signed = (byte: number): number => (byte << 24) >> 24;
const saturate = (sum: number): number => Math.max(-32768, Math.min(32767, sum));

interface Machine {
  /** The second factor as the machine takes it. */
  readonly second?: (byte: number) => number;
  /** The sum of two products as the machine keeps it. */
  readonly pair?: (sum: number) => number;
  readonly acc?: (acc: number, tier: string) => number;
  readonly madd?: (a: number, b: number, c: number) => number;
}

const fusedMadd = (a: number, b: number, c: number): number => Math.fround(a * b + c);

function machine({ second = (b) => b, pair = (s) => s, acc = (x) => x, madd = fusedMadd }: Machine): RelaxedOperations {
  const pairSum = (a: Uint8Array, b: Uint8Array, at: number): number =>
    pair(signed(a[at]) * second(b[at]) + signed(a[at + 1]) * second(b[at + 1]));
  return {
    dotI16: (a, b) => Int16Array.from({ length: 8 }, (_, lane) => pairSum(a, b, 2 * lane)),
    dotI32: (a, b, c, tier) =>
      Int32Array.from({ length: 4 }, (_, lane) => acc(c, tier) + pairSum(a, b, 4 * lane) + pairSum(a, b, 4 * lane + 2)),
    madd,
  };
}

void t.test('each kind of machine is told from the others', async (t) => {
  const cases: readonly (readonly [string, Machine, Partial<KernelProbe>])[] = [
    ['VNNI', {}, { i16Dot: true, i32Dot: 'exact', fused: true }],
    ['pmaddubsw', { pair: saturate }, { i16Dot: true, i32Dot: 'saturating' }],
    ['ARM sdot', { second: signed }, { i16Dot: true, i32Dot: 'signed' }],
    ['pairs that wrap', { pair: (sum) => (sum << 16) >> 16 }, { i16Dot: true, i32Dot: 'wrong' }],
    ['no accumulator', { acc: () => 0 }, { i16Dot: true, i32Dot: 'wrong' }],
    ['no accumulator in one tier', { acc: (x, tier) => (tier === 'first' ? 0 : x) }, { i32Dot: 'wrong' }],
    ['no accumulator in the other', { acc: (x, tier) => (tier === 'first' ? x : 0) }, { i32Dot: 'wrong' }],
    ['seven bits dropped', { second: (b) => b & 63 }, { i16Dot: false, i32Dot: 'wrong' }],
    ['two roundings', { madd: (a, b, c) => Math.fround(Math.fround(a * b) + c) }, { i32Dot: 'exact', fused: false }],
  ];
  for (const [name, behaviour, expected] of cases) t.match(judge(machine(behaviour)), expected, name);
});

void t.test('a build is chosen by the order of builds and by what it needs', async (t) => {
  const none: KernelProbe = { relaxed: false, i16Dot: false, i32Dot: 'none', fused: false };
  const best: KernelProbe = { relaxed: true, i16Dot: true, i32Dot: 'exact', fused: true };
  const all: readonly KernelBuild[] = ['vnni', 'rel16', 'strict'];
  const chosen = (wanted: string, probe: KernelProbe, built = all): KernelBuild | undefined =>
    bestBuild(wanted, probe, built);
  t.equal(chosen('auto', best), 'vnni');
  for (const i32Dot of ['saturating', 'signed', 'wrong'] as const) {
    t.equal(chosen('auto', { ...best, i32Dot }), 'rel16', i32Dot);
    t.match(whyNot('vnni', { ...best, i32Dot }), i32Dot);
  }
  t.equal(chosen('auto', { ...best, i32Dot: 'wrong', i16Dot: false }), 'strict');
  t.equal(chosen('auto', { ...best, fused: false }), 'strict', 'rel16 and vnni have the bits of one rounding');
  t.equal(chosen('auto', none), 'strict');
  t.equal(chosen('auto', best, ['strict']), 'strict', 'what is not built is not chosen');
  t.equal(chosen('rel16', best), 'rel16');
  t.equal(chosen('vnni', none), undefined);
  t.match(whyNot('rel16', none), /needs relaxed SIMD$/);
});

void t.test('this machine gives one answer, which fits its Node and its CPU', async (t) => {
  const probe = probeKernels();
  t.equal(probeKernels(), probe, 'asked once');
  t.comment(JSON.stringify(probe));
  if (process.arch !== 'x64') return;
  t.ok(probe.relaxed, 'Node 20 and later run relaxed SIMD on x64');
  const cpu = cpuFlags();
  if (cpu.has('avx2')) t.ok(probe.i16Dot, 'pmaddubsw is exact for 7 bits');
  if (process.versions.node.startsWith('20.')) t.not(probe.i32Dot, 'exact', 'this V8 has no VNNI');
  if (Number.parseInt(process.versions.node, 10) >= 24 && cpu.has('avx_vnni')) t.equal(probe.i32Dot, 'exact');
});

void t.test('builds that are unknown or must not run here are refused by name', async (t) => {
  t.throws(() => chooseBuild('fast'), { message: /"fast" is not built; available: .*strict/ });
  t.match(chooseBuild('strict'), { name: 'strict', reason: 'the same bits on every machine' });
  t.equal(chooseBuild('auto').name, bestBuild('auto', probeKernels()));
});

function cpuFlags(): Set<string> {
  try {
    return new Set(/^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1].trim().split(' '));
  } catch {
    return new Set();
  }
}
