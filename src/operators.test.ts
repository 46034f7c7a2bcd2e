// What operators and gateways rely on, with the real thing at every step: keys, metrics, probes and the end, over processes.

import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import t from 'tap';
import { runProgram, startServer, type LogLine, type ServerProcess } from './testing/server-process.ts';
import { Scrape } from './testing/prometheus.ts';

const slow = ['--device', 'reference'];
const json = { 'content-type': 'application/json' };

interface ChatOptions {
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Readonly<Record<string, unknown>>;
  readonly signal?: AbortSignal;
}

function chat({ url }: { url: string }, { text = 'who are you?', headers, body, signal }: ChatOptions = {}) {
  return fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: { ...json, ...headers },
    body: JSON.stringify({ messages: [{ role: 'user', content: text }], temperature: 0, ...body }),
    ...(signal !== undefined && { signal }),
  });
}

/** Some fifty tokens, and a prompt of about two hundred. */
const lengthy = `repeat: ${Array.from({ length: 14 }, (_, i) => `zab${i + 1} kora `).join('')}`;

const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

async function scrape({ url }: { url: string }, path = '/metrics'): Promise<Scrape> {
  const response = await fetch(url + path);
  if (response.status !== 200) throw new Error(`${path} is ${response.status}`);
  return new Scrape(await response.text());
}

/** Asks until there is an answer; fails after a minute. */
async function eventually<T>(ask: () => Promise<T | undefined> | T | undefined): Promise<T> {
  for (const end = Date.now() + 60_000; ;) {
    const answer = await ask();
    if (answer !== undefined) return answer;
    if (Date.now() > end) throw new Error(`never so: ${ask.toString()}`);
    await delay(20);
  }
}

/** Scrapes until it is so. */
function until(server: ServerProcess, isSo: (metrics: Scrape) => boolean): Promise<Scrape> {
  return eventually(async () => {
    const metrics = await scrape(server);
    return isSo(metrics) ? metrics : undefined;
  });
}

/** The line of a request that went well. */
function answeredLine({ log }: ServerProcess): Promise<LogLine> {
  const route = '/v1/chat/completions';
  return eventually(() =>
    log.find((line) => line.msg === 'request' && line['route'] === route && line['status'] === 200),
  );
}

function warning({ log }: ServerProcess): LogLine | undefined {
  return log.find(({ level }) => level === 'warn');
}

const status = async (url: string, headers: Readonly<Record<string, string>> = {}): Promise<number> => {
  const response = await fetch(url, { headers });
  await response.body?.cancel();
  return response.status;
};

void t.test('keys', async (t) => {
  const file = join(t.testdir({ keys: 'ann:sk-ann\n' }), 'keys');
  const server = await startServer(t, ['--api-key', 'sk-one', '--api-key-file', file, '--metrics-port', '0']);
  const { url } = server;
  const models = `${url}/v1/models`;
  t.equal(await status(models), 401);
  t.equal(await status(models, bearer('sk-two')), 401);
  t.equal(await status(models, bearer('sk-one')), 200);
  t.equal(await status(models, { 'x-api-key': 'sk-ann' }), 200);
  const wrong = await chat(server, { headers: bearer('sk-two'), body: { stream: true } });
  t.equal(wrong.status, 401);
  t.match(await wrong.json(), { error: { code: 'invalid_api_key', type: 'authentication_error' } });
  for (const path of ['/health', '/ready', '/version', '/openapi.json', '/metrics']) {
    t.equal(await status(url + path), 200, `${path} needs none`);
  }
  t.match(
    server.log.find(({ msg }) => msg === 'ready'),
    { keys: 2 },
  );

  await (await chat(server, { headers: bearer('sk-ann') })).json();
  t.match(await answeredLine(server), { principal: 'ann', request_id: /^req_/ });

  const metricsUrl = String(server.log.find(({ msg }) => msg === 'ready')?.['metrics_url']);
  t.equal((await scrape({ url: metricsUrl })).value('vllm:request_success_total', { finished_reason: 'stop' }), 1);
  for (const path of ['/health', '/ready', '/version']) t.equal(await status(metricsUrl + path), 200);
  t.equal(await status(`${metricsUrl}/v1/models`, bearer('sk-one')), 404, 'and nothing else');

  writeFileSync(file, 'bob:sk-bob\n');
  server.process.kill('SIGHUP');
  await server.line('the keys were read again');
  t.equal(await status(models, bearer('sk-ann')), 401);
  t.equal(await status(models, bearer('sk-bob')), 200);
  t.equal(await status(models, bearer('sk-one')), 200);
  writeFileSync(file, '\n');
  server.process.kill('SIGHUP');
  t.match(await server.line('the keys could not be read again; those from before still hold'), { level: 'error' });
  t.equal(await status(models, bearer('sk-bob')), 200);
  t.notMatch(JSON.stringify(server.log), /sk-(one|two|ann|bob)/, 'no key was ever logged');

  server.process.kill('SIGTERM');
  t.equal(await server.exit, 0);
});

