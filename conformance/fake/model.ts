// A model that says words by hashing: deterministic, never twice the same for different prompts, with characters of one to
// four bytes. It has what a sampler needs to be observable: temperature, seed and filters.

const words =
  ' the| wind| crosses| a| hill| and| no| tree| was| asked| über| 猫| 🦊| seven| lamps| stand| in| blue| rain| while| nobody| counts'.split(
    '|',
  );

/** Words of a prompt are its tokens. A loop, since prompts too long to answer are counted, too. */
export function countTokens(text: string): number {
  let count = 0;
  let isInside = false;
  for (let index = 0; index < text.length; index += 1) {
    const isSpace = text.charCodeAt(index) <= 32;
    if (!isSpace && !isInside) count += 1;
    isInside = !isSpace;
  }
  return count;
}

/** The tokens of an answer, at most `limit`; `salt` is empty when the choice is greedy. */
export function generate(
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

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1)
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193) >>> 0;
  // A last stir: FNV's low bits are weak for texts that differ in their end only.
  return (Math.imul(value ^ (value >>> 15), 0x85ebca6b) >>> 7) >>> 0;
}
