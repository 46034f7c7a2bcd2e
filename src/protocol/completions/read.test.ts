import t from 'tap';
import type { GenerationRequest } from '../../core/generation.ts';
import type { CompletionRequest } from '../../generated/types.ts';
import type { RequestFacts } from '../dialect.ts';
import { read } from './read.ts';

const facts: RequestFacts = { id: 'cmpl-1', created: 1, tenant: 'anonymous', seed: 99 };

function reading(body: Partial<CompletionRequest>): readonly GenerationRequest[] {
  return read({ prompt: 'Once', ...body }, facts);
}

/** Left to the model's own defaults. */
const undecided = Object.fromEntries(
  'temperature topP topK minP logitBias dry frequencyPenalty presencePenalty repetitionPenalty'
    .split(' ')
    .map((name) => [name, undefined]),
);

void t.test('a body of a prompt alone: every default', async (t) => {
  t.same(reading({}), [
    {
      id: 'cmpl-1',
      model: undefined,
      tenant: 'anonymous',
      prompt: { type: 'text', text: 'Once', param: 'prompt' },
      sampling: { ...undecided, seed: 99 },
      stop: [],
      ignoreEos: false,
      maxTokens: 16,
      choices: 1,
      bestOf: undefined,
      echo: false,
      logprobs: undefined,
      truncate: false,
      output: { type: 'logits' },
      traceId: undefined,
    },
  ]);
});

void t.test('null means left out', async (t) => {
  const nulls = Object.fromEntries(
    (
      'model temperature top_p top_k min_p seed stop max_tokens max_completion_tokens stream stream_options echo suffix best_of n logprobs ' +
      'ignore_eos truncate_sequence presence_penalty frequency_penalty repetition_penalty dry_multiplier logit_bias'
    )
      .split(' ')
      .map((name) => [name, null]),
  );
  t.same(reading(nulls), reading({}));
});

void t.test('the four forms of a prompt, and no prompt', async (t) => {
  const prompts = (prompt: CompletionRequest['prompt']): unknown => reading({ prompt }).map((each) => each.prompt);
  t.same(prompts('a'), [{ type: 'text', text: 'a', param: 'prompt' }]);
  t.same(prompts([1, 2]), [{ type: 'tokens', ids: [1, 2], param: 'prompt' }]);
  t.same(prompts(['a', '']), [
    { type: 'text', text: 'a', param: 'prompt[0]' },
    { type: 'text', text: '', param: 'prompt[1]' },
  ]);
  t.same(prompts([[1], [2, 3]]), [
    { type: 'tokens', ids: [1], param: 'prompt[0]' },
    { type: 'tokens', ids: [2, 3], param: 'prompt[1]' },
  ]);
  t.same(prompts(null), prompts(''));
});

void t.test('a list holds one kind of thing', async (t) => {
  const cases: [CompletionRequest['prompt'], string][] = [
    [['a', 1], 'prompt[1] is a token id and prompt[0] is a string'],
    [[1, 2, 'a'], 'prompt[2] is a string and prompt[0] is a token id'],
    [[[1], 'a'], 'prompt[1] is a string and prompt[0] is a list'],
    [[1, [2]], 'prompt[1] is a list and prompt[0] is a token id'],
  ];
  for (const [prompt, message] of cases) {
    t.throws(() => reading({ prompt }), {
      name: 'ApiError',
      param: message.split(' ')[0],
      message: new RegExp(`^${message.replaceAll(/[[\]]/g, '\\$&')}`),
    });
  }
});

void t.test('prompts are counted, tokens of one prompt are not prompts', async (t) => {
  t.equal(reading({ prompt: Array.from({ length: 128 }, () => 'a') }).length, 128);
  t.throws(() => reading({ prompt: Array.from({ length: 129 }, () => 'a') }), {
    name: 'ApiError',
    param: 'prompt',
    message: /at most 128 prompts, this one has 129/,
  });
  t.equal(reading({ prompt: Array.from({ length: 129 }, () => 1) }).length, 1);
});

void t.test('each prompt has an id and a seed of its own, derived from those of the request', async (t) => {
  const all = reading({ prompt: ['a', 'a', 'b'], seed: 7, top_k: 3 });
  t.same(
    all.map(({ id, sampling }) => [id, sampling.seed, sampling.topK]),
    [
      ['cmpl-1', 7, 3],
      ['cmpl-1-1', 8, 3],
      ['cmpl-1-2', 9, 3],
    ],
  );
  t.same(
    reading({ prompt: ['a', 'a'] }).map(({ sampling }) => sampling.seed),
    [99, 100],
  );
});

void t.test('limits, echo and what disagrees', async (t) => {
  const first = (body: Partial<CompletionRequest>): GenerationRequest => reading(body)[0];
  t.equal(first({ max_tokens: 0 }).maxTokens, 0);
  t.equal(first({ max_completion_tokens: 5 }).maxTokens, 5);
  t.equal(first({ echo: true }).echo, true);
  t.same(first({ stop: 'END' }).stop, ['END']);
  t.throws(() => reading({ max_tokens: 1, max_completion_tokens: 2 }), { name: 'ApiError', param: 'max_tokens' });
  t.throws(() => reading({ stream_options: { include_usage: true } }), { name: 'ApiError', param: 'stream_options' });
});

void t.test('best_of: chosen from at least n, and not in a stream', async (t) => {
  const bestOf = (body: Partial<CompletionRequest>): unknown => reading(body)[0].bestOf;
  t.equal(bestOf({ best_of: 3 }), 3);
  t.equal(bestOf({ best_of: 3, n: 2 }), 3);
  for (const body of [
    { best_of: 2, n: 2 },
    { best_of: 0, n: 2 },
    { best_of: 1 },
    { best_of: 1, stream: true },
    { n: 2 },
  ])
    t.equal(bestOf(body), undefined, JSON.stringify(body));
  t.throws(() => bestOf({ best_of: 1, n: 2 }), { name: 'ApiError', param: 'best_of' });
  t.throws(() => bestOf({ best_of: 2, stream: true }), { name: 'ApiError', param: 'best_of' });
});

void t.test('logprobs and suffix', async (t) => {
  t.equal(reading({ logprobs: 0 })[0].logprobs, 0);
  t.equal(reading({ logprobs: 5 })[0].logprobs, 5);
  t.same(
    reading({ prompt: ['a', 'b'], suffix: 'z' }).map(({ prompt }) => prompt),
    [
      { type: 'text', text: 'a', param: 'prompt[0]', suffix: 'z' },
      { type: 'text', text: 'b', param: 'prompt[1]', suffix: 'z' },
    ],
  );
  t.same(reading({ prompt: [1], suffix: 'z' })[0].prompt, { type: 'tokens', ids: [1], param: 'prompt', suffix: 'z' });
  t.notOk('suffix' in reading({ suffix: '' })[0].prompt);
  t.throws(() => reading({ suffix: 'z', echo: true, logprobs: 1 }), { name: 'ApiError', param: 'suffix' });
  t.ok(reading({ suffix: 'z', echo: true }));
});