void t.test('what is wrong about keys keeps the server from starting', async (t) => {
  const file = join(t.testdir({ keys: '# none\n' }), 'keys');
  t.match(await runProgram(['--port', '0', '--api-key-file', file]), {
    exit: 1,
    stderr: /^error: .*keys holds no keys\n +one key per line/,
  });
  const secret = await runProgram(['--port', '0'], { TRAMONTANE_API_KEY: 'not so secret' });
  t.match(secret, { exit: 2, stderr: /^error: TRAMONTANE_API_KEY is wrong: a key is/ });
  t.notMatch(secret.stderr, 'secret');
});

void t.test('host names, origins, and a wider bind', async (t) => {
  const server = await startServer(t, ['--allowed-hosts', 'box.lan', '--cors-origins', 'https://app.example']);
  const { port } = new URL(server.url);
  const asked = (host: string): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const ask = request({ host: '127.0.0.1', port, path: '/health', headers: { host } }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      ask.on('error', reject).end();
    });
  for (const host of ['localhost', `127.0.0.1:${port}`, 'box.lan', 'box.lan:80']) t.equal(await asked(host), 200, host);
  for (const host of ['evil.example', 'box.lan.evil.example']) t.equal(await asked(host), 403, host);
  for (const [origin, allowed] of [
    ['https://app.example', true],
    ['http://localhost:5173', true],
    ['https://evil.example', false],
  ] as const) {
    const response = await fetch(`${server.url}/v1/models`, { headers: { origin } });
    t.equal(response.status, allowed ? 200 : 403, origin);
    t.equal(response.headers.get('access-control-allow-origin'), allowed ? origin : null);
  }
  t.equal(warning(server), undefined);

  const wide = await startServer(t, ['--host', '0.0.0.0']);
  const { msg } = await eventually(() => warning(wide));
  t.match(msg, /it has no keys.*--api-key-file PATH.*--host 127\.0\.0\.1/);
  t.equal(await status(`${wide.url}/metrics`), 200);
  const keyed = await startServer(t, ['--host', '0.0.0.0', '--api-key', 'k']);
  t.equal(await status(`${keyed.url}/metrics`), 401, 'beyond loopback metrics are keyed');
  t.equal(await status(`${keyed.url}/metrics`, bearer('k')), 200);
  t.equal(await status(`${keyed.url}/health`), 200);
  t.equal(warning(keyed), undefined, 'with keys there is nothing to warn of');
});

