// Tokenizer and template by themselves, over one token per byte and real templates.

import t from 'tap';
import type { ChatPrompt } from '../core/generation.ts';
import { ChatTemplate } from '../tokenizer/template.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { plain } from './formats/plain.ts';
import type { ModelParts } from './models.ts';
import { renderPrompt } from './prompt.ts';
import { detokenize, pieceOf, tokenize } from './tokens.ts';

const bos = 256;

const tokenizer: Tokenizer = {
  vocabulary: {
    size: 257,
    piece: (id) => (id === bos ? '<s>' : `<${id}>`),
    bytes: (id) => (id === bos ? Buffer.from('<s>') : Uint8Array.of(id)),
    kind: (id) => (id === bos ? 'control' : 'byte'),
    find: () => undefined,
    bos,
    eos: undefined,
    endOfGeneration: new Set(),
  },
  addsBos: true,
  addsEos: false,
  encode: (text, options) =>
    Int32Array.from(
      text
        .split(options?.special === true ? /(<s>)/ : /(?!)/)
        .flatMap((part) => (part === '<s>' && options?.special === true ? [bos] : [...Buffer.from(part)])),
    ),
  decode: (ids, options) =>
    [...ids].map((id) => (id < bos ? String.fromCharCode(id) : options?.special === true ? '<s>' : '')).join(''),
};

function parts(template: string): ModelParts {
  return {
    engine: { state: 'ready', submit: () => Promise.reject(new Error('nobody asks the engine')) },
    tokenizer,
    template: new ChatTemplate(template),
    format: plain,
    contextLength: 8,
    fingerprint: 'fp',
    longestToken: 3,
  };
}

const simple =
  '{{ bos_token }}{% for m in messages %}[{{ m.content }}]{% endfor %}{% if add_generation_prompt %}>{% endif %}';

function conversation(changes: Partial<ChatPrompt> = {}): ChatPrompt {
  return {
    type: 'chat',
    messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }],
    tools: [],
    toolChoice: { mode: 'auto' },
    template: {},
    ...changes,
  };
}

void t.test('texts: the beginning and special tokens as asked for, longer than the context if need be', async (t) => {
  const of = (text: string, addsBos: boolean, special = true): number[] => [
    ...tokenize({ prompt: { type: 'text', text, param: 'content' }, addsBos, special }, parts(simple)),
  ];
  t.same(of('ab', false), [97, 98]);
  t.same(of('ab', true), [bos, 97, 98]);
  t.same(of('<s>ab', true), [bos, 97, 98], 'once');
  t.same(of('<s>', false, false), [...Buffer.from('<s>')]);
  t.same(of('', false), []);
  t.equal(of('x'.repeat(100), false).length, 100);
});

void t.test('a conversation is tokenized as the chat endpoint writes it', async (t) => {
  const of = (prompt: ChatPrompt, addsBos = true): number[] => [
    ...tokenize({ prompt, addsBos, special: true }, parts(simple)),
  ];
  t.same(of(conversation()), [bos, ...Buffer.from('[Hi]>')]);
  t.same(of(conversation({ opensTurn: false }), false), [bos, ...Buffer.from('[Hi]')], "the template's own beginning");
});

void t.test('what is too long is refused under the name it was sent with', async (t) => {
  const text = 'x'.repeat(262_145);
  t.throws(
    () => tokenize({ prompt: { type: 'text', text, param: 'prompt' }, addsBos: true, special: true }, parts(simple)),
    {
      name: 'ApiError',
      kind: 'invalid_request',
      param: 'prompt',
      message: /262145 characters; at most 262144/,
    },
  );
  const long = conversation({ messages: [{ role: 'user', content: [{ type: 'text', text }] }] });
  t.throws(() => tokenize({ prompt: long, addsBos: true, special: true }, parts(simple)), {
    name: 'ApiError',
    param: 'messages',
  });
});

void t.test("templates get tools, variables and the opening; their refusals are the caller's", async (t) => {
  const template =
    '{% for t in tools %}{{ t.function.name }} {% endfor %}{{ extra }}{% for m in messages %}[{{ m.content }}]{% endfor %}' +
    '{% if messages[0].content == "no" %}{{ raise_exception("not like this") }}{% endif %}';
  const model = parts(template);
  const tools = [{ name: 'f', strict: false }];
  t.equal(renderPrompt(conversation({ tools, template: { extra: 'x' } }), model), 'f x[Hi]');
  t.equal(
    renderPrompt(conversation({ template: { messages: [], bos_token: 'y' } }), model),
    '[Hi]',
    'names of the house stay',
  );
  const refused = conversation({ messages: [{ role: 'user', content: [{ type: 'text', text: 'no' }] }] });
  t.throws(() => renderPrompt(refused, model), {
    kind: 'invalid_request',
    code: 'template_error',
    message: /not like this/,
  });
});

void t.test('ids back to text, with a place for one that is none', async (t) => {
  const model = parts(simple);
  t.equal(detokenize([bos, 97, 98], 'tokens', model), '<s>ab');
  t.equal(detokenize([], 'tokens', model), '');
  t.throws(() => detokenize([97, 257], 'tokens', model), { code: 'invalid_token_id', param: 'tokens[1]' });
  t.equal(pieceOf(bos, tokenizer), '<s>');
  t.equal(pieceOf(97, tokenizer), 'a');
  t.same(pieceOf(0xe2, tokenizer), [0xe2], 'bytes that are no characters');
});
