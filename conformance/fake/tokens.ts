// The tokens of the fake model: bytes, two special ones that may be written out, and one that begins every text.

export const contextLength = 65_536;

const special: Readonly<Record<string, number>> = { '<|im_start|>': 256, '<|im_end|>': 257 };
const begin = 258;
export const vocabularySize = 259;

/** Ids of a text; `framed`: with the beginning in front. */
export function encode(text: string, framed: boolean): number[] {
  const ids = text
    .split(/(<\|im_start\|>|<\|im_end\|>)/)
    .flatMap((part) => (part in special ? [special[part] ?? 0] : [...Buffer.from(part)]));
  return framed ? [begin, ...ids] : ids;
}

/** Text of ids; the beginning of a text is not shown. */
export function decode(ids: readonly number[]): string {
  const names = Object.entries(special);
  return Buffer.concat(
    ids.map((id) => {
      if (id === begin) return Buffer.alloc(0);
      const [name] = names.find(([, each]) => each === id) ?? [];
      return name === undefined ? Buffer.of(id) : Buffer.from(name);
    }),
  ).toString('utf8');
}

/** Text of one id, or its byte when it is no whole character. */
export function piece(id: number): string | number[] {
  return id < 128 || id > 255 ? decode([id]) : [id];
}

/** The tokens of a prompt. Not made when there are far too many: prompts too long to answer are counted, too. */
export function countTokens(text: string): number {
  return text.length > 4 * contextLength ? text.length : encode(text, true).length;
}
