// What is counted of each HTTP request. Looking a counter up costs prom-client more than all else that a small request does, so these are ours.

import { familyText, Histogram, labelText } from './histogram.ts';
import type { Answered } from './http/server.ts';

const bounds = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

const requests = 'http_requests_total';
const requestsHelp = 'Answered HTTP requests. 499: the caller left before the answer.';
const durations = 'http_request_duration_seconds';
const durationsHelp = 'From the head of an HTTP request to the end of its answer, streams included.';

/** Requests of one route and method. */
interface Series {
  readonly route: string;
  readonly method: string;
  /** Status -> requests. */
  readonly statuses: Map<number, number>;
  readonly durations: Histogram;
}

export class RequestMetrics {
  /** Route -> method -> series. */
  readonly #routes = new Map<string, Map<string, Series>>();

  /** An HTTP request is over. What callers make up (paths, methods) becomes one label, so that they cannot make series. */
  answered({ route = 'unknown', method, status, seconds }: Answered): void {
    const series = this.#routes.get(route)?.get(method) ?? this.#open(route, methods.has(method) ? method : 'other');
    series.statuses.set(status, (series.statuses.get(status) ?? 0) + 1);
    series.durations.observe(seconds);
  }

  text(): string {
    const all = [...this.#routes.values()].flatMap((methods) => [...methods.values()]);
    let text = familyText(requests, requestsHelp, 'counter');
    for (const { route, method, statuses } of all) {
      for (const [status, count] of statuses) text += `${requests}${labelText({ route, method, status })} ${count}\n`;
    }
    text += `\n${familyText(durations, durationsHelp, 'histogram')}`;
    for (const series of all) text += series.durations.text();
    return text;
  }

  #open(route: string, method: string): Series {
    const ofRoute = this.#routes.get(route) ?? new Map<string, Series>();
    this.#routes.set(route, ofRoute);
    const known = ofRoute.get(method);
    if (known !== undefined) return known;
    const times = new Histogram(durations, bounds, { route, method });
    const series: Series = { route, method, statuses: new Map(), durations: times };
    ofRoute.set(method, series);
    return series;
  }
}
