// Rounds of ten seconds: many users who behave as users do, then a pause in which everything must be given back. The verdict is about what
// must never happen: a wrong answer, an answer that nobody can explain, something held that nobody uses.

import { HttpClient } from '../client/http.ts';
import { seededRandom, type Random } from '../random.ts';
import { formatNumber } from '../table.ts';
import { FirstAnswers } from './answers.ts';
import { pickBehaviour, type Outcome, type World } from './behaviours.ts';
import { engineLoad, processState } from './observe.ts';
import type { OwnServer } from './own-server.ts';
import { seededRequests } from './requests.ts';
import { checkSamples, type Check, type Sample } from './verdict.ts';

export interface SoakOptions {
  readonly baseUrl: string;
  readonly model: string;
  readonly apiKey?: string | undefined;
  readonly minutes: number;
  readonly users: number;
  readonly seed: number;
  /** When the server is ours: it may be looked into, and its engine killed. */
  readonly own?: OwnServer | undefined;
  /** Seconds from one kill to the next, at least; 0 for none. */
  readonly killSeconds: number;
  readonly write: (line: string) => void;
  readonly signal: AbortSignal;
}

const roundMs = 10_000;
/** Of a round, for the pause. */
const pauseMs = 1_500;
/** What is not given back by then will not be. A busy machine needs longer than an idle one. */
const quietMs = 30_000;
/** For a whole answer; whatever takes longer is stuck. */
const timeoutMs = 120_000;
/** How long a new engine may take to be there: a second or two, on a machine that has nothing else to do. */
const recoveryMs = 120_000;
/** How long after that somebody may still hear of the old one. */
const echoMs = 30_000;

export async function soak(options: SoakOptions): Promise<Check[]> {
  const run = new Soak(options);
  return await run.carryOut();
}

class Soak {
  readonly #options: SoakOptions;
  readonly #client: HttpClient;
  readonly #world: Omit<World, 'random'>;
  readonly #randoms: readonly Random[];
  readonly #counts = new Map<string, number>();
  readonly #unexpected = new Map<string, number>();
  readonly #samples: Sample[] = [];
  #kills = 0;
  #nextKillAt: number;
  /** Until then whoever finds no engine has found a reason. */
  #excusedUntil = -Infinity;
  readonly #recoveries: (number | undefined)[] = [];
  #slowestProbeMs = 0;
  #failedProbes = 0;

