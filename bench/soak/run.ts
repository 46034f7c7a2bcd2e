// `npm run soak -- --minutes N`: does a server stay what it was under users who behave as users do? Exit code 0: yes, 1: no, 2: it could not
// be run.

import { setMaxListeners } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readArguments, UsageError, type Arguments } from '../arguments.ts';
import { formatTable } from '../table.ts';
import { startOwnServer } from './own-server.ts';
import { soak, type SoakOptions } from './soak.ts';
import type { Check } from './verdict.ts';

const help = `npm run soak -- [--minutes 1] [--users 24] [--seed N] [--kill-seconds 100] [-- SERVER OPTIONS]
    starts our own server on a free port, asks it for everything at once, and kills its engine now and then
npm run soak -- --base-url URL --model NAME [--api-key KEY] [--minutes 1] [--users 24] [--seed N]
    the same users at any server that speaks the OpenAI API; only its answers are judged
`;

const values = ['minutes', 'users', 'seed', 'kill-seconds', 'base-url', 'model', 'api-key'];

async function main(args: readonly string[]): Promise<number> {
  const options = readArguments(args, values, ['help']);
  if (options.flag('help')) {
    process.stdout.write(help);
    return 0;
  }
  const common = {
    minutes: options.number('minutes', 1),
    users: options.amount('users', 24),
    seed: options.count('seed', 1),
    write: (text: string) => void process.stdout.write(text),
  };
  const checks =
    options.text('base-url') === undefined ? await soakOwn(options, common) : await soakOther(options, common);
  return judge(checks);
}

type Common = Pick<SoakOptions, 'minutes' | 'users' | 'seed' | 'write'>;

async function soakOther(options: Arguments, common: Common): Promise<Check[]> {
  if (options.positionals.length > 0) throw new UsageError('options of a server are for our own, not for --base-url');
  const at = {
    baseUrl: options.required('base-url'),
    model: options.required('model'),
    apiKey: options.text('api-key'),
  };
  return await soak({ ...common, ...at, killSeconds: 0, signal: interruption() });
}

async function soakOwn(options: Arguments, common: Common): Promise<Check[]> {
  const signal = interruption();
  // Places and a queue that users fill, so that refusals are seen; a disk that is full soon, so that its oldest files go.
  const folder = await mkdtemp(join(tmpdir(), 'soak-'));
  const crowded = ['--max-seqs', '8', '--max-waiting', '8'];
  const disk = ['--prefix-cache-dir', folder, '--prefix-cache-dir-limit', '512KiB'];
  const own = await startOwnServer([...crowded, ...disk, ...options.positionals]);
  try {
    // The engine client gives an engine up that dies five times without a minute of health between.
    const killSeconds = options.count('kill-seconds', 100);
    const at = { baseUrl: own.url, model: options.text('model') ?? 'default', apiKey: options.text('api-key') };
    const checks = await soak({ ...common, ...at, killSeconds, own, signal });
    const enginePid = own.enginePid();
    const code = await own.stop();
    const isOrphan = enginePid !== undefined && isAlive(enginePid);
    const detail = `code ${code}${isOrphan ? `, but its engine ${enginePid} still runs` : ''}`;
    return [...checks, { what: 'end of the server', isGood: code === 0 && !isOrphan, detail }];
  } finally {
    await own.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Ctrl-C ends the load; what was seen so far is judged. */
function interruption(): AbortSignal {
  const abort = new AbortController();
  // Each user may wait for it.
  setMaxListeners(0, abort.signal);
  process.once('SIGINT', () => abort.abort());
  process.once('SIGTERM', () => abort.abort());
  return abort.signal;
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

function judge(checks: readonly Check[]): number {
  const rows = checks.flatMap(({ what, isGood, detail }) =>
    detail
      .split('\n')
      .map((line, i) =>
        i === 0 ? [isGood === undefined ? '-' : isGood ? 'ok' : 'FAILED', what, line] : ['', '', line],
      ),
  );
  process.stdout.write(`\n${formatTable(['', 'check', 'seen'], rows)}`);
  const failed = checks.filter(({ isGood }) => isGood === false).length;
  const unseen = checks.filter(({ isGood }) => isGood === undefined).length;
  process.stdout.write(`${checks.length - failed - unseen} ok, ${failed} failed, ${unseen} not seen\n`);
  return failed === 0 ? 0 : 1;
}

// Node ends without a word when nothing is left that could settle what is awaited.
const silent = (): void => void process.stderr.write('error: it ended without a verdict\n');
process.once('exit', silent);
try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  process.stderr.write(`error: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
process.off('exit', silent);
