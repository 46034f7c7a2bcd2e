// Plans against bodies: what passes, what is refused, what is named.

import t from 'tap';
import type { FieldPlan, FieldSupport } from '../core/operation.ts';
import { checkFields, ignoredHeader, refuseUnknown } from './fields.ts';

const honoured: FieldSupport = { support: 'honoured' };
const refused = (...accepts: readonly unknown[]): FieldSupport => ({
  support: 'refused',
  accepts,
  reason: 'this engine has no such thing',
});

const part: FieldPlan = {
  kind: 'tagged',
  tag: 'type',
  branches: {
    text: { kind: 'object', fields: { type: honoured, text: honoured } },
    audio: { kind: 'object', fields: { type: honoured, data: honoured, speed: refused(1) } },
  },
};

const plan: FieldPlan = {
  kind: 'object',
  fields: {
    model: honoured,
    user: { support: 'echoed' },
    metadata: honoured,
    n: refused(1),
    tools: refused([]),
    format: refused({ type: 'text' }),
    penalty: refused(0),
    messages: {
      support: 'honoured',
      inner: {
        kind: 'array',
        items: {
          kind: 'object',
          fields: {
            role: honoured,
            name: refused(),
            content: {
              support: 'honoured',
              inner: { kind: 'either', plans: [{ kind: 'array', items: part }, part] },
            },
          },
        },
      },
    },
    shape: {
      support: 'honoured',
      inner: {
        kind: 'either',
        plans: [
          { kind: 'object', fields: { a: honoured, mode: refused('x') } },
          { kind: 'object', fields: { a: honoured, b: honoured } },
        ],
      },
    },
  },
};

function unknownIn(body: unknown): string[] {
  return [...checkFields(plan, body).keys()];
}

void t.test('known fields, null, defaults and listed values pass', async (t) => {
  t.strictSame(unknownIn({ model: 'a', user: 'b', metadata: { any: { thing: 1 } } }), []);
  t.strictSame(unknownIn({ n: null, tools: null, format: null, messages: null, shape: null }), []);
  t.strictSame(unknownIn({ n: 1, tools: [], format: { type: 'text' }, penalty: -0 }), []);
  for (const scalar of [null, 1, 'text', [], true]) t.strictSame(unknownIn(scalar), []);
});

void t.test('a refused field with another value is named with what would do', async (t) => {
  t.throws(() => checkFields(plan, { n: 4 }), {
    kind: 'invalid_request',
    code: 'unsupported_parameter',
    param: 'n',
    message: "'n' with the value 4 is not supported: this engine has no such thing. Leave it out or send 1.",
  });
  t.throws(() => checkFields(plan, { tools: [{}] }), { code: 'unsupported_parameter', param: 'tools' });
  t.throws(() => checkFields(plan, { format: { type: 'json' } }), { code: 'unsupported_parameter', param: 'format' });
  t.throws(() => checkFields(plan, { format: { type: 'text', more: 1 } }), {
    code: 'unsupported_parameter',
    param: 'format',
  });
  t.throws(() => checkFields(plan, { messages: [{ role: 'user' }, { name: 'x' }] }), {
    code: 'unsupported_parameter',
    param: 'messages[1].name',
    message: /Leave it out\.$/,
  });
  t.throws(() => checkFields(plan, { messages: [{ content: [{ type: 'text' }, { type: 'audio', speed: 2 }] }] }), {
    code: 'unsupported_parameter',
    param: 'messages[0].content[1].speed',
  });
  t.throws(() => checkFields(plan, { n: 'x'.repeat(10_000) }), { message: /^.{0,250}$/ });
});

void t.test('unknown keys are collected once per pattern', async (t) => {
  const body = {
    foo: 1,
    constructor: 1,
    messages: [{ bar: 1 }, { bar: 2, content: [{ type: 'text', é: 1 }] }, { content: { type: 'text', x: 1 } }],
  };
  t.strictSame(unknownIn(body), [
    'foo',
    'constructor',
    'messages[].bar',
    'messages[].content[].é',
    'messages[].content.x',
  ]);
  t.strictSame(
    unknownIn({ messages: [{ content: [{ type: 'new', x: 1 }, 'text'] }] }),
    [],
    'an unknown tag has no plan',
  );
});

void t.test('of several plans the one that fits best counts', async (t) => {
  t.strictSame(unknownIn({ shape: { a: 1, b: 1 } }), []);
  t.strictSame(unknownIn({ shape: { a: 1, mode: 'x' } }), []);
  t.strictSame(unknownIn({ shape: { a: 1, mode: 'y' } }), ['shape.mode']);
  t.strictSame(unknownIn({ shape: [] }), []);
});

void t.test('strict servers refuse the first unknown field where it was seen', async (t) => {
  const unknown = checkFields(plan, { messages: [{}, { bar: 1 }] });
  t.throws(() => refuseUnknown(unknown), { code: 'unknown_parameter', param: 'messages[1].bar' });
  refuseUnknown(checkFields(plan, {}));
});

void t.test('the header is short printable ASCII whatever the keys are', async (t) => {
  const keys = ['a, b', 'line\r\nbreak', 'é€😀', '\ud800', '', 'x'.repeat(5_000), "!'()*~%"];
  const header = ignoredHeader(checkFields(plan, Object.fromEntries(keys.map((key) => [key, 1]))));
  t.match(header, /^[\x21-\x7e ]+$/);
  t.equal(header.split(', ').length, keys.length);
  t.match(header, /^a%2C%20b, line%0D%0Abreak, %C3%A9%E2%82%AC%F0%9F%98%80, /);
  const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`key-${index}-${'y'.repeat(60)}`, 1]));
  const bounded = ignoredHeader(checkFields(plan, many));
  t.ok(bounded.length <= 1024);
  t.match(bounded, /, \.\.\.$/);
});
