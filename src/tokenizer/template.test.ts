import t from 'tap';
import { ApiError } from '../core/errors.ts';
import type { Message, Tool } from '../core/message.ts';
import { ChatTemplate, readChatTemplate } from './template.ts';
import type { TemplateInput } from './template.ts';

function message(role: string, text: string, more: Partial<Message> = {}): Message {
  return { role, content: text === '' ? [] : [{ type: 'text', text }], ...more };
}

function render(
  source: string | ChatTemplate,
  messages: readonly Message[],
  more: Partial<TemplateInput> = {},
): string {
  const template = typeof source === 'string' ? new ChatTemplate(source) : source;
  return template.render({
    messages,
    tools: [],
    addGenerationPrompt: true,
    bos: '<s>',
    eos: '</s>',
    variables: {},
    ...more,
  });
}

const everything = '{% for m in messages %}{{ m|tojson }}\n{% endfor %}';
const lines = (text: string): unknown[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);

const call = { id: 'call_1', name: 'add', arguments: '{"a": 1, "b": [2.5, null]}' };
const weather: Tool = {
  name: 'weather',
  parameters: { type: 'object', properties: { city: { type: 'string' } } },
  strict: false,
};

void t.test('a message becomes the record that templates expect', async (t) => {
  const messages = [
    message('system', 'Be kind.'),
    message('user', 'Hi', { name: 'Ann' }),
    message('assistant', '', { toolCalls: [call], reasoning: 'Numbers.' }),
    message('tool', '3.5', { toolCallId: 'call_1' }),
    message('function', '4', { name: 'add' }),
  ];
  const called = { id: 'call_1', type: 'function', function: { name: 'add', arguments: { a: 1, b: [2.5, null] } } };
  t.same(lines(render(everything, messages)), [
    { role: 'system', content: 'Be kind.' },
    { role: 'user', content: 'Hi', name: 'Ann' },
    { role: 'assistant', content: '', tool_calls: [called], reasoning_content: 'Numbers.', thinking: 'Numbers.' },
    { role: 'tool', content: '3.5', name: 'add', tool_call_id: 'call_1' },
    { role: 'tool', content: '4', name: 'add' },
  ]);
});

void t.test('arguments that are no JSON object stay the text that the model wrote', async (t) => {
  for (const text of ['[1]', 'oops', '"x"', '{"a": ']) {
    const messages = [message('user', 'x'), message('assistant', '', { toolCalls: [{ ...call, arguments: text }] })];
    t.match(lines(render(everything, messages))[1], { tool_calls: [{ function: { arguments: text } }] });
  }
});

void t.test('templates that want arguments as text get the text', async (t) => {
  const messages = [message('user', 'x'), message('assistant', '', { toolCalls: [call] })];
  const walk = (write: string): string =>
    `{% for m in messages %}{% for c in m.tool_calls or [] %}${write}{% endfor %}{{ m.content }}{% endfor %}`;
  t.equal(render(walk('{{ c.function.arguments }}'), messages), `x${call.arguments}`, 'printed');
  t.equal(render(walk("{{ '<' + c.function.arguments + '>' }}"), messages), `x<${call.arguments}>`, 'added to text');
  t.equal(
    render(walk('{{ c.function.arguments|tojson }}'), messages),
    `x${call.arguments}`,
    'as JSON: from the object',
  );
  // Only a path that the probe does not take fails with an object.
  const late = walk("{% if c.function.name == 'add' %}{{ '<' + c.function.arguments + '>' }}{% endif %}");
  t.equal(render(late, messages), `x<${call.arguments}>`);
});

void t.test('text parts are one string, or stay parts where the template walks them', async (t) => {
  const parts: Message = {
    role: 'user',
    content: [
      { type: 'text', text: 'a' },
      { type: 'text', text: ' b' },
    ],
  };
  t.equal(render('{% for m in messages %}{{ m.content }}{% endfor %}', [parts]), 'a b');
  t.equal(render('{% for m in messages %}{{ m.content|trim }}{% endfor %}', [parts]), 'a b');
  const walking = '{% for m in messages %}{% for p in m.content %}[{{ p.text }}]{% endfor %}{% endfor %}';
  t.equal(render(walking, [parts]), '[a][ b]');
});

