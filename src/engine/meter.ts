// What the server hears of an engine's work, for counters: called as messages arrive, whether or not somebody reads the events by then.

import type { EngineStats, PromptTiming } from './messages.ts';

export interface EngineMeter {
  /** A request was accepted; called once for each of its choices, of which the first one hears the times of the prompt. */
  sequence(start: SequenceStart): SequenceMeter;
  /** A forward pass has begun. */
  pass(tokens: number): void;
  /** The latest numbers; zeros when the process is gone. */
  stats(stats: EngineStats): void;
}

export interface SequenceStart {
  readonly promptTokens: number;
  /** Part of them that the prefix cache would have answered then. */
  readonly cachedTokens: number;
  readonly maxTokens: number;
  /** When it was handed over, on the clock of `performance.now()`. */
  readonly submittedAt: number;
}

/** `stop` also when the reader needed no more; `abort`: the caller left; `error`: the engine failed it, or died. */
export type SequenceOutcome = FinishOutcome | 'abort' | 'error';
type FinishOutcome = 'stop' | 'length';

export interface SequenceMeter {
  /** With `timing` the first ones. */
  tokens(count: number, timing: PromptTiming | undefined): void;
  /** Called once, last. With `timing` when there were no tokens before. */
  ended(outcome: SequenceOutcome, timing?: PromptTiming): void;
}

const silent: SequenceMeter = { tokens: () => undefined, ended: () => undefined };

export const noMeter: EngineMeter = { sequence: () => silent, pass: () => undefined, stats: () => undefined };
