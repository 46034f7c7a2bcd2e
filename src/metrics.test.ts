// Names, types, labels and arithmetic of /metrics, without a server; `operators.test.ts` has it with one.

import t from 'tap';
import type { LoadedModel } from './engine/messages.ts';
import { Metrics, joinFamilies } from './metrics.ts';
import { oneTwoFive } from './metric-tables.ts';
import type { ModelMetrics, WatchedEngine } from './model-metrics.ts';
import { Scrape } from './testing/prometheus.ts';

const info: LoadedModel = {
  architecture: 'llama',
  parameters: 1,
  quantization: 'Q8_0',
  vocabularySize: 1,
  contextLength: 250,
  trainedContextLength: 250,
  weightBytes: 10,
  kvCacheBytes: 20,
  scratchBytes: 30,
  device: 'wasm',
  kernels: 'rel16 (relaxed dot products)',
  threads: 2,
  node: 'v20.0.0',
  fingerprint: 'fp',
  loadMs: 1,
};

const busy: WatchedEngine = {
  state: 'ready',
  stats: {
    running: 3,
    waiting: 2,
    blocksUsed: 5,
    blocksTotal: 20,
    preemptions: 0,
    prefixQueries: 0,
    prefixHits: 0,
    prefixDiskQueries: 0,
    prefixDiskHits: 0,
    drafts: 0,
    draftedTokens: 0,
    acceptedTokens: 0,
  },
  unanswered: 1,
  restarts: 2,
};

function create(naming: Partial<ConstructorParameters<typeof Metrics>[0]> = {}): Metrics {
  return new Metrics({ version: '1.2.3', prefix: 'vllm', legacy: false, ...naming });
}

const scrape = async (metrics: Metrics, model?: string): Promise<Scrape> => new Scrape(await metrics.text(model));

/** A request that waited 1 s, read its prompt for 2 s, and wrote `tokens`. */
function generation(model: ModelMetrics, tokens: number): void {
  const sequence = model.sequence({
    promptTokens: 7,
    cachedTokens: 0,
    maxTokens: 50,
    submittedAt: performance.now() - 3000,
  });
  const timing = { queueMs: 1000, prefillMs: 2000 };
  for (let i = 0; i < tokens; i++) sequence.tokens(1, i === 0 ? timing : undefined);
  sequence.ended(tokens > 0 ? 'length' : 'stop', tokens > 0 ? undefined : timing);
}

void t.test('gauges are what the engine said last, and what it has not heard yet', async (t) => {
  const metrics = create();
  const model = metrics.addModel('m "1"');
  const labels = { model_name: 'm "1"', engine: '0' };
  const before = await scrape(metrics);
  for (const name of ['num_requests_running', 'num_requests_waiting', 'kv_cache_usage_perc']) {
    t.equal(before.value(`vllm:${name}`, labels), 0, 'there from the beginning');
    t.equal(before.types.get(`vllm:${name}`), 'gauge');
  }
  t.equal(before.value('tramontane_engine_up', labels), 0);
  t.same(before.all('vllm:cache_config_info'), [], 'its size is not known yet');

  model.watch(busy);
  model.loaded(info);
  const after = await scrape(metrics);
  t.equal(after.value('vllm:num_requests_running', labels), 3);
  t.equal(after.value('vllm:num_requests_waiting', labels), 3);
  t.equal(after.value('vllm:kv_cache_usage_perc', labels), 0.25);
  t.equal(after.value('vllm:cache_config_info', { ...labels, block_size: '64', num_gpu_blocks: '20' }), 1);
  const adapters = { max_lora: '0', running_lora_adapters: '', waiting_lora_adapters: '' };
  t.ok(Math.abs(after.value('vllm:lora_requests_info', { ...labels, ...adapters }) - Date.now() / 1000) < 5);
  t.equal(after.value('tramontane_engine_up', labels), 1);
  t.equal(after.value('tramontane_engine_restarts_total', labels), 2);
  t.equal(after.value('tramontane_kernel_build_info', { build: 'rel16', device: 'wasm' }), 1);
  for (const [part, bytes] of [
    ['weights', 10],
    ['kv_cache', 20],
    ['scratch', 30],
  ] as const) {
    t.equal(after.value('tramontane_arena_bytes', { ...labels, part }), bytes);
  }
  model.watch({ ...busy, state: 'restarting', stats: { ...busy.stats, blocksTotal: 0, blocksUsed: 0 } });
  const down = await scrape(metrics);
  t.equal(down.value('vllm:kv_cache_usage_perc'), 0, 'no division by nothing');
  t.equal(down.value('vllm:cache_config_info', { num_gpu_blocks: '20' }), 1);
});

