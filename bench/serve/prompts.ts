// Prompts of about so many tokens for a model whose tokenizer we do not have: two short requests tell what a word costs, and what the chat
// template adds.

import { chat, type ChatAnswer, type ChatRequest } from '../client/chat.ts';
import type { HttpClient } from '../client/http.ts';
import { seededRandom, type Random } from '../random.ts';

export interface PromptSize {
  /** Of the whole prompt, the template's included. */
  readonly tokens: number;
  /** How many of them all prompts begin with. */
  readonly shared: number;
}

/** What is known of the server's tokenizer. */
export interface TokenScale {
  readonly fixed: number;
  readonly perWord: number;
}

export class Prompts {
  readonly #size: PromptSize;
  readonly #scale: TokenScale;
  readonly #seed: number;
  readonly #shared: string;

  /** Another seed gives prompts that no cache knows. */
  constructor(size: PromptSize, scale: TokenScale, seed: number) {
    this.#size = size;
    this.#scale = scale;
    this.#seed = seed;
    const words = Math.round((size.shared - scale.fixed) / scale.perWord);
    this.#shared = size.shared === 0 ? '' : `${someWords(seededRandom(seed), Math.max(1, words))} `;
  }

  /** The text number `index`. Two texts differ from the first word after the shared ones on. */
  text(index: number): string {
    const { tokens, shared } = this.#size;
    const { fixed, perWord } = this.#scale;
    const words = Math.max(1, Math.round((tokens - Math.max(shared, fixed)) / perWord));
    const random = seededRandom(this.#seed + index + 1);
    return this.#shared + distinctWords(random, words, this.#seed + index);
  }
}

/** Throws with the server's words when it does not answer. */
export async function measureScale(client: HttpClient, request: Omit<ChatRequest, 'messages'>): Promise<TokenScale> {
  const ask = async (words: number): Promise<number | undefined> => {
    const content = someWords(seededRandom(words), words);
    const body = { ...request, model: String(request['model']), max_tokens: 1 };
    const answer = await chat(client, { ...body, messages: [{ role: 'user', content }] });
    if (answer.failure !== undefined) throw new Error(describeFailure(client, answer));
    return answer.usage?.promptTokens;
  };
  const [few, many] = [4, 36];
  const [low, high] = [await ask(few), await ask(many)];
  // A server that does not count gets words.
  if (low === undefined || high === undefined || high <= low) return { fixed: 0, perWord: 1 };
  const perWord = (high - low) / (many - few);
  return { fixed: Math.max(0, low - few * perWord), perWord };
}

export function describeFailure({ baseUrl }: HttpClient, { failure, code }: ChatAnswer): string {
  return `${baseUrl.href} does not answer: ${failure}${code === undefined ? '' : ` (${code})`}`;
}

/** All of one length, and common: they cost the same in most tokenizers. */
const vocabulary = (
  'able away back ball band bank base bear beat bell best bird blue boat body bone book both call calm camp card care case ' +
  'cash city club coal coat code cold come cook cool copy cost dark data date deal deep deer desk door down draw duck dust ' +
  'each earn east easy edge face fact fair fall farm fast feed feel film find fine fire fish five flag flat flow food foot ' +
  'form four free fuel full fund gain game gate gift girl give glad goal goat gold good gray grow hall hand hard head hear ' +
  'heat help hill hold home hope hour idea iron item join jump keep kind king lake lamp land last late lead leaf left life ' +
  'lift line list load long look love main make mark meet milk mind moon more move name near neck nest news next nice note ' +
  'open oven page pair park part past path play pool race rain read real ring rise road rock roof room root rule safe sail ' +
  'sand seat seed sell ship shop show side sign silk snow soap soft soil song soup star stay stem step stop sure swim tail ' +
  'take talk tall team tell test time town tree true turn unit vast view wait walk wall warm wash wave week well west wide ' +
  'wild wind wine wing wolf wood word work yard year zero'
).split(' ');

function someWords(random: Random, count: number): string {
  return Array.from({ length: count }, () => random.pick(vocabulary)).join(' ');
}

/** Its first words are the number of the text, written in words: at least one is different in each of many thousand texts. */
function distinctWords(random: Random, count: number, index: number): string {
  const base = vocabulary.length;
  const lead = [index, Math.floor(index / base), Math.floor(index / base ** 2)].map(
    (digit) => vocabulary[digit % base],
  );
  return [...lead, ...Array.from({ length: Math.max(0, count - lead.length) }, () => random.pick(vocabulary))].join(
    ' ',
  );
}
