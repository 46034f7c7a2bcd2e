// Models that think before they answer: <think> ... </think>, then the answer. Some templates write the opening themselves, so that an answer
// begins inside. White space around the tags belongs to nobody.

import type { BlockKind } from '../../core/generation.ts';
import type { FormatEvent, FormatParser, OutputFormat } from './format.ts';

const open = '<think>';
const close = '</think>';

export const think: OutputFormat = {
  name: 'think',
  parser: (promptEnd) => new ThinkParser(promptEnd.trimEnd().endsWith(open)),
};

/**
 * ```
 * start --"<think>"--> reasoning --"</think>"--> between --anything--> text
 *   └------------------anything else------------------------------------^
 * ```
 */
class ThinkParser implements FormatParser {
  #state: 'start' | 'reasoning' | 'between' | 'text';
  /** Not decided yet: the beginning of a tag, or white space that may stand before one. */
  #held = '';
  #block = -1;
  #isOpen = false;

  constructor(startsInside: boolean) {
    this.#state = startsInside ? 'reasoning' : 'start';
  }

  push(text: string): readonly FormatEvent[] {
    if (text === '') return [];
    const events: FormatEvent[] = [];
    this.#held += text;
    // Each turn leaves a state or waits for more.
    for (let before = ''; before !== `${this.#state} ${this.#held}`;) {
      before = `${this.#state} ${this.#held}`;
      this.#step(events);
    }
    return events;
  }

  end(): readonly FormatEvent[] {
    const events: FormatEvent[] = [];
    // What looked like the beginning of a tag is none.
    if (this.#state === 'reasoning') this.#write(this.#held.trimEnd(), 'reasoning', events);
    else if (this.#state !== 'between') this.#write(this.#held, 'text', events);
    this.#held = '';
    this.#close(events);
    return events;
  }

  #step(events: FormatEvent[]): void {
    const held = this.#held;
    switch (this.#state) {
      case 'start': {
        const text = held.trimStart();
        if (text.startsWith(open)) this.#enter('reasoning', text.slice(open.length));
        else if (!open.startsWith(text)) this.#state = 'text';
        return;
      }
      case 'reasoning': {
        // White space at its beginning goes, too.
        const text = this.#isOpen ? held : held.trimStart();
        const at = text.indexOf(close);
        if (at < 0) {
          const ready = text.slice(0, text.length - undecided(text));
          this.#write(ready, 'reasoning', events);
          this.#held = text.slice(ready.length);
          return;
        }
        this.#write(text.slice(0, at).trimEnd(), 'reasoning', events);
        this.#close(events);
        this.#enter('between', text.slice(at + close.length));
        return;
      }
      case 'between':
        this.#held = held.trimStart();
        if (this.#held !== '') this.#state = 'text';
        return;
      case 'text':
        this.#write(held, 'text', events);
        this.#held = '';
        return;
      default:
        this.#state satisfies never;
    }
  }

  #enter(state: 'reasoning' | 'between', held: string): void {
    this.#state = state;
    this.#held = held;
  }

  #write(text: string, kind: BlockKind, events: FormatEvent[]): void {
    if (text === '') return;
    if (!this.#isOpen) {
      this.#isOpen = true;
      events.push({ type: 'block_start', block: ++this.#block, kind });
    }
    events.push({ type: 'delta', block: this.#block, text });
  }

  #close(events: FormatEvent[]): void {
    if (this.#isOpen) events.push({ type: 'block_end', block: this.#block });
    this.#isOpen = false;
  }
}

/** Characters at the end that may belong to the closing tag or to the white space before it. */
function undecided(text: string): number {
  for (let length = Math.min(close.length - 1, text.length); length > 0; length--) {
    if (!text.endsWith(close.slice(0, length))) continue;
    return text.length - text.slice(0, text.length - length).trimEnd().length;
  }
  return text.length - text.trimEnd().length;
}
