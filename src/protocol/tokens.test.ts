import t from 'tap';
import type { ApplyTemplateRequest, TokenizeRequest } from '../generated/types.ts';
import { readConversation, readTokenize } from './tokens.ts';

void t.test('texts: the spelling decides whether the beginning is put in front, unless the body says it', async (t) => {
  const cases: [TokenizeRequest, string, boolean][] = [
    [{ content: 'a' }, 'content', false],
    [{ content: 'a', prompt: null, messages: null, add_special: null }, 'content', false],
    [{ content: 'a', add_special: true }, 'content', true],
    [{ content: 'a', add_special_tokens: true }, 'content', true],
    [{ prompt: 'a' }, 'prompt', true],
    [{ prompt: 'a', add_special_tokens: false }, 'prompt', false],
    [{ prompt: 'a', add_special: false, add_special_tokens: false }, 'prompt', false],
    [{ prompt: 'a', tools: [], chat_template_kwargs: {}, add_generation_prompt: true }, 'prompt', true],
  ];
  for (const [body, param, addsBos] of cases) {
    t.same(readTokenize(body), { prompt: { type: 'text', text: 'a', param }, addsBos, special: true });
  }
  t.same(readTokenize({ content: '' }).prompt, { type: 'text', text: '', param: 'content' });
  t.equal(readTokenize({ content: 'a', parse_special: false }).special, false);
});

void t.test('a conversation is tokenized as chat would do it', async (t) => {
  t.match(readTokenize({ messages: 'Hi' }), {
    prompt: { type: 'chat', messages: [{ role: 'user' }], opensTurn: true },
    addsBos: true,
    special: true,
  });
  t.match(readTokenize({ messages: 'Hi', add_generation_prompt: false, add_special: false }), {
    prompt: { opensTurn: false },
    addsBos: false,
  });
});

void t.test('exactly one thing, and nothing that would have no effect', async (t) => {
  const cases: [TokenizeRequest, string, string][] = [
    [{}, 'content', 'invalid_value'],
    [{ content: null }, 'content', 'invalid_value'],
    [{ content: 'a', prompt: 'b' }, 'prompt', 'conflicting_parameters'],
    [{ content: 'a', messages: 'b' }, 'messages', 'conflicting_parameters'],
    [{ content: 'a', add_special: true, add_special_tokens: false }, 'add_special_tokens', 'conflicting_parameters'],
    [{ content: 'a', tools: [{ function: { name: 'f' } }] }, 'tools', 'conflicting_parameters'],
    [{ prompt: 'a', chat_template_kwargs: { a: 1 } }, 'chat_template_kwargs', 'conflicting_parameters'],
    [{ prompt: 'a', add_generation_prompt: false }, 'add_generation_prompt', 'conflicting_parameters'],
  ];
  for (const [body, param, code] of cases)
    t.throws(
      () => readTokenize(body),
      { name: 'ApiError', kind: 'invalid_request', param, code },
      JSON.stringify(body),
    );
});

void t.test('a conversation for the template: messages, tools, variables, opening', async (t) => {
  const of = (body: Partial<ApplyTemplateRequest>) => readConversation({ messages: 'Hi', ...body });
  t.match(of({}), { tools: [], template: {}, opensTurn: true });
  t.match(of({ tools: null, chat_template_kwargs: null, add_generation_prompt: null }), {
    tools: [],
    template: {},
    opensTurn: true,
  });
  const parameters = { type: 'object' };
  t.same(
    of({
      tools: [
        { type: 'function', function: { name: 'f', description: 'd', parameters, strict: true } },
        { function: { name: 'g', strict: null } },
      ],
    }).tools,
    [
      { name: 'f', description: 'd', parameters, strict: true },
      { name: 'g', description: undefined, parameters: undefined, strict: false },
    ],
  );
  t.same(of({ chat_template_kwargs: { enable_thinking: false } }).template, { enable_thinking: false });
});
