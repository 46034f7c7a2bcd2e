// Flags and environment -> one frozen Config. Parsing, defaults, environment names and --help come from the same table, so that they
// cannot disagree. Precedence: flag, TRAMONTANE_* variable, the plain old variable (PORT), default.

import { physicalCores } from './cores.ts';
import {
  kvCacheTypes,
  type DeviceKind,
  type KernelsBuild,
  type KvCacheType,
  type SpeculationMode,
} from './engine/messages.ts';
import type { ApiKey } from './http/keys.ts';
import { apiKey, integer, nonEmpty, oneOf, origin, size, truth, UsageError } from './flag-values.ts';
import { nearest, readArguments, readFlag, type Environment, type Flag } from './flags.ts';
import { helpText } from './help.ts';
import { checkPrefixCache, prefixCacheFlags, type PrefixCacheConfig } from './prefix-cache-flags.ts';

export { UsageError } from './flag-values.ts';

export interface Config extends PrefixCacheConfig {
  /** File or folder; `undefined` is the bundled model. */
  readonly model: string | undefined;
  readonly aliases: readonly string[];
  /** `undefined`: what the model was trained for, within the engine's default. */
  readonly contextLength: number | undefined;
  readonly kvCache: KvCacheType;
  readonly device: DeviceKind;
  readonly kernels: KernelsBuild | 'auto';
  /** Path of a Node, `system` or `auto`. */
  readonly engineRuntime: string;
  readonly threads: number;
  readonly maxSequences: number;
  readonly maxBatchTokens: number;
  readonly maxWaiting: number;
  readonly speculation: SpeculationMode;
  /** 0: off. */
  readonly watchdogMs: number;
  readonly host: string;
  readonly port: number;
  readonly transport: TransportChoice;
  /** Hashed; the keys themselves are not kept. */
  readonly apiKeys: readonly ApiKey[];
  readonly apiKeyFiles: readonly string[];
  readonly allowedHosts: readonly string[];
  readonly corsOrigins: readonly string[];
  readonly bodyLimitBytes: number;
  readonly strictFields: boolean;
  readonly keepAliveMs: number;
  readonly health: 'alive' | 'strict';
  readonly drainDelayMs: number;
  readonly shutdownTimeoutMs: number;
  readonly metricsPrefix: 'vllm' | 'tramontane';
  readonly metricsLegacy: boolean;
  /** `undefined`: on the port of the API only. */
  readonly metricsPort: number | undefined;
  readonly logFormat: 'text' | 'json';
  readonly logLevel: LogLevel;
  /** Whether a terminal may be coloured. */
  readonly color: boolean;
}

/** `auto`: uWebSockets.js where it loads, else `node:http`. */
export type TransportChoice = 'auto' | 'uws' | 'http';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export type Command =
  | { readonly type: 'serve'; readonly config: Config }
  | { readonly type: 'doctor'; readonly config: Config; readonly json: boolean }
  | { readonly type: 'print'; readonly text: string };

export interface Invocation {
  /** Arguments after the script. */
  readonly args: readonly string[];
  readonly env: Environment;
  readonly version: string;
  /** Width of the terminal, for --help. */
  readonly columns: number;
}

