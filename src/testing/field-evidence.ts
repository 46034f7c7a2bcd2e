// What shows that a field has its effect: with the bundled model, by what the answers say. One function for each field that is honoured.

import type { FieldServer, Reply } from './field-server.ts';

/** Whether the effect was seen. */
export type Evidence = (server: FieldServer) => Promise<boolean>;

/** Fields for which we take more than OpenAI: whether a value is among that. */
export const wider: Readonly<Record<string, (value: unknown) => boolean>> = {
  // A bare string is one user turn.
  messages: (value) => typeof value === 'string' && value !== '',
  // More than four, and none.
  stop: (value) => Array.isArray(value) && value.every((each) => typeof each === 'string'),
  functions: (value) => Array.isArray(value) && value.length === 0,
};

const usageOf = ({ json }: Reply): Readonly<Record<string, number>> =>
  json['usage'] as Readonly<Record<string, number>>;

type Body = Readonly<Record<string, unknown>>;

interface Choice {
  readonly finish_reason: string;
  readonly logprobs: Readonly<Record<string, unknown[]>> | null;
}

const choicesOf = ({ json }: Reply): readonly Choice[] => json['choices'] as readonly Choice[];

/** Free to roam: greedy decoding would show nothing of it. */
const hot = { temperature: 2, seed: 7, max_tokens: 24 };

/** As `hot`, but the field makes it greedy again. */
const tames =
  (difference: Body): Evidence =>
  async (server) => {
    const [cold, wild, tamed] = [
      await server.ask({ ...hot, temperature: 0 }),
      await server.ask(hot),
      await server.ask({ ...hot, ...difference }),
    ];
    return wild.text !== cold.text && tamed.text === cold.text;
  };

/** Another text than without. */
const changes =
  (difference: Body, without: Body = {}): Evidence =>
  async (server) => {
    const common = { ...server.about('repeat: a b a b a b a b a b a b a b a b'), max_tokens: 60, seed: 3 };
    const [before, after] = [
      await server.ask({ ...common, ...without }),
      await server.ask({ ...common, ...without, ...difference }),
    ];
    return before.status === 200 && after.status === 200 && before.text !== after.text;
  };

const limits =
  (name: string): Evidence =>
  async (server) =>
    usageOf(await server.ask({ max_tokens: null, [name]: 3 }))['completion_tokens'] === 3;

/** A greedy model that may not end goes round in circles. */
const circling = { ignore_eos: true, max_tokens: 120 };
const dry = { ...circling, dry_multiplier: 0.5, dry_base: 1.1, dry_allowed_length: 2 };

/** Named as without effect: the bundled model cannot do it. */
const isTold =
  (difference: Body, name: string): Evidence =>
  async (server) =>
    (await server.ask(difference)).headers.get('x-ignored-fields') === name;