void t.test('counters and histograms are exact', async (t) => {
  const metrics = create();
  const model = metrics.addModel('m');
  model.loaded(info);
  generation(model, 3);
  generation(model, 1);
  generation(model, 0);
  const open = model.sequence({ promptTokens: 9, cachedTokens: 0, maxTokens: 5, submittedAt: performance.now() });
  for (const tokens of [1, 1, 16, 300]) model.pass(tokens);
  for (const preemptions of [2, 5, 0, 1])
    model.stats({
      ...busy.stats,
      preemptions,
      prefixQueries: 100 * preemptions,
      prefixHits: 10 * preemptions,
      prefixDiskQueries: 90 * preemptions,
      prefixDiskHits: 20 * preemptions,
      drafts: 3 * preemptions,
      draftedTokens: 9 * preemptions,
      acceptedTokens: 7 * preemptions,
    });

  const s = await scrape(metrics);
  t.equal(s.value('vllm:prompt_tokens_total'), 21, 'counted when the prompt was read');
  t.equal(s.value('vllm:generation_tokens_total'), 4);
  t.equal(s.value('vllm:num_preemptions_total'), 6, 'over the life of several processes');
  t.equal(s.value('vllm:prefix_cache_queries_total'), 600);
  t.equal(s.value('vllm:prefix_cache_hits_total'), 60);
  t.equal(s.value('vllm:external_prefix_cache_queries_total'), 540);
  t.equal(s.value('vllm:external_prefix_cache_hits_total'), 120);
  t.equal(s.value('vllm:spec_decode_num_drafts_total'), 18);
  t.equal(s.value('vllm:spec_decode_num_draft_tokens_total'), 54);
  t.equal(s.value('vllm:spec_decode_num_accepted_tokens_total'), 42);
  const ends = (reason: string): number => s.value('vllm:request_success_total', { finished_reason: reason });
  t.same(['stop', 'length', 'abort', 'error'].map(ends), [1, 2, 0, 0]);
  const counts = {
    time_to_first_token_seconds: 2,
    inter_token_latency_seconds: 2,
    request_time_per_output_token_seconds: 1,
    e2e_request_latency_seconds: 3,
    request_queue_time_seconds: 3,
    request_prefill_time_seconds: 3,
    request_decode_time_seconds: 2,
    request_prompt_tokens: 3,
    request_generation_tokens: 3,
    request_max_num_generation_tokens: 3,
    iteration_tokens_total: 4,
  };
  for (const [name, count] of Object.entries(counts)) {
    t.equal(s.types.get(`vllm:${name}`), 'histogram');
    t.equal(s.value(`vllm:${name}_count`), count, name);
  }
  t.equal(s.value('vllm:request_queue_time_seconds_sum'), 3);
  t.equal(s.value('vllm:request_prefill_time_seconds_sum'), 6);
  t.equal(s.value('vllm:request_prompt_tokens_sum'), 21);
  t.equal(s.value('vllm:request_generation_tokens_sum'), 4);
  t.equal(s.value('vllm:request_max_num_generation_tokens_sum'), 150);
  t.equal(s.value('vllm:iteration_tokens_total_sum'), 318);
  t.ok(Math.abs(s.value('vllm:time_to_first_token_seconds_sum') - 6) < 0.5);
  t.ok(Math.abs(s.value('vllm:e2e_request_latency_seconds_sum') - 9) < 0.5);
  t.ok(s.value('vllm:request_decode_time_seconds_sum') < 0.5);

  open.ended('abort');
  t.equal((await scrape(metrics)).value('vllm:request_success_total', { finished_reason: 'abort' }), 1);
});

void t.test('buckets are those of vLLM', async (t) => {
  const metrics = create();
  const model = metrics.addModel('m');
  model.loaded(info);
  generation(model, 2);
  model.pass(1);
  const s = await scrape(metrics);
  /** Least, largest and how many, without the infinite one. */
  const shapes: Readonly<Record<string, readonly [number, number, number]>> = {
    time_to_first_token_seconds: [0.001, 2560, 22],
    inter_token_latency_seconds: [0.01, 80, 19],
    request_time_per_output_token_seconds: [0.01, 80, 19],
    e2e_request_latency_seconds: [0.3, 7680, 21],
    request_queue_time_seconds: [0.3, 7680, 21],
    request_prefill_time_seconds: [0.3, 7680, 21],
    request_decode_time_seconds: [0.3, 7680, 21],
    request_prompt_tokens: [1, 200, 8],
    request_generation_tokens: [1, 200, 8],
    request_max_num_generation_tokens: [1, 200, 8],
    iteration_tokens_total: [1, 16_384, 13],
  };
  for (const [name, shape] of Object.entries(shapes)) {
    const bounds = s.bounds(`vllm:${name}`);
    t.equal(bounds.pop(), Infinity);
    t.same([bounds[0], bounds.at(-1), bounds.length], shape, name);
  }
  t.same(oneTwoFive(100), [1, 2, 5, 10, 20, 50, 100]);
  t.same(oneTwoFive(1), [1]);
});

