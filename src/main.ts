// Composition root: config -> server -> model -> one screen; then until a signal comes. The server listens before the model is loaded, so
// that probes hear that it is loading.

import { existsSync, readFileSync } from 'node:fs';
import { chooseTransport, type ChosenTransport } from './choose-transport.ts';
import { readCommand, UsageError, type Config } from './config.ts';
import type { Log } from './core/log.ts';
import { physicalCores } from './cores.ts';
import { freeMemory } from './engine/free-memory.ts';
import { Runtimes } from './engine/runtime.ts';
import { document } from './generated/document.js';
import { routes } from './generated/operations.ts';
import { createGenerate } from './generation/generate.ts';
import { Models, ServedModel } from './generation/models.ts';
import { createServer, type HttpServer } from './http/server.ts';
import { bundledModel, loadModel, modelName } from './load-model.ts';
import { createLog } from './logger.ts';
import { createOperations } from './operations/index.ts';
import { docsPages } from './pages/docs.ts';
import { stopOnSignals } from './signals.ts';
import { cannotListen, exitCodeOf, noSuchModel } from './start-error.ts';
import { createProgress, errorText, isLoopback, startScreen, type ScreenFacts } from './terminal.ts';
import { findParts } from './weights/gguf-parts.ts';

/** Runs the command line; resolves with the exit code when everything is closed. */
export async function main(): Promise<number> {
  const { stdout, stderr } = process;
  const isTerminal = stderr.isTTY && process.env['TERM'] !== 'dumb';
  let color = isTerminal && (process.env['NO_COLOR'] ?? '') === '';
  try {
    const args = process.argv.slice(2);
    const command = readCommand({ args, env: process.env, version, columns: widthOf(stdout) });
    if (command.type === 'print') {
      stdout.write(`${command.text}\n`);
      return 0;
    }
    color = isTerminal && command.config.color;
    return await serve(command.config, { isTerminal, color });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const hint = error instanceof UsageError ? '\nall flags: tramontane --help' : '';
    stderr.write(errorText(message + hint, color));
    return exitCodeOf(error);
  }
}

const version = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { readonly version: string }
).version;

/** No terminal, or one that does not know its width: the width of old. */
function widthOf({ columns }: { readonly columns?: number | undefined }): number {
  return columns === undefined || columns === 0 ? 80 : columns;
}

interface Terminal {
  readonly isTerminal: boolean;
  readonly color: boolean;
}

async function serve(config: Config, terminal: Terminal): Promise<number> {
  const from = performance.now();
  const write = (text: string): void => void process.stderr.write(text);
  const log = createLog({ format: config.logFormat, level: config.logLevel, write });
  const { freeBytes } = freeMemory();
  const path = await findModel(config.model ?? bundledModel);
  const chosen = await chooseTransport(config.transport, log);
  const served = new ServedModel(modelName(path), config.aliases, Math.floor(Date.now() / 1000));
  const server = createHttpServer(config, new Models([served]), chosen, log);
  const url = await listen(server, config);
  log.debug('listening', { url });

  const progress = createProgress({ write, stream: terminal.isTerminal ? process.stderr : undefined });
  const unwanted = new AbortController();
  const { engine, loaded } = loadModel({
    path,
    config,
    log,
    runtimes: new Runtimes({ log }),
    signal: unwanted.signal,
    onProgress: ({ phase, done, total }) => progress.update(phase, done, total),
  });
  const exit = (code: number): void => process.exit(code);
  const stopped = stopOnSignals({ server, engine, graceMs: config.shutdownTimeoutMs, log, exit });
  try {
    // A model that fails because of a signal is not worth a word.
    const model = await Promise.race([loaded, stopped]);
    if (typeof model === 'number') {
      unwanted.abort();
      return model;
    }
    served.loaded(model.parts);
    progress.stop();
    const readyMs = performance.now() - from;
    announce(config, terminal, log, {
      version,
      transport: chosen.title,
      transportReason: chosen.reason,
      name: served.name,
      aliases: served.aliases,
      model: model.info,
      runtime: model.runtime,
      enginePid: engine.pid,
      freeBytes,
      cores: physicalCores(),
      host: config.host,
      url,
      readyMs,
    });
  } catch (error) {
    if (server.isStopping) return await stopped;
    await Promise.all([server.close(), engine.shutdown(0)]);
    throw error;
  } finally {
    progress.stop();
  }
  return await stopped;
}

/** The first file of the model. */
async function findModel(path: string): Promise<string> {
  if (!existsSync(path)) throw noSuchModel(path);
  const [first] = await findParts(path);
  return first;
}

function createHttpServer(config: Config, models: Models, { transport }: ChosenTransport, log: Log): HttpServer {
  const system = { version, document, isStopping: () => server.isStopping };
  const server: HttpServer = createServer({
    routes,
    pages: docsPages({ version }),
    operations: createOperations({ models, generate: createGenerate(models), system }),
    transport,
    log,
    options: config,
  });
  return server;
}

/** Resolves with the address for people. */
async function listen(server: HttpServer, { host, port }: Config): Promise<string> {
  try {
    const taken = await server.listen();
    const name = host === '0.0.0.0' || host === '::' ? 'localhost' : host;
    return `http://${name.includes(':') ? `[${name}]` : name}:${taken}`;
  } catch (error) {
    throw cannotListen(error, host, port);
  }
}

function announce(config: Config, { color }: Terminal, log: Log, facts: ScreenFacts): void {
  const { enginePid, readyMs, transport, url } = facts;
  if (config.logFormat === 'json') {
    const { loadMs: _, ...model } = facts.model;
    log.info('ready', {
      url,
      transport,
      name: facts.name,
      enginePid,
      ...model,
      runtime: facts.runtime?.why,
      readyMs: Math.round(readyMs),
    });
  } else if (config.logLevel === 'info' || config.logLevel === 'debug') {
    process.stderr.write(startScreen(facts, { columns: widthOf(process.stderr), color }));
  }
  if (!isLoopback(config.host)) {
    log.warn(
      'everybody who can reach this address can use the server: it has no keys. Listen on this machine only (--host 127.0.0.1), ' +
        'or let only a proxy that asks for keys reach it',
    );
  }
}
