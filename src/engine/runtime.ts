// Which Node runs the engine process: the server's own, or one whose V8 runs a better kernel build. Both are asked what relaxed SIMD
// computes there, with the same probe by which the engine itself will choose.

import { execFile, type ExecFileException } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { bestBuild, isBetter } from '../compute/wasm/builds.ts';
import { probeKernels, type KernelProbe } from '../compute/wasm/probe.ts';
import type { Log } from '../core/log.ts';
import { bundledNode } from './bundled-runtime.ts';
import type { DeviceKind, KernelsBuild } from './messages.ts';

export interface EngineRuntime {
  /** The executable. */
  readonly execPath: string;
  /** Its version, as `24.21.0`. */
  readonly node: string;
  /** Why this one, for the start-up screen: at most 33 characters. */
  readonly why: string;
}

export interface RuntimeWish {
  /** A path, or `system` for the server's own Node, or `auto` for the one that gains. */
  readonly runtime: string;
  readonly kernels: KernelsBuild | 'auto';
  readonly device: DeviceKind;
}

/** What a Node says of itself. */
export interface RuntimeReport {
  readonly node: string;
  readonly probe: KernelProbe;
}

export interface RuntimesOptions {
  readonly log: Log;
  /** The executable that comes with the package, installed or not. */
  readonly bundled?: string;
  /** What the server's own Node says. */
  readonly own?: () => RuntimeReport;
  /** The best build of those wanted on such a machine. */
  readonly best?: typeof bestBuild;
}

export class Runtimes {
  readonly #log: Log;
  readonly #bundled: string;
  readonly #own: () => RuntimeReport;
  readonly #best: typeof bestBuild;
  /** By path, size and time of change: a runtime that is replaced is asked again. */
  readonly #reports = new Map<string, Promise<RuntimeReport>>();

  constructor({ log, bundled = bundledNode(), own = ownReport, best = bestBuild }: RuntimesOptions) {
    this.#log = log;
    this.#bundled = bundled;
    this.#own = own;
    this.#best = best;
  }

  /** A runtime that does not start is warned of, and the server's own is taken. */
  async choose(wish: RuntimeWish): Promise<EngineRuntime> {
    if (wish.runtime === 'system') return onOwn('as --engine-runtime says');
    if (wish.runtime !== 'auto') return await this.#asked(wish.runtime);
    if (wish.device !== 'wasm') return onOwn('reference needs no kernels');
    return await this.#gaining(wish.kernels);
  }

  async #asked(path: string): Promise<EngineRuntime> {
    const report = await this.#try(path);
    if (report === undefined) return onOwn('that of --engine-runtime failed');
    return { execPath: path, node: report.node, why: 'as --engine-runtime says' };
  }

  async #gaining(kernels: KernelsBuild | 'auto'): Promise<EngineRuntime> {
    const here = this.#best(kernels, this.#own().probe);
    const ideal = this.#best(kernels, perfect);
    if (here === ideal) return onOwn(kernels === 'auto' ? 'has the best kernels' : `has ${kernels} kernels`);
    if (!existsSync(this.#bundled)) return onOwn('no bundled runtime installed');
    const report = await this.#try(this.#bundled);
    if (report === undefined) return onOwn('the bundled one failed to start');
    const there = this.#best(kernels, report.probe);
    if (!isBetter(there, here)) return onOwn('the bundled one gains nothing');
    return { execPath: this.#bundled, node: report.node, why: `bundled, for its ${there} kernels` };
  }

  async #try(path: string): Promise<RuntimeReport | undefined> {
    try {
      return await this.report(path);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.#log.warn(`the engine cannot run on ${path}, so it runs on Node ${process.versions.node}`, { reason });
      return undefined;
    }
  }

  /** Starts that Node once. Rejects when it does not answer as one that the engine can run on. */
  async report(path: string): Promise<RuntimeReport> {
    const { size, mtimeMs } = statSync(path);
    const key = `${path}:${size}:${mtimeMs}`;
    const known = this.#reports.get(key) ?? ask(path);
    this.#reports.set(key, known);
    return await known;
  }
}

const perfect: KernelProbe = { relaxed: true, i16Dot: true, i32Dot: 'exact', fused: true };

function onOwn(why: string): EngineRuntime {
  return { execPath: process.execPath, node: process.versions.node, why };
}

function ownReport(): RuntimeReport {
  return { node: process.versions.node, probe: probeKernels() };
}

const script = fileURLToPath(new URL('./runtime-report.js', import.meta.url));

/** A Node starts within 50 ms; a busy machine may take its time. */
const patienceMs = 10_000;

async function ask(path: string): Promise<RuntimeReport> {
  const report = parse(await run(path));
  if (report === undefined) throw new Error('it did not answer as Node does');
  const [major, minor] = report.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19)) throw new Error(`it is Node ${report.node}; 20.19 is needed`);
  return report;
}

async function run(path: string): Promise<string> {
  const options = { timeout: patienceMs, killSignal: 'SIGKILL', maxBuffer: 65_536 } as const;
  try {
    return (await promisify(execFile)(path, [script], options)).stdout;
  } catch (error) {
    const { killed, stderr = '', code, message } = error as ExecFileException & { readonly stderr?: string };
    if (killed === true) throw new Error(`it did not answer within ${patienceMs / 1000} s`, { cause: error });
    if (typeof code !== 'number') throw new Error(message, { cause: error });
    const words = stderr.split('\n').find((line) => /error|not allowed|cannot/i.test(line));
    throw new Error(`it exited with code ${code}${words === undefined ? '' : `: ${words}`}`, { cause: error });
  }
}

function parse(text: string): RuntimeReport | undefined {
  try {
    const { node, probe } = JSON.parse(text) as { node?: unknown; probe?: Partial<Record<keyof KernelProbe, unknown>> };
    const isReport =
      typeof node === 'string' &&
      typeof probe?.relaxed === 'boolean' &&
      typeof probe.i16Dot === 'boolean' &&
      typeof probe.i32Dot === 'string' &&
      typeof probe.fused === 'boolean';
    return isReport ? { node, probe: probe as KernelProbe } : undefined;
  } catch {
    return undefined;
  }
}
