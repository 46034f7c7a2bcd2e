// Requests whose answers must be the same every time: greedy ones and seeded ones, short and long.

import type { ChatRequest } from '../client/chat.ts';
import type { Random } from '../random.ts';

export interface SeededRequest {
  /** Names it among the others. */
  readonly key: number;
  readonly body: ChatRequest;
}

/** Prompts of at most about 110 tokens, answers of at most 120: they fit into small contexts, too. */
export function seededRequests(count: number, model: string, random: Random): SeededRequest[] {
  return Array.from({ length: count }, (_, key) => ({
    key,
    body: {
      model,
      messages: [{ role: 'user', content: question(random) }],
      max_tokens: random.pick([1, 4, 16, 40, 120]),
      ...random.pick(samplings),
      seed: random.below(1_000_000),
      ...(random.below(5) === 0 ? { stop: [random.pick(['e ', 'a', ', ', 'zu'])] } : {}),
    },
  }));
}

const samplings = [
  { temperature: 0 },
  { temperature: 0.8 },
  { temperature: 1.5, top_p: 0.9 },
  { temperature: 2, top_k: 40 },
  { temperature: 1, min_p: 0.1 },
] as const;

/** Some that small models have an answer to, and some that nobody has. */
function question(random: Random): string {
  const words = (count: number): string => Array.from({ length: count }, () => syllables(random)).join(' ');
  return random.pick([
    'who are you?',
    `count from 1 to ${3 + random.below(9)}`,
    `repeat: ${words(2 + random.below(12))}`,
    `the last word of: ${words(3)}`,
    words(1 + random.below(20)),
    // Several begin alike, for longer than a block of a cache.
    `${preamble} ${words(1 + random.below(4))}`,
  ]);
}

const preamble = 'kazu lomi terban onlo mika zuter bankalo miter lozu kaban onka terlo zumi banter loka '
  .repeat(2)
  .trim();

function syllables(random: Random): string {
  const parts = ['ka', 'zu', 'lo', 'mi', 'ter', 'ban', 'grü', 'ße', '猫', 'on'];
  return Array.from({ length: 1 + random.below(3) }, () => random.pick(parts)).join('');
}
