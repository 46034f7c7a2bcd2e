// The first whole answer to each seeded request; every further one must be the same, and what came of one that was cut short its beginning.

import type { ChatAnswer } from '../client/chat.ts';

interface Known {
  readonly text: string;
  readonly finish: string | undefined;
  readonly tokens: number | undefined;
}

export class FirstAnswers {
  readonly #known = new Map<number, Known>();
  /** The first few, in words. */
  readonly wrong: string[] = [];
  wrongCount = 0;
  checkedCount = 0;

  /** A whole answer. */
  check(key: number, { text, finish, usage }: ChatAnswer): void {
    const tokens = usage?.completionTokens;
    const known = this.#known.get(key);
    if (known === undefined) {
      this.#known.set(key, { text, finish, tokens });
      return;
    }
    this.checkedCount++;
    if (text !== known.text) this.#note(key, `${quote(text)} instead of ${quote(known.text)}`);
    else if (finish !== known.finish) this.#note(key, `finish ${finish} instead of ${known.finish}`);
    else if (tokens !== known.tokens) this.#note(key, `${tokens} tokens instead of ${known.tokens}`);
  }

  /** What came before the end of the connection. */
  checkBeginning(key: number, { text }: ChatAnswer): void {
    const known = this.#known.get(key);
    if (known === undefined || text === '') return;
    this.checkedCount++;
    if (!known.text.startsWith(text)) this.#note(key, `${quote(text)} is no beginning of ${quote(known.text)}`);
  }

  #note(key: number, what: string): void {
    this.wrongCount++;
    if (this.wrong.length < 5) this.wrong.push(`request ${key}: ${what}`);
  }
}

function quote(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
}
