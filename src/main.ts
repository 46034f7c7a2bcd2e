// Composition root of `serve`: config -> server -> model -> one screen; then until a signal comes. The server listens before the model is loaded, so
// that probes hear that it is loading.

import { existsSync } from 'node:fs';
import { loadKeys, reloadOnHangup } from './api-keys.ts';
import { chooseTransport } from './choose-transport.ts';
import type { Config } from './config.ts';
import { physicalCores } from './cores.ts';
import { freeMemory } from './engine/free-memory.ts';
import type { EngineRuntime } from './engine/runtime.ts';
import { document } from './generated/document.js';
import { createGenerate } from './generation/generate.ts';
import { Models, ServedModel } from './generation/models.ts';
import { bundledModel, loadModel, modelName } from './load-model.ts';
import { Metrics } from './metrics.ts';
import { createOperations } from './operations/index.ts';
import type { SystemFacts } from './operations/system.ts';
import { widthOf, type Output, type Terminal } from './output.ts';
import { docsPages } from './pages/docs.ts';
import { createServers } from './servers.ts';
import { stopOnSignals } from './signals.ts';
import { MemoryCompletionStore } from './storage/memory.ts';
import { noSuchModel } from './start-error.ts';
import { isLoopback, startScreen, type ScreenFacts } from './terminal.ts';
import { version } from './version.ts';
import { findParts } from './weights/gguf-parts.ts';

/** Until it is closed; resolves with the exit code. */
export async function serve(
  config: Config,
  terminal: Terminal,
  output: Output,
  runtime: Promise<EngineRuntime>,
): Promise<number> {
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
    runtime,
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
    // Since the process began.
    const readyMs = performance.now();
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
