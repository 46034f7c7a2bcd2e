// `npm run bench -- compare`: the same file and threads for us and for the engines that a user of a machine without a GPU may pick instead.
// They take turns, so that a noisy machine is equally unfair to all; the medians are compared. Peers are no dependencies: each is measured
// where it is present.

import { cpus } from 'node:os';
import { basename } from 'node:path';
import { readArguments } from '../arguments.ts';
import { median } from '../statistics.ts';
import { formatTable, rounded } from '../table.ts';
import { llamaBench } from './llama-bench.ts';
import { nodeLlamaCpp } from './node-llama-cpp.ts';
import type { AbsentPeer, Measurement, Peer, Work } from './peer.ts';
import { tramontane } from './tramontane.ts';
import { wllama } from './wllama.ts';

export async function benchCompare(args: readonly string[]): Promise<void> {
  const names = ['model', 'threads', 'prompt', 'gen', 'depth', 'rounds', 'only', 'kernels', 'engine-runtime'];
  const options = readArguments(args, names, ['json']);
  const work: Work = {
    model: options.required('model'),
    threads: options.amount('threads', cpus().length),
    prompt: options.amount('prompt', 512),
    gen: options.amount('gen', 64),
    depth: options.count('depth', 0),
  };
  const rounds = options.amount('rounds', 3);
  const ours = tramontane({
    runtime: options.text('engine-runtime') ?? 'auto',
    kernels: options.text('kernels') ?? 'auto',
  });
  const only = options.list('only');
  const { env } = process;
  const others = [llamaBench(env), nodeLlamaCpp(env), wllama(env)].filter(({ name }) => only?.includes(name) ?? true);
  const present = [ours, ...others.filter((peer) => 'measure' in peer)];
  for (const peer of others) if ('missing' in peer) process.stderr.write(`without ${peer.name}: ${peer.missing}\n`);
  const runs = await takeTurns(present, work, rounds);
  const report = reportOf(runs, others);
  const facts = { ...work, rounds, machine: cpus()[0]?.model };
  if (options.flag('json')) process.stdout.write(`${JSON.stringify({ ...facts, peers: report })}\n`);
  else process.stdout.write(tableOf(facts, report));
}

export interface Run {
  readonly name: string;
  /** One per round, without those that failed. */
  readonly measurements: readonly Measurement[];
  /** The last one. */
  readonly failure: string | undefined;
}

/** Every engine once, then every engine again. One that fails is tried again in the next round. */
export async function takeTurns(peers: readonly Peer[], work: Work, rounds: number): Promise<Run[]> {
  const runs = peers.map(({ name }) => ({
    name,
    measurements: [] as Measurement[],
    failure: undefined as string | undefined,
  }));
  for (let round = 1; round <= rounds; round++) {
    for (const [i, peer] of peers.entries()) {
      process.stderr.write(`round ${round} of ${rounds}: ${peer.name}\n`);
      try {
        runs[i].measurements.push(await peer.measure(work));
      } catch (error) {
        runs[i].failure = (error instanceof Error ? error.message : String(error)).split('\n')[0];
      }
    }
  }
  return runs;
}

export interface PeerReport {
  readonly name: string;
  readonly version?: string | undefined;
  /** Medians of the rounds. */
  readonly prefill_tok_s?: number | undefined;
  readonly decode_tok_s?: number | undefined;
  /** Ours by theirs. */
  readonly prefill_ratio?: number | undefined;
  readonly decode_ratio?: number | undefined;
  readonly rounds?: readonly Measurement[];
  /** Why there are no numbers. */
  readonly missing?: string | undefined;
}

/** The first run is ours. */
export function reportOf(runs: readonly Run[], others: readonly (Peer | AbsentPeer)[]): PeerReport[] {
  const middle = ({ measurements }: Run, pick: (one: Measurement) => number): number | undefined =>
    median(measurements.map(pick));
  const ratio = (ours: number | undefined, theirs: number | undefined): number | undefined =>
    ours === undefined || theirs === undefined ? undefined : rounded(ours / theirs);
  const prefillOf = (run: Run): number | undefined => middle(run, ({ prefill_tok_s }) => prefill_tok_s);
  const decodeOf = (run: Run): number | undefined => middle(run, ({ decode_tok_s }) => decode_tok_s);
  const measured = runs.map((run): PeerReport => {
    const { name, measurements, failure } = run;
    return {
      name,
      version: measurements[0]?.version,
      prefill_tok_s: rounded(prefillOf(run)),
      decode_tok_s: rounded(decodeOf(run)),
      prefill_ratio: ratio(prefillOf(runs[0]), prefillOf(run)),
      decode_ratio: ratio(decodeOf(runs[0]), decodeOf(run)),
      rounds: measurements,
      missing: measurements.length === 0 ? failure : undefined,
    };
  });
  return [
    ...measured,
    ...others.flatMap((peer) => ('missing' in peer ? [{ name: peer.name, missing: peer.missing }] : [])),
  ];
}

function tableOf(
  facts: Work & { readonly rounds: number; readonly machine: string | undefined },
  report: readonly PeerReport[],
): string {
  const { model, threads, prompt, gen, depth, rounds, machine } = facts;
  const header = ['engine', 'prefill tok/s', 'decode tok/s', 'ours / its prefill', 'decode', 'version'];
  const times = (ratio: number | undefined): string => (ratio === undefined ? '–' : `${ratio.toFixed(2)} x`);
  const rows = report.map((peer) => [
    peer.name,
    peer.prefill_tok_s,
    peer.decode_tok_s,
    times(peer.prefill_ratio),
    times(peer.decode_ratio),
    peer.version ?? peer.missing ?? '',
  ]);
  const title = `${basename(model)}, ${threads} threads of ${machine ?? 'this machine'}, prompt ${prompt}, answer ${gen}, each behind ${depth} tokens, medians of ${rounds} rounds`;
  return `${title}\n\n${formatTable(header, rows)}`;
}
