// What the way from the sampler to the socket of a client adds to a token: engine process, IPC, server, loopback. All compute workers are busy
// with the other streams meanwhile. Stamps are those of one clock: CLOCK_MONOTONIC is the same in all processes of a machine.

import { fileURLToPath } from 'node:url';
import { chooseTransport } from '../../src/choose-transport.ts';
import { physicalCores } from '../../src/cores.ts';
import { createEngineClient } from '../../src/engine/client.ts';
import { Runtimes } from '../../src/engine/runtime.ts';
import { document } from '../../src/generated/document.js';
import { routes } from '../../src/generated/operations.ts';
import { plain } from '../../src/generation/formats/plain.ts';
import { createGenerate } from '../../src/generation/generate.ts';
import { Models, ServedModel } from '../../src/generation/models.ts';
import { createServer } from '../../src/http/server.ts';
import { bundledModel, modelName } from '../../src/load-model.ts';
import { Metrics } from '../../src/metrics.ts';
import { createOperations } from '../../src/operations/index.ts';
import { MemoryCompletionStore } from '../../src/storage/memory.ts';
import { createTokenizer } from '../../src/tokenizer/gguf.ts';
import { readChatTemplate } from '../../src/tokenizer/template.ts';
import { openCheckpoint } from '../../src/weights/gguf.ts';
import { readArguments } from '../arguments.ts';
import { openDefaultOutput } from '../default-output.ts';
import { spread, type Spread } from '../statistics.ts';
import { formatFacts, formatTable, rounded } from '../table.ts';
import type { Arrivals } from './listening.ts';
import { Reader } from './reader.ts';
import { describe } from '../urgent.ts';
import { Stamps } from './stamps.ts';

export async function benchStream(args: readonly string[]): Promise<void> {
  const options = readArguments(args, ['model', 'threads', 'streams', 'gen', 'seconds', 'rounds'], ['json']);
  const path = options.text('model') ?? bundledModel;
  const threads = options.amount('threads', physicalCores());
  const levels = options.amounts('streams', [1, 2, 8]);
  const maxTokens = options.amount('gen', 128);
  const ms = options.number('seconds', 3) * 1000;
  const rounds = options.amount('rounds', 3);

  const served = await serve(path, threads, Math.max(...levels));
  const reader = new Reader();
  const ways = new Map<number, Way[]>();
  try {
    const listen = async (streams: number, ms: number): Promise<Way[]> => {
      const arrivals = await reader.listen({ port: served.port, model: 'default', streams, maxTokens, ms });
      return waysOf(served.stamps, arrivals);
    };
    // Warm-up: compilers take their time over the first tokens.
    await listen(Math.max(...levels), Math.min(1000, ms));
    for (let round = 0; round < rounds; round++) {
      for (const streams of levels) {
        ways.set(streams, [...(ways.get(streams) ?? []), ...(await listen(streams, ms))]);
      }
    }
  } finally {
    await reader.close();
    await served.close();
  }

  const rows = levels.map((streams) => rowOf(streams, ways.get(streams) ?? [], (ms * rounds) / 1000));
  const facts = {
    node: process.version,
    model: modelName(path),
    threads,
    gen: maxTokens,
    seconds: ms / 1000,
    rounds,
    reader: describe(reader.isUrgent),
  };
  if (options.flag('json')) process.stdout.write(`${JSON.stringify({ ...facts, rows })}\n`);
  else {
    const lines = rows.map(({ streams, tokens, tokS, ...ways }) => {
      const times = [ways.toServer, ways.toWrite, ways.toSocket];
      return [streams, tokens, tokS, ...times.flatMap((spread) => [spread?.p50, spread?.p99])];
    });
    const header = [
      'streams',
      'pieces',
      'per second',
      'heard p50 ms',
      'p99',
      'written p50',
      'p99',
      'arrived p50',
      'p99',
    ];
    process.stdout.write(`${formatFacts(facts)}\n${formatTable(header, lines)}`);
  }
}

