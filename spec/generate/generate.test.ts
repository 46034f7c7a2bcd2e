// Each generator by small pairs of what goes in and what comes out. The real document is tested in surface.test.ts.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import type { Test } from 'tap';
import { projectRoot } from '../../src/testing/fixtures.ts';
import { bundle, withNull } from './bundle.ts';
import { FieldPlans } from './fields.ts';
import { functionsOf, operationsCode } from './operations.ts';
import { phrase } from './phrases.ts';
import { readSpec } from './read.ts';
import type { Document, Schema } from './schema.ts';
import { serializerCode } from './serializers.ts';
import { typesCode, typeText } from './types.ts';
import { unionOf } from './unions.ts';
import { validatorCode } from './validators.ts';
import { violation } from './violation.ts';

const head = `
openapi: 3.1.0
info: { title: Test, version: '1' }
components: {}
`;

/** One operation that takes and answers the given schemas. */
const paths = `
/v1/things/{thing}:
  post:
    operationId: makeThing
    parameters:
      - { name: thing, in: path, required: true, x-slashes: true, schema: { type: string } }
      - { name: limit, in: query, schema: { type: integer, minimum: 1, maximum: 100 } }
      - { name: order, in: query, required: true, schema: { type: string, enum: [asc, desc] } }
    requestBody:
      required: true
      content: { application/json: { schema: { $ref: '#/components/schemas/Order' } } }
    responses:
      '200':
        content:
          application/json: { schema: { $ref: '#/components/schemas/Thing' } }
          text/event-stream: { x-events: { named: true }, schema: { $ref: '#/components/schemas/Thing' } }
`;

const schemas = `
Order:
  type: object
  required: [size]
  properties:
    size: { type: number, minimum: 0, x-support: honoured }
    note: { type: string, description: For people., x-support: echoed }
    colour: { type: string, enum: [red, blue], default: red, x-support: refused, x-accepts: [blue], x-reason: Paint it. }
    tags: { type: object, additionalProperties: { type: string }, x-support: echoed }
    parts: { type: array, items: { $ref: '#/components/schemas/Part' }, x-support: honoured }
Part:
  x-tag: kind
  anyOf: [{ $ref: '#/components/schemas/Bolt' }, { $ref: '#/components/schemas/Nail' }, { $ref: '#/components/schemas/OtherPart' }]
Bolt:
  type: object
  required: [kind, thread]
  properties:
    kind: { const: bolt, type: string, x-support: honoured }
    thread: { type: integer, x-support: honoured }
Nail:
  type: object
  required: [kind]
  x-support: refused
  x-reason: Nails are out of stock.
  properties: { kind: { const: nail, type: string } }
OtherPart:
  type: object
  required: [kind]
  properties:
    kind: { type: string, x-support: honoured }
    weight: { type: number, x-support: honoured }
Thing:
  type: object
  required: [id, next]
  properties:
    id: { type: string }
    next: { anyOf: [{ $ref: '#/components/schemas/Link' }, { type: 'null' }] }
    price: { type: number }
Link:
  type: object
  required: [href]
  properties: { href: { type: string } }
`;

function read(changes: Record<string, string> = {}): Document {
  return readSpec({ 'openapi.yaml': head, 'paths/things.yaml': paths, 'schemas/things.yaml': schemas, ...changes });
}

const noSchemas = { openapi: '3.1.0', info: { title: '', version: '' }, paths: {}, components: { schemas: {} } };

function documentOf(schemas: Record<string, Schema>): Document {
  return { ...noSchemas, components: { schemas } };
}

/** Runs generated code as the module that it is. */
async function load(t: Test, code: string): Promise<Record<string, (value: unknown) => unknown>> {
  const runtime = readFileSync(join(projectRoot, 'build/spec/generate/violation.js'), 'utf8');
  const folder = t.testdir({ 'generated.js': code, 'violation.js': runtime });
  return (await import(pathToFileURL(join(folder, 'generated.js')).href)) as never;
}

