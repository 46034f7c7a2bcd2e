// Histograms of Prometheus and their text (Prometheus docs, "Exposition formats", text-based). prom-client's look their labels up by text at
// each observation and write every label of every bucket anew at each scrape: two thirds of what a scrape cost. Here both are prepared.

export type Labels = Readonly<Record<string, string | number>>;

/** One series: what was observed under one set of labels. */
export class Histogram {
  readonly #bounds: readonly number[];
  /** Observations by bucket, not summed up; the last bucket has no bound. */
  readonly #counts: number[];
  #sum = 0;
  /** What stands before the number of each line: buckets, sum, count. */
  readonly #lines: readonly string[];
  readonly #sumLine: string;
  readonly #countLine: string;

  /** `bounds`: upper ones, inclusive, rising. */
  constructor(name: string, bounds: readonly number[], labels: Labels) {
    this.#bounds = bounds;
    this.#counts = Array.from({ length: bounds.length + 1 }, () => 0);
    this.#lines = this.#counts.map((_, i) => `${name}_bucket${labelText({ le: bounds[i] ?? '+Inf', ...labels })} `);
    this.#sumLine = `${name}_sum${labelText(labels)} `;
    this.#countLine = `${name}_count${labelText(labels)} `;
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]) bucket++;
    this.#counts[bucket]++;
    this.#sum += value;
  }

  /** Its lines, each with its line end. */
  text(): string {
    let text = '';
    let count = 0;
    for (let i = 0; i < this.#counts.length; i++) {
      count += this.#counts[i];
      text += `${this.#lines[i]}${count}\n`;
    }
    return `${text}${this.#sumLine}${this.#sum}\n${this.#countLine}${count}\n`;
  }
}

/** The lines before the samples of one name. */
export function familyText(name: string, help: string, type: 'counter' | 'histogram'): string {
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`;
}

/** `{a="1",b="2"}` */
export function labelText(labels: Labels): string {
  const escaped = (value: string | number): string =>
    String(value).replaceAll('\\', '\\\\').replaceAll('\n', '\\n').replaceAll('"', '\\"');
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return `{${pairs.join(',')}}`;
}
