// The runner proved against itself: the good server passes everything, each bad one fails exactly the cases meant for it, no
// case is left that no bad server can fail, and what is merely different passes.

import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { casesFolder, loadCases } from './cases.ts';
import type { Case } from './cases.ts';
import { Client } from './client.ts';
import { command } from './command.ts';
import { lawNames } from './stream.ts';
import { runSuite, select } from './suite.ts';
import type { Result } from './suite.ts';
import { scenarios } from './scenarios/index.ts';
import { badServers } from './fake/bad.ts';
import { except, refusal } from './fake/bad/break.ts';
import { apiKey, badWithKeys } from './fake/bad/keys.ts';
import { goodServer, modelName } from './fake/good.ts';
import { legalServers } from './fake/legal.ts';
import { listen } from './fake/server.ts';
import type { FakeServer } from './fake/server.ts';

const { cases, schemas } = loadCases(casesFolder(), {
  model: modelName,
  'model-in-path': encodeURIComponent(modelName),
  'api-key': apiKey,
});
const aboutKeys = cases.filter(({ needs }) => needs.includes('api-key'));

interface RunOptions {
  readonly strict?: boolean;
  readonly apiKey?: string;
  readonly only?: readonly Case[];
}

/** All verdicts against one server. */
async function verdicts(fake: FakeServer, { strict = true, apiKey, only = cases }: RunOptions = {}): Promise<Result[]> {
  const { baseUrl, close } = await listen(fake);
  try {
    const client = new Client({ baseUrl: new URL(baseUrl), timeoutMs: 20_000, apiKey });
    const results: Result[] = [];
    for await (const result of runSuite(only, { client, schemas, strict, model: modelName })) results.push(result);
    return results;
  } finally {
    await close();
  }
}

const pathsOf = (entries: readonly Case[]): string[] => entries.map(({ path }) => path);
const failed = (results: readonly Result[]): string[] =>
  results.filter(({ verdict }) => verdict === 'failed').map(({ case: { path } }) => path);
const explain = (results: readonly Result[]): string[] =>
  results
    .filter(({ verdict }) => verdict === 'failed')
    .map(({ case: { path }, reasons }) => `${path}: ${reasons.join('; ')}`);

/** Several servers at a time: most of a run is waiting. */
async function each<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  const left = [...items];
  const worker = async (): Promise<void> => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) await run(item);
  };
  await Promise.all([worker(), worker(), worker()]);
}

void t.test('the good server passes every case', async (t) => {
  const results = await verdicts(goodServer());
  t.strictSame(explain(results), []);
  const skipped = results.filter(({ verdict }) => verdict === 'skipped').map(({ case: { path } }) => path);
  t.ok(aboutKeys.length > 5);
  t.strictSame(skipped, pathsOf(aboutKeys), 'only what needs a key is skipped');
});

void t.test('a server with a key passes, and is caught when it deals wrongly with keys', async (t) => {
  const only = select(cases, ['http', 'system', 'models']);
  const results = await verdicts(goodServer({ apiKey }), { apiKey, only });
  t.strictSame(explain(results), []);
  const noticed = new Set<string>();
  await each(badWithKeys, async ({ name, fails, make }) => {
    const results = await verdicts(make(), { apiKey, only: aboutKeys });
    t.strictSame(failed(results).sort(), [...fails].sort(), name, { explain: explain(results) });
    for (const path of fails) noticed.add(path);
  });
  t.strictSame(
    pathsOf(aboutKeys).filter((path) => !noticed.has(path)),
    [],
    'every case can be failed',
  );
});

void t.test('each bad server fails exactly the cases meant for it', async (t) => {
  const noticed = new Set<string>(pathsOf(aboutKeys));
  const ofTexts = new Set(select(cases, ['completions', 'tokens']));
  await each(badServers, async ({ name, fails, isTexts = false, make }) => {
    const results = await verdicts(make(), { only: cases.filter((entry) => ofTexts.has(entry) === isTexts) });
    t.strictSame(failed(results).sort(), [...fails].sort(), name, { explain: explain(results) });
    for (const path of fails) noticed.add(path);
  });
  const idle = cases.map(({ path }) => path).filter((path) => !noticed.has(path));
  t.strictSame(idle, [], 'every case can be failed');
});

void t.test('what is different but legal passes', async (t) => {
  await each(legalServers, async ({ name, advice = false, make }) => {
    const results = await verdicts(make(), { strict: !advice });
    t.strictSame(explain(results), [], name);
    if (advice)
      t.ok(
        results.some((result) => result.advice),
        `${name}: there is advice`,
      );
  });
});

void t.test('cases are complete, and use what there is', async (t) => {
  t.ok(cases.length >= 60, `${cases.length} cases`);
  const text = JSON.stringify(cases);
  for (const law of lawNames) t.ok(text.includes(JSON.stringify(law)), `law ${law} is used`);
  for (const name of Object.keys(scenarios)) t.ok(text.includes(`"scenario":"${name}"`), `scenario ${name} is used`);
  for (const entry of cases) {
    if (entry.kind === 'scenario') t.ok(entry.scenario in scenarios, `${entry.path} has its scenario`);
    t.match(entry.requirement, /\.$/, `${entry.path} is a sentence`);
  }
});

