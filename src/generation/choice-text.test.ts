// Log probabilities beside text of which a format hides a part.

import t from 'tap';
import type { GenerationEvent, GenerationRequest, TokenLogprob } from '../core/generation.ts';
import { ChatTemplate } from '../tokenizer/template.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { ChoiceText } from './choice-text.ts';
import { think } from './formats/think.ts';
import type { ModelParts } from './models.ts';

const tokenizer: Tokenizer = {
  vocabulary: {
    size: 256,
    piece: (id) => String.fromCharCode(id),
    bytes: (id) => Uint8Array.of(id),
    kind: () => 'byte',
    find: () => undefined,
    bos: undefined,
    eos: 255,
    endOfGeneration: new Set([255]),
  },
  addsBos: false,
  addsEos: false,
  encode: (text) => Int32Array.from(Buffer.from(text)),
  decode: (ids) => Buffer.from([...ids]).toString(),
};

const parts: ModelParts = {
  engine: { state: 'ready', submit: () => Promise.reject(new Error('unused')) },
  tokenizer,
  template: new ChatTemplate(''),
  format: think,
  contextLength: 100,
  fingerprint: 'fp',
  longestToken: 1,
};

const request = {
  prompt: { type: 'chat', messages: [], tools: [], toolChoice: { mode: 'none' }, template: {} },
  stop: [],
  logprobs: 0,
} as unknown as GenerationRequest;

const score = { logprob: -1, topIds: [], topLogprobs: [] };

for (const size of [1, 2, 3, 100]) {
  void t.test(`of the answer alone, to the byte; ${size} tokens at a time`, async (t) => {
    const ids = [...Buffer.from('<think>\nHm, é.\n</think>\n\nOui, ça <va>.')];
    const choice = new ChoiceText(0, request, parts);
    const events: GenerationEvent[] = [];
    for (let at = 0; at < ids.length; at += size) {
      const some = ids.slice(at, at + size);
      const scores = some.map(() => score);
      events.push(...choice.push(some, scores));
    }
    events.push(...choice.end());
    const texts: Record<string, string> = {};
    const told: Record<string, TokenLogprob[]> = {};
    let kind = '';
    for (const event of events) {
      if (event.type === 'block_start') ({ kind } = event);
      if (event.type !== 'delta') continue;
      texts[kind] = (texts[kind] ?? '') + event.text;
      (told[kind] ??= []).push(...(event.logprobs ?? []));
    }
    t.same(texts, { reasoning: 'Hm, é.', text: 'Oui, ça <va>.' });
    const bytes = told['text'].flatMap((token) => [...token.bytes]);
    t.equal(Buffer.from(bytes).toString(), texts['text']);
    t.equal(told['text'].length, Buffer.byteLength(texts['text']), 'a token for each');
    t.equal(choice.tokens, ids.length);
    if (size === 1) t.ok(choice.reasoningTokens > 5 && choice.reasoningTokens < 24, `${choice.reasoningTokens}`);
  });
}
