// What is counted of each HTTP request, and its text (Prometheus docs, "Exposition formats", text-based). prom-client looks a series up by the
// text of all its labels, several times per request: that was more work than all else that a small request costs.

import type { Answered } from './http/server.ts';

const buckets = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** Requests of one route and method. */
interface Series {
  readonly route: string;
  readonly method: string;
  /** Status -> requests. */
  readonly statuses: Map<number, number>;
  /** By bucket, not summed up; the last one has no bound. */
  readonly counts: number[];
  seconds: number;
}

export class RequestMetrics {
  /** Route -> method -> series. */
  readonly #routes = new Map<string, Map<string, Series>>();

  /** An HTTP request is over. What callers make up (paths, methods) becomes one label, so that they cannot make series. */
  answered({ route = 'unknown', method, status, seconds }: Answered): void {
    const series = this.#routes.get(route)?.get(method) ?? this.#open(route, methods.has(method) ? method : 'other');
    series.statuses.set(status, (series.statuses.get(status) ?? 0) + 1);
    let bucket = 0;
    while (bucket < buckets.length && seconds > buckets[bucket]) bucket++;
    series.counts[bucket]++;
    series.seconds += seconds;
  }

  text(): string {
    const all = [...this.#routes.values()].flatMap((methods) => [...methods.values()]);
    const requests = all.flatMap(({ route, method, statuses }) =>
      Array.from(statuses, ([status, count]) => `http_requests_total${labels({ route, method, status })} ${count}`),
    );
    return [
      '# HELP http_requests_total Answered HTTP requests. 499: the caller left before the answer.',
      '# TYPE http_requests_total counter',
      ...requests,
      '',
      '# HELP http_request_duration_seconds From the head of an HTTP request to the end of its answer, streams included.',
      '# TYPE http_request_duration_seconds histogram',
      ...all.flatMap(durations),
      '',
    ].join('\n');
  }

  #open(route: string, method: string): Series {
    const ofRoute = this.#routes.get(route) ?? new Map<string, Series>();
    this.#routes.set(route, ofRoute);
    const known = ofRoute.get(method);
    if (known !== undefined) return known;
    const counts = Array.from({ length: buckets.length + 1 }, () => 0);
    const series: Series = { route, method, statuses: new Map(), counts, seconds: 0 };
    ofRoute.set(method, series);
    return series;
  }
}

function durations({ route, method, counts, seconds }: Series): string[] {
  const name = 'http_request_duration_seconds';
  let sum = 0;
  const lines = counts.map((count, bucket) => {
    sum += count;
    return `${name}_bucket${labels({ le: buckets[bucket] ?? '+Inf', route, method })} ${sum}`;
  });
  const all = labels({ route, method });
  return [...lines, `${name}_sum${all} ${seconds}`, `${name}_count${all} ${sum}`];
}

function labels(values: Readonly<Record<string, string | number>>): string {
  const escaped = (value: string | number): string =>
    String(value).replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
  return `{${Object.entries(values)
    .map(([name, value]) => `${name}="${escaped(value)}"`)
    .join(',')}}`;
}
