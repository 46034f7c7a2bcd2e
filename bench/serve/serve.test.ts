// Load on a server: the prompts, the arithmetic of a report, and the command against the conformance suite's good server.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { goodServer, modelName } from '../../conformance/fake/good.ts';
import { listen, type FakeRequest } from '../../conformance/fake/server.ts';
import { projectRoot } from '../../src/testing/fixtures.ts';
import type { ChatAnswer } from '../client/chat.ts';
import { report } from './load.ts';
import { Prompts } from './prompts.ts';

void t.test('prompts have the size asked for, and no beginning in common that was not', async (t) => {
  const count = (text: string): number => 5 + 2 * text.split(' ').length;
  const scale = { fixed: 5, perWord: 2 };
  for (const tokens of [33, 129, 4097]) {
    const prompts = new Prompts({ tokens, shared: 0 }, scale, 12345);
    t.equal(count(prompts.text(0)), tokens);
    t.equal(prompts.text(3), new Prompts({ tokens, shared: 0 }, scale, 12345).text(3));
  }
  const prompts = new Prompts({ tokens: 33, shared: 0 }, scale, 99_999_999);
  const starts = Array.from({ length: 20_000 }, (_, i) => prompts.text(i).split(' ').slice(0, 3).join(' '));
  t.equal(new Set(starts).size, starts.length, 'the first words of all texts differ');

  const sharing = new Prompts({ tokens: 129, shared: 65 }, scale, 1);
  const [a, b] = [sharing.text(0).split(' '), sharing.text(1).split(' ')];
  t.equal(count(a.join(' ')), 129);
  t.same(a.slice(0, 30), b.slice(0, 30));
  t.not(a[30], b[30]);
});

function answer(changes: Partial<ChatAnswer>): ChatAnswer {
  const usage = { promptTokens: 100, completionTokens: 3, cachedTokens: 10 };
  const whole = { status: 200, headers: {}, failure: undefined, code: undefined, text: 'abc', finish: 'length', usage };
  return { ...whole, pieces: [100, 150, 300], endMs: 310, ...changes };
}

void t.test('a report', async (t) => {
  const answers = [
    answer({}),
    answer({ pieces: [200, 210, 220], endMs: 230 }),
    answer({ usage: undefined, pieces: [300, 320] }),
    answer({ failure: 'status 429', code: 'queue_full', pieces: [], usage: undefined }),
    answer({ failure: 'status 429', code: 'queue_full', pieces: [], usage: undefined }),
    answer({ failure: 'cut off', pieces: [1, 2, 3] }),
  ];
  t.same(report(answers, { concurrency: 2, seconds: 4 }), {
    concurrency: 2,
    requests: 6,
    seconds: 4,
    prompt_tokens: 100,
    cached_tokens: 10,
    gen_tokens: 2.6667,
    ttft_ms: { p50: 200, p99: 300 },
    inter_token_ms: { p50: 20, p99: 150 },
    user_tok_s: 50,
    output_tok_s: 2,
    total_tok_s: 52,
    errors: { 'status 429 queue_full': 2, 'cut off': 1 },
  });
  const nothing = report([answer({ failure: 'timeout' })], { concurrency: 1, seconds: 1 });
  t.same([nothing.ttft_ms, nothing.gen_tokens, nothing.output_tok_s], [undefined, undefined, 0]);
});

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function bench(args: readonly string[]): Promise<Run> {
  const env = { ...process.env, NODE_OPTIONS: '' };
  const script = join(projectRoot, 'build', 'bench', 'run.js');
  try {
    return { code: 0, ...(await promisify(execFile)(process.execPath, [script, 'serve', ...args], { env })) };
  } catch (error) {
    return error as Run;
  }
}

void t.test('the command, against a good server', async (t) => {
  const good = goodServer();
  const seen: FakeRequest[] = [];
  let busy = 0;
  let busiest = 0;
  const server = await listen({
    ...good,
    answer: async (request) => {
      seen.push(request);
      busiest = Math.max(busiest, ++busy);
      await new Promise((resolve) => setTimeout(resolve, 5));
      busy--;
      return await good.answer(request);
    },
  });
  t.teardown(() => server.close());
  const common = ['--base-url', server.baseUrl, '--model', modelName, '--prompt', '60', '--gen', '12'];

  const { stdout, code } = await bench([...common, '--concurrency', '1,3', '--requests', '6', '--json']);
  t.equal(code, 0);
  const rows = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  t.match(rows, [
    { concurrency: 1, requests: 6, cached_tokens: 0, gen_tokens: 12, errors: {} },
    { concurrency: 3, requests: 6, cached_tokens: 0, gen_tokens: 12, errors: {} },
  ]);
  for (const row of rows) {
    t.ok(Math.abs(Number(row['prompt_tokens']) - 60) < 4, 'prompts of the size asked for, to a word');
    t.ok((row['ttft_ms'] as { p50: number }).p50 > 4, 'the wait is in the time to the first token');
    t.ok(Number(row['output_tok_s']) > 0 && Number(row['total_tok_s']) > Number(row['output_tok_s']));
  }
  t.equal(busiest, 3, 'as many at once as asked for');
  const contents = seen.map(
    ({ body }) => (JSON.parse(body) as { messages: { content: string }[] }).messages[0].content,
  );
  t.equal(new Set(contents).size, contents.length, 'no prompt twice');

  const table = await bench([...common, '--concurrency', '2', '--requests', '2']);
  t.match(table.stdout, /^server +users +requests .*\n127\.0\.0\.1:\d+ +2 +2 +[56]\d/);

  const lost = await bench([...common.slice(0, 3), 'nobody', '--json']);
  t.equal(lost.code, 1);
  t.match(lost.stderr, /does not answer: status 404 \(model_not_found\)/);
  const wrong = await bench([...common, '--shared-prefix', '60']);
  t.equal(wrong.code, 2);
  t.match(wrong.stderr, /--shared-prefix/);
});
