// What reading /metrics costs a busy server: windows with and without a scraper take turns, over the same streams. The wall clock of a shared machine
// tells little of one per cent, so CPU time is told as well: of a token in both windows, and of one scrape while nothing else happens.

import { readArguments } from '../arguments.ts';
import { HttpClient } from '../client/http.ts';
import { cpuMsOf } from '../cpu-time.ts';
import { startOwnServer, type OwnServer } from '../soak/own-server.ts';
import { median, spread, sum } from '../statistics.ts';
import { formatFacts, formatTable, rounded } from '../table.ts';
import { Reader } from '../stream/reader.ts';
import { describe, hurry } from '../urgent.ts';

export async function benchScrape(args: readonly string[]): Promise<void> {
  const options = readArguments(args, ['streams', 'rate', 'gen', 'seconds', 'rounds'], ['json']);
  const streams = options.amount('streams', 8);
  const rate = options.amount('rate', 20);
  const maxTokens = options.amount('gen', 128);
  const ms = options.number('seconds', 3) * 1000;
  const rounds = options.amount('rounds', 3);

  const server = await startOwnServer(options.positionals);
  const reader = new Reader();
  // After the start: children would inherit it.
  const isUrgent = hurry();
  const client = new HttpClient({ baseUrl: server.url, timeoutMs: 10_000 });
  const windows: Record<'quiet' | 'scraped', Window[]> = { quiet: [], scraped: [] };
  const answers: number[] = [];
  let scrapeCpuMs = Number.NaN;
  try {
    const port = Number(new URL(server.url).port);
    const load = async (ms: number): Promise<Window> => {
      const before = cpuMsOfBoth(server);
      const from = performance.now();
      const arrivals = await reader.listen({ port, model: 'default', streams, maxTokens, ms });
      const seconds = (performance.now() - from) / 1000;
      const pieces = sum([...arrivals.values()].map(({ length }) => length));
      return { perSecond: pieces / seconds, cpuMs: (cpuMsOfBoth(server) - before) / pieces };
    };
    // Warm-up: compilers take their time over the first ones.
    await load(Math.min(1000, ms));
    await scrapes(client, 1000, 50);
    for (let round = 0; round < rounds; round++) {
      windows.quiet.push(await load(ms));
      const scraping = scrapes(client, rate, Math.ceil((rate * ms) / 1000));
      windows.scraped.push(await load(ms));
      answers.push(...(await scraping));
    }
    const before = cpuMsOfBoth(server);
    const alone = await scrapes(client, 200, 200);
    scrapeCpuMs = (cpuMsOfBoth(server) - before) / alone.length;
  } finally {
    client.close();
    await reader.close();
    await server.stop();
  }

  const of = (name: keyof typeof windows, pick: (window: Window) => number): number =>
    median(windows[name].map(pick)) ?? Number.NaN;
  const rows = (['quiet', 'scraped'] as const).map((name) => ({
    name,
    perSecond: rounded(of(name, ({ perSecond }) => perSecond)),
    cpuMs: rounded(of(name, ({ cpuMs }) => cpuMs)),
  }));
  const [quiet, scraped] = rows;
  const answerMs = spread(answers);
  const facts = {
    node: process.version,
    streams,
    gen: maxTokens,
    seconds: ms / 1000,
    rounds,
    scrapesPerSecond: rate,
    reader: describe(isUrgent),
  };
  const found = {
    ratioOfRates: rounded(scraped.perSecond / quiet.perSecond),
    ratioOfCpu: rounded(quiet.cpuMs / scraped.cpuMs),
    scrapeCpuMs: rounded(scrapeCpuMs),
    percentOfOneCore: rounded((scrapeCpuMs * rate) / 10),
    answers: answers.length,
    answerMs: answerMs && { p50: rounded(answerMs.p50), p99: rounded(answerMs.p99) },
  };
  if (options.flag('json')) {
    process.stdout.write(`${JSON.stringify({ ...facts, rows, ...found })}\n`);
    return;
  }
  const { stdout } = process;
  stdout.write(`${formatFacts(facts)}\n`);
  const lines = rows.map(({ name, perSecond, cpuMs }) => [name, perSecond, cpuMs]);
  stdout.write(`${formatTable(['window', 'pieces per second', 'CPU ms of server and engine per piece'], lines)}\n`);
  stdout.write(
    formatFacts({
      'rate with / without': found.ratioOfRates,
      'CPU without / with': found.ratioOfCpu,
      'CPU ms of one scrape': found.scrapeCpuMs,
      'per cent of one core': found.percentOfOneCore,
      'answered in, p50 ms': found.answerMs?.p50,
      'answered in, p99 ms': found.answerMs?.p99,
    }),
  );
}

interface Window {
  readonly perSecond: number;
  /** Of server and engine, for one piece of text. */
  readonly cpuMs: number;
}

/** So many, evenly spread; how many milliseconds each took. A late one does not make the next ones late. */
async function scrapes(client: HttpClient, perSecond: number, count: number): Promise<number[]> {
  const from = performance.now();
  const taken: number[] = [];
  for (let i = 0; i < count; i++) {
    const wait = from + (i * 1000) / perSecond - performance.now();
    if (wait > 0) await new Promise((resolve) => void setTimeout(resolve, wait));
    const asked = performance.now();
    const { status } = await client.send({ method: 'GET', path: '/metrics' });
    taken.push(performance.now() - asked);
    if (status !== 200) throw new Error(`/metrics answered ${status}`);
  }
  return taken;
}

function cpuMsOfBoth({ pid, enginePid }: OwnServer): number {
  const engine = enginePid();
  return cpuMsOf(pid) + (engine === undefined ? 0 : cpuMsOf(engine));
}
