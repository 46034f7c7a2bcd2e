// What an engine says of an accepted request -> events.

import { ApiError, invariant, toFailure } from '../core/errors.ts';
import type { GenerationEvent, Timings, Usage } from '../core/generation.ts';
import type { Accepted } from '../engine/client.ts';
import type { PromptTiming, TokenScore } from '../engine/messages.ts';
import type { ChoiceText } from './choice-text.ts';

export interface Followed {
  /** One per choice. */
  readonly texts: readonly ChoiceText[];
  readonly promptTokens: number;
  /** Of a predicted answer. */
  readonly predictionTokens?: number | undefined;
  /** What is said of the prompt before anything else. */
  readonly echo: Echo;
  /** Milliseconds, monotonic. */
  readonly now: () => number;
}

export interface Echo {
  /** Whether it tells what the model makes of the prompt, which is not known at once. */
  readonly isScored: boolean;
  /** `scores`: of the prompt's tokens from the second on. */
  readonly events: (scores: readonly TokenScore[]) => readonly GenerationEvent[];
}

/** The events of one accepted run, choices as they come; `failed`, or the last choice's `finished`, is the last. */
export async function* follow(
  { cachedTokens, events, cancel }: Accepted,
  { texts, promptTokens, predictionTokens, echo, now }: Followed,
): AsyncGenerator<GenerationEvent, void, void> {
  const open = new Set(texts);
  const clock = new Clock(now);
  const scores: TokenScore[] = [];
  let isEchoed = !echo.isScored;
  try {
    if (isEchoed) yield* echo.events([]);
    for await (const event of events) {
      if (event.type === 'begun') {
        ({ cachedTokens } = event);
        continue;
      }
      if (event.type === 'prompt') {
        scores.push(...event.scores);
        continue;
      }
      if (!isEchoed) yield* echo.events(scores);
      isEchoed = true;
      clock.hear(event.timing);
      const text = texts[event.choice];
      // It ended with a stop string; the engine may not have heard of it yet.
      if (!open.has(text)) continue;
      if (event.type === 'tokens') {
        yield* text.push(event.ids, event.scores);
        if (text.stop === undefined) continue;
        cancel(text.choice);
      } else text.score(event.score);
      yield* text.end();
      open.delete(text);
      const isCut = text.stop === undefined && event.type === 'finished' && event.cause === 'length';
      yield {
        type: 'finished',
        choice: text.choice,
        reason: isCut ? 'length' : 'stop',
        stop: text.stop,
        usage: { ...usageOf(texts, promptTokens, cachedTokens), ...predictionUsage(texts, predictionTokens) },
        ...(open.size === 0 && clock.timings !== undefined && { timings: clock.timings }),
      };
      if (open.size === 0) return;
    }
    invariant(false, 'a run ends when all choices are finished, or with an error');
  } catch (error) {
    // Other errors are defects, or the abort of a caller who hears nothing any more.
    if (!(error instanceof ApiError)) throw error;
    yield { type: 'failed', error: toFailure(error) };
  }
}

function usageOf(texts: readonly ChoiceText[], promptTokens: number, cachedTokens: number): Usage {
  const completionTokens = texts.reduce((sum, { tokens }) => sum + tokens, 0);
  const reasoningTokens = texts.reduce((sum, text) => sum + text.reasoningTokens, 0);
  return { promptTokens, completionTokens, cachedTokens, ...(reasoningTokens > 0 && { reasoningTokens }) };
}

function predictionUsage(texts: readonly ChoiceText[], tokens: number | undefined): Partial<Usage> {
  if (tokens === undefined) return {};
  const accepted = texts.reduce((sum, { predictedTokens }) => sum + predictedTokens, 0);
  return { acceptedPredictionTokens: accepted, rejectedPredictionTokens: texts.length * tokens - accepted };
}

class Clock {
  readonly #now: () => number;
  #first: { readonly at: number; readonly timing: PromptTiming } | undefined;
  #lastAt = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Something of the answer came; the engine's own times come with the first of it. */
  hear(timing: PromptTiming | undefined): void {
    this.#lastAt = this.#now();
    if (timing !== undefined) this.#first = { at: this.#lastAt, timing };
  }

  get timings(): Timings | undefined {
    if (this.#first === undefined) return undefined;
    const { at, timing } = this.#first;
    return { queueMs: timing.queueMs, promptMs: timing.prefillMs, generationMs: this.#lastAt - at };
  }
}