/** Milliseconds from the sampling of a token. */
interface Way {
  readonly toServer: number;
  readonly toWrite: number;
  readonly toSocket: number;
}

interface Row {
  readonly streams: number;
  readonly tokens: number;
  readonly tokS: number;
  readonly toServer: Spread | undefined;
  readonly toWrite: Spread | undefined;
  readonly toSocket: Spread | undefined;
}

function rowOf(streams: number, ways: readonly Way[], seconds: number): Row {
  const of = (pick: (way: Way) => number): Spread | undefined => {
    const found = spread(ways.map(pick));
    return found && { p50: rounded(found.p50), p99: rounded(found.p99) };
  };
  return {
    streams,
    tokens: ways.length,
    tokS: rounded(ways.length / seconds),
    toServer: of(({ toServer }) => toServer),
    toWrite: of(({ toWrite }) => toWrite),
    toSocket: of(({ toSocket }) => toSocket),
  };
}

/** Pieces leave and arrive in order; a stream that was left early has arrivals for its first ones. */
export function waysOf({ pieces }: Pick<Stamps, 'pieces'>, arrivals: Arrivals): Way[] {
  const ways: Way[] = [];
  for (const [id, times] of arrivals) {
    const stamps = pieces.get(id);
    if (stamps === undefined || stamps.length < times.length) throw new Error(`more pieces of ${id} arrived than left`);
    for (const [i, at] of times.entries()) {
      const stamp = stamps[i];
      if (stamp === undefined) continue;
      const since = (time: bigint): number => Number(time - stamp.sampledAt) / 1e6;
      ways.push({ toServer: since(stamp.heardAt), toWrite: since(stamp.writtenAt), toSocket: since(at) });
    }
  }
  pieces.clear();
  return ways;
}

interface Served {
  readonly port: number;
  readonly stamps: Stamps;
  readonly close: () => Promise<void>;
}

/** As `serve` puts it together, with an engine that stamps its tokens. */
async function serve(path: string, threads: number, maxSequences: number): Promise<Served> {
  const output = openDefaultOutput();
  const { log } = output;
  const runtime = await new Runtimes({ log }).choose({ runtime: 'auto', kernels: 'auto', device: 'wasm' });
  const served = new ServedModel(modelName(path), [], 0);
  const metrics = new Metrics({ version: '0', prefix: 'vllm', legacy: false });
  const meter = metrics.addModel(served.name);
  const engine = createEngineClient({
    entry: fileURLToPath(new URL('../../src/engine/host.js', import.meta.url)),
    log,
    meter,
  });
  const { metadata } = await openCheckpoint(path);
  const load = { path, device: 'wasm', kernels: 'auto', threads, contextLength: undefined, kvCache: 'f16' } as const;
  const limits = { maxSequences, maxBatchTokens: 512, maxWaiting: 2 * maxSequences };
  const info = await engine.start({ ...load, ...limits, stampsTokens: true }, runtime.execPath);
  meter.watch(engine);
  meter.loaded(info);
  const stamps = new Stamps();
  const tokenizer = createTokenizer(metadata);
  const { template } = readChatTemplate(metadata);
  const { contextLength, fingerprint } = info;
  const stamped = stamps.engine(engine);
  served.loaded({ engine: stamped, tokenizer, template, format: plain, contextLength, fingerprint, longestToken: 64 });
  const models = new Models([served]);
  const system = {
    version: '0',
    document,
    isStopping: () => false,
    strictHealth: false,
    metrics: () => metrics.text(),
  };
  const { transport } = await chooseTransport('auto', log);
  const server = createServer({
    routes,
    operations: createOperations({
      models,
      generate: stamps.generate(createGenerate(models)),
      store: new MemoryCompletionStore(),
      system,
    }),
    transport,
    log,
    options: { host: '127.0.0.1', port: 0 },
    onAnswered: (answered) => metrics.answered(answered),
  });
  return {
    port: await server.listen(),
    stamps,
    close: async () => {
      await server.close();
      await engine.shutdown(0);
      output.close();
    },
  };
}
