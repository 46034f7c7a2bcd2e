// llama.cpp's own benchmark, a program that the user has built or installed: $LLAMA_BENCH, or the first on the path.

import { findProgram } from '../../src/testing/chromium.ts';
import type { AbsentPeer, Peer } from './peer.ts';
import { outputOf } from './process.ts';

export function llamaBench(env: NodeJS.ProcessEnv): Peer | AbsentPeer {
  const name = 'llama.cpp';
  const program = env['LLAMA_BENCH'] ?? findProgram('llama-bench');
  if (program === undefined) return { name, missing: 'set LLAMA_BENCH to a llama-bench' };
  return {
    name,
    async measure({ model, threads, prompt, gen, depth }) {
      const work = ['-m', model, '-t', `${threads}`, '-p', `${prompt}`, '-n', `${gen}`, '-d', `${depth}`];
      // On the CPU as we are; with flash attention, which is faster there; once, since compare repeats.
      const output = await outputOf(program, [...work, '-ngl', '0', '-fa', '1', '-r', '1', '-o', 'json']);
      return readLlamaBench(output, { prompt, gen });
    },
  };
}

interface Test {
  readonly build_commit: string;
  readonly build_number: number;
  readonly n_prompt: number;
  readonly n_gen: number;
  readonly avg_ts: number;
}

/** Throws when one of the two tests is missing. */
export function readLlamaBench(
  output: string,
  { prompt, gen }: { readonly prompt: number; readonly gen: number },
): { prefill_tok_s: number; decode_tok_s: number; version: string } {
  const tests = JSON.parse(output) as readonly Test[];
  const prefill = tests.find(({ n_prompt, n_gen }) => n_prompt === prompt && n_gen === 0);
  const decode = tests.find(({ n_prompt, n_gen }) => n_prompt === 0 && n_gen === gen);
  if (prefill === undefined || decode === undefined) throw new Error('llama-bench left out a test');
  const version = `b${prefill.build_number} ${prefill.build_commit}, flash attention`;
  return { prefill_tok_s: prefill.avg_ts, decode_tok_s: decode.avg_ts, version };
}
