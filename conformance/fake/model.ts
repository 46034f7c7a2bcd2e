// A model that says words by hashing: deterministic, never twice the same for different prompts, with characters of one to
// four bytes. It has what a sampler needs to be observable: temperature, seed and filters.

import type { Body } from './reply.ts';

const words =
  ' the| wind| crosses| a| hill| and| no| tree| was| asked| über| 猫| 🦊| seven| lamps| stand| in| blue| rain| while| nobody| counts'.split(
    '|',
  );

/** The tokens of an answer, at most `limit`; `salt` is empty when the choice is greedy. */
function generate(
  prompt: string,
  salt: string,
  limit: number,
): { readonly tokens: string[]; readonly isComplete: boolean } {
  const start = hash(`${prompt}\u0000${salt}`);
  const length = 26 + (start % 6);
  const tokens = Array.from(
    { length: Math.min(length, limit) },
    (_, index) => words[hash(`${start} ${index}`) % words.length] ?? '',
  );
  return { tokens, isComplete: length <= limit };
}

export interface Choice {
  /** Text of each token that was delivered. */
  readonly pieces: readonly string[];
  /** Tokens that were generated. */
  readonly count: number;
  readonly finish: 'stop' | 'length';
}

/** An answer of at most `limit` tokens, up to the first stop string. */
export function speak(prompt: string, salt: string, limit: number, stop: unknown): Choice {
  const stops = (Array.isArray(stop) ? stop : [stop]).filter((entry): entry is string => typeof entry === 'string');
  const { tokens, isComplete } = generate(prompt, salt, limit);
  let text = '';
  for (const [index, token] of tokens.entries()) {
    text += token;
    const at = Math.min(...stops.map((entry) => text.indexOf(entry)).filter((found) => found >= 0));
    if (at < Infinity) return { pieces: cut(tokens, at), count: index + 1, finish: 'stop' };
  }
  return { pieces: tokens, count: tokens.length, finish: isComplete ? 'stop' : 'length' };
}

/** The tokens up to `length` characters. */
function cut(tokens: readonly string[], length: number): string[] {
  let left = length;
  return tokens.flatMap((token) => {
    const piece = token.slice(0, left);
    left -= piece.length;
    return piece === '' ? [] : [piece];
  });
}

/** Whether only the likeliest token can be chosen. */
export function isGreedy(body: Body): boolean {
  return body['temperature'] === 0 || body['top_k'] === 1 || body['min_p'] === 1 || Number(body['top_p'] ?? 1) < 0.001;
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1)
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193) >>> 0;
  // A last stir: FNV's low bits are weak for texts that differ in their end only.
  return (Math.imul(value ^ (value >>> 15), 0x85ebca6b) >>> 7) >>> 0;
}