void t.test('media go to templates that place them, and are refused by the others', async (t) => {
  const picture: Message = {
    role: 'user',
    content: [
      { type: 'image', url: 'data:,' },
      { type: 'text', text: 'What?' },
    ],
  };
  const placing =
    "{% for m in messages %}{% if m.content is string %}{{ m.content }}{% else %}{% for p in m.content %}{% if p.type == 'image' %}<image>{% else %}{{ p.text }}{% endif %}{% endfor %}{% endif %}{% endfor %}";
  t.equal(render(placing, [picture]), '<image>What?');
  t.throws(() => render('{% for m in messages %}{{ m.content }}{% endfor %}', [picture]), {
    kind: 'invalid_request',
    code: 'unsupported_content',
  });
});

void t.test('developer messages are system messages where the template knows no other', async (t) => {
  t.match(lines(render(everything, [message('developer', 'x')])), [{ role: 'system' }]);
  const knowing = `${everything}{% if messages[0].role == 'developer' %}{% endif %}`;
  t.match(lines(render(knowing, [message('developer', 'x')])), [{ role: 'developer' }]);
});

void t.test('system messages move where the template takes them', async (t) => {
  const conversation = [
    message('system', 'A'),
    message('user', 'x'),
    message('assistant', 'y'),
    message('developer', 'B'),
    message('user', 'z'),
  ];
  const loop =
    "{% for m in messages %}{% if m.role == 'system' %}CHECK{% endif %}[{{ m.role }}:{{ m.content }}]{% endfor %}";
  const with_ = (check: string): string => loop.replace('CHECK', check);
  t.equal(render(with_(''), conversation), '[system:A][user:x][assistant:y][system:B][user:z]');
  const first = "{% if not loop.first %}{{ raise_exception('only first') }}{% endif %}";
  t.equal(render(with_(first), conversation), '[system:A\n\nB][user:x][assistant:y][user:z]');
  t.equal(render(with_("{{ raise_exception('no system') }}"), conversation), '[user:A\n\nB\n\nx][assistant:y][user:z]');
  const ignoring = "{% for m in messages %}{% if m.role != 'system' %}[{{ m.content }}]{% endif %}{% endfor %}";
  t.equal(render(ignoring, conversation), '[A\n\nB\n\nx][y][z]', 'words that would be lost');
});

void t.test('tools are a list of functions, none or nothing, as the template takes it', async (t) => {
  const tools = '{{ tools|tojson }}{% for m in messages %}{{ m.content }}{% endfor %}';
  t.equal(render(tools, [message('user', 'x')]), 'nullx');
  const walking =
    '{% for t in tools %}{{ t.function.name }}{% endfor %}{% for m in messages %}{{ m.content }}{% endfor %}';
  t.equal(render(walking, [message('user', 'x')]), 'x');
  t.same(
    JSON.parse(
      render('{{ tools|tojson }}', [message('user', 'x')], {
        tools: [weather, { name: 'now', description: 'Time', strict: false }],
      }),
    ),
    [
      { type: 'function', function: { name: 'weather', description: '', parameters: weather.parameters } },
      {
        type: 'function',
        function: { name: 'now', description: 'Time', parameters: { type: 'object', properties: {} } },
      },
    ],
  );
});

void t.test('what a template takes is told', async (t) => {
  const plain = new ChatTemplate('{% for m in messages %}{{ m.content }}{% endfor %}').shape;
  t.match(plain, {
    takesTools: false,
    takesCalls: false,
    switchesThinking: false,
    takesParts: false,
    content: 'string',
  });
  const rich = new ChatTemplate('{{ tools|tojson }}{{ messages|tojson }}{% if enable_thinking %}<think>{% endif %}')
    .shape;
  t.match(rich, {
    takesTools: true,
    takesCalls: true,
    switchesThinking: true,
    toolArguments: 'object',
    system: 'anywhere',
  });
});

