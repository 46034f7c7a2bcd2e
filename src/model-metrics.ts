// The series of one model, under vLLM's names: gateways, dashboards and alerts made for it then read us unconfigured. What vLLM does not
// have is named tramontane_*.

import { Counter, Gauge, Registry } from 'prom-client';
import { blockTokens } from './compute/backend.ts';
import type { EngineClient } from './engine/client.ts';
import type { EngineStats, LoadedModel, PromptTiming } from './engine/messages.ts';
import type { EngineMeter, SequenceMeter, SequenceStart } from './engine/meter.ts';
import { familyText, Histogram, type Labels } from './histogram.ts';
import {
  counters,
  oneTwoFive,
  passBuckets,
  seconds,
  sizes,
  type CounterName,
  type SecondsName,
  type SizeName,
} from './metric-tables.ts';

export interface MetricsNaming {
  readonly prefix: 'vllm' | 'tramontane';
  /** Also the names that vLLM had before 0.9. */
  readonly legacy: boolean;
}

/** What a scrape reads from the handle of the engine: its latest messages. */
export type WatchedEngine = Pick<EngineClient, 'state' | 'stats' | 'unanswered' | 'restarts'>;

/** Call `watch` as soon as there is an engine, `loaded` once its model is. */
export class ModelMetrics implements EngineMeter {
  readonly #registry = new Registry();
  readonly #labels: Labels;
  /** What stands before each of them, and they. */
  readonly #histograms: (readonly [string, Histogram])[] = [];
  readonly #name: (name: string) => string;
  readonly #counters: Record<CounterName, Counter>;
  readonly #ends: Counter;
  readonly #seconds: Record<SecondsName, Histogram>;
  readonly #passTokens: Histogram;
  #sizes: Record<SizeName, Histogram> | undefined;
  #engine: WatchedEngine | undefined;
  /** Of the running process. */
  #told: Partial<EngineStats> = {};

  constructor(model: string, { prefix, legacy }: MetricsNaming) {
    this.#name = (name) => (prefix === 'vllm' ? `vllm:${name}` : `tramontane_${name}`);
    this.#labels = { model_name: model, engine: '0' };
    this.#registry.setDefaultLabels(this.#labels);
    this.#counters = each(counters, (name, help) => this.#counter(name, help));
    this.#ends = this.#counter('request_success_total', 'Generations that ended, by reason.', ['finished_reason']);
    for (const finished_reason of ['stop', 'length', 'abort', 'error']) this.#ends.inc({ finished_reason }, 0);
    this.#seconds = each(seconds, (name, { help, buckets }) => this.#histogram(name, help, buckets));
    const passHelp = 'Tokens of each forward pass.';
    this.#passTokens = this.#histogram('iteration_tokens_total', passHelp, passBuckets);
    this.#makeGauges();
    if (legacy) this.#makeLegacy();
  }

  watch(engine: WatchedEngine): void {
    this.#engine = engine;
  }

  /** Sizes in tokens have buckets up to the context, so they are there from now on. */
  loaded(model: LoadedModel): void {
    const buckets = oneTwoFive(model.contextLength);
    this.#sizes = each(sizes, (name, help) => this.#histogram(name, help, buckets));
    const [build] = model.kernels.split(' ');
    const { device, quantization, architecture, node } = model;
    const info = 'What computes, and with which kernels; always 1.';
    const labels = { build, device, quantization, architecture, node };
    this.#gauge('tramontane_kernel_build_info', info, Object.keys(labels)).set(labels, 1);
    const bytes = this.#gauge('tramontane_arena_bytes', 'Memory of the engine, by use.', ['part']);
    bytes.set({ part: 'weights' }, model.weightBytes);
    bytes.set({ part: 'kv_cache' }, model.kvCacheBytes);
    bytes.set({ part: 'scratch' }, model.scratchBytes);
  }

  /** Times are seen from the server, as vLLM sees them, but for the two that only the engine can tell apart. */
  sequence({ promptTokens, maxTokens, submittedAt }: SequenceStart): SequenceMeter {
    let generated = 0;
    let firstAt = 0;
    let lastAt = 0;
    const read = (timing: PromptTiming | undefined): void => {
      if (timing === undefined) return;
      this.#counters.prompt_tokens_total.inc(promptTokens);
      this.#seconds.request_queue_time_seconds.observe(timing.queueMs / 1000);
      this.#seconds.request_prefill_time_seconds.observe(timing.prefillMs / 1000);
    };
    return {
      tokens: (count, timing) => {
        read(timing);
        const now = performance.now();
        if (generated === 0) {
          firstAt = now;
          this.#seconds.time_to_first_token_seconds.observe((now - submittedAt) / 1000);
        } else this.#seconds.inter_token_latency_seconds.observe((now - lastAt) / 1000);
        this.#counters.generation_tokens_total.inc(count);
        generated += count;
        lastAt = now;
      },
      ended: (outcome, timing) => {
        read(timing);
        this.#ends.inc({ finished_reason: outcome });
        this.#seconds.e2e_request_latency_seconds.observe((performance.now() - submittedAt) / 1000);
        this.#sizes?.request_prompt_tokens.observe(promptTokens);
        this.#sizes?.request_generation_tokens.observe(generated);
        this.#sizes?.request_max_num_generation_tokens.observe(maxTokens);
        if (generated === 0) return;
        const decoding = (lastAt - firstAt) / 1000;
        this.#seconds.request_decode_time_seconds.observe(decoding);
        if (generated === 1) return;
        this.#seconds.request_time_per_output_token_seconds.observe(decoding / (generated - 1));
      },
    };
  }