void t.test('the reader merges the files and refuses what would be lost in merging', async (t) => {
  t.match(Object.keys(read().components.schemas), ['Order', 'Part', 'Bolt', 'Nail', 'OtherPart', 'Thing', 'Link']);
  const extra = (text: string): Record<string, string> => ({ 'schemas/extra.yaml': text });
  const cases: [string, Record<string, string>, RegExp][] = [
    ['a schema in two files', extra('Link: { type: object }'), /Link is already in schemas\/things.yaml/],
    ['a path in two files', { 'paths/more.yaml': paths }, /\{thing\} is already in paths\/things.yaml/],
    [
      'one operationId twice',
      { 'paths/more.yaml': paths.replace('/v1/things/', '/v2/things/') },
      /makeThing is already/,
    ],
    ['a key twice in one map', extra('A: { type: string, type: number }'), /unique/],
    ['a schema that nobody uses', extra('Alone: { type: string }'), /Alone: is used by no operation/],
    ['a reference to nothing', { 'schemas/things.yaml': schemas.replace('schemas/Link', 'schemas/Lnk') }, /Lnk leads/],
    ['an unknown keyword', { 'schemas/things.yaml': schemas.replace('minimum: 0', 'minimun: 0') }, /keyword minimun/],
    [
      'a required key that is not described',
      { 'schemas/things.yaml': schemas.replace('required: [size]', 'required: [sise]') },
      /Order: requires sise/,
    ],
    [
      'a path parameter that is not in the path',
      { 'paths/things.yaml': paths.replace('{thing}', '{thin}') },
      /has thin/,
    ],
    [
      'slashes in the middle of a path',
      { 'paths/things.yaml': paths.replace('{thing}:', '{thing}/x:') },
      /thing must end the path/,
    ],
    [
      'an unknown keyword in a parameter',
      { 'paths/things.yaml': paths.replace('minimum: 1', 'min: 1') },
      /makeThing: unknown keyword min/,
    ],
    ['a file that is no map', extra('- a'), /extra.yaml: holds no map/],
  ];
  for (const [name, files, message] of cases) t.throws(() => read(files), { message }, name);
});

void t.test('null is added to whatever a caller may leave out, and to nothing else', async (t) => {
  const source = read();
  const { Order, Bolt, OtherPart, Thing } = bundle(source).components.schemas;
  t.strictSame(Order.properties?.['size'].type, 'number', 'required: as it was');
  t.strictSame(Order.properties?.['note'].type, ['string', 'null']);
  t.strictSame(Order.properties?.['colour'].enum, ['red', 'blue', null]);
  t.strictSame(Order.properties?.['tags'].additionalProperties, { type: 'string' }, 'values inside a free-form object');
  t.strictSame(Bolt.properties?.['kind'].const, 'bolt');
  t.strictSame(OtherPart.properties?.['weight'].type, ['number', 'null'], 'inside lists and unions');
  t.strictSame(Thing.properties?.['price'].type, 'number', 'answers: as they were');
  t.strictSame(source.components.schemas['Order'].properties?.['note'].type, 'string', 'the source is not changed');

  const shared = schemas.replace('    next: {', "    order: { $ref: '#/components/schemas/Order' }\n    next: {");
  t.throws(() => bundle(read({ 'schemas/things.yaml': shared })), { message: /Order: is sent and answered/ });
});

void t.test('what is said about a shared schema holds for the properties that refer to it', async (t) => {
  const Colour =
    'Colour: { type: string, enum: [red, blue], description: Of paint., default: red, x-reason: Paint it. }';
  const refer = (more: string): Schema | undefined => {
    const property = `colour: { $ref: '#/components/schemas/Colour', x-support: refused${more} }`;
    const text = schemas.replace(/colour: .*/, property);
    return bundle(read({ 'schemas/things.yaml': `${text}${Colour}\n` })).components.schemas['Order'].properties?.[
      'colour'
    ];
  };
  const anyOf = [{ $ref: '#/components/schemas/Colour' }, { type: 'null' }];
  const notes = { description: 'Of paint.', default: 'red', 'x-reason': 'Paint it.', 'x-support': 'refused' };
  t.same(refer(''), { ...notes, anyOf });
  t.same(refer(', default: blue'), { ...notes, default: 'blue', anyOf }, 'unless the property says otherwise');
});

