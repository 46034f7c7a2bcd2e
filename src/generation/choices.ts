// Several requests as one: run side by side, their choices numbered through, their events mingled as they come.

import { setMaxListeners } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { Channel } from '../core/channel.ts';
import { invariant } from '../core/errors.ts';
import type { Generate, GenerationEvent, GenerationRequest, Timings, Usage } from '../core/generation.ts';

/** Choice c of request r is choice (choices of the requests before r) + c. Otherwise as `Generate`; one failure ends all. */
export type GenerateTogether = (
  requests: readonly GenerationRequest[],
  signal: AbortSignal,
) => AsyncIterable<GenerationEvent>;

export function createGenerateTogether(generate: Generate): GenerateTogether {
  return (requests, signal) => {
    invariant(requests.length > 0, 'there is something to generate');
    return requests.length === 1 ? generate(requests[0], signal) : together(generate, requests, signal);
  };
}

type Started = Extract<GenerationEvent, { type: 'started' }>;
type Source = AsyncIterator<GenerationEvent>;

async function* together(
  generate: Generate,
  requests: readonly GenerationRequest[],
  signal: AbortSignal,
): AsyncGenerator<GenerationEvent, void, void> {
  // Ends with the caller's signal, and also when one has failed or nobody reads.
  const run = new AbortController();
  // One for each request; more than Node's guess of a leak.
  setMaxListeners(0, run.signal);
  const abort = (): void => run.abort(signal.reason);
  signal.throwIfAborted();
  signal.addEventListener('abort', abort);
  const sources = requests.map((request) => generate(request, run.signal)[Symbol.asyncIterator]());
  try {
    const started = await startAll(sources, run);
    const usages = started.map(({ usage }) => usage);
    const offsets = runningSums(requests.map(({ choices }) => choices));
    const truncatedTokens = started.reduce((sum, event) => sum + (event.truncatedTokens ?? 0), 0);
    yield { ...started[0], usage: total(usages), ...(truncatedTokens > 0 && { truncatedTokens }) };
    const timings: Timings[] = [];
    let open = requests.reduce((sum, { choices }) => sum + choices, 0);
    for await (const { source, event } of mingled(sources)) {
      if (event.type === 'failed') {
        yield event;
        return;
      }
      invariant(event.type !== 'started', 'a generation starts once');
      const choice = offsets[source] + event.choice;
      if (event.type !== 'finished') yield { ...event, choice };
      else {
        usages[source] = event.usage;
        const { timings: own, ...finished } = event;
        if (own !== undefined) timings.push(own);
        const all = --open === 0 && timings.length > 0 ? { timings: longest(timings) } : {};
        yield { ...finished, choice, usage: total(usages), ...all };
      }
    }
  } finally {
    signal.removeEventListener('abort', abort);
    run.abort();
    await Promise.allSettled(sources.map(async (source) => source.return?.()));
  }
}

const longestTurnMs = 20;

/** Every request accepted, or the reason of the first that was not; then the others are given up. */
async function startAll(sources: readonly Source[], run: AbortController): Promise<Started[]> {
  const failures: unknown[] = [];
  const starting: Promise<Started | undefined>[] = [];
  let from = performance.now();
  for (const source of sources) {
    if (failures.length > 0) break;
    starting.push(
      begin(source).catch((error: unknown) => {
        failures.push(error);
        run.abort();
        return undefined;
      }),
    );
    // In one go, so that of several such requests the first finds its places in the queue. But a prompt is tokenized on this
    // thread: when that takes long, others get a turn.
    if (performance.now() - from < longestTurnMs) continue;
    await turn();
    from = performance.now();
  }
  const started = await Promise.all(starting);
  if (failures.length > 0) throw failures[0];
  return started.filter((event) => event !== undefined);
}

async function begin(source: Source): Promise<Started> {
  const { value, done } = await source.next();
  invariant(done !== true && value.type === 'started', 'a generation begins with started');
  return value;
}

interface Sourced {
  readonly source: number;
  readonly event: GenerationEvent;
}

/** The events of all sources, each asked for its next one only when the last one was taken. */
async function* mingled(sources: readonly Source[]): AsyncGenerator<Sourced, void, void> {
  const ready = new Channel<Sourced | { readonly done: true }>(sources.length);
  const ask = (source: number): void => {
    void sources[source].next().then(
      ({ value, done }) => ready.push(done === true ? { done } : { source, event: value }),
      (error: unknown) => ready.fail(error),
    );
  };
  for (let source = 0; source < sources.length; source++) ask(source);
  let open = sources.length;
  for await (const next of ready) {
    if ('done' in next) {
      if (--open === 0) return;
      continue;
    }
    yield next;
    ask(next.source);
  }
}

function total(usages: readonly Usage[]): Usage {
  const sum = (key: keyof Usage): number => usages.reduce((all, usage) => all + (usage[key] ?? 0), 0);
  const reasoningTokens = sum('reasoningTokens');
  return {
    promptTokens: sum('promptTokens'),
    completionTokens: sum('completionTokens'),
    cachedTokens: sum('cachedTokens'),
    ...(reasoningTokens > 0 && { reasoningTokens }),
    ...(usages.some(({ acceptedPredictionTokens }) => acceptedPredictionTokens !== undefined) && {
      acceptedPredictionTokens: sum('acceptedPredictionTokens'),
      rejectedPredictionTokens: sum('rejectedPredictionTokens'),
    }),
  };
}

/** They ran side by side: a sum would be longer than it took. */
function longest(all: readonly Timings[]): Timings {
  const most = (key: keyof Timings): number => Math.max(...all.map((timings) => timings[key]));
  return { queueMs: most('queueMs'), promptMs: most('promptMs'), generationMs: most('generationMs') };
}

/** [2, 1, 3] -> [0, 2, 3] */
function runningSums(counts: readonly number[]): number[] {
  let sum = 0;
  return counts.map((count) => (sum += count) - count);
}
