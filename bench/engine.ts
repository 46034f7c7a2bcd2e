// Speed of the engine's arithmetic without server and sampling: one sequence, a prompt in chunks behind --depth tokens, then an answer behind
// as many, greedily; as llama-bench measures.

import { readArguments } from './arguments.ts';
import { loadRun, readRunOptions, runFlags, runsHere } from './sequence.ts';
import { formatFacts, rounded } from './table.ts';

export async function benchEngine(args: readonly string[]): Promise<void> {
  const parsed = readArguments(args, runFlags, ['json']);
  const options = readRunOptions(parsed);
  if (!(await runsHere('engine', args, options))) return;
  const { depth, prompt, generated, threads, kvCache } = options;
  const { run, loadMs } = await loadRun(options);
  const prefillMs = await timed(() => run.feed(depth, prompt));
  const decodeMs = await timed(async () => {
    for (let i = 0; i < generated; i++) await run.feed(depth + i, 1);
  });
  const result = {
    prefill_tok_s: rounded((prompt / prefillMs) * 1000),
    decode_tok_s: rounded((generated / decodeMs) * 1000),
    load_ms: Math.round(loadMs),
    rss_mib: Math.round(process.memoryUsage.rss() / 2 ** 20),
    kernels: run.executor.build,
    threads,
    kv_cache: kvCache,
    node: process.version,
  };
  await run.executor.close();
  if (parsed.flag('json')) process.stdout.write(`${JSON.stringify(result)}\n`);
  else process.stdout.write(formatFacts(result));
}

async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}
