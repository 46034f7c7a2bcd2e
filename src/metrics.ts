// What /metrics says, in the text format of Prometheus: the server as a whole here, each model in `model-metrics.ts`. Everything is counted
// by the server itself, as it happens; a scrape asks nobody.

import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Answered } from './http/server.ts';
import { ModelMetrics, type MetricsNaming } from './model-metrics.ts';
import { addProcessMetrics } from './process-metrics.ts';

export interface MetricsOptions extends MetricsNaming {
  readonly version: string;
}

export class Metrics {
  readonly #naming: MetricsNaming;
  readonly #server = new Registry();
  readonly #models = new Map<string, ModelMetrics>();
  readonly #requests: Counter;
  readonly #durations: Histogram;

  constructor({ version, ...naming }: MetricsOptions) {
    this.#naming = naming;
    const registers = [this.#server];
    addProcessMetrics(this.#server);
    new Gauge({
      name: 'tramontane_build_info',
      help: 'Version of the server and of the Node that runs it; always 1.',
      labelNames: ['version', 'node'],
      registers,
    }).set({ version, node: process.version }, 1);
    this.#requests = new Counter({
      name: 'http_requests_total',
      help: 'Answered HTTP requests. 499: the caller left before the answer.',
      labelNames: ['route', 'method', 'status'],
      registers,
    });
    this.#durations = new Histogram({
      name: 'http_request_duration_seconds',
      help: 'From the head of an HTTP request to the end of its answer, streams included.',
      labelNames: ['route', 'method'],
      buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300],
      registers,
    });
  }

  /** An HTTP request is over. What callers make up (paths, methods) becomes one label, so that they cannot make series. */
  answered({ route = 'unknown', method, status, seconds }: Answered): void {
    const known = methods.has(method) ? method : 'other';
    this.#requests.inc({ route, method: known, status });
    this.#durations.observe({ route, method: known }, seconds);
  }

  /** The series of one model, from now on part of every scrape. */
  addModel(name: string): ModelMetrics {
    const model = new ModelMetrics(name, this.#naming);
    this.#models.set(name, model);
    return model;
  }

  /** All series, or those of one model and of the server as a whole. */
  async text(model?: string): Promise<string> {
    const models = [...this.#models].filter(([name]) => model === undefined || name === model);
    const registries = [this.#server, ...models.map(([, { registry }]) => registry)];
    const texts = await Promise.all(registries.map((registry) => registry.metrics()));
    return models.length > 1 ? joinFamilies(texts) : texts.join('');
  }
}

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** All samples of one name must stand together, below one HELP and TYPE: those of later texts move to the first. */
export function joinFamilies(texts: readonly string[]): string {
  const families = new Map<string, string[]>();
  for (const text of texts) {
    for (const family of text.split(/^(?=# HELP )/m)) {
      const [help, type, ...samples] = family.trimEnd().split('\n');
      if (type === undefined) continue;
      const known = families.get(type);
      if (known === undefined) families.set(type, [help, type, ...samples]);
      else known.push(...samples);
    }
  }
  return [...families.values()].map((lines) => `${lines.join('\n')}\n`).join('');
}
