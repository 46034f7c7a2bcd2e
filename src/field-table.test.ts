// The table of fields, tried out: every field of OpenAI's published requests, and every one that is ours, is sent at null, at its default, at
// other valid values and at invalid ones. Each ends as the page at /docs/fields says: honoured with evidence, echoed without any effect, or
// refused under its name. All answers, events and errors validate against the published document.

import t, { type Test } from 'tap';
import { Samples, type AnySchema } from '../spec/generate/samples.ts';
import { evidence, wider } from './testing/field-evidence.ts';
import { FieldServer, type Reply } from './testing/field-server.ts';
import { readPublished, type Published } from './testing/published.ts';
import { startServer } from './testing/server-process.ts';

const endpoints = [
  {
    path: '/v1/chat/completions',
    ours: 'ChatCompletionRequest',
    theirs: 'CreateChatCompletionRequest',
    answer: 'CreateChatCompletionResponse',
    event: 'CreateChatCompletionStreamResponse',
    base: { messages: [{ role: 'user', content: 'who are you?' }], temperature: 0, max_tokens: 6 },
  },
  {
    path: '/v1/completions',
    ours: 'CompletionRequest',
    theirs: 'CreateCompletionRequest',
    answer: 'CreateCompletionResponse',
    event: 'CreateCompletionResponse',
    base: { prompt: 'The sky is', temperature: 0, max_tokens: 6 },
  },
] as const;

type Endpoint = (typeof endpoints)[number];

/** What a field cannot be sent without. */
const companions: Readonly<Record<string, object>> = {
  stream_options: { stream: true },
  top_logprobs: { logprobs: true },
  max_completion_tokens: { max_tokens: null },
  dry_base: { dry_multiplier: 1 },
  dry_allowed_length: { dry_multiplier: 1 },
  dry_sequence_breakers: { dry_multiplier: 1 },
};

/** Valid values where the schema is too wide to make good ones. */
const values: Readonly<Record<string, readonly unknown[]>> = {
  model: ['default', 'demo-3m-Q8_0'],
  messages: [
    'who are you?',
    [
      { role: 'developer', content: [{ type: 'text', text: 'Hi' }] },
      { role: 'user', content: 'Hi' },
    ],
  ],
  prompt: ['Hi', ['Hi', 'Ho'], [5, 6], [[5], [6, 7]]],
  logit_bias: [{ 5: -100 }, {}],
  n: [1, 2],
  best_of: [0, 1, 2],
  // Only models that fill gaps take it; evidence.suffix looks at what the others say.
  suffix: [''],
};

/** Whatever somebody may send by mistake. Which of them are mistakes is for the schema to say. */
const suspects: readonly unknown[] = [
  'no such word',
  '',
  'x'.repeat(600),
  -1,
  -3,
  0,
  1.5,
  21,
  129,
  1e6,
  true,
  {},
  { a: 7 },
  { a: 'x'.repeat(600) },
  Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`k${index}`, 'v'])),
  [],
  [7],
  [{}],
  ['no such word'],
];

void t.test('every field is honoured, echoed or refused, as the page says', async (t) => {
  const openai = readPublished(t, 'openai-2.3.0-scope');
  if (openai === undefined) return;
  const { url } = await startServer(t, ['--ctx', '512']);
  const document = (await (await fetch(`${url}/openapi.json`)).json()) as {
    readonly components: { readonly schemas: Readonly<Record<string, AnySchema>> };
  };
  const page = await (await fetch(`${url}/docs/fields`)).text();
  for (const endpoint of endpoints) {
    await t.test(endpoint.path, async (t) => {
      const server = new FieldServer(`${url}${endpoint.path}`, endpoint.base);
      const section = sectionOf(page, endpoint.path);
      await tryAll(t, { endpoint, server, section, openai, ours: document.components.schemas });
    });
  }
});

interface Trial {
  readonly endpoint: Endpoint;
  readonly server: FieldServer;
  /** Field -> what the page says. */
  readonly section: ReadonlyMap<string, string>;
  readonly openai: Published;
  readonly ours: Readonly<Record<string, AnySchema>>;
}