/** Throws `UsageError`. */
export function readCommand({ args, env, version, columns }: Invocation): Command {
  const rows = Object.entries<Flag<unknown>>(flags);
  const table = rows.map(([, flag]) => flag);
  const { values, positionals } = readArguments([...table, json], args);
  if (values.has('version')) return { type: 'print', text: version };
  const wantsHelp = values.has('help') || positionals[0] === 'help';
  const words = positionals[0] === 'help' ? positionals.slice(1) : positionals;
  const command = isCommand(words[0]) ? words[0] : 'serve';
  const [word] = isCommand(words[0]) ? words.slice(1) : words;
  if (wantsHelp) {
    const text = helpText({ flags: [...table, json], intro: intros[command], topic: word, columns });
    return { type: 'print', text };
  }
  if (word !== undefined) throw unknownCommand(word);
  const config = Object.fromEntries(rows.map(([key, flag]) => [key, readFlag(flag, values, env)]));
  if ((env['NO_COLOR'] ?? '') !== '' && !values.has('color')) config['color'] = false;
  const frozen = Object.freeze(config) as unknown as Config;
  const { maxSequences, maxBatchTokens } = frozen;
  if (maxBatchTokens < maxSequences) {
    throw new UsageError(
      `--max-batched-tokens is ${maxBatchTokens} and --max-seqs ${maxSequences}: each sequence needs a token of every pass`,
    );
  }
  checkPrefixCache(frozen);
  const wantsJson = readFlag(json, values, env) as boolean;
  if (command === 'doctor') return { type: 'doctor', config: frozen, json: wantsJson };
  if (values.has('json'))
    throw new UsageError('--json belongs to doctor; serve writes JSON logs with --log-format json');
  return { type: 'serve', config: frozen };
}

type CommandName = 'serve' | 'doctor';

const intros: Readonly<Record<CommandName, readonly string[]>> = {
  serve: [
    'Serve a model over HTTP, in the shape of the OpenAI API.',
    '',
    '  tramontane                    the bundled model',
    '  tramontane -m ./model.gguf    a model file or folder',
    '  tramontane doctor             is this machine ready?',
  ],
  doctor: [
    'Check what serve would need: Node, kernels, memory, port, model.',
    '',
    '  tramontane doctor                    for the bundled model',
    '  tramontane doctor -m ./model.gguf    for a model of yours',
    '  tramontane doctor --json             as one object',
    '',
    'It takes the flags of serve and checks what they ask for.',
    'Exit code 0 when serve would start, else the code it would end with.',
  ],
};

function isCommand(word: string | undefined): word is CommandName {
  return word !== undefined && Object.hasOwn(intros, word);
}

function unknownCommand(word: string): UsageError {
  const meant = nearest(word, [...Object.keys(intros), 'help']);
  if (meant !== undefined) return new UsageError(`unknown command "${word}". Did you mean ${meant}?`);
  return new UsageError(`unknown command "${word}": there are serve and doctor. Is it a model? Then: --model ${word}`);
}

/** Of doctor only; no setting. */
const json: Flag<boolean> = {
  name: 'json',
  group: 'Doctor',
  text: 'print one JSON object',
  parse: truth,
  fallback: () => false,
};