void t.test('variables reach the template, but not over what the server or the language owns', async (t) => {
  const source =
    '{{ enable_thinking }}{{ messages|length }}{{ bos_token }}{{ eos_token }}{{ add_generation_prompt }}{{ true }}{{ range(2)|list }}{{ extra }}';
  const variables = {
    enable_thinking: false,
    messages: 1,
    bos_token: 'x',
    eos_token: 'x',
    add_generation_prompt: false,
    true: 0,
    range: 3,
    raise_exception: 1,
    extra: undefined,
  };
  t.equal(render(source, [message('user', 'x')], { variables }), 'False1<s></s>TrueTrue[0, 1]');
});

void t.test('a refusal is the caller’s fault, in the words of the template', async (t) => {
  const refused = (source: string): unknown => {
    try {
      return render(source, [message('user', 'x')]);
    } catch (error) {
      return error;
    }
  };
  const error = refused("{{ raise_exception('Only one turn, please') }}");
  t.ok(error instanceof ApiError);
  t.match(error, { kind: 'invalid_request', code: 'template_error', message: 'Only one turn, please' });
  t.match(refused('{{ messages[0].content + 1 }}'), { kind: 'invalid_request', message: /can only concatenate str/ });
  t.match(refused('{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}'), {
    kind: 'invalid_request',
    message: /recurses too deeply/,
  });
  t.match(refused('{% if %}'), { kind: 'invalid_request', code: 'template_error', message: /cannot be read/ });
  t.throws(() => render('{{ deep|tojson }}', [message('user', 'x')], { variables: { deep: nested(1000) } }), {
    code: 'template_error',
  });
});

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = [value];
  return value;
}

void t.test('strftime_now reads the clock that it is given', async (t) => {
  const template = new ChatTemplate("{{ strftime_now('%d %B %Y') }}", { now: () => new Date(2026, 10, 20) });
  t.equal(render(template, [message('user', 'x')]), '20 November 2026');
});

void t.test('a model brings its template, or ChatML stands in with a warning', async (t) => {
  const own = readChatTemplate({ 'tokenizer.chat_template': '{{ bos_token }}own' });
  t.equal(own.warning, undefined);
  t.equal(render(own.template, [message('user', 'x')]), '<s>own');
  const none = readChatTemplate({});
  t.match(none.warning, /ChatML/);
  t.equal(
    render(none.template, [message('system', 'S'), message('user', 'x')]),
    '<|im_start|>system\nS<|im_end|>\n<|im_start|>user\nx<|im_end|>\n<|im_start|>assistant\n',
  );
  t.equal(
    render(none.template, [message('user', 'x')], { addGenerationPrompt: false }),
    '<|im_start|>user\nx<|im_end|>\n',
  );
});

void t.test('a second template serves conversations with tools', async (t) => {
  const { template } = readChatTemplate({
    'tokenizer.chat_template': 'plain',
    'tokenizer.chat_templates': ['tool_use'],
    'tokenizer.chat_template.tool_use': '{{ tools[0].function.name }}',
  });
  t.equal(render(template, [message('user', 'x')]), 'plain');
  t.equal(render(template, [message('user', 'x')], { tools: [weather] }), 'weather');
});

void t.test('variables that a template mentions, its second one included', async (t) => {
  const template = new ChatTemplate('{{ mood }}{{ messages[0].content }}', { withTools: '{{ depth }}' });
  t.equal(template.mentions('mood'), true);
  t.equal(template.mentions('depth'), true);
  t.equal(template.mentions('weather'), false);
  t.equal(template.mentions('messages'), false, "not the caller's to set");
  t.equal(
    new ChatTemplate('{% if thinking %}<think>{% endif %}{{ messages[0].content }}').shape.switchesThinking,
    true,
  );
  t.equal(new ChatTemplate('{{ messages[0].content }}').shape.switchesThinking, false);
});
