// What the access log tells of a generation: counts and times, taken from the events as they pass.

import type { GenerationEvent } from '../core/generation.ts';
import type { Context } from '../core/operation.ts';

/** The same events; notes are made as they become known, so that a run that breaks off has told what it could. */
export async function* measured(
  events: AsyncIterable<GenerationEvent>,
  note: Context['note'],
  now: () => number = () => performance.now(),
): AsyncGenerator<GenerationEvent, void, void> {
  const from = now();
  let firstAt: number | undefined;
  for await (const event of events) {
    if (event.type === 'started') {
      const { model, usage } = event;
      note({ model, tokensIn: usage.promptTokens, tokensCached: usage.cachedTokens });
    }
    if (event.type === 'delta' && firstAt === undefined) {
      firstAt = now();
      note({ ttftMs: Math.round(firstAt - from) });
    }
    if (event.type === 'finished') {
      const { completionTokens, cachedTokens } = event.usage;
      note({ tokensCached: cachedTokens, tokensOut: completionTokens, finishReason: event.reason });
      // What is ranked comes all at once: the engine knows how long it took.
      const seconds = (event.timings?.generationMs ?? now() - (firstAt ?? from)) / 1000;
      // The first token's time is the prompt's.
      if (completionTokens > 1 && seconds > 0) note({ tokS: round1((completionTokens - 1) / seconds) });
    }
    yield event;
  }
}

function round1(value: number): number {
  return Math.round(value * 10) / 10;
}
