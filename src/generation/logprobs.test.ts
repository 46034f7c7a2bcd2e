// Log probabilities beside the text: whatever holds the text back or cuts it, the bytes of the tokens that are told are the text that is told.

import t from 'tap';
import { Channel } from '../core/channel.ts';
import { ApiError } from '../core/errors.ts';
import type { GenerationEvent, GenerationRequest, TokenLogprob } from '../core/generation.ts';
import type { EngineEvent } from '../engine/client.ts';
import type { SubmitOptions, TokenScore } from '../engine/messages.ts';
import { random } from '../testing/engine-bench.ts';
import { ChatTemplate } from '../tokenizer/template.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { Breakers } from './breakers.ts';
import { ChoiceText } from './choice-text.ts';
import { promptLogprobs } from './echo.ts';
import type { FormatEvent, FormatParser, OutputFormat } from './formats/format.ts';
import { plain } from './formats/plain.ts';
import { createGenerate } from './generate.ts';
import { Models, ServedModel, type ModelParts } from './models.ts';
import { readSamplingDefaults } from './sampling-defaults.ts';

const pieces = ['a', 'b', 'ab', ' the', 'END', 'EN', 'D', '\n\n', 'é', '😀', 'x:', '"'];
const halves = [Uint8Array.of(0xf0, 0x9f), Uint8Array.of(0x98, 0x80, 0x41), Uint8Array.of(0xff)];
const table = [...pieces.map((piece) => Uint8Array.from(Buffer.from(piece))), ...halves];
const [control, bos] = [table.length, table.length + 1];

const tokenizer: Tokenizer = {
  vocabulary: {
    size: table.length + 2,
    piece: (id) => (id === control ? '<|call|>' : id === bos ? '<s>' : Buffer.from(table[id]).toString()),
    bytes: (id) => (id >= control ? Buffer.from(id === bos ? '<s>' : '<|call|>') : table[id]),
    kind: (id) => (id >= control ? 'control' : 'normal'),
    find: (piece) => (piece === '<|call|>' ? control : undefined),
    bos,
    eos: undefined,
    endOfGeneration: new Set([bos]),
    fillInMiddle: undefined,
  },
  addsBos: true,
  addsEos: false,
  encode: (text) => Int32Array.from(text, (letter) => pieces.indexOf(letter)),
  decode: (ids) => Buffer.concat(Array.from(ids, (id) => tokenizer.vocabulary.bytes(id))).toString(),
};

const request: GenerationRequest = {
  id: 'r1',
  model: undefined,
  tenant: 'anonymous',
  prompt: { type: 'text', text: 'ab', param: 'prompt' },
  sampling: { seed: 7 },
  stop: [],
  maxTokens: undefined,
  choices: 1,
  truncate: false,
  logprobs: 1,
  output: { type: 'logits' },
};

function scoreOf(id: number): TokenScore {
  return { logprob: -1 - id / 10, topIds: [0], topLogprobs: [-0.5] };
}

/** An engine whose words the test says. */
class FakeEngine {
  readonly state = 'ready';
  readonly events = new Channel<EngineEvent>(1000);
  asked: SubmitOptions | undefined;

  async submit(_id: string, options: SubmitOptions): ReturnType<ModelParts['engine']['submit']> {
    this.asked = options;
    return { cachedTokens: 0, events: this.events, cancel: () => undefined };
  }
}

