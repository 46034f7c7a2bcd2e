// How a token is chosen from logits, and which tokens a grammar permits.

/**
 * What is done to the logits of a token, in this order: bias, DRY, frequency and presence, repetition, temperature, top_k, top_p, min_p,
 * draw. Every field is in range (the validators see to that); what may be left out is off then.
 */
export interface SamplingParams extends Penalties {
  /** 0..2; 0 is greedy. */
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

/** What changes logits before the temperature does. `Dry` says how the breakers are given. */
export interface Penalties<Dry = DryParams> {
  /** Added to the logits of these tokens, -100..100. Each id once. */
  readonly logitBias?: readonly TokenBias[] | undefined;
  readonly dry?: Dry | undefined;
  /** Subtracted once for each time that the answer holds the token, -2..2; 0 is off. */
  readonly frequencyPenalty?: number | undefined;
  /** Subtracted once when the answer holds the token, -2..2; 0 is off. */
  readonly presencePenalty?: number | undefined;
  /** Divides the logit (multiplies a negative one) of tokens that prompt or answer hold, > 0; 1 is off. */
  readonly repetitionPenalty?: number | undefined;
}

export interface TokenBias {
  readonly id: number;
  readonly bias: number;
}

/**
 * "Don't repeat yourself": when the text ends with n tokens that occurred before, n >= allowedLength, the token that followed them there
 * loses multiplier * base^(n - allowedLength).
 */
export interface DryParams extends DryStrength {
  /** Ids that end a match, ascending. */
  readonly breakers: Int32Array;
}

export interface DryStrength {
  /** 0 is off. */
  readonly multiplier: number;
  /** At least 1. */
  readonly base: number;
  /** At least 1. */
  readonly allowedLength: number;
}

/** As a caller says it: `undefined` is the model's own default where its file names one, else no effect. Breakers are text. */
export interface SamplingRequest
  extends Partial<Omit<SamplingParams, keyof Penalties | 'seed'>>, Penalties<DryRequest> {
  readonly seed: number;
}

export interface DryRequest extends DryStrength {
  /** A token with one of them in its text ends a match. At most 64, of at most 256 characters. */
  readonly sequenceBreakers: readonly string[];
}

/** Defaults of the field's authors. */
export const dryDefaults = { base: 1.75, allowedLength: 2, sequenceBreakers: ['\n', ':', '"', '*'] } as const;

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
