// The events of a generation as the two completion dialects of OpenAI's API write them: every piece of text knows whether it was said or
// thought, and a failure is thrown. One reading of the events serves object and stream, so that they cannot tell different stories.

import { fromFailure, invariant } from '../core/errors.ts';
import type { FinishReason, GenerationEvent, Timings, TokenLogprob, Usage } from '../core/generation.ts';

export type Started = Extract<GenerationEvent, { type: 'started' }>;

export type Step =
  | { readonly type: 'started'; readonly event: Started }
  | {
      readonly type: 'prompt' | 'text' | 'reasoning';
      readonly choice: number;
      readonly text: string;
      readonly logprobs?: readonly TokenLogprob[] | undefined;
    }
  | {
      readonly type: 'finished';
      readonly choice: number;
      readonly reason: FinishReason;
      readonly usage: Usage;
      /** With the last choice. */
      readonly timings?: Timings | undefined;
    };

export async function* steps(events: AsyncIterable<GenerationEvent>): AsyncGenerator<Step, void, void> {
  /** Kind of the open block, by choice. */
  const open = new Map<number, 'text' | 'reasoning'>();
  for await (const event of events) {
    switch (event.type) {
      case 'started':
        yield { type: 'started', event };
        break;
      case 'prompt':
        yield event;
        break;
      case 'block_start':
        // No output format of this release reads calls, so tools are refused before.
        invariant(event.kind === 'text' || event.kind === 'reasoning', `an answer can show a ${event.kind} block`);
        open.set(event.choice, event.kind);
        break;
      case 'delta': {
        const type = open.get(event.choice);
        invariant(type !== undefined, 'text belongs to an open block');
        yield { type, choice: event.choice, text: event.text, logprobs: event.logprobs };
        break;
      }
      case 'block_end':
        open.delete(event.choice);
        break;
      case 'finished': {
        const { choice, reason, usage, timings } = event;
        yield { type: 'finished', choice, reason, usage, timings };
        break;
      }
      case 'failed':
        throw fromFailure(event.error);
      default:
        throw event satisfies never;
    }
  }
}