void t.test('metrics are exact after a known load', async (t) => {
  const server = await startServer(t, ['--alias', 'tiny', '--metrics-legacy']);
  const usage = { prompt: 0, completion: 0 };
  const count = async (options: ChatOptions): Promise<void> => {
    const answer = (await (await chat(server, options)).json()) as { usage: Record<string, number> };
    usage.prompt += answer.usage['prompt_tokens'];
    usage.completion += answer.usage['completion_tokens'];
  };
  await Promise.all([
    count({}),
    count({ body: { max_tokens: 5 } }),
    count({ text: 'Hi', body: { max_tokens: 1 } }),
    count({ text: 'Hi' }),
  ]);
  t.equal(await status(`${server.url}/v1/models`), 200);
  t.equal(await status(`${server.url}/nothing`), 404);
  t.equal((await chat(server, { body: { temperature: 9 } })).status, 400);
  const s = await until(server, (metrics) => metrics.value('vllm:num_requests_running') === 0);
  const labels = { model_name: 'demo-3m-Q8_0', engine: '0' };
  t.equal(s.value('vllm:num_requests_waiting', labels), 0);
  t.equal(s.value('vllm:kv_cache_usage_perc', labels), 0);
  t.equal(s.value('vllm:gpu_cache_usage_perc', labels), 0);
  const [cache] = s.all('vllm:cache_config_info', { ...labels, block_size: '64' });
  t.match(cache, { value: 1, labels: { num_gpu_blocks: /^[1-9]\d*$/ } });
  t.equal(s.value('vllm:prompt_tokens_total', labels), usage.prompt);
  t.equal(s.value('vllm:generation_tokens_total', labels), usage.completion);
  t.equal(s.value('vllm:request_success_total', { finished_reason: 'stop' }), 2);
  t.equal(s.value('vllm:request_success_total', { finished_reason: 'length' }), 2);
  for (const name of ['time_to_first_token_seconds', 'e2e_request_latency_seconds', 'request_queue_time_seconds']) {
    t.equal(s.value(`vllm:${name}_count`, labels), 4, name);
  }
  t.equal(s.value('vllm:inter_token_latency_seconds_count'), usage.completion - 4);
  t.equal(s.value('vllm:request_generation_tokens_sum'), usage.completion);
  // Every prompt token and every token but the last of an answer goes through the model; after a stop token so does that last one.
  t.equal(s.value('vllm:iteration_tokens_total_sum'), usage.prompt + usage.completion - 4 + 2);
  const route = { route: '/v1/chat/completions', method: 'POST' };
  t.equal(s.value('http_requests_total', { ...route, status: '200' }), 4);
  t.equal(s.value('http_requests_total', { ...route, status: '400' }), 1);
  t.equal(s.value('http_requests_total', { route: 'unknown', status: '404' }), 1);
  t.equal(s.value('http_request_duration_seconds_count', route), 5);
  t.equal(s.value('tramontane_engine_up', labels), 1);

  for (const name of ['tiny', 'default']) {
    const one = await scrape(server, `/metrics?model=${name}`);
    t.equal(one.value('vllm:prompt_tokens_total', labels), usage.prompt, name);
  }
  const response = await fetch(`${server.url}/metrics?model=gpt-4`);
  t.equal(response.status, 404);
  t.match(await response.json(), { error: { code: 'model_not_found' } });
  t.match((await fetch(`${server.url}/metrics`)).headers.get('content-type'), /^text\/plain; version=0\.0\.4/);

  process.kill(server.enginePid, 'SIGKILL');
  await eventually(async () => ((await status(`${server.url}/ready`)) === 503 ? true : undefined));
  t.equal(await status(`${server.url}/health`), 200);
  const up = await until(server, (metrics) => metrics.value('tramontane_engine_restarts_total') === 1);
  t.equal(up.value('tramontane_engine_up'), 1);
  t.equal(up.value('vllm:prompt_tokens_total'), usage.prompt, 'counters outlive the engine');
  t.equal(await status(`${server.url}/ready`), 200);
});