void t.test('other names: a prefix of our own, and those of old', async (t) => {
  const own = create({ prefix: 'tramontane' });
  own.addModel('m').watch(busy);
  const s = await scrape(own);
  t.equal(s.value('tramontane_num_requests_running'), 3);
  t.notOk(s.samples.some(({ name }) => name.startsWith('vllm')));

  t.same((await scrape(create())).all('vllm:gpu_cache_usage_perc'), []);
  const legacy = create({ legacy: true });
  legacy.addModel('m').watch(busy);
  const old = await scrape(legacy);
  t.equal(old.value('vllm:gpu_cache_usage_perc'), 0.25);
  for (const name of ['queries', 'hits']) {
    t.equal(old.value(`vllm:gpu_prefix_cache_${name}_total`), 0);
    t.equal(old.types.get(`vllm:gpu_prefix_cache_${name}_total`), 'counter');
  }
});

void t.test('several models: one family each, and one model alone', async (t) => {
  const metrics = create();
  for (const name of ['a', 'b']) metrics.addModel(name).watch(busy);
  metrics.answered({ route: '/v1/models', method: 'GET', status: 200, seconds: 0.1 });
  const both = await scrape(metrics);
  t.same(
    both.all('vllm:num_requests_running').map(({ labels }) => labels['model_name']),
    ['a', 'b'],
  );
  const one = await scrape(metrics, 'b');
  t.same(
    one.all('vllm:num_requests_running').map(({ labels }) => labels['model_name']),
    ['b'],
  );
  t.equal(one.value('http_requests_total'), 1, 'with what belongs to no model');
  t.equal(
    joinFamilies(['# HELP a x\n# TYPE a gauge\na{m="1"} 1\n', '# HELP a x\n# TYPE a gauge\na{m="2"} 2\n']),
    '# HELP a x\n# TYPE a gauge\na{m="1"} 1\na{m="2"} 2\n',
  );
});

void t.test('HTTP: callers cannot make series', async (t) => {
  const metrics = create();
  metrics.answered({ route: '/v1/models', method: 'GET', status: 200, seconds: 0.003 });
  metrics.answered({ route: '/v1/models', method: 'GET', status: 200, seconds: 7 });
  for (const method of ['BREW', 'X1', 'X2']) metrics.answered({ route: undefined, method, status: 404, seconds: 0 });
  const s = await scrape(metrics);
  t.equal(s.value('http_requests_total', { route: '/v1/models', method: 'GET', status: '200' }), 2);
  t.equal(s.value('http_requests_total', { route: 'unknown', method: 'other', status: '404' }), 3);
  t.equal(s.value('http_request_duration_seconds_bucket', { route: '/v1/models', le: '0.005' }), 1);
  t.equal(s.value('http_request_duration_seconds_sum', { route: '/v1/models' }), 7.003);
});

void t.test('the process and its build', async (t) => {
  const s = await scrape(create());
  t.equal(s.value('tramontane_build_info', { version: '1.2.3', node: process.version }), 1);
  t.ok(s.value('process_resident_memory_bytes') > 2 ** 20);
  t.ok(s.value('process_cpu_seconds_total') > 0);
  t.ok(Math.abs(s.value('process_start_time_seconds') - (Date.now() / 1000 - process.uptime())) < 5);
});

// Measured: 0.4 ms of CPU (two cores, Zen 5, November 2026). The bound is for a scrape that has come to depend on load or on series.
void t.test('a scrape costs little', async (t) => {
  const metrics = create();
  const model = metrics.addModel('m');
  model.watch(busy);
  model.loaded(info);
  for (let i = 0; i < 12; i++) metrics.answered({ route: `/v1/r${i}`, method: 'GET', status: 200, seconds: 0.1 });
  for (let i = 0; i < 50; i++) await metrics.text();
  const from = process.cpuUsage();
  for (let i = 0; i < 100; i++) await metrics.text();
  const { user, system } = process.cpuUsage(from);
  const ms = (user + system) / 1000 / 100;
  t.ok(ms < 20, `${ms.toFixed(2)} ms of CPU`);
});
