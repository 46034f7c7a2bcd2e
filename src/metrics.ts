// What /metrics says, in the text format of Prometheus: requests in `request-metrics.ts`, each model in `model-metrics.ts`. Everything is counted
// by the server itself, as it happens; a scrape asks nobody.

import { Gauge, Registry } from 'prom-client';
import type { Answered } from './http/server.ts';
import { ModelMetrics, type MetricsNaming } from './model-metrics.ts';
import { addProcessMetrics } from './process-metrics.ts';
import { RequestMetrics } from './request-metrics.ts';

export interface MetricsOptions extends MetricsNaming {
  readonly version: string;
}

export class Metrics {
  readonly #naming: MetricsNaming;
  readonly #server = new Registry();
  readonly #models = new Map<string, ModelMetrics>();
  readonly #requests = new RequestMetrics();

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
  }

  /** An HTTP request is over. */
  answered(answered: Answered): void {
    this.#requests.answered(answered);
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
    const read = await Promise.all([this.#server.metrics(), ...models.map(([, model]) => model.text())]);
    const texts = [this.#requests.text(), ...read];
    return models.length > 1 ? joinFamilies(texts) : texts.join('');
  }
}

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
