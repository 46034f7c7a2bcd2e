// Prompts that are too long, made to fit: the oldest goes first, the end stays. A conversation loses whole turns, so that what its template
// writes around messages stays whole; only a last turn that is too long by itself loses its beginning.

import { ApiError } from '../core/errors.ts';
import type { ChatPrompt, GenerationRequest, Prompt, TextPrompt, TokenPrompt } from '../core/generation.ts';
import type { Message } from '../core/message.ts';
import type { ModelParts } from './models.ts';
import { encode, leastTokens, tooLong } from './prompt.ts';

export interface Fitted {
  readonly ids: Int32Array;
  /** What of the prompt they are. */
  readonly prompt: Prompt;
  /** Tokens that were dropped; of a prompt many times too long, at least so many. */
  readonly dropped: number;
}

/** Leaves room for `maxTokens`, for one token where that is undefined. Throws an `ApiError` for what fits in no way. */
export function fitPrompt({ prompt, maxTokens }: GenerationRequest, model: ModelParts): Fitted {
  const { contextLength, longestToken } = model;
  const room = contextLength - Math.max(1, maxTokens ?? 1);
  const least = leastTokens(prompt, longestToken);
  // Nobody counts the tokens of what is a hundred times too long.
  const all = least < mostContexts * contextLength ? encode(prompt, model) : undefined;
  if (all !== undefined && all.length < contextLength) return { ids: all, prompt, dropped: 0 };
  if (room < 1) {
    const message = `max_tokens is ${maxTokens}, and the context of this model holds ${contextLength} tokens: that leaves no room for a prompt. Ask for fewer.`;
    throw new ApiError('invalid_request', message, { code: 'context_length_exceeded', param: 'max_tokens' });
  }
  const fitted = prompt.type === 'chat' ? fitChat(prompt, room, model) : fitText(prompt, room, model, all);
  if (fitted === undefined) throw tooLong(String(all?.length ?? `at least ${least}`), prompt, model);
  return { ...fitted, dropped: (all?.length ?? least) - fitted.ids.length };
}

const mostContexts = 8;

type Fit = Omit<Fitted, 'dropped'>;

/** Of a text with a gap, only what stands before the gap is shortened. */
function fitText(
  prompt: TextPrompt | TokenPrompt,
  room: number,
  model: ModelParts,
  all: Int32Array | undefined,
): Fit | undefined {
  const { tokenizer, longestToken } = model;
  const { bos } = tokenizer.vocabulary;
  if (prompt.suffix === undefined) {
    // No more characters than the last tokens can stand for.
    const end = prompt.type === 'text' ? { ...prompt, text: prompt.text.slice(-room * longestToken) } : prompt;
    const ids = all ?? encode(end, model);
    const keepsBos = ids[0] === bos && room > 1;
    const kept = keepsBos ? Int32Array.of(ids[0], ...ids.slice(1 - room)) : ids.slice(-room);
    const text = prompt.type === 'text' ? tokenizer.decode(keepsBos ? kept.slice(1) : kept, { special: true }) : '';
    return { ids: kept, prompt: prompt.type === 'text' ? { ...prompt, text } : { ...prompt, ids: [...kept] } };
  }
  const before =
    prompt.type === 'tokens'
      ? prompt.ids
      : [...tokenizer.encode(prompt.text.slice(-room * longestToken), { special: true })];
  const of = (ids: readonly number[]): TokenPrompt => ({ ...prompt, type: 'tokens', ids });
  const around = encode(of([]), model).length;
  if (around > room) return undefined;
  const kept = of(before.slice(Math.max(0, before.length + around - room)));
  return { ids: encode(kept, model), prompt: kept };
}

/** Instructions at the beginning stay, if anything of the conversation fits beside them. */
function fitChat(prompt: ChatPrompt, room: number, model: ModelParts): Fit | undefined {
  const { messages } = prompt;
  const spoken = messages.findIndex(({ role }) => role !== 'system' && role !== 'developer');
  const first = spoken < 0 ? messages.length : spoken;
  // Templates want a user to begin.
  const turns = messages.flatMap(({ role }, i) => (i >= first && role === 'user' ? [i] : []));
  const write: Write = (kept) => {
    const shorter = { ...prompt, messages: kept };
    if (leastTokens(shorter, model.longestToken) > room) return undefined;
    const ids = encode(shorter, model);
    return ids.length <= room ? { ids, prompt: shorter } : undefined;
  };
  for (const head of [messages.slice(0, first), []]) {
    const fit =
      earliest(turns, (turn) => write([...head, ...messages.slice(turn)])) ??
      shortenTurn(head, messages.slice(turns.at(-1) ?? first), { room, model, write });
    if (fit !== undefined) return fit;
  }
  return undefined;
}

/** `undefined`: it does not fit. */
type Write = (kept: readonly Message[]) => Fit | undefined;

/** The fit of the first place that has one; all places behind it have one, too. */
function earliest(places: readonly number[], fitFrom: (place: number) => Fit | undefined): Fit | undefined {
  let best: Fit | undefined;
  let [low, high] = [0, places.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const fit = fitFrom(places[middle]);
    if (fit === undefined) low = middle + 1;
    else [best, high] = [fit, middle];
  }
  return best;
}

/** The beginning of the turn's first text goes. Text cut anew may have other tokens, hence several attempts. */
function shortenTurn(
  head: readonly Message[],
  [message, ...rest]: readonly Message[],
  { room, model, write }: { readonly room: number; readonly model: ModelParts; readonly write: Write },
): Fit | undefined {
  if (message === undefined) return undefined;
  const { tokenizer, longestToken } = model;
  const withText = (text: string): Fit | undefined =>
    write([...head, { ...message, content: [{ type: 'text', text }] }, ...rest]);
  const frame = withText('');
  if (frame === undefined) return undefined;
  const text = message.content.map((part) => (part.type === 'text' ? part.text : '')).join('');
  const ids = tokenizer.encode(text.slice(-room * longestToken));
  for (let left = room - frame.ids.length; left > 0; left = Math.min(left - 4, Math.floor(left * 0.95))) {
    // Half a character at the cut is no character.
    const fit = withText(tokenizer.decode(ids.slice(-left)).replace(/^\uFFFD+/u, ''));
    if (fit !== undefined) return fit;
  }
  return frame;
}
