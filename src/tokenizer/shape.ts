// What a chat template can take, found out by rendering tiny conversations: template languages have no types to ask for.

/** `undefined` where the template fails. */
export type Probe = (context: Readonly<Record<string, unknown>>) => string | undefined;

export interface TemplateShape {
  /** `string`: text is one string. `parts`: content is always a list of parts. */
  readonly content: 'string' | 'parts';
  /** Whether the template walks lists of parts at all: only then can it place media. */
  readonly takesParts: boolean;
  /** Where system messages may stand. `first`: one, at the beginning. `nowhere`: the template refuses or ignores them. */
  readonly system: 'anywhere' | 'first' | 'nowhere';
  /** What `tools` is when there are none. */
  readonly noTools: 'none' | 'empty';
  /** Whether tools, and the calls of earlier turns, come into the prompt. */
  readonly takesTools: boolean;
  readonly takesCalls: boolean;
  /** How calls of earlier turns are given. */
  readonly toolArguments: 'object' | 'text';
  /** Whether `enable_thinking`, or `thinking` as some families call it, changes the prompt. */
  readonly switchesThinking: boolean;
  /** Whether the template knows the role `developer`; otherwise such a message is a system message. */
  readonly knowsDeveloper: boolean;
}

type Message = Readonly<Record<string, unknown>>;

const system = (content: string): Message => ({ role: 'system', content });
const user = (content: unknown): Message => ({ role: 'user', content });
const assistant = (content: string): Message => ({ role: 'assistant', content });
const tool = {
  type: 'function',
  function: { name: 'sought_tool', description: 'x', parameters: { type: 'object', properties: {}, required: [] } },
};

export function findShape(source: string, probe: Probe): TemplateShape {
  // Most templates take `none` for "no tools"; some walk the list unasked, and a few work with tools only.
  const choices = [null, [], [tool]];
  const tools = choices.find((choice) => probe({ messages: [user('x')], tools: choice }) !== undefined) ?? null;
  const render = (...messages: readonly Message[]): string => probe({ messages, tools }) ?? '';
  const shows = (rendered: string, ...words: readonly string[]): boolean =>
    words.every((word) => rendered.includes(word));

  const takesText = shows(render(user('sought-text')), 'sought-text');
  const listed = render(user([{ type: 'text', text: 'sought-text' }]));
  // A list that is only printed shows up with its field names.
  const takesParts = listed.includes('sought-text') && !/['"]type['"]/.test(listed);
  const content = !takesText && takesParts ? 'parts' : 'string';
  const question = user(content === 'parts' ? [{ type: 'text', text: 'x' }] : 'x');

  const takesSystem = shows(render(system('sought-one'), question), 'sought-one');
  const later = render(system('sought-one'), question, assistant('y'), system('sought-two'), question);
  const doubled = render(system('sought-one'), system('sought-two'), question);
  const takesAnySystem = shows(later, 'sought-one', 'sought-two') && shows(doubled, 'sought-one', 'sought-two');

  const call = (given: unknown): string | undefined => probe({ messages: [question, ...answered(given)], tools });
  const asObject = call({ sought: 'value' });
  const asText = call('{"sought": "value"}');
  // Printed as Python writes a dict: this template wanted the text.
  const wantsText = asObject === undefined ? asText !== undefined : asObject.includes("'sought'");

  const thinking = [true, false].map((enabled) =>
    probe({ messages: [question], tools, enable_thinking: enabled, thinking: enabled }),
  );
  return {
    content,
    takesParts,
    system: takesAnySystem ? 'anywhere' : takesSystem ? 'first' : 'nowhere',
    noTools: tools?.length === 0 ? 'empty' : 'none',
    takesTools: shows(probe({ messages: [question], tools: [tool] }) ?? '', 'sought_tool'),
    takesCalls: shows((wantsText ? asText : asObject) ?? '', 'sought'),
    toolArguments: wantsText ? 'text' : 'object',
    switchesThinking: thinking[0] !== thinking[1],
    knowsDeveloper: /['"]developer['"]/.test(source),
  };
}

/** A call and its result. The id has the nine characters that some templates insist on. */
function answered(given: unknown): Message[] {
  const call = { id: 'call00000', type: 'function', function: { name: 'f', arguments: given } };
  return [
    { ...assistant(''), tool_calls: [call] },
    { role: 'tool', tool_call_id: call.id, name: 'f', content: 'z' },
  ];
}
