// Fetches the pinned Node for the engine process where the machine's own is older. Whatever happens, the
// installation of the server goes on: without that Node the engine runs on the machine's, with slower kernels. Says one line.

import { execFile } from 'node:child_process';
import { basename } from 'node:path';
import { promisify } from 'node:util';
import { bundledNode, pinnedNode, runtimeFolder } from './bundled-runtime.ts';

export interface Machine {
  /** Version of its Node, as `20.20.2`. */
  readonly node: string;
  readonly platform: string;
  readonly arch: string;
  /** Version of its C library, if that is glibc. */
  readonly glibc: string | undefined;
}

export interface InstallOptions {
  readonly machine: Machine;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Holds the package.json and its lock. */
  readonly folder?: string;
  readonly timeoutMs?: number;
}

/** The first V8 that lowers the relaxed int8 dot product to one instruction comes with it. */
const gainsFrom = 24;

/** Resolves with what happened, in one line; never rejects. */
export async function installRuntime(options: InstallOptions): Promise<string> {
  const { machine, folder = runtimeFolder } = options;
  const reason = whyNotHere(machine, options.env);
  if (reason !== undefined) return `engine runtime: ${reason}`;
  try {
    const wanted = pinnedNode(folder);
    if ((await versionOf(bundledNode(folder))) === wanted) return `engine runtime: Node ${wanted} is already there`;
    await runNpm(folder, options);
    const version = await versionOf(bundledNode(folder));
    if (version !== wanted) throw new Error(`Node ${wanted} was fetched but does not run on this machine`);
    return `engine runtime: Node ${wanted} installed in runtime/`;
  } catch (error) {
    const what = error instanceof Error ? error.message : String(error);
    return `engine runtime: left out, the engine will run on Node ${machine.node} (${what}); later: npm run build:runtime`;
  }
}

function whyNotHere({ node, platform, arch, glibc }: Machine, env: InstallOptions['env']): string | undefined {
  const skip = env['TRAMONTANE_SKIP_RUNTIME'] ?? '';
  if (skip !== '' && skip !== '0') return 'left out, as TRAMONTANE_SKIP_RUNTIME says';
  if (Number.parseInt(node, 10) >= gainsFrom) return `not needed, Node ${node} is new enough`;
  if (platform === 'linux' && arch === 'x64' && glibc !== undefined) return undefined;
  const libc = platform === 'linux' && glibc === undefined ? ' without glibc' : '';
  return `none for ${platform}-${arch}${libc}, the engine will run on Node ${node}`;
}

/** `undefined`: it is not there, or does not run. */
async function versionOf(node: string): Promise<string | undefined> {
  try {
    const { stdout } = await promisify(execFile)(node, ['--version'], { timeout: 10_000 });
    return stdout.trim().replace(/^v/, '');
  } catch {
    return undefined;
  }
}

/** npm's own patience without a network is over a minute (10 s and 60 s between three attempts). */
const flags =
  '--ignore-scripts --no-bin-links --package-lock --prefer-offline --no-audit --no-fund --loglevel=error ' +
  '--fetch-retries=1 --fetch-retry-mintimeout=1000 --fetch-retry-maxtimeout=1000';

/** Some 50 MB are fetched. */
const patienceMs = 300_000;

async function runNpm(folder: string, { env, timeoutMs = patienceMs }: InstallOptions): Promise<void> {
  // Inside an npm script: the npm that runs it, not the first one on the path.
  const script = env['npm_execpath'];
  const isNpm = script !== undefined && basename(script) === 'npm-cli.js';
  const args = [...(isNpm ? [script] : []), 'ci', '--prefix', folder, ...flags.split(' ')];
  // What an outer `npm install --global` leaves in the environment would apply to ours.
  const { npm_config_global: _, npm_config_location: __, ...rest } = env;
  try {
    await promisify(execFile)(isNpm ? process.execPath : 'npm', args, { env: rest, timeout: timeoutMs });
  } catch (error) {
    throw new Error(whyNpmFailed(error), { cause: error });
  }
}

function whyNpmFailed(error: unknown): string {
  const { stderr, killed, message } = error as { stderr?: string; killed?: boolean; message: string };
  if (killed === true) return 'npm took too long';
  const lines = (stderr ?? '').split('\n').map((line) => line.replace(/^npm (error|ERR!)\s*/, '').trim());
  return (
    lines.find((line) => line !== '' && !/^(code|errno|syscall) /.test(line) && !line.startsWith('npm warn')) ??
    message.split('\n')[0]
  );
}