void t.test('every form of schema has a form that takes null', async (t) => {
  const ref = '#/components/schemas/X';
  const pairs: [Schema, Schema][] = [
    [
      { type: 'string', maxLength: 3 },
      { type: ['string', 'null'], maxLength: 3 },
    ],
    [
      { type: 'string', const: 'a' },
      { type: ['string', 'null'], enum: ['a', null] },
    ],
    [{ enum: ['a', 1] }, { enum: ['a', 1, null] }],
    [
      { $ref: ref, description: 'd' },
      { description: 'd', anyOf: [{ $ref: ref }, { type: 'null' }] },
    ],
    [
      { anyOf: [{ type: 'string' }, { type: 'array' }], default: 'x' },
      { default: 'x', anyOf: [{ type: 'string' }, { type: 'array' }, { type: 'null' }] },
    ],
    [
      { anyOf: [{ $ref: ref }], 'x-tag': 'kind', 'x-support': 'honoured' },
      { 'x-support': 'honoured', anyOf: [{ anyOf: [{ $ref: ref }], 'x-tag': 'kind' }, { type: 'null' }] },
    ],
  ];
  for (const [given, expected] of pairs) t.strictSame(withNull(given), expected, JSON.stringify(given));
});

void t.test('schemas become TypeScript', async (t) => {
  const pairs: [Schema, string][] = [
    [{}, 'unknown'],
    [{ type: 'integer' }, 'number'],
    [{ type: ['string', 'null'] }, 'string | null'],
    [{ type: ['null', 'string'] }, 'string | null'],
    [{ enum: ['a', null, 2] }, '"a" | 2 | null'],
    [{ const: 'a', type: 'string' }, '"a"'],
    [{ type: 'array', items: { type: 'string' } }, 'readonly string[]'],
    [{ type: 'array', items: { type: ['string', 'null'] } }, 'readonly (string | null)[]'],
    [{ type: 'array' }, 'readonly unknown[]'],
    [{ type: 'object' }, 'Readonly<Record<string, unknown>>'],
    [{ type: 'object', additionalProperties: { type: 'number' } }, 'Readonly<Record<string, number>>'],
    [{ $ref: '#/components/schemas/Link' }, 'Link'],
    [{ anyOf: [{ type: 'string' }, { $ref: '#/components/schemas/Link' }, { type: 'null' }] }, 'string | Link | null'],
    [
      { type: 'object', required: ['a-b'], properties: { 'a-b': { type: 'boolean' }, c: { type: 'string' } } },
      '{\n  readonly "a-b": boolean;\n  readonly c?: string | undefined;\n}',
    ],
  ];
  for (const [schema, text] of pairs) t.equal(typeText(schema), text);

  const code = typesCode(bundle(read()));
  t.match(
    code,
    '  /**\n   * For people.\n   * Without effect on the result.\n   */\n  readonly note?: string | null | undefined;',
  );
  t.match(code, '   * Refused: Paint it.\n   * Default: "red".\n');
  t.match(code, 'export type Part = Bolt | Nail | OtherPart;');
  const hostile = typesCode(documentOf({ A: { type: 'string', description: 'ends */ here' } }));
  t.match(hostile, 'ends *\\/ here', 'a description cannot end its comment');
});

void t.test('unions must be decidable by type or by tag', async (t) => {
  const tagged = (...tags: (string | undefined)[]): Schema => ({
    'x-tag': 'kind',
    anyOf: tags.map((tag) => ({
      type: 'object',
      required: ['kind'],
      properties: { kind: tag === undefined ? { type: 'string' } : { const: tag } },
    })),
  });
  const noTag: Schema = { type: 'object', properties: { kind: { const: 'c' } } };
  const cases: [Schema, RegExp][] = [
    [{ anyOf: [{ type: 'string' }, { type: ['array', 'string'] }] }, /two branches take string/],
    [{ anyOf: [{ type: 'string' }, {}] }, /a branch without a type/],
    [tagged('a', 'a'), /two branches take kind a/],
    [tagged('a', undefined, undefined), /two branches take any kind/],
    [{ 'x-tag': 'kind', anyOf: [noTag, noTag] }, /two branches take values without kind/],
    [{ 'x-tag': 'kind', anyOf: [{ type: 'object', properties: {} }] }, /has no property kind/],
    [{ oneOf: tagged('a', undefined).anyOf ?? [], discriminator: { propertyName: 'kind' } }, /use anyOf with x-tag/],
  ];
  for (const [schema, message] of cases) t.throws(() => unionOf(schema, noSchemas), { message });
  t.match(unionOf(tagged('a', undefined), noSchemas), { kind: 'tagged', tag: 'kind', otherwise: { type: 'object' } });
  t.match(unionOf({ anyOf: [{ type: 'string' }, { type: 'null' }] }, noSchemas), { kind: 'typed', nullable: true });
  t.equal(unionOf({ type: 'string' }, noSchemas), undefined);
});

