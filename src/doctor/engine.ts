// Who would compute, and whether it computes right: the Node of the engine and its kernels.

import { execFile, type ExecFileException } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { SelfTestReport } from '../compute/wasm/self-test.ts';
import type { Config } from '../config.ts';
import { physicalCores } from '../cores.ts';
import type { Log } from '../core/log.ts';
import { Runtimes, type EngineRuntime } from '../engine/runtime.ts';
import { exitCodes, StartError } from '../start-error.ts';
import { failed, type Check } from './check.ts';

/** Two checks: `node` and `kernels`. */
export async function checkEngine(config: Config): Promise<readonly Check[]> {
  const warnings: string[] = [];
  try {
    const runtime = await chooseRuntime(config, (warning) => warnings.push(warning));
    const node = nodeCheck(runtime, warnings);
    return [node, await kernelsCheck(config, runtime)];
  } catch (error) {
    return [failed('node', error, { node: process.versions.node })];
  }
}

async function chooseRuntime(
  { engineRuntime, kernels, device }: Config,
  warn: (text: string) => void,
): Promise<EngineRuntime> {
  if (engineRuntime !== 'auto' && engineRuntime !== 'system' && !existsSync(engineRuntime)) {
    throw new StartError(`--engine-runtime: there is no file ${engineRuntime}`, {
      remedy: 'give the path of a Node executable, or leave it out',
      exitCode: exitCodes.notFound,
    });
  }
  const quiet = (): void => undefined;
  const log: Log = { debug: quiet, info: quiet, error: quiet, warn, with: () => log };
  return await new Runtimes({ log }).choose({ runtime: engineRuntime, kernels, device });
}

function nodeCheck(runtime: EngineRuntime, warnings: readonly string[]): Check {
  const own = process.versions.node;
  const isOwn = runtime.execPath === process.execPath;
  const text = isOwn
    ? `Node ${own}${gain(own)}`
    : `Node ${own}; the engine runs on Node ${runtime.node} (${runtime.why})`;
  const facts = { node: own, engineNode: runtime.node, why: runtime.why };
  if (warnings.length > 0) return { name: 'node', status: 'warn', text: `${text}: ${warnings.join(', ')}`, facts };
  return { name: 'node', status: 'ok', text, facts };
}

/** What another Node would bring. Only CPUs with VNNI gain. */
function gain(node: string): string {
  const flags = cpuFlags();
  const hasVnni = flags === undefined ? undefined : /\bavx(512)?_vnni\b/.test(flags);
  if (Number.parseInt(node, 10) >= 24) return '';
  if (hasVnni === false) return ' (a newer one would not be faster on this CPU)';
  const where = hasVnni === true ? 'this CPU' : 'a CPU with AVX-VNNI';
  return ` (24 or newer runs the fast int8 kernels of ${where}: npm run build:runtime, or --engine-runtime PATH)`;
}

/** Linux on x86 tells. */
function cpuFlags(): string | undefined {
  try {
    return /^flags\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}

async function kernelsCheck(config: Config, { execPath }: EngineRuntime): Promise<Check> {
  const cores = physicalCores();
  const threads = `${config.threads} ${config.threads === 1 ? 'thread' : 'threads'} on ${cores} ${cores === 1 ? 'core' : 'cores'}`;
  if (config.device !== 'wasm') {
    return {
      name: 'kernels',
      status: 'warn',
      text: `${threads}, scalar arithmetic`,
      remedy: 'use --device wasm: it is many times faster',
    };
  }
  try {
    const report = await runSelfTest(execPath, config);
    const { build, reason, kernels, wrong, ms } = report;
    const facts = { cores, threads: config.threads, ...report, ms: Math.round(ms) };
    const name = `SIMD build ${build} (${reason})`;
    if (wrong.length > 0) {
      return {
        name: 'kernels',
        status: 'fail',
        text: `${name} computes wrong results here: ${wrong.join(', ')}`,
        remedy:
          build === 'strict'
            ? 'use --device reference (slow), and report this'
            : 'use --kernels strict, and report this',
        exitCode: exitCodes.failed,
        facts,
      };
    }
    const text = `${threads}, ${name}; self-test of ${kernels} kernels, ${(ms / 1000).toFixed(1)} s`;
    if (config.threads <= cores) return { name: 'kernels', status: 'ok', text, facts };
    return {
      name: 'kernels',
      status: 'warn',
      text,
      remedy: `use --threads ${cores}: more only wait for each other`,
      facts,
    };
  } catch (error) {
    return failed('kernels', error, { cores, threads: config.threads });
  }
}

const script = fileURLToPath(new URL('./self-test-run.js', import.meta.url));

/** Some tenths of a second are expected. */
const patienceMs = 60_000;

async function runSelfTest(execPath: string, { kernels, threads }: Config): Promise<SelfTestReport> {
  const args = [script, kernels, String(Math.min(threads, 8))];
  const options = { timeout: patienceMs, killSignal: 'SIGKILL', maxBuffer: 1 << 20 } as const;
  try {
    const { stdout } = await promisify(execFile)(execPath, args, options);
    return JSON.parse(stdout) as SelfTestReport;
  } catch (error) {
    const { stderr = '', message } = error as ExecFileException & { readonly stderr?: string };
    const line = stderr
      .split('\n')
      .find((each) => /\w*Error: /.test(each))
      ?.replace(/^\w*Error: /, '');
    throw new Error(`the self-test of the kernels did not finish: ${line ?? message.split('\n')[0]}`, { cause: error });
  }
}
