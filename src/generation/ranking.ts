// best_of: more continuations are written than are wanted, and the best of them delivered.

import type { GenerationEvent, Usage } from '../core/generation.ts';

export interface Rated {
  /** Larger is better. */
  readonly meanLogprob: number;
}

/**
 * The events of the `count` choices with the highest mean log probability per token, best first, renumbered; lower numbers first among
 * equals. They come when all are finished. Their usage counts every choice; timings come with the last of them.
 */
export async function* ranked(
  events: AsyncIterable<GenerationEvent>,
  rated: readonly Rated[],
  count: number,
): AsyncGenerator<GenerationEvent, void, void> {
  const said = rated.map((): GenerationEvent[] => []);
  let usage: Usage | undefined;
  let timings: Extract<GenerationEvent, { type: 'finished' }>['timings'];
  for await (const event of events) {
    if (!('choice' in event)) {
      yield event;
      continue;
    }
    said[event.choice].push(event);
    if (event.type === 'finished') ({ usage, timings } = event);
  }
  // A run that failed has said so.
  if (usage === undefined || said.some((each) => each.at(-1)?.type !== 'finished')) return;
  const order = rated.map((_, choice) => choice);
  order.sort((a, b) => rated[b].meanLogprob - rated[a].meanLogprob || a - b);
  for (const [choice, from] of order.slice(0, count).entries()) {
    for (const event of said[from]) {
      if (event.type !== 'finished') yield { ...event, choice } as GenerationEvent;
      else yield { ...event, choice, usage, timings: choice === count - 1 ? timings : undefined };
    }
  }
}
