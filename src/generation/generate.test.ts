import t from 'tap';
import { ApiError } from '../core/errors.ts';
import type { GenerationEvent, GenerationRequest } from '../core/generation.ts';
import { Models, ServedModel } from './models.ts';
import { end, FakeEngine, request, serve, start, all, textOf } from '../testing/fake-generation.ts';

void t.test('a turn: started, one text block, finished with exact usage', async (t) => {
  const engine = new FakeEngine().says('Hel', 'lo').finishes('stop_id');
  const events = await all(start(engine));
  const usage = { promptTokens: 8, cachedTokens: 0 };
  t.same(events, [
    { type: 'started', model: 'tiny', fingerprint: 'fp_1', seed: 7, usage: { ...usage, completionTokens: 0 } },
    { type: 'block_start', choice: 0, block: 0, kind: 'text' },
    { type: 'delta', choice: 0, block: 0, text: 'Hel' },
    { type: 'delta', choice: 0, block: 0, text: 'lo' },
    { type: 'block_end', choice: 0, block: 0 },
    { type: 'finished', choice: 0, reason: 'stop', stop: undefined, usage: { ...usage, completionTokens: 5 } },
  ]);
  const [submitted] = engine.submitted;
  t.equal(Buffer.from(submitted.input.ids).toString(), '<user>Hi');
  t.same(submitted.stopIds, [end]);
  t.equal(submitted.maxTokens, 92, 'up to the end of the context');
});

void t.test('half a character waits for its other half, and becomes U+FFFD at the end', async (t) => {
  const engine = new FakeEngine();
  const [a, b, c, d] = Buffer.from('😀');
  for (const ids of [[a, b], [c], [d, a]]) engine.events.push({ type: 'tokens', choice: 0, ids });
  const events = await all(start(engine.finishes('length')));
  t.same(
    events.flatMap((event) => (event.type === 'delta' ? [event.text] : [])),
    ['😀', '\ufffd'],
  );
  t.match(events.at(-1), { type: 'finished', reason: 'length', usage: { completionTokens: 5 } });
});

void t.test('a stop string ends the run: nothing of it is delivered, tokens are counted up to it', async (t) => {
  for (const pieces of [['one END', ' two'], ['one ', 'E', 'N', 'D two'], ['one END two']]) {
    const engine = new FakeEngine().says(...pieces);
    const events = await all(start(engine, { stop: ['END'] }));
    t.equal(textOf(events), 'one ');
    t.match(events.at(-1), { type: 'finished', reason: 'stop', stop: 'END', usage: { completionTokens: 7 } });
    t.ok(engine.cancelled > 0, 'and the engine is told');
  }
});

void t.test('the beginning of a stop string is delivered when the text ends there', async (t) => {
  const events = await all(start(new FakeEngine().says('one EN').finishes('length'), { stop: ['END'] }));
  t.equal(textOf(events), 'one EN');
  t.match(events.at(-1), { reason: 'length', stop: undefined });
});

void t.test('no text at all is no block', async (t) => {
  const events = await all(start(new FakeEngine().finishes('stop_id')));
  t.same(
    events.map((event) => event.type),
    ['started', 'finished'],
  );
});

void t.test(
  'choices: mingled as they come, each with its own text, stops and end; usage over all of them',
  async (t) => {
    const engine = new FakeEngine();
    const say = (choice: number, text: string): void =>
      void engine.events.push({ type: 'tokens', choice, ids: [...Buffer.from(text)] });
    engine.events.push({ type: 'begun', cachedTokens: 64 });
    say(0, 'He');
    say(2, 'one E');
    say(1, 'Hi');
    engine.events.push({ type: 'finished', choice: 1, cause: 'stop_id' });
    say(2, 'ND');
    // The engine has not heard yet that choice 2 is over.
    say(2, ' two');
    say(0, 'llo');
    engine.events.push({ type: 'finished', choice: 0, cause: 'length' });
    const events = await all(start(engine, { choices: 3, stop: ['END'] }));
    const text = (choice: number): string =>
      textOf(events.filter((event) => 'choice' in event && event.choice === choice));
    t.same([0, 1, 2].map(text), ['Hello', 'Hi', 'one ']);
    t.same(
      events.filter(({ type }) => type === 'finished'),
      [
        [1, 'stop', undefined, 9],
        [2, 'stop', 'END', 11],
        [0, 'length', undefined, 14],
      ].map(([choice, reason, stop, completionTokens]) => ({
        type: 'finished',
        choice,
        reason,
        stop,
        usage: { promptTokens: 8, completionTokens, cachedTokens: 64 },
      })),
    );
    t.equal(events.at(-1)?.type, 'finished');
    t.same(engine.ended, [2]);
    t.equal(engine.submitted[0].choices, 3);
  },
);