void t.test('any tokens, any stop strings, any cut of both: bytes join to the text', async (t) => {
  let cuts = 0;
  for (let round = 0; round < 400; round++) {
    const next = random(round);
    const ids = Array.from({ length: next(20) }, () => next(table.length + 1));
    const stop = [[], ['END'], ['b\n', 'D'], ['<|call|>', 'xy'], ['é😀', 'a a']][next(5)];
    const text = new ChoiceText(0, { ...request, stop }, parts());
    const events: GenerationEvent[] = [];
    for (let at = 0; at < ids.length && text.stop === undefined;) {
      const some = ids.slice(at, (at += 1 + next(2)));
      events.push(...text.push(some, some.map(scoreOf)));
    }
    events.push(...text.end());
    const told = events.flatMap((event) => (event.type === 'delta' ? (event.logprobs ?? []) : []));
    const written = events.map((event) => (event.type === 'delta' ? event.text : '')).join('');
    if (!t.equal(joined(told), written, `round ${round}: ${ids.join()}`)) break;
    // In order, and none left out but those behind a stop string.
    const ofText = written === '' ? [] : told.map(({ id }) => id);
    t.same(ofText, ids.slice(0, ofText.length));
    if (text.stop === undefined && written !== '') t.equal(told.length, ids.length);
    if (text.stop !== undefined) cuts++;
    t.notOk(stop.some((each) => each !== '<|call|>' && written.includes(each)));
    t.ok(told.every(({ id, logprob }) => logprob === scoreOf(id).logprob));
    t.ok(told.every(({ top }) => top.length === 1 && top[0].text === 'a'));
  }
  t.ok(cuts > 50, 'enough happened');
});

void t.test('a token cut in two has the bytes of the part that is told', async (t) => {
  const text = new ChoiceText(0, { ...request, stop: [':'] }, parts());
  const events = [...text.push([0, 10], [scoreOf(0), scoreOf(10)]), ...text.end()];
  t.match(events[1], {
    type: 'delta',
    text: 'ax',
    logprobs: [{ text: 'a' }, { id: 10, text: 'x', bytes: Buffer.from('x') }],
  });
  t.equal(text.tokens, 2);
});

void t.test('a stop string may name a control token, which has no text', async (t) => {
  const text = new ChoiceText(0, { ...request, stop: ['<|call|>', 'b!'] }, parts());
  const events = [...text.push([0, 1], [scoreOf(0), scoreOf(1)]), ...text.push([control], [scoreOf(control)])];
  t.equal(text.stop, '<|call|>');
  t.equal(
    events.map((event) => (event.type === 'delta' ? event.text : '')).join(''),
    'ab',
    'what was held back is text',
  );
  t.match(text.end(), [{ type: 'block_end' }]);
});

void t.test('without log probabilities nothing is said of tokens', async (t) => {
  const text = new ChoiceText(0, { ...request, logprobs: undefined }, parts());
  const events = [...text.push([0, 8, 9]), ...text.end()];
  t.ok(events.every((event) => !('logprobs' in event)));
  t.equal(text.meanLogprob, -Infinity);
});

void t.test('tokens of reasoning are counted, tokens without text are told at the end of their block', async (t) => {
  // "a" begins a thought, "b" ends it.
  const parser = (): FormatParser => {
    let block = -1;
    return {
      push: (text) =>
        Array.from(text).flatMap((letter): FormatEvent[] => {
          if (letter === 'a') return [{ type: 'block_start', block: ++block, kind: 'reasoning' }];
          if (letter === 'b')
            return [
              { type: 'block_end', block },
              { type: 'block_start', block: ++block, kind: 'text' },
            ];
          return [{ type: 'delta', block, text: letter }];
        }),
      end: () => [{ type: 'block_end', block }],
    };
  };
  const format: OutputFormat = { name: 'thinking', parser };
  const chat = { type: 'chat', messages: [], tools: [], toolChoice: { mode: 'auto' }, template: {} } as const;
  const text = new ChoiceText(0, { ...request, prompt: chat }, { ...parts(), format });
  const events = [0, 6, 6, 1, 6, control].flatMap((id) => text.push([id], [scoreOf(id)]));
  events.push(...text.end());
  t.equal(text.reasoningTokens, 3);
  const last = events.findLast((event) => event.type === 'delta');
  t.match(last, { text: '', logprobs: [{ id: control, text: '<|call|>', bytes: Buffer.alloc(0) }] });
});

