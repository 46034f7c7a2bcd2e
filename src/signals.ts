// Ctrl-C and SIGTERM: the first asks for a clean end, the second for an immediate one.

import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from './core/log.ts';
import type { EngineClient } from './engine/client.ts';
import type { HttpServer } from './http/server.ts';
import { exitCodes } from './start-error.ts';

export interface StopOptions {
  readonly server: Pick<HttpServer, 'drain' | 'running'>;
  readonly engine: Pick<EngineClient, 'state' | 'shutdown'>;
  /** After SIGTERM requests that arrive are still served for so long: load balancers need a while to hear that we are not ready. */
  readonly delayMs: number;
  /** Then for running answers. */
  readonly graceMs: number;
  readonly log: Log;
  /** Ends the process at once; the engine sees that and ends too. */
  readonly exit: (code: number) => void;
}

/**
 * Resolves with the exit code once a signal has come and everything is closed: 0, or 130 for Ctrl-C before the model was loaded.
 */
export function stopOnSignals(options: StopOptions): Promise<number> {
  return new Promise((resolve, reject) => {
    let isStopping = false;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        if (isStopping) return options.exit(signal === 'SIGINT' ? exitCodes.interrupted : 143);
        isStopping = true;
        void stop(options, signal).then(resolve, reject);
      });
    }
  });
}

/** The engine has nothing to do any more when the server is drained; this is for giving back its memory. */
const engineGraceMs = 2_000;

async function stop(options: StopOptions, signal: NodeJS.Signals): Promise<number> {
  const { server, engine, graceMs, log } = options;
  if (engine.state === 'loading') {
    await Promise.all([server.drain({ graceMs: 0 }), engine.shutdown(0)]);
    log.info('stopped before the model was loaded');
    return signal === 'SIGINT' ? exitCodes.interrupted : 0;
  }
  // Ctrl-C is pressed by people, who do not stand behind load balancers.
  const delayMs = signal === 'SIGTERM' ? options.delayMs : 0;
  if (delayMs > 0) log.info(`not ready any more; arriving requests are served for another ${delayMs / 1000} s`);
  const drained = server.drain({ delayMs, graceMs });
  if (delayMs > 0) await delay(delayMs);
  const what = finishing(server.running, graceMs);
  log.info(signal === 'SIGINT' ? `${what} · Ctrl-C again stops now` : what);
  await drained;
  await engine.shutdown(engineGraceMs);
  log.info('stopped cleanly');
  return 0;
}

function finishing(answers: number, graceMs: number): string {
  if (answers === 0) return 'stopping';
  return `finishing ${answers} ${answers === 1 ? 'answer' : 'answers'}, up to ${graceMs / 1000} s`;
}
