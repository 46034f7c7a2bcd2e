// The message loop of an engine process: loads what it is told to, drives the engine while there is work, and ends with the server.
//
//   disconnect (the server is gone)      exit 0, whatever is going on: no orphans
//   shutdown                             refuse newcomers, finish what is there, exit 0
//   anything unexpected                  log to stderr, exit 70: the server's handle starts a new process

import { setImmediate as turn } from 'node:timers/promises';
import { ApiError, type FailureKind } from '../core/errors.ts';
import type { Engine } from './engine.ts';
import type { FromEngine, LoadedModel, LoadOptions, ToEngine } from './messages.ts';
import { StatsReport } from './stats.ts';

/** EX_SOFTWARE of sysexits.h. */
const crashed = 70;

export interface HostedEngine {
  readonly engine: Pick<Engine, 'submit' | 'cancel' | 'step' | 'isIdle' | 'stats'>;
  readonly model: LoadedModel;
  close(): Promise<void>;
}

/** Its rejection becomes `unloadable`; the message is shown to the operator. */
export type LoadEngine = (options: LoadOptions, emit: (message: FromEngine) => void) => Promise<HostedEngine>;

/** Call once, in a process that was forked with an IPC channel and `serialization: 'advanced'`. */
export function runMessageLoop(load: LoadEngine): void {
  // Ctrl-C and service managers signal the whole group; only the server decides, and its end is seen as `disconnect`.
  process.on('SIGINT', () => undefined);
  process.on('SIGTERM', () => undefined);
  process.on('SIGHUP', () => undefined);
  process.on('disconnect', () => process.exit(0));
  process.on('uncaughtException', crash);
  process.on('unhandledRejection', crash);
  const loop = new MessageLoop(load);
  process.on('message', (message: unknown) => loop.receive(message));
}

class MessageLoop {
  readonly #load: LoadEngine;
  readonly #stats = new StatsReport((stats, passes) => send({ type: 'stats', stats, passes }));
  #hosted: HostedEngine | undefined;
  #isLoading = false;
  #isDriving = false;
  #isStopping = false;

  constructor(load: LoadEngine) {
    this.#load = load;
  }

  receive(message: unknown): void {
    if (!isToEngine(message)) {
      const id = idOf(message);
      if (id !== undefined) this.#reject(id, 'invalid_request', 'The engine does not understand this message.');
      else process.stderr.write('engine: a message without a known type or shape was ignored\n');
      return;
    }
    switch (message.type) {
      case 'load':
        void this.#start(message.options).catch(crash);
        return;
      case 'submit':
        this.#submit(message);
        return;
      case 'cancel':
        this.#hosted?.engine.cancel(message.id, message.choice);
        this.#report();
        return;
      case 'shutdown':
        this.#isStopping = true;
        if (!this.#isDriving) void this.#end().catch(crash);
        return;
      default:
        message satisfies never;
    }
  }

  async #start(options: LoadOptions): Promise<void> {
    if (this.#isLoading || this.#hosted !== undefined) throw new Error('one engine process loads one model');
    this.#isLoading = true;
    try {
      this.#hosted = await this.#load(options, send);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      const code = error instanceof ApiError ? error.code : undefined;
      send({ type: 'unloadable', message, code }, () => process.exit(0));
      return;
    }
    send({ type: 'loaded', model: this.#hosted.model });
    this.#report();
  }

  #submit({ id, options }: Extract<ToEngine, { type: 'submit' }>): void {
    if (this.#hosted === undefined) return this.#reject(id, 'unavailable', 'The model is still being loaded.');
    if (this.#isStopping) return this.#reject(id, 'unavailable', 'The server is shutting down.');
    this.#hosted.engine.submit(id, options);
    this.#report();
    if (!this.#isDriving) void this.#drive(this.#hosted).catch(crash);
  }

  async #drive({ engine }: HostedEngine): Promise<void> {
    this.#isDriving = true;
    while (!engine.isIdle) {
      await engine.step((tokens) => this.#stats.begin(tokens, engine.stats));
      this.#report();
      // Messages are read between steps, also when a forward pass never left the microtask queue.
      await turn();
    }
    this.#isDriving = false;
    if (this.#isStopping) await this.#end();
  }

  async #end(): Promise<void> {
    await this.#hosted?.close();
    process.exit(0);
  }

  #report(): void {
    if (this.#hosted !== undefined) this.#stats.update(this.#hosted.engine.stats);
  }

  #reject(id: string, kind: FailureKind, message: string): void {
    send({ type: 'rejected', id, error: { kind, message, retryAfterSeconds: kind === 'unavailable' ? 1 : undefined } });
  }
}

/** A send that fails means that the server is gone; `disconnect` ends the process. */
function send(message: FromEngine, sent: () => void = () => undefined): void {
  process.send?.(message, undefined, {}, sent);
}

function crash(error: unknown): void {
  process.stderr.write(`engine: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(crashed);
}

/** The server is trusted, a version skew is not: just enough that a wrong message cannot end the process. */
function isToEngine(message: unknown): message is ToEngine {
  if (!isRecord(message)) return false;
  const { type, id, options } = message;
  switch (type) {
    case 'load':
      return isRecord(options) && typeof options['path'] === 'string';
    case 'submit':
      return typeof id === 'string' && isRecord(options) && isSubmission(options);
    case 'cancel':
      return typeof id === 'string';
    case 'shutdown':
      return true;
    default:
      return false;
  }
}

function isSubmission({ input, sampling, stopIds, output }: Record<string, unknown>): boolean {
  return (
    isRecord(input) &&
    input['ids'] instanceof Int32Array &&
    Array.isArray(input['spans']) &&
    isRecord(sampling) &&
    Array.isArray(stopIds) &&
    isRecord(output)
  );
}

function idOf(message: unknown): string | undefined {
  return isRecord(message) && message['type'] === 'submit' && typeof message['id'] === 'string'
    ? message['id']
    : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