void t.test('what a schema accepts is said in words', async (t) => {
  const pairs: [Schema, string][] = [
    [{ type: 'number', minimum: 0, maximum: 2 }, 'a number between 0 and 2'],
    [{ type: ['integer', 'null'], minimum: 1 }, 'an integer of at least 1'],
    [{ type: 'number', exclusiveMinimum: 0 }, 'a number above 0'],
    [{ type: 'number', exclusiveMinimum: 0, maximum: 1.5 }, 'a number above 0 and of at most 1.5'],
    [{ type: 'integer', maximum: 2 ** 63 }, 'an integer of at most 9223372036854775808'],
    [{ type: 'string' }, 'a string'],
    [{ type: 'string', minLength: 1, maxLength: 8 }, 'a non-empty string of at most 8 characters'],
    [{ type: 'string', minLength: 2 }, 'a string of at least 2 characters'],
    [{ type: 'string', pattern: '^a' }, 'a string that matches ^a'],
    [{ type: 'boolean' }, 'true or false'],
    [{ type: ['string', 'null'], enum: ['a', 'b', null] }, '"a" or "b"'],
    [{ const: 'a' }, '"a"'],
    [{ type: 'array', minItems: 1, items: { type: 'integer' } }, 'a non-empty list of integers'],
    [{ type: 'array', minItems: 2, maxItems: 4 }, 'a list of 2 to 4 values'],
    [{ type: 'array', maxItems: 4, items: { title: 'message' } }, 'a list of at most 4 messages'],
    [{ type: 'object', maxProperties: 16 }, 'an object with at most 16 keys'],
    [{ anyOf: [{ type: 'string' }, { type: 'boolean' }, { type: 'null' }] }, 'a string or true or false'],
    [{ type: ['string', 'array'], items: { type: 'string' } }, 'a string or a list of strings'],
    [{ type: 'string', 'x-expects': 'a colour' }, 'a colour'],
  ];
  for (const [schema, words] of pairs) t.equal(phrase(schema, noSchemas), words);
});

void t.test('a place in a body is spelled as its caller would write it', async (t) => {
  const spell = (instancePath: string): string => violation({ keyword: 'type', instancePath, params: {} }).param;
  t.equal(spell(''), '');
  t.equal(spell('/messages/0/content/12/text'), 'messages[0].content[12].text');
  t.equal(spell('/metadata/a~1b~0c'), 'metadata["a/b~c"]');
  t.equal(spell('/metadata/-'), 'metadata["-"]');
  t.equal(spell(`/metadata/${'x'.repeat(1e6)}`).length, 'metadata[""]'.length + 83, 'the key of a caller is cut');
});

void t.test('validators name the place and say what would be right', async (t) => {
  const document = bundle(read());
  const { makeThingBody, makeThingQuery } = await load(t, validatorCode(functionsOf(document).validators, document));
  const bodies: [unknown, string | undefined, string?][] = [
    [{ size: 1 }, undefined],
    [{ size: 1, note: null, parts: null, more: 1 }, undefined],
    [{ size: 1, parts: [{ kind: 'bolt', thread: 3 }, { kind: 'nail' }, { kind: 'cog' }] }, undefined],
    [[], '', 'The request body must be an object.'],
    [null, '', 'The request body must be an object.'],
    [{}, 'size', 'size is required: a number of at least 0.'],
    [{ size: -1 }, 'size', 'size must be a number of at least 0.'],
    [{ size: null }, 'size', 'size must be a number of at least 0.'],
    [{ size: Infinity }, 'size', 'size must be a number of at least 0.'],
    [{ size: 1, colour: 'green' }, 'colour', 'colour must be "red" or "blue".'],
    [{ size: 1, parts: [{ kind: 'bolt' }] }, 'parts[0].thread', 'parts[0].thread is required: an integer.'],
    [{ size: 1, parts: [{}] }, 'parts[0].kind', 'parts[0].kind is required: a string.'],
    [{ size: 1, parts: [{ kind: 'cog', weight: 'x' }] }, 'parts[0].weight', 'parts[0].weight must be a number.'],
    [{ size: 1, parts: [1] }, 'parts[0]', 'parts[0] must be an object.'],
    [{ size: 1, tags: { a: 1 } }, 'tags.a', 'tags.a must be a string.'],
  ];
  for (const [body, param, message] of bodies) {
    t.strictSame(makeThingBody(body), param === undefined ? undefined : { param, message }, JSON.stringify(body));
  }
  t.equal(makeThingQuery({ order: 'asc', limit: 3 }), undefined);
  t.match(makeThingQuery({ order: 'asc', limit: 'x' }), { param: 'limit', message: /an integer between 1 and 100/ });
  t.match(makeThingQuery({}), { param: 'order', message: 'order is required: "asc" or "desc".' });
});

