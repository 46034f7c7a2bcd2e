// Prompts that are too long: what goes, what stays, how much room is left.

import t from 'tap';
import type { ChatPrompt, GenerationRequest, Prompt } from '../core/generation.ts';
import { random } from '../testing/engine-bench.ts';
import { ChatTemplate } from '../tokenizer/template.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { plain } from './formats/plain.ts';
import type { ModelParts } from './models.ts';
import { writePrompt } from './prompt.ts';
import { fitPrompt, type Fitted } from './truncate.ts';

const bos = 250;

/** Bytes are tokens; 250 begins a text, 251 to 253 stand around a gap. */
const tokenizer: Tokenizer = {
  vocabulary: {
    size: 256,
    piece: (id) => (id === bos ? '' : String.fromCharCode(id)),
    bytes: (id) => Uint8Array.of(id),
    kind: (id) => (id >= bos ? 'control' : 'byte'),
    find: () => undefined,
    bos,
    eos: 255,
    endOfGeneration: new Set([255]),
    fillInMiddle: { prefix: 251, suffix: 252, middle: 253, ends: new Set() },
  },
  addsBos: true,
  addsEos: false,
  encode: (text) => Int32Array.from(Buffer.from(text)),
  decode: (ids) => Buffer.from([...ids]).toString(),
};

/** `<` and `>` around each message, `s`, `u` or `a` first; users and assistants take turns. */
const template = new ChatTemplate(
  "{% set turns = messages | rejectattr('role', 'equalto', 'system') | list %}" +
    "{% for m in turns %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('turns must alternate') }}{% endif %}{% endfor %}" +
    '{% for m in messages %}<{{ m.role[0] }}{{ m.content }}>{% endfor %}{% if add_generation_prompt %}<a{% endif %}',
);

const model: ModelParts = {
  engine: { state: 'ready', submit: () => Promise.reject(new Error('unused')) },
  tokenizer,
  template,
  format: plain,
  contextLength: 40,
  fingerprint: 'fp',
  longestToken: 1,
};

function fit(prompt: Prompt, maxTokens?: number): Fitted {
  return fitPrompt({ prompt, maxTokens } as GenerationRequest, model);
}

function textOf({ ids }: Fitted): string {
  return tokenizer.decode(ids.filter((id) => id < bos));
}

function chat(...messages: readonly (readonly [string, string])[]): ChatPrompt {
  return {
    type: 'chat',
    messages: messages.map(([role, text]) => ({ role, content: [{ type: 'text', text }] })),
    tools: [],
    toolChoice: { mode: 'auto' },
    template: {},
  };
}

void t.test('a prompt that fits is left alone, whatever the limit', async (t) => {
  const prompt = { type: 'text', text: 'x'.repeat(38), param: 'prompt' } as const;
  t.equal(fit(prompt).dropped, 0);
  t.equal(fit(prompt, 30).ids.length, 39);
  t.same(fit(chat(['user', 'hi'])).ids, writePrompt({ prompt: chat(['user', 'hi']) } as GenerationRequest, model));
});

void t.test('a text loses its beginning, but not the token that begins it', async (t) => {
  const text = Array.from({ length: 60 }, (_, i) => String.fromCharCode(65 + i)).join('');
  for (const [maxTokens, room] of [
    [undefined, 39],
    [1, 39],
    [10, 30],
    [38, 2],
    [39, 1],
  ] as const) {
    const fitted = fit({ type: 'text', text, param: 'prompt' }, maxTokens);
    t.equal(fitted.ids.length, room);
    t.equal(fitted.dropped, 61 - room);
    t.equal(textOf(fitted), text.slice(room > 1 ? 1 - room : -1));
    if (room > 1) t.equal(fitted.ids[0], bos);
    t.match(fitted.prompt, { type: 'text', text: textOf(fitted) }, 'what echo shows');
  }
  const ids = Array.from({ length: 60 }, (_, i) => 65 + i);
  t.same([...fit({ type: 'tokens', ids, param: 'prompt' }, 10).ids], ids.slice(-30));
  t.throws(() => fit({ type: 'text', text, param: 'prompt' }, 40), { name: 'ApiError', param: 'max_tokens' });
  const long = fit({ type: 'text', text: text.repeat(100), param: 'prompt' });
  t.equal(textOf(long), text.repeat(2).slice(-38), 'far too long: what is in front is never read');
  t.ok(long.dropped >= 6000 - 40);
});

