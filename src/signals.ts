// Ctrl-C and SIGTERM: the first asks for a clean end, the second for an immediate one.

import type { Log } from './core/log.ts';
import type { EngineClient } from './engine/client.ts';
import type { HttpServer } from './http/server.ts';
import { exitCodes } from './start-error.ts';

export interface StopOptions {
  readonly server: Pick<HttpServer, 'drain' | 'running'>;
  readonly engine: Pick<EngineClient, 'state' | 'shutdown'>;
  /** For running answers. */
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

async function stop({ server, engine, graceMs, log }: StopOptions, signal: NodeJS.Signals): Promise<number> {
  if (engine.state === 'loading') {
    await Promise.all([server.drain({ graceMs: 0 }), engine.shutdown(0)]);
    log.info('stopped before the model was loaded');
    return signal === 'SIGINT' ? exitCodes.interrupted : 0;
  }
  const answers = server.running;
  const what =
    answers === 0
      ? 'stopping'
      : `finishing ${answers} ${answers === 1 ? 'answer' : 'answers'}, up to ${graceMs / 1000} s`;
  log.info(signal === 'SIGINT' ? `${what} · Ctrl-C again stops now` : what);
  await server.drain({ graceMs });
  await engine.shutdown(engineGraceMs);
  log.info('stopped cleanly');
  return 0;
}
