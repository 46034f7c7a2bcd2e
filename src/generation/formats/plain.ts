// No structure: everything the model writes is text.

import type { FormatEvent, FormatParser, OutputFormat } from './format.ts';

export const plain: OutputFormat = { name: 'plain', parser: () => new PlainParser() };

class PlainParser implements FormatParser {
  #isOpen = false;

  push(text: string): readonly FormatEvent[] {
    if (text === '') return [];
    const delta = { type: 'delta', block: 0, text } as const;
    if (this.#isOpen) return [delta];
    this.#isOpen = true;
    return [{ type: 'block_start', block: 0, kind: 'text' }, delta];
  }

  end(): readonly FormatEvent[] {
    return this.#isOpen ? [{ type: 'block_end', block: 0 }] : [];
  }
}
