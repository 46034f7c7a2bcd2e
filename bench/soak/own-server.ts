// Our own server as the thing under test: started on a free port, its engine killed now and then, ended at last.

import { spawnServer, type Exit } from '../../src/testing/server-process.ts';
import { enginePidOf } from './observe.ts';

export interface OwnServer {
  readonly url: string;
  readonly pid: number;
  readonly enginePid: () => number | undefined;
  /** Whether it was there to be killed. */
  readonly killEngine: () => boolean;
  /** Errors in the log -> how often. */
  readonly errors: ReadonlyMap<string, number>;
  /** Warnings of the prefix cache on disk: damaged files, a disk that does not take any more. */
  readonly cacheWarnings: ReadonlyMap<string, number>;
  /** Resolves when it is gone. */
  readonly exit: Promise<Exit>;
  /** Asks it to end. */
  readonly stop: () => Promise<Exit>;
}

/** Ready when this resolves. Throws with the first words of a server that does not get so far. */
export async function startOwnServer(args: readonly string[]): Promise<OwnServer> {
  const errors = new Map<string, number>();
  const cacheWarnings = new Map<string, number>();
  let words = '';
  let onReady: (url: string) => void = () => undefined;
  const ready = new Promise<string>((resolve) => {
    onReady = resolve;
  });
  const { process: child, exit } = spawnServer(args, ({ msg, level, url }) => {
    // What is no JSON is for people: why it could not start.
    if (words === '' && level === undefined) words = msg.trim();
    if (msg === 'ready') onReady(String(url));
    if (level === 'error') errors.set(msg, (errors.get(msg) ?? 0) + 1);
    if (msg.startsWith('prefix cache:')) cacheWarnings.set(msg, (cacheWarnings.get(msg) ?? 0) + 1);
  });
  const url = await Promise.race([ready, exit]);
  if (typeof url !== 'string' || child.pid === undefined) throw new Error(`the server did not start: ${words}`);
  const pid = child.pid;
  return {
    url,
    pid,
    enginePid: () => enginePidOf(pid),
    killEngine: () => {
      const engine = enginePidOf(pid);
      return engine !== undefined && process.kill(engine, 'SIGKILL');
    },
    errors,
    cacheWarnings,
    exit,
    stop: async () => {
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), 60_000);
      const code = await exit;
      clearTimeout(timer);
      return code;
    },
  };
}