const flags: { readonly [K in keyof Config]: Flag<Config[K]> } = {
  model: {
    name: 'model',
    short: 'm',
    group: 'Model',
    value: 'PATH',
    text: 'GGUF file, or a folder that holds one',
    parse: nonEmpty,
    fallback: () => undefined,
    fallbackText: 'the bundled model',
  },
  aliases: {
    name: 'alias',
    group: 'Model',
    value: 'NAMES',
    isList: true,
    text: 'further names for the model; repeated, or with commas',
    parse: nonEmpty,
    fallback: () => [],
  },
  contextLength: {
    name: 'ctx',
    group: 'Model',
    value: 'N',
    text: 'positions of the context; more than the model was trained for is allowed, with a warning',
    parse: integer(16, 16_777_216),
    fallback: () => undefined,
    fallbackText: 'the trained length, at most 8192',
  },
  kvCache: {
    name: 'kv-cache',
    group: 'Model',
    value: 'TYPE',
    text:
      'numbers of the key and value cache: i16 (integers with a scale per head: as exact as f16 and twice as fast), f16, f32 for twice ' +
      'the memory, or q8_0 for about half of it',
    parse: oneOf(kvCacheTypes),
    fallback: () => 'i16',
  },
  device: {
    name: 'device',
    group: 'Engine',
    value: 'NAME',
    text: 'who computes: wasm, or reference (slow, plain arithmetic)',
    parse: oneOf(['wasm', 'reference'], {
      gpu: 'the GPU comes in a later release, through the optional peer gpu.js; use wasm',
    }),
    fallback: () => 'wasm',
  },
  kernels: {
    name: 'kernels',
    group: 'Engine',
    value: 'BUILD',
    text: 'kernel build: strict (same bits on every machine), rel16, vnni, or auto for the best that gives right results here',
    parse: oneOf(['auto', 'strict', 'rel16', 'vnni']),
    fallback: () => 'auto',
  },
  engineRuntime: {
    name: 'engine-runtime',
    group: 'Engine',
    value: 'PATH',
    text: "the Node that runs the engine: a path, system for this one, or auto for the package's own where it runs better kernels",
    parse: nonEmpty,
    fallback: () => 'auto',
  },
  threads: {
    name: 'threads',
    group: 'Engine',
    value: 'N',
    text: 'compute threads',
    parse: integer(1, 256),
    fallback: physicalCores,
    fallbackText: 'physical cores',
  },
  maxSequences: {
    name: 'max-seqs',
    group: 'Engine',
    value: 'N',
    text: 'sequences that are computed together; also the largest n of a request',
    parse: integer(1, 1024),
    fallback: () => 32,
  },
  maxBatchTokens: {
    name: 'max-batched-tokens',
    group: 'Engine',
    value: 'N',
    text: 'most tokens of one forward pass; long prompts are read in pieces, smaller ones while others are being answered',
    parse: integer(1, 65_536),
    fallback: () => 512,
  },
  maxWaiting: {
    name: 'max-waiting',
    group: 'Engine',
    value: 'N',
    text: 'requests that may wait for their turn; further ones get 429',
    parse: integer(0, 100_000),
    fallback: () => 256,
  },
  ...prefixCacheFlags,
  speculation: {
    name: 'speculation',
    group: 'Engine',
    value: 'MODE',
    text: 'auto, or off: guess what follows from what the text said before, where that saves time; answers are the same',
    parse: oneOf(['auto', 'off']),
    fallback: () => 'auto',
  },
  watchdogMs: {
    name: 'watchdog',
    group: 'Engine',
    value: 'SECONDS',
    text: 'start an engine again that has work and ends no forward pass for so long; 0 never does',
    parse: (text) => integer(0, 86_400)(text) * 1000,
    fallback: () => 120_000,
    fallbackText: '120',
  },
  host: {
    name: 'host',
    group: 'Server',
    value: 'ADDRESS',
    text: 'address to listen on; 0.0.0.0 opens the server to the network',
    parse: nonEmpty,
    fallback: () => '127.0.0.1',
  },
  port: {
    name: 'port',
    short: 'p',
    group: 'Server',
    value: 'N',
    text: 'port to listen on; 0 takes any free one',
    parse: integer(0, 65_535),
    fallback: () => 1234,
    alsoEnv: 'PORT',
  },
  transport: {
    name: 'transport',
    group: 'Server',
    value: 'NAME',
    text: "HTTP implementation: uws (uWebSockets.js), http (Node's own), or auto for uws where it loads",
    parse: oneOf(['auto', 'uws', 'http']),
    fallback: () => 'auto',
  },
  apiKeys: {
    name: 'api-key',
    group: 'Access',
    value: 'KEY',
    isList: true,
    isSecret: true,
    text: 'ask for this key, as KEY or NAME:KEY; repeated, or with commas. The process list shows flags: better use the variable or a file',
    parse: apiKey,
    fallback: () => [],
    fallbackText: 'none, everybody may use the server',
  },
  apiKeyFiles: {
    name: 'api-key-file',
    group: 'Access',
    value: 'PATH',
    isList: true,
    text: 'file with one KEY or NAME:KEY per line, # for comments; read again on SIGHUP',
    parse: nonEmpty,
    fallback: () => [],
  },
  allowedHosts: {
    name: 'allowed-hosts',
    group: 'Access',
    value: 'NAMES',
    isList: true,
    text: 'further host names under which a server on loopback may be asked, or * for all',
    parse: nonEmpty,
    fallback: () => [],
    fallbackText: 'localhost and loopback addresses',
  },
  corsOrigins: {
    name: 'cors-origins',
    group: 'Access',
    value: 'ORIGINS',
    isList: true,
    text: 'web origins that may use the server besides those of this machine, as https://app.example, or * for all',
    parse: origin,
    fallback: () => [],
    fallbackText: 'origins of this machine',
  },
  bodyLimitBytes: {
    name: 'body-limit',
    group: 'Server',
    value: 'SIZE',
    text: 'largest request body, as 50MiB',
    parse: size,
    fallback: () => 50 * 1024 * 1024,
    fallbackText: '50MiB',
  },
  strictFields: {
    name: 'strict-fields',
    group: 'Server',
    text: 'refuse unknown request fields instead of naming them in x-ignored-fields',
    parse: truth,
    fallback: () => false,
  },
  keepAliveMs: {
    name: 'keep-alive-interval',
    group: 'Server',
    value: 'MS',
    text: 'milliseconds between the comments that keep a silent stream open',
    parse: integer(10, 3_600_000),
    fallback: () => 10_000,
    alsoEnv: 'KEEP_ALIVE_INTERVAL',
  },
  health: {
    name: 'health',
    group: 'Operation',
    value: 'MODE',
    text: 'what /health says: alive is 200 while the process answers, strict is 503 whenever /ready is',
    parse: oneOf(['alive', 'strict']),
    fallback: () => 'alive',
  },
  drainDelayMs: {
    name: 'drain-delay',
    group: 'Operation',
    value: 'SECONDS',
    text: 'how long after SIGTERM arriving requests are still served, while /ready already says 503',
    parse: (text) => integer(0, 86_400)(text) * 1000,
    fallback: () => 0,
    fallbackText: '0',
  },
  shutdownTimeoutMs: {
    name: 'shutdown-timeout',
    group: 'Operation',
    value: 'SECONDS',
    text: 'how long running answers may take to finish after Ctrl-C or SIGTERM',
    parse: (text) => integer(0, 86_400)(text) * 1000,
    fallback: () => 30_000,
    fallbackText: '30',
  },
  metricsPrefix: {
    name: 'metrics-prefix',
    group: 'Operation',
    value: 'PREFIX',
    text: "names on /metrics: vllm for vLLM's own (vllm:num_requests_running), which routers and dashboards know, or tramontane",
    parse: oneOf(['vllm', 'tramontane']),
    fallback: () => 'vllm',
  },
  metricsLegacy: {
    name: 'metrics-legacy',
    group: 'Operation',
    text: 'also the names that vLLM had before 0.9 (gpu_cache_usage_perc, gpu_prefix_cache_...)',
    parse: truth,
    fallback: () => false,
  },
  metricsPort: {
    name: 'metrics-port',
    group: 'Operation',
    value: 'N',
    text: 'a further port that serves /metrics, /health, /ready and /version, without a key; 0 takes any free one',
    parse: integer(0, 65_535),
    fallback: () => undefined,
    fallbackText: 'none, /metrics is on the port of the API',
  },
  logFormat: {
    name: 'log-format',
    group: 'Logs and screen',
    value: 'FORMAT',
    text: 'text or json, on the error output',
    parse: oneOf(['text', 'json']),
    fallback: () => 'text',
  },
  logLevel: {
    name: 'log-level',
    group: 'Logs and screen',
    value: 'LEVEL',
    text: 'debug, info, warn, error or silent',
    parse: oneOf(['debug', 'info', 'warn', 'error', 'silent']),
    fallback: () => 'info',
  },
  color: {
    name: 'color',
    group: 'Logs and screen',
    text: 'colour on a terminal; off with --no-color or NO_COLOR',
    parse: truth,
    fallback: () => true,
  },
};
