// The soak must find what it looks for: it is run against a good server, against servers that are wrong in one point, and against ours.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { goodServer, modelName } from '../../conformance/fake/good.ts';
import { listen, type FakeAnswer, type FakeRequest } from '../../conformance/fake/server.ts';
import { projectRoot } from '../../src/testing/fixtures.ts';
import type { ChatAnswer } from '../client/chat.ts';
import { seededRandom } from '../random.ts';
import { FirstAnswers } from './answers.ts';
import { processState, readEngineLoad } from './observe.ts';
import { seededRequests } from './requests.ts';
import { soak } from './soak.ts';
import { checkGrowth, checkSamples, type Check, type Sample } from './verdict.ts';

function said(text: string, changes: Partial<ChatAnswer> = {}): ChatAnswer {
  const usage = { promptTokens: 5, completionTokens: 3, cachedTokens: 0 };
  const whole = { status: 200, headers: {}, failure: undefined, code: undefined, finish: 'stop', usage };
  return { ...whole, text, pieces: [], endMs: 1, ...changes };
}

void t.test('a repeated request has its first answer, or a beginning of it', async (t) => {
  const answers = new FirstAnswers();
  answers.checkBeginning(1, said('anything'));
  answers.check(1, said('abc'));
  answers.check(2, said('xyz'));
  answers.check(1, said('abc'));
  answers.checkBeginning(1, said('ab', { finish: undefined }));
  answers.checkBeginning(1, said(''));
  t.equal(answers.wrongCount, 0);
  t.equal(answers.checkedCount, 2);
  answers.check(1, said('abd'));
  answers.check(2, said('xyz', { finish: 'length' }));
  answers.check(2, said('xyz', { usage: { promptTokens: 5, completionTokens: 4, cachedTokens: 0 } }));
  answers.checkBeginning(2, said('xz'));
  t.equal(answers.wrongCount, 4);
  t.same(answers.wrong, [
    'request 1: "abd" instead of "abc"',
    'request 2: finish length instead of stop',
    'request 2: 4 tokens instead of 3',
    'request 2: "xz" is no beginning of "xyz"',
  ]);
});

void t.test('requests are seeded, and the same each time', async (t) => {
  const requests = seededRequests(40, 'm', seededRandom(3));
  t.same(requests, seededRequests(40, 'm', seededRandom(3)));
  t.ok(requests.every(({ body }) => Number.isInteger(body['seed'])));
  t.ok(new Set(requests.map(({ body }) => body.messages[0].content)).size > 20);
  t.ok(new Set(requests.map(({ body }) => body['max_tokens'])).size === 5);
});

void t.test('memory may swing, its floor may not rise', async (t) => {
  const good = (mib: number[]): boolean | undefined => checkGrowth('', mib).isGood;
  t.equal(good([50, 70, 90, 90, 120, 110, 100, 130, 104, 125, 118, 108]), true);
  t.equal(good([50, 60, 80, 90, 100, 110, 120, 125, 130, 140, 150, 155]), false);
  t.equal(good([900, 950, 980, 1000, 1100, 1000, 1050, 1060, 1090, 1085, 1080, 1090]), true, 'ten percent of much');
  t.equal(good([1, 2, 3, 4, 5]), undefined);
  t.equal(good([50, 80, 90, 90, 140, 150, 160]), true, 'a minute is a warm-up');
  t.equal(good([50, 100, 200, 300, 400, 500, 600]), false, 'but not for everything');
});

void t.test('what is held between rounds', async (t) => {
  const idle = { blocks: 0, running: 0, waiting: 0, diskTokens: 0 };
  const sample = (changes: Partial<Sample> = {}): Sample => ({
    server: { rssMib: 100, sockets: 5, files: 20 },
    engine: { rssMib: 100, sockets: 1, files: 9 },
    enginePid: 7,
    load: idle,
    ...changes,
  });
  const failed = (samples: Sample[]): string[] =>
    checkSamples(samples).flatMap(({ what, isGood }) => (isGood === false ? [what] : []));
  const quiet = Array.from({ length: 6 }, () => sample());
  t.same(failed(quiet), []);
  t.same(failed([...quiet, sample({ server: { rssMib: 100, sockets: 6, files: 20 } })]), ['open sockets']);
  t.same(failed([...quiet, sample({ server: { rssMib: 100, sockets: 5, files: 21 } })]), ['open files']);
  for (const load of [
    { ...idle, blocks: 0.01 },
    { ...idle, running: 1 },
    { ...idle, waiting: 1 },
  ])
    t.same(failed([...quiet, sample({ load })]), ['cache blocks and requests']);
  const grown = [1, 2, 3, 4, 5, 6, 7].map((i) => sample({ engine: { rssMib: 100 * i, sockets: 1, files: 9 } }));
  t.same(failed(grown), ['memory of the engine']);
  const reborn = grown.map((each, i) => ({ ...each, enginePid: i }));
  t.same(failed(reborn), [], 'a new process has new memory');
  const foreign = checkSamples([sample({ server: undefined, engine: undefined, load: undefined })]);
  t.ok(foreign.every(({ isGood }) => isGood === undefined));
});