void t.test('during a long prefill metrics stay live and probes quick', async (t) => {
  const server = await startServer(t, [...slow, '--ctx', '2048', '--metrics-prefix', 'tramontane']);
  // Far more prompt than one pass takes: the reference device lets its process say nothing for seconds.
  const text = 'zab kora '.repeat(300);
  const caller = new AbortController();
  const first = chat(server, { text, body: { max_tokens: 1 }, signal: caller.signal });
  const begun = await until(server, (metrics) => metrics.value('tramontane_num_requests_running') === 1);
  t.ok(begun.value('tramontane_kv_cache_usage_perc') > 0);
  t.equal(begun.value('tramontane_num_requests_waiting'), 0);
  const second = chat(server, { text, body: { max_tokens: 1 }, signal: caller.signal });
  await until(server, (metrics) => metrics.value('tramontane_num_requests_waiting') === 1);
  const times: number[] = [];
  for (const end = Date.now() + 1000; Date.now() < end || times.length < 10;) {
    const from = performance.now();
    t.equal(await status(`${server.url}/health`), 200);
    times.push(performance.now() - from);
    const metrics = await scrape(server);
    // A slow machine may be through with the first prompt before it has been asked ten times.
    if (metrics.value('tramontane_prompt_tokens_total') > 0) break;
    const running = metrics.value('tramontane_num_requests_running');
    t.ok(running >= 1);
    t.equal(running + metrics.value('tramontane_num_requests_waiting'), 2);
  }
  t.ok(times.length > 2, `asked ${times.length} times before the prompt was read`);
  times.sort((a, b) => a - b);
  t.comment(`median of /health during a prefill: ${times[times.length >> 1].toFixed(1)} ms`);
  caller.abort();
  await Promise.allSettled([first, second]);
  const after = await until(
    server,
    (metrics) =>
      metrics.value('tramontane_num_requests_running') + metrics.value('tramontane_num_requests_waiting') === 0,
  );
  t.ok(after.value('tramontane_request_success_total', { finished_reason: 'abort' }) >= 1);
  t.equal(after.value('http_requests_total', { status: '499' }), 2);
});

void t.test(
  'SIGTERM with a delay: not ready at once, served until it passed, then sent away; 8 streams lose nothing',
  async (t) => {
    const server = await startServer(t, [...slow, '--drain-delay', '1', '--health', 'strict']);
    t.equal(await status(`${server.url}/health`), 200);
    const answers = Array.from({ length: 8 }, async (_, i) => {
      const response = await chat(server, { text: lengthy, body: { stream: true, seed: i } });
      return response.text();
    });
    await until(server, (metrics) => metrics.value('vllm:generation_tokens_total') >= 8);
    server.process.kill('SIGTERM');
    await server.line('not ready any more; arriving requests are served for another 1 s');
    const ready = await fetch(`${server.url}/ready`);
    t.equal(ready.status, 503);
    t.equal(ready.headers.get('retry-after'), '1');
    t.match(await ready.json(), { error: { code: 'draining', message: String, type: 'server_error', param: null } });
    t.equal(await status(`${server.url}/health`), 503, 'strict health says the same');
    t.equal((await chat(server, { text: 'Hi', body: { max_tokens: 1 } })).status, 200, 'still served');
    await server.line('draining');
    const refused = await chat(server, { text: 'Hi' });
    t.equal(refused.status, 503);
    t.equal(refused.headers.get('retry-after'), '5');
    t.match(await refused.json(), { error: { code: 'shutting_down' } });
    t.equal((await scrape(server)).value('vllm:request_success_total', { finished_reason: 'error' }), 0);
    for (const text of await Promise.all(answers)) {
      t.match(text, /"finish_reason":"(stop|length)"[^]*data: \[DONE\]\n\n$/, 'whole to the end');
    }
    t.equal(await server.exit, 0);
  },
);

void t.test('version, trace and the line of a request', async (t) => {
  const server = await startServer(t);
  t.match(await (await fetch(`${server.url}/version`)).json(), { name: 'tramontane', version: /^\d+\.\d+\.\d+$/ });
  const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
  const response = await chat(server, { headers: { traceparent } });
  t.match(response.headers.get('traceresponse'), /^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/);
  await response.json();
  t.match(await answeredLine(server), {
    ts: String,
    level: 'info',
    request_id: response.headers.get('x-request-id'),
    trace_id: '0af7651916cd43dd8448eb211c80319c',
    span_id: response.headers.get('traceresponse')?.split('-')[2],
    method: 'POST',
    route: '/v1/chat/completions',
    status: 200,
    model: 'demo-3m-Q8_0',
    tokens_in: 13,
    tokens_cached: 0,
    tokens_out: 30,
    ttft_ms: Number,
    tok_s: Number,
    finish_reason: 'stop',
  });
  t.notMatch(JSON.stringify(server.log), /who are you/, 'without what was said');
});