  constructor(options: SoakOptions) {
    const { baseUrl, apiKey, model, seed, users, killSeconds, minutes } = options;
    this.#options = options;
    this.#client = new HttpClient({ baseUrl, apiKey, timeoutMs });
    this.#randoms = Array.from({ length: users }, (_, user) => seededRandom(seed + user));
    this.#world = {
      client: this.#client,
      requests: seededRequests(40, model, seededRandom(seed - 1)),
      answers: new FirstAnswers(),
      pause: (ms) => pause(ms, options.signal),
    };
    // A short soak sees one, too.
    const firstMs = Math.min(killSeconds * 250, minutes * 20_000);
    this.#nextKillAt = killSeconds === 0 ? Infinity : performance.now() + firstMs;
  }

  async carryOut(): Promise<Check[]> {
    const { minutes, signal, own } = this.#options;
    const from = performance.now();
    const until = from + minutes * 60_000;
    const gone = own?.exit.then(() => 'gone' as const);
    this.#samples.push(await this.#sample());
    while (performance.now() < until && !signal.aborted) {
      const end = Math.min(until, performance.now() + roundMs - pauseMs);
      const ended = await Promise.race([this.#round(end), ...(gone === undefined ? [] : [gone])]);
      if (ended === 'gone')
        return [{ what: 'the server', isGood: false, detail: 'ended by itself' }, ...this.#verdict()];
      this.#report((performance.now() - from) / 1000);
    }
    this.#client.close();
    return this.#verdict();
  }

  async #round(end: number): Promise<void> {
    const { signal, own } = this.#options;
    const isOver = (): boolean => performance.now() >= end || signal.aborted;
    const over = new AbortController();
    const around = own === undefined ? [] : [this.#probe(over.signal), this.#killWhenDue(over.signal, own)];
    await Promise.all(this.#randoms.map((random) => this.#user({ ...this.#world, random }, isOver)));
    over.abort();
    await Promise.all(around);
    this.#samples.push(await this.#sample());
  }

  async #user(world: World, isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      const outcome = await pickBehaviour(world.random)(world).catch((error: unknown): Outcome => ({
        unexpected: error instanceof Error ? error.message : String(error),
      }));
      this.#note(outcome);
      if (outcome === 'refused' || outcome === 'lost') await world.pause(20 + world.random.below(200));
    }
  }

  #note(outcome: Outcome): void {
    const isExplained = outcome !== 'lost' || performance.now() < this.#excusedUntil;
    const what = typeof outcome === 'string' ? (isExplained ? outcome : 'unavailable') : outcome.unexpected;
    if (typeof outcome === 'string' && isExplained) count(this.#counts, what);
    else count(this.#unexpected, what);
  }

  /** Whatever the engine does, the server itself answers. */
  async #probe(over: AbortSignal): Promise<void> {
    while (!over.aborted) {
      const from = performance.now();
      const status = await this.#client.send({ method: 'GET', path: '/health' }).then(
        (answer) => answer.status,
        () => 0,
      );
      if (status !== 200) this.#failedProbes++;
      this.#slowestProbeMs = Math.max(this.#slowestProbeMs, performance.now() - from);
      await pause(1000, over);
    }
  }

  async #killWhenDue(over: AbortSignal, own: OwnServer): Promise<void> {
    await pause(Math.max(0, this.#nextKillAt - performance.now()), over);
    if (over.aborted || !own.killEngine()) return;
    const killedAt = performance.now();
    this.#kills++;
    this.#nextKillAt = killedAt + this.#options.killSeconds * 1000;
    this.#excusedUntil = Infinity;
    this.#recoveries.push(await this.#recovery(killedAt));
    this.#excusedUntil = performance.now() + echoMs;
  }

  /** Milliseconds until requests are served again. What counts is that they are, however long a busy machine takes. */
  async #recovery(killedAt: number): Promise<number | undefined> {
    // Before the server knows of it, it still says that it is ready.
    await pause(250, this.#options.signal);
    while (performance.now() - killedAt < recoveryMs && !this.#options.signal.aborted) {
      const { status } = await this.#client.send({ method: 'GET', path: '/ready' }).catch(() => ({ status: 0 }));
      if (status === 200) return performance.now() - killedAt;
      await pause(100, this.#options.signal);
    }
    return undefined;
  }

  /** When all connections are closed and nothing is under way any more; at the latest after half a minute. */
  async #sample(): Promise<Sample> {
    const { own, signal } = this.#options;
    const { sockets = Infinity, files = Infinity } = this.#samples[0]?.server ?? {};
    const from = performance.now();
    for (let ms = pauseMs; ; ms = 250) {
      this.#client.close();
      await pause(ms, signal);
      const server = own && processState(own.pid);
      const enginePid = own?.enginePid();
      const engine = enginePid === undefined ? undefined : processState(enginePid);
      const load = await engineLoad(this.#client).catch(() => undefined);
      const isQuiet = load === undefined || (load.blocks === 0 && load.running === 0 && load.waiting === 0);
      const isFlat = (server?.sockets ?? 0) <= sockets && (server?.files ?? 0) <= files;
      const isBack = own === undefined || (engine !== undefined && isFlat);
      const isOver = performance.now() - from > quietMs || signal.aborted;
      if ((isQuiet && isBack) || isOver) return { server, engine, enginePid, load };
    }
  }

  #report(seconds: number): void {
    const { server, engine, load } = this.#samples.at(-1) ?? {};
    const { wrongCount } = this.#world.answers;
    const outcomes = ['answered', 'hung up', 'refused', 'rejected', 'lost'].map(
      (name) => `${this.#counts.get(name) ?? 0} ${name}`,
    );
    const parts = [
      `${seconds.toFixed(0).padStart(5)} s`,
      ...outcomes,
      `${wrongCount} wrong`,
      `${total(this.#unexpected)} unexpected`,
      ...(server === undefined ? [] : [`server ${formatNumber(server.rssMib)} MiB, ${server.sockets} sockets`]),
      ...(engine === undefined ? [] : [`engine ${formatNumber(engine.rssMib)} MiB`]),
      ...(load === undefined ? [] : [`blocks ${formatNumber(load.blocks * 100)} %`]),
      ...(this.#kills === 0 ? [] : [`${this.#kills} killed`]),
    ];
    this.#options.write(`${parts.join('  ')}\n`);
  }

  #verdict(): Check[] {
    const { wrong, wrongCount, checkedCount } = this.#world.answers;
    const checks: Check[] = [
      {
        what: 'wrong answers',
        isGood: checkedCount === 0 ? undefined : wrongCount === 0,
        detail: [`${wrongCount} of ${checkedCount} repeated ones`, ...wrong].join('\n'),
      },
      {
        what: 'unexpected answers',
        isGood: this.#unexpected.size === 0,
        detail: listed(this.#unexpected),
      },
    ];
    const { own } = this.#options;
    if (own === undefined)
      return [...checks, ...checkSamples(this.#samples).filter(({ isGood }) => isGood !== undefined)];
    const known = new Map(own.errors);
    // One line for each that we killed.
    const told = known.get(goneMessage) ?? 0;
    known.delete(goneMessage);
    return [
      ...checks,
      {
        what: 'health',
        isGood: this.#failedProbes === 0,
        detail: `${this.#failedProbes} probes failed, the slowest took ${formatNumber(this.#slowestProbeMs)} ms`,
      },
      ...checkSamples(this.#samples),
      { what: 'engines that died', isGood: told === this.#kills, detail: `${told}, killed ${this.#kills}` },
      { what: 'engines that came back', ...this.#recovered() },
      { what: 'prefix cache on disk', isGood: own.cacheWarnings.size === 0, detail: this.#cacheDetail(own) },
      { what: 'errors in the log', isGood: known.size === 0, detail: listed(known) },
    ];
  }

  #recovered(): Pick<Check, 'isGood' | 'detail'> {
    const times = this.#recoveries.map((ms) => ms ?? Infinity);
    if (times.length === 0) return { isGood: undefined, detail: 'none was killed' };
    return {
      isGood: Math.max(...times) < Infinity,
      detail: `the slowest after ${formatNumber(Math.max(...times))} ms`,
    };
  }

  /** Engines are killed while they write; nothing that is not whole may ever be found. */
  #cacheDetail({ cacheWarnings }: OwnServer): string {
    const tokens = Math.max(0, ...this.#samples.map(({ load }) => load?.diskTokens ?? 0));
    return cacheWarnings.size === 0 ? `${tokens} tokens read from it` : listed(cacheWarnings);
  }
}

/** As the engine client says it. */
const goneMessage = 'the engine process is gone';

function count(counts: Map<string, number>, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}

function total(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((sum, each) => sum + each, 0);
}

function listed(counts: ReadonlyMap<string, number>): string {
  return counts.size === 0 ? 'none' : [...counts].map(([what, times]) => `${times} x ${what}`).join(', ');
}

/** Ends early when the signal fires. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const wake = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', wake);
      resolve();
    };
    const timer = setTimeout(wake, Math.min(ms, 2 ** 31 - 1));
    signal.addEventListener('abort', wake);
  });
}