void t.test('the product stands alone', async (t) => {
  const root = resolve(fileURLToPath(new URL('../../conformance', import.meta.url)));
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'));
  t.ok(files.length > 15);
  for (const name of files) {
    const text = readFileSync(join(root, name), 'utf8');
    for (const [, from = ''] of text.matchAll(/^(?:import|export)\s[^'";]*?from\s*'([^']+)'/gm)) {
      const target = from.startsWith('.') ? resolve(root, name, '..', from) : from;
      const isFine =
        target.startsWith(root) ||
        from.startsWith('node:') ||
        from.startsWith('ajv') ||
        (from === 'tap' && name.endsWith('.test.ts'));
      t.ok(isFine, `${name} imports ${from}`);
    }
  }
});

/** The command with its output caught. */
async function run(
  args: readonly string[],
  colour = false,
): Promise<{ code: number; out: string; err: string; last: string }> {
  let out = '';
  let err = '';
  const code = await command(args, { out: (text) => (out += text), err: (text) => (err += text), colour });
  return { code, out, err, last: out.trimEnd().split('\n').at(-1) ?? '' };
}

void t.test('the command: last line, exit codes, forms', async (t) => {
  const server = await listen(goodServer());
  const lame = await listen(
    except(({ path }) =>
      path === '/health' || path === '/v1/models' ? refusal(404, 'No \u001b[31msuch thing.') : undefined,
    ),
  );
  t.teardown(async () => {
    await server.close();
    await lame.close();
  });
  const good = ['--base-url', server.baseUrl, '--model', modelName];
  const bad = ['--base-url', lame.baseUrl, '--model', modelName];

  const models = await run([...good, '--only', 'models/listing', '--only', 'system/health/ready']);
  t.equal(models.code, 0);
  t.equal(models.last, '6 passed, 0 failed, 0 skipped');
  t.match(models.out, /✓ retrieve\n/);

  const found = await run(['--base-url', server.baseUrl.replace('/v1', ''), '--only', 'chat/object/shape']);
  t.equal(found.last, '1 passed, 0 failed, 0 skipped', 'the first listed model is asked; /v1 is assumed');
  t.match(found.out, `model ${modelName}`);

  const failing = await run([...bad, '--only', 'models/listing/shape']);
  t.equal(failing.code, 1);
  t.equal(failing.last, '0 passed, 1 failed, 0 skipped');
  t.match(failing.out, /status must be 200, is 404/);
  t.match(failing.out, `--only models/listing/shape`, 'says how to run it alone');
  t.notMatch(failing.out, '\u001b', "neither colour nor a server's control characters");
  t.match(
    (await run([...bad, '--only', 'models/listing/shape'], true)).out,
    '\u001b[31m✗',
    'colour where there is a terminal',
  );

  const advice = await run([...bad, '--only', 'system/health/health']);
  t.strictSame([advice.code, advice.last], [0, '0 passed, 0 failed, 1 skipped'], 'a SHOULD is advice');
  const strict = await run([...bad, '--only', 'system/health/health', '--strict']);
  t.strictSame([strict.code, strict.last], [1, '0 passed, 1 failed, 0 skipped'], 'and counts when strict');

  const json = await run([...bad, '--only', 'models/listing', '--json']);
  const lines = json.out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  t.equal(lines.length, 6);
  t.match(lines[0], {
    type: 'case',
    path: 'models/listing/shape',
    verdict: 'failed',
    level: 'MUST',
    reasons: [String],
    source: String,
  });
  t.strictSame(lines.at(-1), { type: 'summary', passed: 2, failed: 3, skipped: 0 });
  t.equal(json.err, '2 passed, 3 failed, 0 skipped\n');
  t.equal(json.code, 1);

  const listed = await run(['--list']);
  t.equal(listed.last, `0 passed, 0 failed, ${cases.length} skipped`);
  for (const { path } of cases) t.ok(listed.out.includes(`  ${path}  `), `lists ${path}`);
  const dry = await run([...good, '--dry-run', '--api-key', 'sekret', '--only', 'http/errors/content-type']);
  t.match(dry.out, /POST \/v1\/chat\/completions HTTP\/1\.1\n/);
  t.match(dry.out, /content-type: text\/plain/);
  t.notMatch(dry.out, 'sekret', 'the key is not shown');
  t.equal(dry.last, '0 passed, 0 failed, 1 skipped');

  t.match(await run(['--help']), { code: 0, out: /--base-url URL/ });
  t.match(await run([]), { code: 2, err: /--base-url is needed/ });
  t.match(await run(['--nonsense']), { code: 2, err: /Unknown option/ });
  t.match(await run([...good, '--only', 'chat/nothing']), { code: 2, err: /no case at or below chat\/nothing/ });
  t.match(await run(['--base-url', 'nowhere']), { code: 2, err: /must be an address/ });
  t.match(await run([...good, '--timeout', 'soon']), { code: 2, err: /--timeout must be/ });
  t.match(await run(bad.slice(0, 2)), { code: 2, err: /lists no model/ });
  const closed = await listen(goodServer());
  await closed.close();
  t.match(await run(['--base-url', closed.baseUrl, '--model', 'm']), {
    code: 2,
    err: /no connection to .*ECONNREFUSED/,
  });
});
