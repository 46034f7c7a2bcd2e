// The way from ids to blocks of one choice: ids -> detokenizer -> stop strings -> format -> events. Log probabilities travel beside the
// text that their tokens wrote.

import type { BlockKind, GenerationEvent, GenerationRequest, TokenLogprob } from '../core/generation.ts';
import type { TokenScore } from '../engine/messages.ts';
import { Detokenizer } from '../tokenizer/detokenizer.ts';
import type { Vocabulary } from '../tokenizer/tokenizer.ts';
import type { FormatEvent, FormatParser } from './formats/format.ts';
import { plain } from './formats/plain.ts';
import { CommonSubsequence } from './prediction.ts';
import type { ModelParts } from './models.ts';
import { StopMatcher } from './stop.ts';
import { TokenTrail } from './token-trail.ts';

export interface ChoiceFacts {
  readonly prediction?: Int32Array | undefined;
  readonly promptEnd?: string | undefined;
}

export class ChoiceText {
  readonly choice: number;
  /** Ids seen, up to the one that completed a stop string. */
  tokens = 0;
  /** Those of them that wrote reasoning. */
  reasoningTokens = 0;
  /** The stop string that was found. */
  stop: string | undefined;
  /** Of all tokens that were scored, the one that ended a turn included. */
  readonly #sum = { logprob: 0, count: 0 };
  readonly #detokenizer: Detokenizer;
  readonly #stops: StopMatcher;
  /** Stop strings that are control tokens, which have no text. */
  readonly #stopTokens: ReadonlyMap<number, string>;
  readonly #parser: FormatParser;
  /** Whether the format leaves a part of the text out. */
  readonly #hides: boolean;
  /** `undefined`: nobody asked for log probabilities. */
  readonly #trail: TokenTrail | undefined;
  /** Log probabilities whose text is delivered, but of which no event has spoken. */
  #untold: TokenLogprob[] = [];
  #open: { readonly block: number; readonly kind: BlockKind } | undefined;

  readonly #predicted: CommonSubsequence | undefined;

  /** `prediction`: ids that are counted where they come true. `promptEnd`: as a format's parser takes it. */
  constructor(
    choice: number,
    { prompt, stop, logprobs }: GenerationRequest,
    { tokenizer, format }: ModelParts,
    { prediction, promptEnd = '' }: ChoiceFacts = {},
  ) {
    this.choice = choice;
    this.#predicted = prediction === undefined ? undefined : new CommonSubsequence(prediction);
    const { vocabulary } = tokenizer;
    // Raw text is continued as it stands: its spaces belong to it, and structure is what a template asks for.
    const continues = prompt.type === 'tokens' || (prompt.type === 'text' && prompt.text !== '');
    this.#detokenizer = new Detokenizer(tokenizer, { continues });
    this.#stops = new StopMatcher(stop);
    this.#stopTokens = new Map(stop.flatMap((text) => controlToken(text, vocabulary)));
    const written = prompt.type === 'chat' ? format : plain;
    this.#hides = written !== plain;
    this.#parser = written.parser(promptEnd);
    this.#trail = logprobs === undefined ? undefined : new TokenTrail(vocabulary);
  }

  /** Per token, of those seen; -Infinity when there are none. */
  get meanLogprob(): number {
    return this.#sum.count === 0 ? -Infinity : this.#sum.logprob / this.#sum.count;
  }

  /** Tokens of the prediction that it has, in their order. */
  get predictedTokens(): number {
    return this.#predicted?.length ?? 0;
  }

