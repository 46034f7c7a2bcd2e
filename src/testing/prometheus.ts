// Reads the text format of Prometheus (version 0.0.4) as strictly as it is written down: every family has its HELP and TYPE once, its
// samples stand together, no series occurs twice, histograms are cumulative and agree with their count.

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export class Scrape {
  readonly types = new Map<string, string>();
  readonly samples: readonly Sample[];

  /** Throws for whatever breaks the format. */
  constructor(text: string) {
    if (!text.endsWith('\n')) throw new Error('the last line has no line feed');
    const samples: Sample[] = [];
    const helped = new Set<string>();
    const seen = new Set<string>();
    let family = '';
    for (const line of text.split('\n')) {
      if (line === '') continue;
      const [, kind, name, rest] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
      if (kind === 'HELP') {
        if (helped.has(name)) throw new Error(`${name} begins twice`);
        helped.add((family = name));
      } else if (kind === 'TYPE') {
        if (family !== name || this.types.has(name)) throw new Error(`TYPE of ${name} out of place`);
        this.types.set(name, rest);
      } else {
        const sample = readSample(line);
        if (!belongs(sample.name, family, this.types.get(family)))
          throw new Error(`${sample.name} stands below ${family}`);
        const key = `${sample.name} ${Object.entries(sample.labels)
          .map((pair) => pair.join('='))
          .sort()
          .join()}`;
        if (seen.has(key)) throw new Error(`${key} occurs twice`);
        seen.add(key);
        samples.push(sample);
      }
    }
    this.samples = samples;
    for (const [name, type] of this.types) if (type === 'histogram') this.#checkHistogram(name);
  }

  /** The one sample of this name with at least these labels. */
  value(name: string, labels: Readonly<Record<string, string>> = {}): number {
    const found = this.all(name, labels);
    if (found.length !== 1) throw new Error(`${found.length} samples of ${name} ${JSON.stringify(labels)}`);
    return found[0].value;
  }

  all(name: string, labels: Readonly<Record<string, string>> = {}): Sample[] {
    const wanted = Object.entries(labels);
    return this.samples.filter(
      (sample) => sample.name === name && wanted.every(([key, value]) => sample.labels[key] === value),
    );
  }

  /** Upper bounds of the buckets. */
  bounds(name: string): number[] {
    return [
      ...new Set(this.all(`${name}_bucket`).map(({ labels }) => Number(labels['le'].replace('+Inf', 'Infinity')))),
    ];
  }

  #checkHistogram(name: string): void {
    for (const { labels, value: count } of this.all(`${name}_count`)) {
      const buckets = this.all(`${name}_bucket`, labels);
      const values = buckets.map(({ value }) => value);
      if (values.some((value, i) => i > 0 && value < values[i - 1])) throw new Error(`${name} is not cumulative`);
      if (buckets.at(-1)?.labels['le'] !== '+Inf' || values.at(-1) !== count)
        throw new Error(`${name} does not add up`);
      this.value(`${name}_sum`, labels);
    }
  }
}

function belongs(sample: string, family: string, type: string | undefined): boolean {
  if (type === 'histogram') return [`${family}_bucket`, `${family}_sum`, `${family}_count`].includes(sample);
  if (type === 'summary') return [family, `${family}_sum`, `${family}_count`].includes(sample);
  return type !== undefined && sample === family;
}

function readSample(line: string): Sample {
  const label = String.raw`[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\"n])*"`;
  const match = new RegExp(String.raw`^([a-zA-Z_:][\w:]*)(?:\{((?:${label},?)*)\})? (\S+)$`).exec(line);
  if (match === null) throw new Error(`no sample: ${line}`);
  const labels = [...(match[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, name, text]) => [
    name,
    text.replace(/\\(.)/g, (_, character: string) => (character === 'n' ? '\n' : character)),
  ]);
  const value = { '+Inf': Infinity, '-Inf': -Infinity, NaN }[match[3]] ?? Number(match[3]);
  if (Number.isNaN(value) && match[3] !== 'NaN') throw new Error(`no number: ${line}`);
  return { name: match[1], labels: Object.fromEntries(labels) as Record<string, string>, value };
}
