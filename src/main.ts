// Composition root: config -> server -> model -> one screen; then until a signal comes. The server listens before the model is loaded, so
// that probes hear that it is loading.

import { existsSync, readFileSync } from 'node:fs';
import { loadKeys, reloadOnHangup } from './api-keys.ts';
import { chooseTransport } from './choose-transport.ts';
import { readCommand, type Config } from './config.ts';
import type { Log } from './core/log.ts';
import { physicalCores } from './cores.ts';
import { freeMemory } from './engine/free-memory.ts';
import { Runtimes } from './engine/runtime.ts';
import { document } from './generated/document.js';
import { createGenerate } from './generation/generate.ts';
import { Models, ServedModel } from './generation/models.ts';
import { LineWriter } from './line-writer.ts';
import { bundledModel, loadModel, modelName } from './load-model.ts';
import { createLog } from './logger.ts';
import { Metrics } from './metrics.ts';
import { createOperations } from './operations/index.ts';
import type { SystemFacts } from './operations/system.ts';
import { docsPages } from './pages/docs.ts';
import { createProgress, type Progress } from './progress.ts';
import { createServers } from './servers.ts';
import { stopOnSignals } from './signals.ts';
import { MemoryCompletionStore } from './storage/memory.ts';
import { exitCodeOf, linesOf, noSuchModel } from './start-error.ts';
import { errorText, isLoopback, startScreen, type ScreenFacts } from './terminal.ts';
import { findParts } from './weights/gguf-parts.ts';

/** Runs the command line; resolves with the exit code when everything is closed. */
export async function main(): Promise<number> {
  const { env, stdout, stderr } = process;
  const isTerminal = stderr.isTTY && env['TERM'] !== 'dumb';
  let terminal: Terminal = { isTerminal, color: isTerminal && (env['NO_COLOR'] ?? '') === '' };
  let config: Config | undefined;
  try {
    const args = process.argv.slice(2);
    const command = readCommand({ args, env, version, columns: widthOf(stdout) });
    // Keys are known now, hashed; whatever is started from here has no business with them.
    delete env['TRAMONTANE_API_KEY'];
    if (command.type === 'print') {
      stdout.write(`${command.text}\n`);
      return 0;
    }
    ({ config } = command);
    terminal = { isTerminal, color: isTerminal && config.color };
    if (command.type === 'doctor') return await examine(config, command.json);
    const output = createOutput(config, terminal);
    try {
      return await serve(config, terminal, output);
    } finally {
      output.flush();
    }
  } catch (error) {
    tellFailure(error, config, terminal);
    return exitCodeOf(error);
  }
}

const version = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { readonly version: string }
).version;

/** The doctor is only loaded when called. */
async function examine(config: Config, json: boolean): Promise<number> {
  const { stdout } = process;
  const { diagnose } = await import('./doctor/doctor.ts');
  const { reportText } = await import('./doctor/report.ts');
  const diagnosis = await diagnose(config, version);
  const color = config.color && stdout.isTTY && process.env['TERM'] !== 'dumb';
  stdout.write(
    json ? `${JSON.stringify(diagnosis, undefined, 2)}\n` : reportText(diagnosis, { columns: widthOf(stdout), color }),
  );
  return diagnosis.exitCode;
}

/** No terminal, or one that does not know its width: the width of old. */
function widthOf({ columns }: { readonly columns?: number | undefined }): number {
  return columns === undefined || columns === 0 ? 80 : columns;
}

interface Terminal {
  readonly isTerminal: boolean;
  readonly color: boolean;
}