  pass(tokens: number): void {
    this.#passTokens.observe(tokens);
  }

  stats(stats: EngineStats): void {
    for (const [name, key] of engineCounts) {
      // A new process counts from zero.
      this.#counters[name].inc(Math.max(0, stats[key] - (this.#told[key] ?? 0)));
    }
    this.#told = stats;
  }

  /** All its series. */
  async text(): Promise<string> {
    let text = await this.#registry.metrics();
    for (const [family, histogram] of this.#histograms) text += `\n${family}${histogram.text()}`;
    return text;
  }

  #makeGauges(): void {
    const stats = (): EngineStats | undefined => this.#engine?.stats;
    const waiting = (): number => (stats()?.waiting ?? 0) + (this.#engine?.unanswered ?? 0);
    this.#read('num_requests_running', 'Sequences in batches.', () => stats()?.running ?? 0);
    this.#read('num_requests_waiting', 'Requests that wait for a place in a batch.', waiting);
    const usage = 'Part of the KV cache that running sequences use, 0 to 1.';
    this.#read('kv_cache_usage_perc', usage, () => this.#cacheUsage);
    const cache = this.#gauge(
      this.#name('cache_config_info'),
      'Tokens of a block and blocks of the KV cache; always 1.',
      ['block_size', 'num_gpu_blocks'],
      () => {
        const blocks = stats()?.blocksTotal ?? 0;
        if (blocks === 0) return;
        cache.reset();
        cache.set({ block_size: String(blockTokens), num_gpu_blocks: String(blocks) }, 1);
      },
    );
    const adapters = { max_lora: '0', running_lora_adapters: '', waiting_lora_adapters: '' };
    // Without it the default request router reports an error at each read.
    const lora = this.#gauge(
      this.#name('lora_requests_info'),
      'Adapters in use, as labels; the value is the time of the reading.',
      Object.keys(adapters),
      () => lora.set(adapters, Date.now() / 1000),
    );
    const up = 'Whether the engine process runs and has its model.';
    this.#gauge('tramontane_engine_up', up, [], (gauge) => gauge.set(this.#engine?.state === 'ready' ? 1 : 0));
    const restarts = new Counter({
      name: 'tramontane_engine_restarts_total',
      help: 'How often a dead engine process was replaced.',
      registers: [this.#registry],
      collect: () => {
        restarts.reset();
        restarts.inc(this.#engine?.restarts ?? 0);
      },
    });
  }

  #makeLegacy(): void {
    this.#read('gpu_cache_usage_perc', 'Old name of kv_cache_usage_perc.', () => this.#cacheUsage);
    for (const name of ['prefix_cache_queries_total', 'prefix_cache_hits_total'] as const) {
      const alias = this.#counter(`gpu_${name}`, `Old name of ${name}.`, [], async () => {
        const [value] = (await this.#counters[name].get()).values;
        alias.reset();
        alias.inc(value.value);
      });
    }
  }

  get #cacheUsage(): number {
    const stats = this.#engine?.stats;
    return stats === undefined || stats.blocksTotal === 0 ? 0 : stats.blocksUsed / stats.blocksTotal;
  }

  #read(name: string, help: string, value: () => number): void {
    this.#gauge(this.#name(name), help, [], (gauge) => gauge.set(value()));
  }

  #gauge(
    name: string,
    help: string,
    labelNames: string[] = [],
    collect: (gauge: Gauge) => void = () => undefined,
  ): Gauge {
    const gauge: Gauge = new Gauge({
      name,
      help,
      labelNames,
      registers: [this.#registry],
      collect: () => collect(gauge),
    });
    return gauge;
  }

  #counter(name: string, help: string, labelNames: string[] = [], collect?: () => Promise<void>): Counter {
    const registers = [this.#registry];
    return new Counter({
      name: this.#name(name),
      help,
      labelNames,
      registers,
      ...(collect !== undefined && { collect }),
    });
  }

  #histogram(name: string, help: string, buckets: readonly number[]): Histogram {
    const full = this.#name(name);
    const histogram = new Histogram(full, buckets, this.#labels);
    this.#histograms.push([familyText(full, help, 'histogram'), histogram]);
    return histogram;
  }
}

/** Counters whose values the engine tells. */
const engineCounts = [
  ['num_preemptions_total', 'preemptions'],
  ['prefix_cache_queries_total', 'prefixQueries'],
  ['prefix_cache_hits_total', 'prefixHits'],
  ['external_prefix_cache_queries_total', 'prefixDiskQueries'],
  ['external_prefix_cache_hits_total', 'prefixDiskHits'],
  ['spec_decode_num_drafts_total', 'drafts'],
  ['spec_decode_num_draft_tokens_total', 'draftedTokens'],
  ['spec_decode_num_accepted_tokens_total', 'acceptedTokens'],
] as const satisfies readonly (readonly [CounterName, keyof EngineStats])[];

function each<K extends string, V, T>(table: Readonly<Record<K, V>>, make: (name: K, row: V) => T): Record<K, T> {
  const rows = Object.entries(table) as [K, V][];
  return Object.fromEntries(rows.map(([name, row]) => [name, make(name, row)])) as Record<K, T>;
}