void t.test(
  'a prediction goes to the engine; what of it came true is counted up to where the answer ends',
  async (t) => {
    const usageOf = async (
      prediction: string | undefined,
      changes: Partial<GenerationRequest> = {},
    ): Promise<unknown> => {
      const engine = new FakeEngine().says('one ', 'two and four').finishes('stop_id');
      const events = await all(start(engine, { prediction, ...changes }));
      const [{ prediction: ids }] = engine.submitted;
      t.equal(ids === undefined ? undefined : Buffer.from(ids).toString(), prediction);
      const last = events.at(-1);
      if (last?.type !== 'finished') throw new Error('it has no end');
      const { acceptedPredictionTokens, rejectedPredictionTokens } = last.usage;
      return [acceptedPredictionTokens, rejectedPredictionTokens];
    };
    t.same(await usageOf(undefined), [undefined, undefined]);
    t.same(await usageOf('one two and four'), [16, 0]);
    t.same(await usageOf('one two, three'), [9, 5], 'in order: "one two", " ", "r"');
    t.same(await usageOf('one two and four', { stop: [' and'] }), [11, 5]);
  },
);

void t.test('choices fail together', async (t) => {
  const engine = new FakeEngine();
  engine.events.push({ type: 'tokens', choice: 1, ids: [97] });
  engine.events.push({ type: 'finished', choice: 1, cause: 'length' });
  engine.events.fail(new ApiError('timeout', 'Too late.', { code: 'deadline_exceeded' }));
  const events = await all(start(engine, { choices: 2 }));
  t.same(
    events.map(({ type }) => type),
    ['started', 'block_start', 'delta', 'block_end', 'finished', 'failed'],
  );
});

void t.test('each choice tells the prompt when it shall', async (t) => {
  const engine = new FakeEngine();
  for (const choice of [0, 1]) engine.events.push({ type: 'finished', choice, cause: 'length' });
  const prompt = { type: 'text', text: 'Say', param: 'prompt' } as const;
  const events = await all(start(engine, { choices: 2, echo: true, prompt }));
  t.same(
    events.filter(({ type }) => type === 'prompt'),
    [0, 1].map((choice) => ({ type: 'prompt', choice, text: 'Say' })),
  );
});

void t.test('a parameter that the engine refuses keeps its name, the prompt gets that of its place', async (t) => {
  for (const [param, expected] of [
    ['n', 'n'],
    ['messages', 'prompt[1]'],
  ]) {
    const engine = new FakeEngine();
    engine.refusal = new ApiError('invalid_request', 'no', { param });
    const prompt = { type: 'text', text: 'Say', param: 'prompt[1]' } as const;
    await t.rejects(all(start(engine, { prompt })), { name: 'ApiError', param: expected });
  }
});

void t.test('an engine that fails in the middle: what was said, then failed, and nothing after it', async (t) => {
  const engine = new FakeEngine().says('Hel');
  engine.events.fail(new ApiError('unavailable', 'The engine stopped.', { code: 'engine_crashed' }));
  const events = await all(start(engine));
  t.equal(textOf(events), 'Hel');
  t.match(events.at(-1), { type: 'failed', error: { kind: 'unavailable', code: 'engine_crashed' } });
});

void t.test('a refusal before the engine accepted is thrown by the first next', async (t) => {
  const engine = new FakeEngine();
  engine.refusal = new ApiError('rate_limit', 'busy', { code: 'queue_full' });
  await t.rejects(all(start(engine)), { name: 'ApiError', kind: 'rate_limit' });
  await t.rejects(all(start(engine, { model: 'gpt-4' })), {
    kind: 'not_found',
    code: 'model_not_found',
    message: /"default", "tiny", "small"/,
  });
  const tools = { ...request.prompt, tools: [{ name: 'f', strict: false }] };
  await t.rejects(all(start(engine, { prompt: tools as GenerationRequest['prompt'] })), {
    code: 'unsupported_parameter',
  });
  const long = {
    ...request.prompt,
    messages: [{ role: 'user', content: [{ type: 'text', text: 'x'.repeat(94) }] }],
  } as const;
  await t.rejects(all(start(engine, { prompt: long as GenerationRequest['prompt'] })), {
    code: 'context_length_exceeded',
    param: 'messages',
    message: /100 tokens.*holds 100/,
  });
  const image = {
    ...request.prompt,
    messages: [{ role: 'user', content: [{ type: 'image', url: 'data:,' }] }],
  } as const;
  await t.rejects(all(start(engine, { prompt: image as GenerationRequest['prompt'] })), {
    name: 'ApiError',
    param: 'messages[0].content[0]',
  });
  t.equal(engine.submitted.length, 1, 'only the first reached the engine');
});