void t.test('a closed union names the tags that are served', async (t) => {
  const branch = (tag: string, more: Partial<Schema> = {}): Schema => ({
    type: 'object',
    required: ['kind'],
    properties: { kind: { type: 'string', const: tag } },
    ...more,
  });
  const Shape: Schema = {
    oneOf: [branch('disc'), branch('ring'), branch('cube', { 'x-support': 'refused', 'x-reason': 'Flat ones only.' })],
    discriminator: { propertyName: 'kind' },
  };
  const code = validatorCode({ shape: { $ref: '#/components/schemas/Shape' } }, documentOf({ Shape }));
  const { shape } = await load(t, code);
  t.equal(shape({ kind: 'ring' }), undefined);
  t.equal(shape({ kind: 'cube' }), undefined, 'refused by its field plan, in better words');
  t.strictSame(shape({ kind: 'cone' }), { param: 'kind', message: 'kind must be "disc" or "ring".' });
  t.strictSame(shape({}), { param: 'kind', message: 'kind is required: "disc" or "ring".' });
});

void t.test('serializers write what the spec names, and nothing else', async (t) => {
  const document = bundle(read());
  const { makeThingResult, makeThingEvent } = await load(
    t,
    serializerCode(functionsOf(document).serializers, document),
  );
  t.equal(makeThingResult({ id: 'a', next: null, secret: 1 }), '{"id":"a","next":null}');
  t.equal(
    makeThingResult({ id: '"', next: { href: 'x', y: 1 }, price: 2 }),
    '{"id":"\\"","next":{"href":"x"},"price":2}',
  );
  t.equal(makeThingEvent({ id: 'a', next: null, price: undefined }), '{"id":"a","next":null}');
  t.throws(() => makeThingResult({ id: 'a' }), { message: /"next" is required/ });
  t.throws(() => makeThingResult({ id: 'a', next: 3 }), { message: /next/ });

  const loop: Document = documentOf({ A: { type: 'object', properties: { a: { $ref: '#/components/schemas/A' } } } });
  t.throws(() => serializerCode({ a: { $ref: '#/components/schemas/A' } }, loop), {
    message: /must not contain itself/,
  });
  const union: Schema = { anyOf: [{ type: 'string' }, { type: 'number' }] };
  t.throws(() => serializerCode({ a: union }, noSchemas), { message: /"X or null"/ });
});

void t.test('types side by side are written as what they are', async (t) => {
  const id: Schema = { type: 'integer' };
  const piece: Schema = { type: ['string', 'array'], items: id };
  const mixed: Schema = { type: ['integer', 'object'], required: ['id', 'piece'], properties: { id, piece } };
  const list: Schema = { type: 'object', properties: { list: { type: ['array', 'null'], items: mixed } } };
  const { write } = await load(t, serializerCode({ write: list }, noSchemas));
  const values = [{ list: [1, { id: 2, piece: 'a' }, { id: 3, piece: [4, 5] }] }, { list: null }, { list: [] }];
  for (const value of values) t.equal(write(value), JSON.stringify(value));
});

