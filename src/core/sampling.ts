// How a token is chosen from logits, and which tokens a grammar permits.

/** Every field is already defaulted and in range (the validators see to that). */
export interface SamplingParams {
  /** 0 is greedy. */
  readonly temperature: number;
  /** Nucleus mass, 0..1; 1 is off. */
  readonly topP: number;
  /** At most so many candidates; 0 is off. */
  readonly topK: number;
  /** Drop candidates below this fraction of the best; 0 is off. */
  readonly minP: number;
  /** Of the counter-based generators of all choices: choice c draws from stream c of it. Same model, request and seed: same tokens. */
  readonly seed: number;
}

/**
 * The seed of one of several prompts of a request: `seed + index`, so that each is answered as a request of its own with that seed
 * is. Beyond 2^53, where neighbours cannot be told apart, the upper digits go.
 */
export function seedOfPrompt(seed: number, index: number): number {
  if (index === 0) return seed;
  return Number.isSafeInteger(seed + index) ? seed + index : (seed % 2 ** 52) + index;
}

/** The text that, once written, makes a grammar apply (for example the opening of a tool call). */
export interface Trigger {
  readonly text: string;
}

/** A grammar crosses rooms and processes as data; only the engine compiles it. */
export interface Constraint {
  readonly grammar: { readonly type: 'regex' | 'lark' | 'json_schema' | 'llguidance'; readonly value: string };
  /** At once, or after one of the triggers was written. */
  readonly start: 'now' | { readonly after: readonly Trigger[] };
  /** Whether the grammar may apply again after it is complete. */
  readonly repeat: 'one' | 'many';
}