void t.test('the prompt told back: bytes join to its text, the first token has no probability', async (t) => {
  const prompt = { type: 'text', text: 'ab😀', param: 'prompt' } as const;
  const ids = Int32Array.of(bos, 0, 1, 9);
  const told = promptLogprobs(prompt, ids, [0, 1, 9].map(scoreOf), parts());
  t.equal(joined(told), 'ab😀');
  t.same(
    told.map(({ logprob }) => logprob),
    [undefined, -1, -1.1, -1.9],
  );
  t.same(told[0], { id: bos, text: '<s>', bytes: Buffer.alloc(0), logprob: undefined, top: [] });
  const written = promptLogprobs({ ...prompt, text: '<s>ab😀' }, ids, [0, 1, 9].map(scoreOf), parts());
  t.equal(joined(written), '<s>ab😀');
});

void t.test('what the engine is asked, and what it answers', async (t) => {
  const engine = new FakeEngine();
  const run = all(engine, {
    ...request,
    echo: true,
    logprobs: 3,
    ignoreEos: true,
    prompt: { type: 'tokens', ids: [0, 1], param: 'prompt' },
  });
  await new Promise(setImmediate);
  t.match(engine.asked, {
    logprobs: 3,
    promptLogprobs: true,
    stopIds: [],
    choices: 1,
    sampling: { temperature: 0.6, topK: 20, topP: 1 },
  });
  engine.events.push({ type: 'prompt', at: 1, scores: [scoreOf(1)] });
  engine.events.push({
    type: 'tokens',
    choice: 0,
    ids: [2],
    scores: [scoreOf(2)],
    timing: { queueMs: 1, prefillMs: 2 },
  });
  engine.events.push({ type: 'finished', choice: 0, cause: 'length' });
  engine.events.close();
  t.match(await run, [
    { type: 'started' },
    {
      type: 'prompt',
      text: 'ab',
      logprobs: [
        { id: 0, logprob: undefined },
        { id: 1, logprob: -1.1 },
      ],
    },
    { type: 'block_start' },
    { type: 'delta', text: 'ab', logprobs: [{ id: 2 }] },
    { type: 'block_end' },
    { type: 'finished', timings: { queueMs: 1, promptMs: 2 } },
  ]);
  const plainly = new FakeEngine();
  void all(plainly, { ...request, logprobs: undefined, sampling: { seed: 1, temperature: 0, topK: 0 } });
  await new Promise(setImmediate);
  t.match(plainly.asked, { promptLogprobs: false, stopIds: [bos], sampling: { temperature: 0, topK: 0 } });
  t.equal(plainly.asked?.logprobs, undefined);
  plainly.events.push({ type: 'finished', choice: 0, cause: 'length' });
});

void t.test(
  'best_of: the best per token, renumbered, with the usage of all; nothing before all are finished',
  async (t) => {
    const engine = new FakeEngine();
    const events = generated(engine, { ...request, logprobs: undefined, choices: 2, bestOf: 4, echo: true });
    const seen: GenerationEvent[] = [];
    const done = (async () => {
      for await (const event of events) seen.push(event);
    })();
    await new Promise(setImmediate);
    t.match(engine.asked, { choices: 4, logprobs: 0 });
    const say = (choice: number, id: number, logprob: number): void => {
      engine.events.push({ type: 'tokens', choice, ids: [id], scores: [{ logprob, topIds: [], topLogprobs: [] }] });
    };
    // Choice 1 is likelier as a whole, 3 per token; 2 ends with an unlikely end of turn.
    say(0, 0, -5);
    say(1, 1, -1);
    say(2, 3, -0.1);
    say(3, 0, -0.7);
    say(3, 1, -0.7);
    for (const choice of [3, 0, 2]) {
      const score = choice === 2 ? { score: { logprob: -9, topIds: [], topLogprobs: [] } } : {};
      engine.events.push({ type: 'finished', choice, cause: 'stop_id', ...score });
    }
    await new Promise(setImmediate);
    t.same(
      seen.map(({ type }) => type),
      ['started'],
      'nothing streams',
    );
    engine.events.push({ type: 'finished', choice: 1, cause: 'length' });
    engine.events.close();
    await done;
    const told = seen.filter((event) => event.type === 'delta' || event.type === 'prompt' || event.type === 'finished');
    const usage = { promptTokens: 3, completionTokens: 5, cachedTokens: 0 };
    t.match(told, [
      { type: 'prompt', choice: 0, text: 'ab' },
      { type: 'delta', choice: 0, text: 'a' },
      { type: 'delta', choice: 0, text: 'b' },
      { type: 'finished', choice: 0, reason: 'stop', usage },
      { type: 'prompt', choice: 1, text: 'ab' },
      { type: 'delta', choice: 1, text: 'b' },
      { type: 'finished', choice: 1, reason: 'length', usage },
    ]);
    t.ok(
      told.every((event) => !('logprobs' in event)),
      'not asked for',
    );
  },
);