void t.test('field plans know what is done with each field', async (t) => {
  const plans = new FieldPlans(read());
  t.equal(plans.plan({ $ref: '#/components/schemas/Order' }, 'body'), 'orderFields');
  const declared = plans.constants().replaceAll(/const (\w+): FieldPlan = /g, 'scope.$1 = ');
  // oxlint-disable-next-line no-implied-eval, typescript/no-implied-eval -- our own output is what is looked at
  const evaluate = new Function('scope', `with (scope) { ${declared} } return scope.orderFields;`);
  const bolt = { kind: 'object', fields: { kind: { support: 'honoured' }, thread: { support: 'honoured' } } };
  const other = { kind: 'object', fields: { kind: { support: 'honoured' }, weight: { support: 'honoured' } } };
  const part = {
    kind: 'tagged',
    tag: 'kind',
    branches: { bolt, nail: { kind: 'refused', reason: 'Nails are out of stock.' } },
    otherwise: other,
  };
  t.strictSame(evaluate({}), {
    kind: 'object',
    fields: {
      size: { support: 'honoured' },
      note: { support: 'echoed' },
      colour: { support: 'refused', accepts: ['red', 'blue'], reason: 'Paint it.' },
      tags: { support: 'echoed' },
      parts: { support: 'honoured', inner: { kind: 'array', items: part } },
    },
  });
  const mixed: Schema = {
    anyOf: [{ type: 'string' }, { type: 'array', items: { $ref: '#/components/schemas/Bolt' } }],
  };
  t.equal(plans.plan(mixed, ''), `{ kind: 'either', plans: [{ kind: 'array', items: boltFields }] }`);

  const object = (property: Schema, more: Partial<Schema> = {}): Schema => ({
    type: 'object',
    properties: { a: property },
    ...more,
  });
  const cases: [Schema, RegExp][] = [
    [object({ type: 'string' }), /x\.a: has no x-support/],
    [object({ type: 'string', 'x-support': 'refused' }), /x\.a: is refused without an x-reason/],
    [object({ 'x-support': 'honoured' }, { additionalProperties: true }), /takes others too/],
  ];
  for (const [schema, message] of cases) t.throws(() => plans.plan(schema, 'x'), { message });
});

void t.test('an answer is JSON or one kind of text', async (t) => {
  const answer = (content: string): string => `
/lines:
  get:
    operationId: getLines
    responses: { '200': { content: ${content} } }
`;
  const both = (content: string) => ({ 'paths/things.yaml': paths, 'paths/lines.yaml': answer(content) });
  const text = read(both(`{ 'text/plain; version=1': { schema: { type: string } } }`));
  const code = operationsCode(text);
  t.match(code, /contentType: 'text\/plain; version=1',\s+serialize: String,/);
  t.match(code, /getLines: .*=> Eventually<string>/);
  t.match(code, /contentType: 'application\/json',\s+serialize: serializers\.makeThingResult,/);
  t.same(Object.keys(functionsOf(text).serializers), ['makeThingResult', 'makeThingEvent']);
  const wrong = [
    `{ 'text/plain': { schema: { type: object } } }`,
    `{ 'image/png': { schema: { type: string } } }`,
    `{ 'text/plain': { schema: { type: string } }, 'text/html': { schema: { type: string } } }`,
    `{ 'text/event-stream': { x-events: { named: true }, schema: { type: string } } }`,
  ];
  for (const content of wrong) {
    t.throws(() => operationsCode(read(both(content))), { message: /\/lines: .*text\/\*/ }, content);
  }
});

void t.test('operations become routes and the type of their handlers', async (t) => {
  const code = operationsCode(bundle(read()));
  t.match(code, `path: '/v1/things/{+thing}'`, 'the rest of the path');
  t.match(code, `access: 'key'`);
  t.match(code, `body: { required: true, validate: validators.makeThingBody, fields: orderFields }`);
  t.match(code, `[{ name: 'limit', type: 'integer' }, { name: 'order', type: 'string' }]`);
  t.match(code, `stream: { serialize: serializers.makeThingEvent, named: true, end: undefined }`);
  t.match(code, 'Eventually<Thing | EventStream<Thing>>');
  t.match(code, /readonly query: \{\s+readonly limit\?: number \| undefined;\s+readonly order: "asc" \| "desc";/);
  const open = paths.replace('operationId', 'security: []\n    x-dialect: anthropic\n    operationId');
  t.match(operationsCode(read({ 'paths/things.yaml': open })), /dialect: 'anthropic',\s+access: 'open'/);
  const optional = open.replace('security: []', 'security: [{}, { bearer: [] }]');
  t.match(operationsCode(read({ 'paths/things.yaml': optional })), /access: 'open_on_loopback'/);
  const odd = open.replace('security: []', 'security: [{ bearer: [] }]');
  t.throws(() => operationsCode(read({ 'paths/things.yaml': odd })), { message: /makeThing: security: only/ });
  const unsaid = paths.replace('x-events: { named: true }, ', '');
  t.throws(() => operationsCode(read({ 'paths/things.yaml': unsaid })), { message: /needs x-events/ });
});
