// What a chat template can take, found out by rendering tiny conversations: template languages have no types to ask for.

import type { TemplateShape } from './conversation.ts';

type Message = Readonly<Record<string, unknown>>;

type Render = (messages: readonly Message[]) => string | undefined;

/** `renderWith` gives `undefined` where the template fails. */
export function findShape(
  source: string,
  renderWith: (messages: readonly Message[], tools: readonly unknown[] | null) => string | undefined,
): TemplateShape {
  // Most templates take `none` for "no tools"; some walk the list unasked, and a few work with tools only.
  const choices = [null, [], [tool]];
  const tools = choices.find((choice) => renderWith([{ role: 'user', content: 'x' }], choice) !== undefined) ?? null;
  const render: Render = (messages) => renderWith(messages, tools);
  const system = (content: string): Message => ({ role: 'system', content });
  const user = (content: unknown): Message => ({ role: 'user', content });
  const assistant = (content: string): Message => ({ role: 'assistant', content });

  const shows = (messages: readonly Message[], ...words: readonly string[]): boolean => {
    const rendered = render(messages) ?? '';
    return words.every((word) => rendered.includes(word));
  };
  const takesText = shows([user('sought-text')], 'sought-text');
  const listed = render([user([{ type: 'text', text: 'sought-text' }])]) ?? '';
  // A list that is only printed shows up with its field names.
  const takesParts = listed.includes('sought-text') && !/['"]type['"]/.test(listed);
  const content = !takesText && takesParts ? 'parts' : 'string';

  const asked = content === 'parts' ? [{ type: 'text', text: 'x' }] : 'x';
  const later = [system('sought-one'), user(asked), assistant('y'), system('sought-two'), user(asked)];
  const doubled = [system('sought-one'), system('sought-two'), user(asked)];
  const takesAnySystem = [later, doubled].every((messages) => shows(messages, 'sought-one', 'sought-two'));
  return {
    noTools: tools?.length === 0 ? 'empty' : 'none',
    content,
    takesParts,
    system: takesAnySystem
      ? 'anywhere'
      : shows([system('sought-one'), user(asked)], 'sought-one')
        ? 'first'
        : 'nowhere',
    toolArguments: argumentsForm(render, user(asked)),
    knowsDeveloper: /['"]developer['"]/.test(source),
  };
}

const tool = {
  type: 'function',
  function: { name: 'f', description: 'x', parameters: { type: 'object', properties: {}, required: [] } },
};

function argumentsForm(
  render: (messages: readonly Message[]) => string | undefined,
  question: Message,
): 'object' | 'text' {
  const called = (given: unknown): string | undefined =>
    render([
      question,
      {
        role: 'assistant',
        content: '',
        tool_calls: [{ id: 'call00000', type: 'function', function: { name: 'f', arguments: given } }],
      },
      { role: 'tool', tool_call_id: 'call00000', name: 'f', content: 'z' },
    ]);
  const asObject = called({ sought: 'value' });
  // Printed as Python writes a dict: this template wanted the text.
  if (asObject !== undefined) return asObject.includes("'sought'") ? 'text' : 'object';
  return called('{"sought": "value"}') === undefined ? 'object' : 'text';
}