async function serve(config: Config, terminal: Terminal, output: Output): Promise<number> {
  const from = performance.now();
  const { log, progress } = output;
  const { freeBytes } = freeMemory();
  const path = await findModel(config.model ?? bundledModel);
  const chosen = await chooseTransport(config.transport, log);
  const served = new ServedModel(modelName(path), config.aliases, Math.floor(Date.now() / 1000));
  const keys = loadKeys(config);
  const metrics = new Metrics({ version, prefix: config.metricsPrefix, legacy: config.metricsLegacy });
  const modelMetrics = metrics.addModel(served.name);
  const models = new Models([served]);
  const system: SystemFacts = {
    version,
    document,
    isStopping: () => servers.isStopping,
    strictHealth: config.health === 'strict',
    metrics: (model) => metrics.text(model),
  };
  const servers = createServers({
    config,
    transport: chosen.transport,
    pages: docsPages({ version, document }),
    operations: createOperations({
      models,
      generate: createGenerate(models),
      store: new MemoryCompletionStore(),
      system,
    }),
    keys,
    onAnswered: (answered) => metrics.answered(answered),
    log,
  });
  const { url, metricsUrl } = await servers.listen();
  log.debug('listening', { url, metricsUrl });
  if (keys !== undefined) reloadOnHangup(keys, config, { log, isTerminal: terminal.isTerminal });

  const unwanted = new AbortController();
  const { engine, loaded } = loadModel({
    path,
    config,
    log,
    runtimes: new Runtimes({ log }),
    signal: unwanted.signal,
    meter: modelMetrics,
    onProgress: ({ phase, done, total }) => progress.update(phase, done, total),
  });
  modelMetrics.watch(engine);
  const exit = (code: number): void => process.exit(code);
  const stopped = stopOnSignals({
    server: servers,
    engine,
    delayMs: config.drainDelayMs,
    graceMs: config.shutdownTimeoutMs,
    log,
    exit,
  });
  try {
    // A model that fails because of a signal is not worth a word.
    const model = await Promise.race([loaded, stopped]);
    if (typeof model === 'number') {
      unwanted.abort();
      return model;
    }
    modelMetrics.loaded(model.info);
    served.loaded(model.parts);
    progress.hide();
    const readyMs = performance.now() - from;
    announce(config, terminal, output, {
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
      keys: keys?.size ?? 0,
      url,
      metricsUrl,
      readyMs,
    });
  } catch (error) {
    if (servers.isStopping) return await stopped;
    await Promise.all([servers.close(), engine.shutdown(0)]);
    throw error;
  } finally {
    progress.hide();
  }
  return await stopped;
}

interface Output {
  readonly log: Log;
  readonly progress: Progress;
  /** For people; in order with the log. */
  readonly write: (text: string) => void;
  /** Writes what is still here. */
  readonly flush: () => void;
}

/** Log and progress share the error output: a bar steps aside for lines. */
function createOutput(config: Config, { isTerminal }: Terminal): Output {
  const { logFormat: format, logLevel: level } = config;
  const { stderr } = process;
  const isTalkative = level === 'info' || level === 'debug';
  const { line: write, flush } = new LineWriter((text) => {
    progress.hide();
    stderr.write(text);
  });
  const log = createLog({ format, level, write });
  const progress = createProgress({
    terminal: isTerminal && isTalkative && format === 'text' ? { stream: stderr, columns: widthOf(stderr) } : undefined,
    step: ({ phase, words, percent }) => {
      if (format === 'json') log.info('loading', { phase, percent });
      else if (isTalkative) write(`  ${words}  ${percent} %\n`);
    },
  });
  return { log, progress, write, flush };
}

/** The last words of a program that could not start; for machines where the log is for machines. */
function tellFailure(error: unknown, config: Config | undefined, { color }: Terminal): void {
  const { stderr } = process;
  const lines = linesOf(error);
  const stack = config?.logLevel === 'debug' && error instanceof Error ? error : undefined;
  if (config?.logFormat === 'json') {
    const [message, ...remedy] = lines.split('\n');
    const log = createLog({ format: 'json', level: 'error', write: (line) => void stderr.write(line) });
    log.error(message, { remedy: remedy.join('\n') || undefined, exitCode: exitCodeOf(error), error: stack });
    return;
  }
  stderr.write(errorText(lines, color));
  if (stack?.stack !== undefined) stderr.write(`${stack.stack}\n`);
}

/** The first file of the model. */
async function findModel(path: string): Promise<string> {
  if (!existsSync(path)) throw noSuchModel(path);
  const [first] = await findParts(path);
  return first;
}

function announce(config: Config, { color }: Terminal, { log, write }: Output, facts: ScreenFacts): void {
  const { enginePid, readyMs, transport, url } = facts;
  if (config.logFormat === 'json') {
    const { loadMs: _, ...model } = facts.model;
    log.info('ready', {
      url,
      transport,
      metricsUrl: facts.metricsUrl,
      name: facts.name,
      keys: facts.keys,
      enginePid,
      ...model,
      runtime: facts.runtime?.why,
      readyMs: Math.round(readyMs),
    });
  } else if (config.logLevel === 'info' || config.logLevel === 'debug') {
    write(startScreen(facts, { columns: widthOf(process.stderr), color }));
  }
  if (!isLoopback(config.host) && facts.keys === 0) {
    log.warn(
      'everybody who can reach this address can use the server: it has no keys. Give it some (--api-key-file PATH, --api-key KEY), ' +
        'or listen on this machine only (--host 127.0.0.1)',
    );
  }
}
