// Prompts of generation: what cannot fit, raw text, ids, echo.

import t from 'tap';
import { ApiError } from '../core/errors.ts';
import type { GenerationEvent, GenerationRequest } from '../core/generation.ts';
import { ChatTemplate } from '../tokenizer/template.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { plain } from './formats/plain.ts';
import { createGenerate } from './generate.ts';
import { Models, ServedModel } from './models.ts';
import { end, bytes, FakeEngine, request, serve, all, textOf } from '../testing/fake-generation.ts';

/** As `bytes`, with a token that begins texts, and named by `<s>` in them. */
const beginning: Tokenizer = {
  ...bytes,
  vocabulary: { ...bytes.vocabulary, size: 258, bos: 257 },
  addsBos: true,
  encode: (text, options) =>
    options?.special === true
      ? Int32Array.from(text.split(/(<s>)/).flatMap((part) => (part === '<s>' ? [257] : [...Buffer.from(part)])))
      : bytes.encode(text),
  decode: (ids, options) =>
    [...ids].map((id) => (id < 256 ? String.fromCharCode(id) : options?.special === true ? '<s>' : '')).join(''),
};

/** What the engine was given, and the events. */
async function continued(
  prompt: GenerationRequest['prompt'],
  { tokenizer = beginning, echo = false, engine = new FakeEngine().says('!').finishes('length') } = {},
): Promise<{ ids: number[]; events: GenerationEvent[] }> {
  const model = serve(engine);
  model.loaded({ ...model.parts, tokenizer });
  const generate = createGenerate(new Models([model]));
  const events = await all(generate({ ...request, prompt, echo }, new AbortController().signal));
  return { ids: [...engine.submitted[0].input.ids], events };
}

void t.test('a prompt that cannot fit is refused before template and tokenizer see it', async (t) => {
  const engine = new FakeEngine();
  const model = new ServedModel('tiny', [], 1);
  const never = (): never => t.fail('this is work for nothing') as never;
  const tokenizer = { ...bytes, encode: never };
  const parts = {
    engine,
    tokenizer,
    template: Object.assign(new ChatTemplate(''), { render: never }),
    format: plain,
    contextLength: 100,
    fingerprint: 'fp_1',
  };
  model.loaded({ ...parts, longestToken: 4 });
  const chat = (texts: readonly string[]): GenerationRequest['prompt'] => ({
    type: 'chat',
    messages: texts.map((text) => ({ role: 'user', content: [{ type: 'text', text }] })),
    tools: [],
    toolChoice: { mode: 'none' },
    template: {},
  });
  const prompts: GenerationRequest['prompt'][] = [
    chat(['x'.repeat(396)]),
    chat(Array.from({ length: 100 }, () => '')),
    { type: 'text', text: 'x'.repeat(400), param: 'prompt' },
    { type: 'tokens', ids: Array.from({ length: 100 }, () => 1), param: 'prompt' },
  ];
  for (const prompt of prompts) {
    const events = createGenerate(new Models([model]))({ ...request, prompt }, new AbortController().signal);
    await t.rejects(all(events), {
      name: 'ApiError',
      code: 'context_length_exceeded',
      message: /at least 100 tokens.*holds 100/,
    });
  }
});

void t.test('raw text: special tokens may be written out, the beginning is put in front once', async (t) => {
  const text = (text: string): GenerationRequest['prompt'] => ({ type: 'text', text, param: 'prompt' });
  t.same((await continued(text('ab'))).ids, [257, 97, 98]);
  t.same((await continued(text('<s>ab'))).ids, [257, 97, 98], 'not twice');
  t.same((await continued(text('a<s>'))).ids, [257, 97, 257]);
  t.same((await continued(text('ab'), { tokenizer: bytes })).ids, [97, 98], 'nor where the file does not ask for it');
  t.same((await continued(text(''))).ids, [257]);
  t.same((await continued(text(''), { tokenizer: bytes })).ids, [end], 'a new document begins where one ends');
  const bare = { ...bytes, vocabulary: { ...bytes.vocabulary, eos: undefined } };
  await t.rejects(continued(text(''), { tokenizer: bare }), { code: 'empty_prompt', param: 'prompt' });
});

void t.test('token ids are taken as they are, if there are such tokens', async (t) => {
  const tokens = (...ids: number[]): GenerationRequest['prompt'] => ({ type: 'tokens', ids, param: 'prompt[1]' });
  t.same((await continued(tokens(97, 256))).ids, [97, 256]);
  for (const id of [258, -1, 2 ** 31]) {
    await t.rejects(continued(tokens(97, 97, id)), {
      kind: 'invalid_request',
      code: 'invalid_token_id',
      param: 'prompt[1][2]',
      message: /ids 0 to 257/,
    });
  }
});

void t.test('echo tells the prompt first, in the words of the caller or decoded', async (t) => {
  const prompts: [GenerationRequest['prompt'], string][] = [
    [{ type: 'text', text: '<s>ab', param: 'prompt' }, '<s>ab'],
    [{ type: 'text', text: '', param: 'prompt' }, ''],
    [{ type: 'tokens', ids: [257, 97], param: 'prompt' }, '<s>a'],
  ];
  for (const [prompt, text] of prompts) {
    const { events } = await continued(prompt, { echo: true });
    t.same(
      events.slice(0, 4).map(({ type }) => type),
      ['started', 'prompt', 'block_start', 'delta'],
    );
    t.same(events[1], { type: 'prompt', choice: 0, text });
    t.notOk(
      (await continued(prompt)).events.some(({ type }) => type === 'prompt'),
      'only when asked',
    );
  }
});

void t.test('a continuation keeps the space it begins with; a turn and a document begin without', async (t) => {
  const tokenizer = { ...beginning, stripsLeadingSpace: true };
  const told = async (prompt: GenerationRequest['prompt']): Promise<string> => {
    const engine = new FakeEngine().says(' a', ' b').finishes('length');
    return textOf((await continued(prompt, { tokenizer, engine })).events);
  };
  t.equal(await told({ type: 'text', text: 'x', param: 'prompt' }), ' a b');
  t.equal(await told({ type: 'tokens', ids: [97], param: 'prompt' }), ' a b');
  t.equal(await told({ type: 'text', text: '', param: 'prompt' }), 'a b');
  t.equal(await told(request.prompt), 'a b');
});

void t.test('errors name the prompt as its caller does', async (t) => {
  const long = { type: 'text', text: 'x'.repeat(99), param: 'prompt[7]' } as const;
  await t.rejects(continued(long), { code: 'context_length_exceeded', param: 'prompt[7]' });
  const engine = new FakeEngine();
  engine.refusal = new ApiError('invalid_request', 'too long', {
    code: 'context_length_exceeded',
    param: 'messages',
  });
  await t.rejects(continued({ ...long, text: 'x' }, { engine }), {
    code: 'context_length_exceeded',
    param: 'prompt[7]',
    message: 'too long',
  });
});
