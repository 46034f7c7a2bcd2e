// The way from ids to blocks of one choice: ids -> detokenizer -> stop strings -> format -> events.

import type { GenerationEvent, GenerationRequest } from '../core/generation.ts';
import { Detokenizer } from '../tokenizer/detokenizer.ts';
import type { FormatEvent, FormatParser } from './formats/format.ts';
import { plain } from './formats/plain.ts';
import type { ModelParts } from './models.ts';
import { StopMatcher } from './stop.ts';

export class ChoiceText {
  readonly choice: number;
  /** Ids seen, up to the one that completed a stop string. */
  tokens = 0;
  /** The stop string that was found. */
  stop: string | undefined;
  readonly #detokenizer: Detokenizer;
  readonly #stops: StopMatcher;
  readonly #parser: FormatParser;

  constructor(choice: number, { prompt, stop }: GenerationRequest, { tokenizer, format }: ModelParts) {
    this.choice = choice;
    // Raw text is continued as it stands: its spaces belong to it, and structure is what a template asks for.
    const continues = prompt.type === 'tokens' || (prompt.type === 'text' && prompt.text !== '');
    this.#detokenizer = new Detokenizer(tokenizer, { continues });
    this.#stops = new StopMatcher(stop);
    this.#parser = (prompt.type === 'chat' ? format : plain).parser();
  }

  push(ids: readonly number[]): GenerationEvent[] {
    let ready = '';
    for (const id of ids) {
      this.tokens++;
      ready += this.#unstopped(this.#detokenizer.push(id));
      if (this.stop !== undefined) break;
    }
    return this.#written(this.#parser.push(ready));
  }

  /** No ids follow: what was held back is given out, and open blocks are closed. */
  end(): GenerationEvent[] {
    let rest = '';
    if (this.stop === undefined) rest += this.#unstopped(this.#detokenizer.end());
    if (this.stop === undefined) rest += this.#stops.end();
    return this.#written([...this.#parser.push(rest), ...this.#parser.end()]);
  }

  #unstopped(text: string): string {
    const piece = this.#stops.push(text);
    this.stop = piece.stop;
    return piece.text;
  }

  #written(events: readonly FormatEvent[]): GenerationEvent[] {
    return events.map((event) => ({ ...event, choice: this.choice }));
  }
}
