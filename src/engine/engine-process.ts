// One engine process as its parent sees it: forked, heard, and gone exactly once.

import { fork } from 'node:child_process';
import type { Log } from '../core/log.ts';
import { readLines } from './lines.ts';
import type { FromEngine, ToEngine } from './messages.ts';

export interface EngineProcessOptions {
  /** Path of the JavaScript file that the process runs. */
  readonly entry: string;
  readonly log: Log;
  /** Another Node than this one. */
  readonly execPath?: string | undefined;
  /** Flags of that Node; by default none, whatever ours are. */
  readonly execArgv?: readonly string[] | undefined;
  readonly onMessage: (message: FromEngine) => void;
  /** The process has ended and all its messages were heard. `reason`: in words. */
  readonly onGone: (reason: string) => void;
}

export interface EngineProcess {
  readonly pid: number | undefined;
  /** Messages to a process that is about to be gone are lost; `onGone` follows. */
  readonly send: (message: ToEngine) => void;
  readonly kill: () => void;
}

export function startEngineProcess(options: EngineProcessOptions): EngineProcess {
  const { entry, execPath, execArgv = [], onMessage, onGone } = options;
  const child = fork(entry, [], {
    serialization: 'advanced',
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    execArgv: [...execArgv],
    ...(execPath === undefined ? {} : { execPath }),
  });
  const log = options.log.with({ enginePid: child.pid });
  if (child.stdout !== null) readLines(child.stdout, (text) => log.info(text));
  if (child.stderr !== null) readLines(child.stderr, (text) => log.warn(text));

  // Gone = exited, and the channel read to its end; the two are told in any order.
  let reason: string | undefined;
  let isHeard = false;
  let isGone = false;
  const settle = (): void => {
    if (isGone || reason === undefined || !isHeard) return;
    isGone = true;
    onGone(reason);
  };
  child.on('message', (message) => onMessage(message as FromEngine));
  child.on('disconnect', () => {
    isHeard = true;
    settle();
  });
  child.on('exit', (code, signal) => {
    reason = signal === null ? `it exited with code ${code}` : `it was ended by ${signal}`;
    if (!child.connected) isHeard = true;
    settle();
  });
  child.on('error', (error) => {
    log.error('the engine process failed', { error });
    // Without a pid it never started and there will be no exit.
    if (child.pid !== undefined) return;
    reason = `it could not be started: ${error.message}`;
    isHeard = true;
    settle();
  });
  return {
    pid: child.pid,
    send: (message) => {
      child.send(message, (error) => {
        if (error !== null) log.debug('a message did not reach the engine process', { type: message.type });
      });
    },
    kill: () => void child.kill('SIGKILL'),
  };
}