async function tryAll(t: Test, trial: Trial): Promise<void> {
  const { endpoint, server, section, openai } = trial;
  const mine = new Samples(trial.ours);
  const known = mine.resolve(trial.ours[endpoint.ours]).properties ?? {};
  const published = openai.samples.resolve(openai.schemas[endpoint.theirs]).properties ?? {};
  const plain = await server.ask({});
  t.same(openai.problems(endpoint.answer, plain.json), [], 'the answer is as published');
  for (const name of Object.keys(published)) t.ok(known[name], `${name} is known`);
  const verdicts = new Map<string, string>();
  for (const [name, schema] of Object.entries(known)) {
    const theirs = published[name];
    const samples = values[name] ?? (theirs === undefined ? mine.some(schema, 1) : openai.samples.some(theirs, 1));
    const isRequired = name === 'messages' || name === 'prompt';
    const preset = theirs?.['default'] ?? schema['default'];
    const harmless = [...(isRequired ? [] : [null]), ...(preset === undefined || name === 'prompt' ? [] : [preset])];
    for (const value of harmless) {
      const reply = await server.ask({ ...companions[name], [name]: value });
      t.equal(reply.status, 200, `${name}: ${JSON.stringify(value)} is fine`, { error: reply.json });
      if (value !== null || name in endpoint.base) continue;
      const without = await server.ask({ ...companions[name] });
      t.equal(reply.text, without.text, `${name}: null is as left out`);
    }
    const replies: Reply[] = [];
    for (const value of samples) {
      const reply = await server.ask({ ...companions[name], [name]: value });
      checkShape(t, trial, reply, `${name}: ${JSON.stringify(value)}`);
      replies.push(reply);
    }
    verdicts.set(name, await verdictOn(t, name, replies, server, plain));
    await refusesMistakes(t, trial, name, theirs === undefined);
  }
  for (const [name, verdict] of verdicts)
    t.equal(section.get(name), verdict, `${name} is ${verdict}, and the page says so`);
  t.equal(
    [...section.keys()].filter((name) => !/[.[ ]/.test(name)).length,
    verdicts.size,
    'the page has no other rows',
  );
}

/** What happened to the valid values of a field. */
async function verdictOn(
  t: Test,
  name: string,
  replies: readonly Reply[],
  server: FieldServer,
  plain: Reply,
): Promise<string> {
  const refused = replies.filter(({ status }) => status !== 200);
  for (const { json } of refused)
    t.match(
      json,
      { error: { code: 'unsupported_parameter', param: name, message: /\.$/ } },
      `${name} is refused aloud`,
    );
  if (refused.length > 0) return 'refused';
  const shows = evidence[name];
  if (shows !== undefined) {
    t.ok(await shows(server), `${name} has its effect`);
    return 'honoured';
  }
  for (const reply of replies) t.equal(reply.text, plain.text, `${name} has no effect on the text`);
  return 'echoed';
}

/** An answer, a stream or an error as published. */
function checkShape(t: Test, { endpoint, openai }: Trial, reply: Reply, name: string): void {
  if (reply.status !== 200) {
    t.same(openai.problems('ErrorResponse', reply.json), [], `${name}: the error is as published`);
  } else if (reply.events === undefined) {
    t.same(openai.problems(endpoint.answer, reply.json), [], `${name}: the answer is as published`);
  } else {
    for (const event of reply.events) {
      const problems = openai.problems(endpoint.event, eventAsPublished(event));
      if (problems.length > 0) t.fail(`${name}: an event is not as published`, { event, problems });
    }
  }
}

/** The document has one object for whole texts and for pieces, and forgets that a piece has no finish and no usage yet. */
function eventAsPublished(event: unknown): unknown {
  const { choices, usage, ...rest } = event as { choices: { finish_reason: unknown }[]; usage?: unknown };
  const filled = choices.map((choice) => ({ ...choice, finish_reason: choice.finish_reason ?? 'stop' }));
  return { ...rest, choices: filled, ...(usage !== null && usage !== undefined && { usage }) };
}

/** What the published schema (ours, for fields of our own) does not take is answered with 400 under its name. */
async function refusesMistakes(t: Test, trial: Trial, name: string, isOurs: boolean): Promise<void> {
  const { endpoint, server, openai } = trial;
  let tried = 0;
  for (const value of suspects) {
    const body = { model: 'default', ...endpoint.base, [name]: value };
    const isWrong = isOurs ? undefined : openai.problems(endpoint.theirs, body).length > 0;
    if (isWrong === false || wider[name]?.(value)) continue;
    const { status, json } = await server.ask({ max_tokens: 1, ...companions[name], [name]: value });
    // Of our own fields our own validator decides; it must refuse some.
    if (isWrong === undefined && status === 200) continue;
    tried++;
    const { error } = json as { readonly error?: { readonly param?: unknown } };
    const param = String(error?.param);
    const isNamed = param === name || param.startsWith(`${name}.`) || param.startsWith(`${name}[`);
    if (status < 400 || status > 404 || !isNamed)
      t.fail(`${name}: ${JSON.stringify(value)?.slice(0, 80)}`, { status, json });
  }
  t.ok(tried > 2, `${name}: mistakes are refused under its name`);
}

function sectionOf(page: string, path: string): ReadonlyMap<string, string> {
  const section = page.split('<section').find((part) => part.includes(`<code>POST ${path}</code>`)) ?? '';
  return new Map(
    [...section.matchAll(/data-field="([^"]*)" data-support="(\w+)"/g)].map(([, name, word]) => [name, word]),
  );
}
