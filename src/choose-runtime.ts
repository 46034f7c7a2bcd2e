// Which Node runs the engine, as the flags say.

import { existsSync } from 'node:fs';
import type { Config } from './config.ts';
import type { Log } from './core/log.ts';
import { Runtimes, type EngineRuntime } from './engine/runtime.ts';
import { exitCodes, StartError } from './start-error.ts';

/** A path without a file is a slip of the hand; one on which nothing starts is warned of. Throws `StartError`. */
export async function chooseRuntime(
  { engineRuntime: runtime, kernels, device }: Pick<Config, 'engineRuntime' | 'kernels' | 'device'>,
  log: Log,
): Promise<EngineRuntime> {
  if (runtime === 'auto' || runtime === 'system' || existsSync(runtime)) {
    return await new Runtimes({ log }).choose({ runtime, kernels, device });
  }
  throw new StartError(`--engine-runtime: there is no file ${runtime}`, {
    remedy: 'give the path of a Node executable, or leave it out for the one that runs the best kernels',
    exitCode: exitCodes.notFound,
  });
}