  push(ids: readonly number[], scores: readonly TokenScore[] = []): GenerationEvent[] {
    let ready = '';
    let count = 0;
    for (const id of ids) {
      const score = scores[count++];
      this.score(score);
      this.#predicted?.push(id);
      const stop = this.#stopTokens.get(id);
      if (stop !== undefined) {
        ready += this.#rest();
        // Unless what was left of the text ended it already.
        this.stop ??= stop;
        break;
      }
      const text = this.#detokenizer.push(id);
      if (score !== undefined) this.#trail?.push(id, this.#detokenizer.added, text, score);
      ready += this.#unstopped(text);
      if (this.stop !== undefined) break;
    }
    const events = this.#told(this.#parser.push(ready));
    this.tokens += count;
    if (this.#open?.kind === 'reasoning') this.reasoningTokens += count;
    return events;
  }

  /** A token counts for the mean, also one that is not delivered. */
  score(score: TokenScore | undefined): void {
    if (score === undefined) return;
    this.#sum.logprob += score.logprob;
    this.#sum.count++;
  }

  /** No ids follow: what was held back is given out, and open blocks are closed. */
  end(): GenerationEvent[] {
    const rest = this.stop === undefined ? this.#rest() : '';
    return [...this.#told(this.#parser.push(rest)), ...this.#told(this.#parser.end())];
  }

  /** What was held back, when it is certain that it is text. */
  #rest(): string {
    const text = this.#unstopped(this.#detokenizer.end());
    if (this.stop !== undefined) return text;
    const held = this.#stops.end();
    this.#untold.push(...(this.#trail?.deliver(held) ?? []));
    return text + held;
  }

  #unstopped(text: string): string {
    const piece = this.#stops.push(text);
    this.stop = piece.stop;
    const trail = this.#trail;
    if (trail !== undefined)
      this.#untold.push(...(piece.stop === undefined ? trail.deliver(piece.text) : trail.cut(piece.text)));
    return piece.text;
  }

  #told(events: readonly FormatEvent[]): GenerationEvent[] {
    const { choice } = this;
    const told: GenerationEvent[] = [];
    // Of the texts that are still to come in this round.
    let bytesAhead = this.#hides ? events.reduce((sum, event) => sum + bytesOf(event), 0) : 0;
    for (const event of events) {
      if (event.type === 'block_start') this.#open = event;
      if (event.type === 'block_end') {
        // The last ones of a block may have no text of their own.
        if (splitAt(this.#untold, bytesAhead)[0].length > 0)
          told.push({ type: 'delta', block: event.block, text: '', choice, ...this.#logprobs(0, bytesAhead) });
        this.#open = undefined;
      }
      if (event.type === 'delta') {
        const bytes = this.#hides ? bytesOf(event) : 0;
        bytesAhead -= bytes;
        told.push({ ...event, choice, ...this.#logprobs(bytes, bytesAhead) });
      } else told.push({ ...event, choice });
    }
    return told;
  }

  /**
   * Of the tokens of the next `bytes`; those of the `ahead` bytes after them stay. What stands before a text was hidden by the format
   * (tags, and white space around them) and goes.
   */
  #logprobs(bytes: number, ahead: number): { readonly logprobs?: readonly TokenLogprob[] } {
    if (this.#trail === undefined) return {};
    const [told, rest] = splitAt(this.#untold, ahead);
    this.#untold = [...rest];
    const isWhole = this.#open?.kind !== 'text' || bytes === 0;
    return { logprobs: isWhole ? told : splitAt(told, bytes)[1] };
  }
}

function bytesOf(event: FormatEvent): number {
  return event.type === 'delta' ? Buffer.byteLength(event.text) : 0;
}

/** The tokens before the last `bytes` of them, and the tokens of those; one in which the border lies is cut. */
function splitAt(tokens: readonly TokenLogprob[], bytes: number): [readonly TokenLogprob[], readonly TokenLogprob[]] {
  let before = tokens.reduce((sum, token) => sum + token.bytes.length, 0) - bytes;
  if (bytes === 0 || before <= 0) return bytes === 0 ? [tokens, []] : [[], tokens];
  const at = tokens.findIndex((token) => (before -= token.bytes.length) < 0);
  const token = tokens[at];
  const cut = token.bytes.length + before;
  const [first, last] = [token.bytes.subarray(0, cut), token.bytes.subarray(cut)];
  const head = cut === 0 ? [] : [{ ...token, bytes: first }];
  return [
    [...tokens.slice(0, at), ...head],
    [{ ...token, bytes: last }, ...tokens.slice(at + 1)],
  ];
}

function controlToken(text: string, vocabulary: Vocabulary): readonly (readonly [number, string])[] {
  const id = vocabulary.find(text);
  return id !== undefined && vocabulary.kind(id) === 'control' ? [[id, text]] : [];
}