void t.test('counters of the engine under both names', async (t) => {
  const text = (prefix: string): string =>
    `${prefix}external_prefix_cache_hits_total{a="b"} 64\n# HELP x\n${prefix}kv_cache_usage_perc{model_name="a b",engine="0"} 0.25\n${prefix}num_requests_running{a="}"} 3\n` +
    `${prefix}num_requests_waiting 1\n${prefix}num_requests_waiting{model_name="b"} 1e1\n`;
  t.same(readEngineLoad(text('vllm:')), { blocks: 0.25, running: 3, waiting: 11, diskTokens: 64 });
  t.same(readEngineLoad(text('tramontane_')), { blocks: 0.25, running: 3, waiting: 11, diskTokens: 64 });
  t.equal(readEngineLoad(text('other_')), undefined);
});

void t.test('a process', { skip: process.platform !== 'linux' && 'there is no /proc' }, async (t) => {
  const state = processState(process.pid);
  t.ok(state !== undefined && state.rssMib > 10 && state.files > 2);
  t.equal(processState(2 ** 30), undefined);
});

type Change = (answer: FakeAnswer, request: FakeRequest, count: number) => FakeAnswer;

/** For so many requests. */
const requestCount = 300;

async function soakFake(t: Test, change: Change): Promise<Map<string, Check>> {
  const good = goodServer();
  const enough = new AbortController();
  let count = 0;
  const server = await listen({
    ...good,
    answer: async (request) => {
      if (++count === requestCount) enough.abort();
      return change(await good.answer(request), request, count);
    },
  });
  t.teardown(() => server.close());
  const at = { baseUrl: server.baseUrl, model: modelName, minutes: 1, users: 8, seed: 1, killSeconds: 0 };
  const checks = await soak({ ...at, write: () => undefined, signal: enough.signal });
  return new Map(checks.map((check) => [check.what, check]));
}

void t.test('a good server passes', async (t) => {
  const checks = await soakFake(t, (answer) => answer);
  t.match(checks.get('wrong answers'), { isGood: true });
  t.match(checks.get('unexpected answers'), { isGood: true, detail: 'none' });
});

void t.test('a server that once says something else does not', async (t) => {
  const checks = await soakFake(t, (answer, request, count) => {
    const { status, body } = answer;
    const isLate = count > requestCount / 2 && request.method === 'POST' && status === 200;
    if (!isLate || typeof body !== 'string') return answer;
    return { ...answer, body: body.replace('"content":"', '"content":"?') };
  });
  t.match(checks.get('wrong answers'), { isGood: false, detail: /instead of/ });
  t.match(checks.get('unexpected answers'), { isGood: true });
});

void t.test('nor one that fails in ways that nobody can explain', async (t) => {
  const checks = await soakFake(t, (answer, _, count) => {
    if (count % 50 === 7) return { ...answer, status: 500 };
    if (count % 50 === 8) return { ...answer, status: 429 };
    return count % 50 === 9 ? { ...answer, status: 503 } : answer;
  });
  t.match(checks.get('unexpected answers'), { isGood: false, detail: /status 500/ });
  t.match(checks.get('unexpected answers'), { detail: /429 without retry-after/ });
  t.match(checks.get('unexpected answers'), { detail: /unavailable/ });
});

void t.test('our own server, with its engine killed once', async (t) => {
  const script = join(projectRoot, 'build', 'bench', 'soak', 'run.js');
  const env = { ...process.env, NODE_OPTIONS: '' };
  const run = promisify(execFile)(process.execPath, [script, '--minutes', '0.1', '--', '--threads', '1'], { env });
  const { stdout } = await run.catch((error: unknown) => error as { stdout: string; code: number });
  t.match(stdout, /\nok +engines that died +1, killed 1\n/);
  t.match(stdout, /\nok +engines that came back +the slowest after \S+ ms\n/);
  t.match(stdout, /\nok +prefix cache on disk +\d+ tokens read from it\n/);
  t.match(stdout, /\nok +wrong answers +0 of \d+ /);
  t.match(stdout, /\nok +end of the server +code 0\n/);
  t.match(stdout, / 0 failed, /);
});

void t.test('commands that cannot be carried out', async (t) => {
  const script = join(projectRoot, 'build', 'bench', 'soak', 'run.js');
  const env = { ...process.env, NODE_OPTIONS: '' };
  const fails = async (...args: string[]): Promise<{ code: number; stderr: string }> =>
    promisify(execFile)(process.execPath, [script, ...args], { env }).then(
      () => ({ code: 0, stderr: '' }),
      (error: unknown) => error as { code: number; stderr: string },
    );
  t.match(await fails('--minutes', 'many'), { code: 2, stderr: /--minutes/ });
  t.match(await fails('--base-url', 'http://127.0.0.1:1'), { code: 2, stderr: /--model is required/ });
  t.match(await fails('--', '--threads', 'none'), { code: 1, stderr: /the server did not start: .*threads/ });
});
