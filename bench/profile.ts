// Where the time of a forward pass goes: per operation its share, GB/s of weights and GMAC/s, and what threads wait for each other.
// Threads note the time around each record's work and around the barrier behind it; a pass takes (work + wait) / threads.

import type { OperationTime } from '../src/compute/wasm/backend.ts';
import { readArguments } from './arguments.ts';
import { loadRun, readRunOptions, runFlags, runsHere, type RunOptions } from './sequence.ts';
import { formatTable, rounded } from './table.ts';

interface Line {
  readonly operation: string;
  /** Times in a pass. */
  readonly count: number;
  /** ms of a pass, all threads together. */
  readonly work: number;
  readonly wait: number;
  readonly gbPerSecond: number | undefined;
  readonly gmacPerSecond: number | undefined;
}

interface Profile {
  readonly phase: 'prefill' | 'decode';
  readonly tokens: number;
  readonly passMs: number;
  readonly lines: readonly Line[];
}

export async function benchProfile(args: readonly string[]): Promise<void> {
  const parsed = readArguments(args, runFlags, ['json']);
  const options = readRunOptions(parsed);
  if (!(await runsHere('profile', args, options))) return;
  const { run } = await loadRun(options, true);
  const { depth, prompt, generated, threads } = options;
  run.executor.profile();
  await run.feed(depth, prompt);
  const prefill = summarise('prefill', run.executor.profile(), Math.ceil(prompt / 512), prompt, options);
  for (let i = 0; i < generated; i++) await run.feed(depth + i, 1);
  const decode = summarise('decode', run.executor.profile(), generated, 1, options);
  await run.executor.close();
  if (parsed.flag('json')) {
    process.stdout.write(
      `${JSON.stringify({ node: process.version, kernels: run.executor.build, threads, prefill, decode })}\n`,
    );
    return;
  }
  process.stdout.write(`${run.executor.build}, Node ${process.version}, threads: ${threads}\n`);
  for (const profile of [prefill, decode]) process.stdout.write(`\n${describe(profile, threads)}`);
}

/** `tokens`: of one pass of decoding, or of the whole prompt. */
function summarise(
  phase: Profile['phase'],
  times: readonly OperationTime[],
  passes: number,
  tokens: number,
  { threads }: RunOptions,
): Profile {
  const groups = new Map<string, OperationTime[]>();
  for (const time of times) groups.set(time.label, [...(groups.get(time.label) ?? []), time]);
  const lines = [...groups].map(([operation, group]): Line => {
    const sum = (value: (time: OperationTime) => number): number =>
      group.reduce((total, time) => total + value(time), 0);
    const work = sum((time) => time.work) / passes;
    const seconds = work / 1000 / threads;
    // The head works on the wanted rows alone: one of each pass.
    const rows =
      phase === 'decode' || operation.startsWith('output') || operation.startsWith('token_embd') ? 1 : tokens / passes;
    const bytes = sum((time) => time.weightBytes);
    return {
      operation,
      count: group.length,
      work,
      wait: sum((time) => time.wait) / passes,
      gbPerSecond: bytes === 0 ? undefined : rounded(bytes / seconds / 1e9),
      gmacPerSecond: bytes === 0 ? undefined : rounded((sum((time) => time.multiplications) * rows) / seconds / 1e9),
    };
  });
  const passMs = lines.reduce((sum, { work, wait }) => sum + work + wait, 0) / threads;
  return { phase, tokens, passMs, lines: lines.toSorted((a, b) => b.work + b.wait - a.work - a.wait) };
}

function describe({ phase, tokens, passMs, lines }: Profile, threads: number): string {
  const share = (ms: number): number => rounded((100 * ms) / threads / passMs);
  const total = (value: (line: Line) => number): number => lines.reduce((sum, line) => sum + value(line), 0);
  const rows = lines.map((line) => [
    line.operation,
    line.count,
    line.work / threads,
    share(line.work),
    share(line.wait),
    line.gbPerSecond,
    line.gmacPerSecond,
  ]);
  rows.push([
    'all',
    total(({ count }) => count),
    total(({ work }) => work) / threads,
    share(total(({ work }) => work)),
    share(total(({ wait }) => wait)),
    undefined,
    undefined,
  ]);
  const head = `${phase}, ${tokens} token${tokens === 1 ? '' : 's'}: ${passMs.toFixed(2)} ms a pass\n`;
  return head + formatTable(['operation', 'count', 'ms', '% work', '% wait', 'GB/s', 'GMAC/s'], rows);
}
