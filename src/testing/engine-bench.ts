// An engine on a fake model, for tests of what the engine decides: who runs when, on which blocks, and what is said to whom.

import type { Batch } from '../compute/backend.ts';
import { Engine, type EngineOptions } from '../engine/engine.ts';
import type { FromEngine } from '../engine/messages.ts';
import { tokenBudget, type PromptPace } from '../engine/pace.ts';
import { fakeRunner, fakeSampler, poisonId, type FakeRunner } from './fake-model.ts';

export interface Outcome {
  readonly tokens: number[];
  end: string | undefined;
}

export class EngineBench {
  readonly runner: FakeRunner;
  readonly engine: Engine;
  /** In order. */
  readonly said: FromEngine[] = [];
  now = 0;
  /** Milliseconds that a pass of so many tokens lasts. */
  cost: (tokens: number, batch: Batch) => number = () => 0;

  constructor(changes: Partial<EngineOptions> = {}) {
    const { maxBatchTokens = 16, maxSequences = 4, kvBlocks = 16, maxOutputs = maxSequences } = changes;
    this.runner = fakeRunner(kvBlocks, { tokens: maxBatchTokens, sequences: maxSequences, outputs: maxOutputs });
    this.engine = new Engine({
      runner: {
        ...this.runner,
        forward: (batch) => {
          this.now += this.cost(batch.ids.length, batch);
          return this.runner.forward(batch);
        },
      },
      sampler: fakeSampler,
      emit: (message) => this.said.push(message),
      contextLength: 256,
      kvBlocks,
      maxSequences,
      maxBatchTokens,
      maxWaiting: 100,
      now: () => this.now,
      pace: tokensPerPass(Infinity),
      ...changes,
    });
  }

  async run(): Promise<void> {
    for (let steps = 0; !this.engine.isIdle; steps++) {
      if (steps > 20_000) throw new Error('the engine makes no progress');
      await this.engine.step();
    }
  }

  /** What was said of one choice. Throws when something was said after its end, or after the end of all choices. */
  outcome(id: string, choice = 0): Outcome {
    const outcome: Outcome = { tokens: [], end: undefined };
    let isOver = false;
    for (const message of this.said) {
      if (!('id' in message) || message.id !== id) continue;
      if (isOver) throw new Error(`${id} ended and then said ${message.type}`);
      if (message.type === 'failed' || message.type === 'rejected') {
        isOver = true;
        outcome.end ??= message.error.code;
      }
      if (!('choice' in message) || message.choice !== choice) continue;
      if (outcome.end !== undefined) throw new Error(`choice ${choice} of ${id} ended and then said ${message.type}`);
      if (message.type === 'tokens') outcome.tokens.push(...message.ids);
      else outcome.end = message.cause;
    }
    return outcome;
  }

  /** Prompt tokens of a request that the prefix cache answered; `undefined` before its first pass. */
  cachedTokens(id: string): number | undefined {
    const begun = this.said.filter((message) => message.type === 'begun' && message.id === id);
    if (begun.length > 1) throw new Error(`${id} began ${begun.length} times`);
    const [message] = begun;
    return message?.type === 'begun' ? message.cachedTokens : undefined;
  }
}

/** Prompts get so many tokens of a pass, whatever they cost. */
export function tokensPerPass(tokens: number): PromptPace {
  return { budget: () => tokenBudget(tokens), learn: () => undefined };
}

/** Two of the same salt begin alike. */
export function promptIds(count: number, salt = 0): number[] {
  return Array.from({ length: count }, (_, i) => (i * 31 + salt * 17) % poisonId);
}

/** Small generator, so that each mixture can be repeated by its number. */
export function random(seed: number): (below: number) => number {
  let state = seed + 0x6d2b79f5;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), state | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) % below;
  };
}