export const evidence: Readonly<Record<string, Evidence>> = {
  model: async (server) => {
    const [known, unknown] = [await server.ask({ model: 'demo-3m-Q8_0' }), await server.ask({ model: 'gpt-4' })];
    return known.json['model'] === 'demo-3m-Q8_0' && unknown.status === 404;
  },
  messages: changes({ messages: 'Tell me about Vienna' }),
  prompt: changes({ prompt: 'Tell me about Vienna' }),
  stream: async (server) => ((await server.ask({ stream: true })).events?.length ?? 0) > 3,
  stream_options: async (server) => {
    const usage = async (wanted: boolean): Promise<unknown> =>
      (await server.ask({ stream: true, stream_options: { include_usage: wanted } })).events?.at(-1)?.['usage'];
    return (await usage(false)) === undefined && typeof (await usage(true)) === 'object';
  },
  max_tokens: limits('max_tokens'),
  max_completion_tokens: limits('max_completion_tokens'),
  stop: async (server) => {
    const { text } = await server.ask({});
    const word = text.slice(3, 5);
    const stopped = await server.ask({ stop: ['never', word] });
    return stopped.text === text.slice(0, text.indexOf(word)) && choicesOf(stopped)[0].finish_reason === 'stop';
  },
  ignore_eos: async (server) => {
    const long = { ...server.about('who are you?'), max_tokens: 120 };
    const [ended, forced] = [await server.ask(long), await server.ask({ ...long, ignore_eos: true })];
    return usageOf(ended)['completion_tokens'] < 120 && usageOf(forced)['completion_tokens'] === 120;
  },
  truncate_sequence: async (server) => {
    const long = server.about('word '.repeat(600));
    const [refused, cut] = [await server.ask(long), await server.ask({ ...long, truncate_sequence: true })];
    const details = usageOf(cut)['prompt_tokens_details'] as unknown as Readonly<Record<string, number>>;
    return refused.status === 400 && details['truncated_tokens'] > 0;
  },
  temperature: changes({ temperature: 2 }),
  top_p: tames({ top_p: 1e-6 }),
  top_k: tames({ top_k: 1 }),
  min_p: tames({ min_p: 1 }),
  seed: async (server) => {
    const of = async (seed: number): Promise<string> => (await server.ask({ ...hot, seed })).text;
    return (await of(1)) === (await of(1)) && (await of(1)) !== (await of(2));
  },
  presence_penalty: changes({ ...circling, presence_penalty: 2 }, circling),
  frequency_penalty: changes({ ...circling, frequency_penalty: 2 }, circling),
  repetition_penalty: changes({ ...circling, repetition_penalty: 3 }, circling),
  dry_multiplier: changes({ ...circling, dry_multiplier: 5 }, circling),
  dry_base: changes({ ...dry, dry_base: 6 }, dry),
  dry_allowed_length: changes({ ...dry, dry_allowed_length: 20 }, dry),
  dry_sequence_breakers: changes({ ...dry, dry_sequence_breakers: ['a', 'e', 'i', 'u', ' '] }, dry),
  logit_bias: async (server) => {
    const { tokens } = await server.post('/tokenize', { content: ' sea' });
    const [id] = tokens as readonly number[];
    const { text } = await server.ask({ logit_bias: { [id]: 100 }, max_tokens: 3 });
    const { content } = await server.post('/detokenize', { tokens: [id, id, id] });
    return text.trim() === String(content).trim();
  },
  n: async (server) => choicesOf(await server.ask({ n: 3 })).length === 3,
  best_of: async (server) => {
    const [one, best] = [await server.ask({ ...hot }), await server.ask({ ...hot, best_of: 3 })];
    const [tokens, all] = [one, best].map((reply) => usageOf(reply)['completion_tokens']);
    return choicesOf(best).length === 1 && all > tokens;
  },
  echo: async (server) => (await server.ask({ echo: true })).text.startsWith('The sky is'),
  suffix: async (server) => {
    const { status, json } = await server.ask({ suffix: 'blue.' });
    const { error } = json as { readonly error?: { readonly param: string; readonly code: string } };
    return status === 400 && error?.param === 'suffix' && error.code === 'unsupported_parameter';
  },
  logprobs: async (server) => {
    const reply = await server.ask({ logprobs: server.isChat ? true : 0 });
    const lists = choicesOf(reply)[0].logprobs;
    const tokens = usageOf(reply)['completion_tokens'];
    return (server.isChat ? lists?.['content'] : lists?.['tokens'])?.length === tokens;
  },
  top_logprobs: async (server) => {
    const content = choicesOf(await server.ask({ logprobs: true, top_logprobs: 3 }))[0].logprobs?.['content'] ?? [];
    return (content as { top_logprobs: unknown[] }[]).every(({ top_logprobs: top }) => top.length === 3);
  },
  chat_template_kwargs: isTold({ chat_template_kwargs: { weather: 1 } }, 'chat_template_kwargs.weather'),
  enable_thinking: isTold({ enable_thinking: true }, 'enable_thinking'),
  reasoning_effort: isTold({ reasoning_effort: 'low' }, 'reasoning_effort'),
  prediction: async (server) => {
    const { text } = await server.ask({});
    const predicted = await server.ask({ prediction: { type: 'content', content: text } });
    const details = usageOf(predicted)['completion_tokens_details'] as unknown as Readonly<Record<string, number>>;
    return predicted.text === text && details['accepted_prediction_tokens'] > 0;
  },
  store: async (server) => {
    const { json } = await server.ask({ store: true });
    return (await server.get(`/v1/chat/completions/${String(json['id'])}`)).status === 200;
  },
};