void t.test('best_of: a failure of one is told, and nothing else', async (t) => {
  const engine = new FakeEngine();
  const run = all(engine, { ...request, choices: 1, bestOf: 2 });
  await new Promise(setImmediate);
  engine.events.push({ type: 'tokens', choice: 0, ids: [0] });
  engine.events.push({ type: 'finished', choice: 0, cause: 'length' });
  engine.events.fail(new ApiError('internal', 'broken', { code: 'engine_crashed' }));
  t.match(await run, [{ type: 'started' }, { type: 'failed', error: { code: 'engine_crashed' } }]);
});

void t.test('breakers: every token that holds one, else the last token of its encoding', async (t) => {
  const breakers = new Breakers(tokenizer);
  t.same([...(await breakers.find(['\n', ':', '"', '*']))].slice(-3), [7, 10, 11]);
  t.same([...(await breakers.find(['a']))], [0, 2]);
  t.same([...(await breakers.find(['b', 'a']))], [0, 1, 2]);
  t.same([...(await breakers.find(['D']))], [4, 6], 'not at the border of two tokens');
  t.same([...(await breakers.find(['aa']))], [0], 'held by none');
  t.same([...(await breakers.find([]))], []);
});

void t.test('defaults of the model’s file', async (t) => {
  t.same(readSamplingDefaults({}), allUndefined);
  const keys = { temp: 0.6, top_k: -1, top_p: 0.95, min_p: 0.1, penalty_repeat: 1.1 };
  const metadata = Object.fromEntries(Object.entries(keys).map(([key, value]) => [`general.sampling.${key}`, value]));
  t.same(readSamplingDefaults(metadata), { temperature: 0.6, topK: 0, topP: 0.95, minP: 0.1, repetitionPenalty: 1.1 });
  const odd = { temp: -1, top_k: 1.5, top_p: 'a', min_p: NaN, penalty_repeat: 0 };
  const broken = Object.fromEntries(Object.entries(odd).map(([key, value]) => [`general.sampling.${key}`, value]));
  t.same(readSamplingDefaults(broken), allUndefined);
});

const allUndefined = {
  temperature: undefined,
  topK: undefined,
  topP: undefined,
  minP: undefined,
  repetitionPenalty: undefined,
};

function joined(told: readonly TokenLogprob[]): string {
  return Buffer.concat(told.map(({ bytes }) => bytes)).toString();
}

function parts(engine: ModelParts['engine'] = new FakeEngine()): ModelParts {
  return {
    engine,
    tokenizer,
    template: new ChatTemplate(''),
    format: plain,
    contextLength: 100,
    fingerprint: 'fp_1',
    longestToken: 4,
    samplingDefaults: { temperature: 0.6, topK: 20 },
  };
}

function generated(engine: FakeEngine, of: GenerationRequest): AsyncIterable<GenerationEvent> {
  const model = new ServedModel('tiny', [], 1);
  model.loaded(parts(engine));
  return createGenerate(new Models([model]))(of, new AbortController().signal);
}

async function all(engine: FakeEngine, of: GenerationRequest): Promise<GenerationEvent[]> {
  const seen: GenerationEvent[] = [];
  for await (const event of generated(engine, of)) seen.push(event);
  return seen;
}