void t.test('an abort cancels the run at each stage', async (t) => {
  const reason = new ApiError('unavailable', 'The server is shutting down.');
  const early = new FakeEngine();
  await t.rejects(all(start(early, {}, AbortSignal.abort(reason))), { message: reason.message });
  t.equal(early.submitted.length, 0);

  const between = new FakeEngine();
  const first = new AbortController();
  const pending = all(start(between, {}, first.signal));
  first.abort(reason);
  await t.rejects(pending, { message: reason.message });
  t.equal(between.submitted.length, 1);

  const waiting = new FakeEngine().says('Hel');
  const second = new AbortController();
  const seen: GenerationEvent[] = [];
  for await (const event of start(waiting, {}, second.signal)) {
    seen.push(event);
    if (event.type === 'delta') second.abort(reason);
  }
  t.match(seen.at(-1), { type: 'failed', error: { kind: 'unavailable', message: reason.message } });
  t.ok(waiting.cancelled > 0);
});

void t.test(
  'DRY: its breakers are looked up first, and who leaves meanwhile asks the engine for nothing',
  async (t) => {
    const dry = { multiplier: 1, base: 2, allowedLength: 2, sequenceBreakers: ['\n', ':'] };
    const engine = new FakeEngine().finishes('length');
    await all(start(engine, { sampling: { seed: 1, dry } }));
    t.same(engine.submitted[0].sampling.dry?.breakers, Int32Array.from(Buffer.from('\n:')));
    const without = new FakeEngine().finishes('length');
    await all(start(without, { sampling: { seed: 1, dry: { ...dry, multiplier: 0 } } }));
    t.equal(without.submitted[0].sampling.dry, undefined);

    const reason = new ApiError('unavailable', 'The server is shutting down.');
    const left = new FakeEngine();
    const leaving = new AbortController();
    const pending = all(start(left, { sampling: { seed: 1, dry } }, leaving.signal));
    leaving.abort(reason);
    await t.rejects(pending, { message: reason.message });
    t.equal(left.submitted.length, 0);
  },
);

void t.test('a reader that leaves cancels the run', async (t) => {
  for (const last of ['started', 'delta'] as const) {
    const engine = new FakeEngine().says('Hel', 'lo');
    for await (const event of start(engine)) if (event.type === last) break;
    t.ok(engine.cancelled > 0, `after ${last}`);
  }
});

void t.test('limits: the request or the context, whichever is nearer', async (t) => {
  for (const [asked, given] of [
    [5, 5],
    [1_000_000, 92],
  ]) {
    const engine = new FakeEngine().finishes('length');
    await all(start(engine, { maxTokens: asked }));
    t.equal(engine.submitted[0].maxTokens, given);
  }
});

void t.test('law: any cut of the same tokens gives the same text, reason and usage', async (t) => {
  const ids = [...Buffer.from('aßb😀 stSTOP and more')];
  const outcome = async (cuts: readonly number[]): Promise<unknown> => {
    const engine = new FakeEngine();
    let from = 0;
    for (const to of [...cuts, ids.length]) {
      engine.events.push({ type: 'tokens', choice: 0, ids: ids.slice(from, to) });
      from = to;
    }
    const events = await all(start(engine.finishes('stop_id'), { stop: ['sTOP', 'STOP'] }));
    return [textOf(events), events.at(-1)];
  };
  const whole = await outcome([]);
  t.equal((whole as unknown[])[0], 'aßb😀 st');
  for (let cut = 1; cut < ids.length; cut++) t.same(await outcome([cut, Math.min(cut + 2, ids.length)]), whole);
});

void t.test('names: default, none, loaded name and alias', async (t) => {
  const model = serve(new FakeEngine());
  const models = new Models([model, new ServedModel('small', ['other', 'default'], 2)]);
  for (const name of [undefined, 'default', 'tiny', 'small']) t.equal(models.find(name), model);
  t.equal(models.find('other').created, 2);
  t.throws(() => models.find('Tiny'), { name: 'ApiError', kind: 'not_found' }, 'exactly as listed');
  t.same(
    models.list().map(({ id }) => id),
    ['default', 'tiny', 'small', 'other'],
    'each name once',
  );
});

void t.test('the state of a model is that of its engine, once it was loaded', async (t) => {
  const model = new ServedModel('tiny', [], 1);
  t.equal(model.state, 'loading');
  t.throws(() => model.parts, { name: 'ApiError', kind: 'unavailable', code: 'model_loading', retryAfterSeconds: 1 });
  const engine = new FakeEngine();
  const loaded = serve(engine);
  for (const [state, expected] of [
    ['ready', 'ready'],
    ['restarting', 'engine_down'],
    ['failed', 'failed'],
  ] as const) {
    engine.state = state;
    t.equal(loaded.state, expected);
  }
});