void t.test('a text with a gap loses what is far from the gap', async (t) => {
  const fitted = fit({ type: 'text', text: `${'x'.repeat(50)}near`, suffix: 'after', param: 'prompt' }, 20);
  t.equal(fitted.ids.length, 20);
  t.match(textOf(fitted), /^x*nearafter$/);
  t.same([fitted.ids[0], fitted.ids[1], fitted.ids.at(-1)], [bos, 251, 253]);
  t.throws(() => fit({ type: 'text', text: 'a', suffix: 'y'.repeat(60), param: 'prompt' }), {
    code: 'context_length_exceeded',
  });
});

void t.test('a conversation loses whole turns; instructions and the last turn stay', async (t) => {
  const turns = Array.from(
    { length: 8 },
    (_, i) =>
      [
        ['user', `q${i}`],
        ['assistant', `r${i}`],
      ] as const,
  ).flat();
  const fitted = fit(chat(['system', 'be'], ...turns, ['user', 'last']));
  t.equal(textOf(fitted), '<sbe><uq6><ar6><uq7><ar7><ulast><a');
  t.equal(fitted.dropped, 5 + 16 * 5 + 7 + 2 - fitted.ids.length + 1);
  t.match(textOf(fit(chat(['system', 'be'], ...turns, ['user', 'last']), 20)), /^<sbe><ulast><a$/);
  t.equal(
    textOf(fit(chat(['system', 'i'.repeat(30)], ...turns, ['user', 'last']), 10)),
    '<uq6><ar6><uq7><ar7><ulast><a',
  );
});

void t.test('a last turn that is too long loses its beginning', async (t) => {
  const fitted = fit(
    chat(['system', 'be'], ['user', 'old'], ['assistant', 'old'], ['user', `${'é'.repeat(50)}end`]),
    10,
  );
  t.match(textOf(fitted), /^<sbe><ué+end><a$/);
  t.ok(fitted.ids.length <= 30 && fitted.ids.length >= 24, `${fitted.ids.length} of 30`);
  const tool = fit(
    chat(['user', 'x'.repeat(60)], ['assistant', 'yes'], ['user', 'and'], ['assistant', 'z'.repeat(20)]),
    5,
  );
  t.equal(textOf(tool), `<uand><a${'z'.repeat(20)}><a`);
  t.throws(() => fit(chat(['assistant', 'z'.repeat(60)])), { message: /turns must alternate/ });
  t.throws(() => fit(chat(['user', 'a'], ['assistant', 'z'.repeat(60)])), {
    code: 'context_length_exceeded',
    param: 'messages',
  });
});

void t.test('any conversation fits, or is refused; what fits leaves its room', async (t) => {
  let fitted = 0;
  for (let round = 0; round < 200; round++) {
    const next = random(round);
    const words = (): string => 'wörd '.repeat(next(6));
    const messages = Array.from(
      { length: 1 + next(9) },
      (_, i) => [i % 2 === 0 ? 'user' : 'assistant', words()] as const,
    );
    const prompt = chat(...(next(2) === 0 ? [['system', words()] as const] : []), ...messages);
    const maxTokens = 1 + next(30);
    const whole =
      tokenizer.encode(
        template.render({
          messages: prompt.messages,
          tools: [],
          addGenerationPrompt: true,
          bos: '',
          eos: '',
          variables: {},
        }),
      ).length + 1;
    try {
      const { ids, dropped } = fit(prompt, maxTokens);
      t.ok(whole < 40 ? ids.length === whole : ids.length <= 40 - maxTokens, `round ${round}`);
      t.equal(ids.length + dropped, whole);
      fitted++;
    } catch (error) {
      t.match(error, { code: 'context_length_exceeded' });
    }
  }
  t.ok(fitted > 120, `${fitted} fitted`);
});
