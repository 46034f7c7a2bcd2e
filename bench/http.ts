// What a request costs over each transport, in one run, side by side: the real way from bytes to operation and back with operations that
// compute nothing, log and metrics as by default, and handlers without a server above them that write the same bytes. Load comes from another thread over loopback.

import { createServer as createBareServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Worker } from 'node:worker_threads';
import type { UwsModule } from 'uWebSockets.js';
import { EventStream, type Operation } from '../src/core/operation.ts';
import { routes } from '../src/generated/operations.ts';
import type { ChatCompletion, ChatCompletionChunk } from '../src/generated/types.ts';
import { Models, ServedModel, type ModelParts } from '../src/generation/models.ts';
import { NodeTransport } from '../src/http/node.ts';
import { createServer } from '../src/http/server.ts';
import type { Transport } from '../src/http/transport.ts';
import { loadUws, UwsTransport } from '../src/http/uws.ts';
import { Metrics } from '../src/metrics.ts';
import { modelOperations } from '../src/operations/models.ts';
import { readArguments } from './arguments.ts';
import { mainThreadCpuUs } from './cpu-time.ts';
import { openDefaultOutput } from './default-output.ts';
import type { Load, LoadResult } from './http-load.ts';
import { median } from './statistics.ts';
import { formatFacts, formatTable, rounded, type Cell } from './table.ts';

export async function benchHttp(args: readonly string[]): Promise<void> {
  const options = readArguments(args, ['only', 'connections', 'seconds', 'rounds', 'events'], ['json']);
  const connections = options.amount('connections', 50);
  const ms = options.number('seconds', 2) * 1000;
  const rounds = options.amount('rounds', 3);
  const events = options.amount('events', 200);
  const uws = await loadUws();
  if (uws.module === undefined) process.stderr.write(`without uWebSockets.js: ${uws.reason}\n`);

  const generator = new LoadGenerator();
  const measured = new Map<string, Measured[]>();
  const only = options.text('only') ?? '';
  const runs = workloads(uws.module, events).filter(({ name }) => name.includes(only));
  for (let round = 0; round < rounds; round++) {
    for (const { name, request, start } of runs) {
      const { port, close } = await start();
      const before = mainThreadCpuUs();
      const result = await generator.run({ port, request, connections, warmUpMs: 300, ms });
      const cpuUs = (mainThreadCpuUs() - before) / result.allAnswers;
      await close();
      measured.set(name, [...(measured.get(name) ?? []), { ...result, cpuUs }]);
    }
  }
  await generator.close();

  const rows = runs.map(({ name, unit, perAnswer }) => row(name, unit, perAnswer, measured.get(name) ?? []));
  const rates = new Map(rows.map((each) => [each.name, each]));
  const ratios = comparisons.flatMap(([of, to]) => {
    const [a, b] = [rates.get(of), rates.get(to)];
    return a === undefined || b === undefined
      ? []
      : [{ of, to, ratio: rounded(a.perSecond / b.perSecond), cpuRatio: rounded(b.cpuUs / a.cpuUs) }];
  });
  const facts = { node: process.version, connections, seconds: ms / 1000, rounds };
  if (options.flag('json')) process.stdout.write(`${JSON.stringify({ ...facts, rows, ratios })}\n`);
  else print(facts, rows, ratios);
}

interface Measured extends LoadResult {
  /** Of the serving thread, for one answer. */
  readonly cpuUs: number;
}

export interface Workload {
  readonly name: string;
  readonly unit: string;
  /** Units in one answer. */
  readonly perAnswer: number;
  readonly request: string;
  readonly start: () => Promise<{ readonly port: number; readonly close: () => Promise<void> }>;
}

const comparisons: readonly (readonly [string, string])[] = [
  ['models uws', 'models http'],
  ['chat uws', 'chat http'],
  ['stream uws', 'stream http'],
  ['models uws', 'models bare uws'],
  ['models http', 'models bare http'],
];

export function workloads(uws: UwsModule | undefined, events: number): Workload[] {
  const models = ask('GET', '/v1/models');
  const chat = ask('POST', '/v1/chat/completions', chatBody(false));
  const stream = ask('POST', '/v1/chat/completions', chatBody(true));
  const found: Workload[] = [];
  const over = (transport: string, make: () => Transport): void => {
    const start = (): ReturnType<Workload['start']> => serve(make(), events);
    found.push(
      { name: `models ${transport}`, unit: 'answers/s', perAnswer: 1, request: models, start },
      { name: `chat ${transport}`, unit: 'answers/s', perAnswer: 1, request: chat, start },
      { name: `stream ${transport}`, unit: 'events/s', perAnswer: events, request: stream, start },
    );
  };
  const bare = { unit: 'answers/s', perAnswer: 1, request: models };
  if (uws !== undefined) {
    over('uws', () => new UwsTransport(uws));
    found.push({ ...bare, name: 'models bare uws', start: () => serveBareUws(uws) });
  }
  over('http', () => new NodeTransport());
  found.push({ ...bare, name: 'models bare http', start: serveBareHttp });
  // Side by side: what is compared runs one after the other.
  return found.sort((a, b) => a.name.split(' ')[0].localeCompare(b.name.split(' ')[0]));
}

/** As an SDK asks: with a dozen headers. */
function ask(method: string, path: string, body = ''): string {
  const headers = {
    host: '127.0.0.1:1234',
    connection: 'keep-alive',
    accept: 'application/json',
    'content-type': 'application/json',
    'user-agent': 'OpenAI/JS 6.49.0',
    'x-stainless-lang': 'js',
    'x-stainless-package-version': '6.49.0',
    'x-stainless-os': 'Linux',
    'x-stainless-arch': 'x64',
    'x-stainless-runtime': 'node',
    'x-stainless-retry-count': '0',
    authorization: 'Bearer not-used',
    ...(body === '' ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`;
}

function chatBody(stream: boolean): string {
  const messages = [
    { role: 'system', content: 'You are a helpful assistant.' },
    { role: 'user', content: 'Why is the sky blue? Answer in two sentences, please.' },
  ];
  return JSON.stringify({ model: 'default', messages, temperature: 0.7, max_tokens: 200, stream });
}

async function serve(transport: Transport, events: number): ReturnType<Workload['start']> {
  const output = openDefaultOutput();
  const metrics = new Metrics({ version: '0', prefix: 'vllm', legacy: false });
  const operations: Record<string, Operation> = {
    ...modelOperations(served()),
    createChatCompletion: async ({ body }: { body: { stream?: boolean } }) =>
      body.stream === true ? new EventStream(chunks(events)) : completion,
  };
  const server = createServer({
    routes: routes.filter(({ operationId }) => Object.hasOwn(operations, operationId)),
    operations,
    transport,
    log: output.log,
    options: { host: '127.0.0.1', port: 0 },
    onAnswered: (answered) => metrics.answered(answered),
  });
  const close = async (): Promise<void> => {
    await server.close();
    output.close();
  };
  return { port: await server.listen(), close };
}

/** As an engine writes: every stream gets one event per step, then the event loop has its turn. */
async function* chunks(count: number): AsyncGenerator<ChatCompletionChunk> {
  for (let i = 0; i < count; i++) {
    await new Promise((resolve) => setImmediate(resolve));
    yield {
      id: 'chatcmpl-0123456789abcdef01234567',
      object: 'chat.completion.chunk',
      created: 1_700_000_000,
      model: 'default',
      choices: [{ index: 0, delta: { content: ' word' }, logprobs: null, finish_reason: null }],
    };
  }
}

const completion: ChatCompletion = {
  id: 'chatcmpl-0123456789abcdef01234567',
  object: 'chat.completion',
  created: 1_700_000_000,
  model: 'default',
  choices: [
    {
      index: 0,
      message: {
        role: 'assistant',
        content: 'Sunlight is scattered by the air, blue light most of all. '.repeat(4),
        refusal: null,
      },
      logprobs: null,
      finish_reason: 'stop',
    },
  ],
  usage: { prompt_tokens: 30, completion_tokens: 60, total_tokens: 90 },
};

/** What the real operation lists: the bundled model under its two names. */
function served(): Models {
  const model = new ServedModel('demo-3m-Q8_0', [], 1_700_000_000);
  model.loaded({ engine: { state: 'ready' }, contextLength: 2048 } as ModelParts);
  return new Models([model]);
}

/** What the server answers to `GET /v1/models`. */
const bareBody = JSON.stringify({
  object: 'list',
  data: ['default', 'demo-3m-Q8_0'].map((id) => ({
    id,
    object: 'model',
    created: 1_700_000_000,
    owned_by: 'tramontane',
    status: 'loaded',
    root: 'demo-3m-Q8_0',
    max_model_len: 2048,
  })),
});
const bareHeaders: readonly (readonly [string, string])[] = [
  ['x-request-id', 'req_0123456789abcdef01234567'],
  ['request-id', 'req_0123456789abcdef01234567'],
  ['vary', 'origin'],
  ['content-type', 'application/json'],
];

async function serveBareUws(uws: UwsModule): ReturnType<Workload['start']> {
  const app = uws.App();
  // Corked already: the callback of the request is.
  app.any('/*', (response) => {
    response.writeStatus('200 OK');
    for (const [name, value] of bareHeaders) response.writeHeader(name, value);
    response.end(bareBody);
  });
  const port = await new Promise<number>((resolve, reject) => {
    app.listen('127.0.0.1', 0, uws.LIBUS_LISTEN_EXCLUSIVE_PORT, (socket) => {
      if (socket === false) reject(new Error('cannot listen'));
      else resolve(uws.us_socket_local_port(socket));
    });
  });
  return { port, close: async () => void app.close() };
}

async function serveBareHttp(): ReturnType<Workload['start']> {
  const headers = { ...Object.fromEntries(bareHeaders), 'content-length': String(Buffer.byteLength(bareBody)) };
  const server = createBareServer((_request, response) => response.writeHead(200, headers).end(bareBody));
  // It is told in a header.
  server.keepAliveTimeout = 65_000;
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { port: (server.address() as AddressInfo).port, close };
}

class LoadGenerator {
  readonly #worker = new Worker(new URL('./http-load.js', import.meta.url));

  run(load: Load): Promise<LoadResult> {
    return new Promise((resolve, reject) => {
      this.#worker.once('message', (message: { readonly result?: LoadResult; readonly error?: string }) => {
        if (message.result === undefined) reject(new Error(message.error));
        else resolve(message.result);
      });
      this.#worker.postMessage(load);
    });
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}

interface Row {
  readonly name: string;
  readonly unit: string;
  /** Median of the rounds. */
  readonly perSecond: number;
  readonly rounds: readonly number[];
  /** Time of the serving thread for one unit: steadier than the rates when others use the machine. */
  readonly cpuUs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

function row(name: string, unit: string, perAnswer: number, results: readonly Measured[]): Row {
  const middle = (pick: (result: Measured) => number): number => median(results.map(pick)) ?? Number.NaN;
  const rateOf = ({ answers, seconds }: Measured): number => Math.round((answers * perAnswer) / seconds);
  return {
    name,
    unit,
    perSecond: middle(rateOf),
    rounds: results.map(rateOf),
    cpuUs: rounded(middle(({ cpuUs }) => cpuUs) / perAnswer),
    p50Ms: rounded(middle(({ p50Ms }) => p50Ms)),
    p99Ms: rounded(middle(({ p99Ms }) => p99Ms)),
  };
}

interface Ratio {
  readonly of: string;
  readonly to: string;
  readonly ratio: number;
  readonly cpuRatio: number;
}

function print(facts: Readonly<Record<string, Cell>>, rows: readonly Row[], ratios: readonly Ratio[]): void {
  const { stdout } = process;
  stdout.write(`${formatFacts(facts)}\n`);
  const header = ['workload', 'per second', 'unit', 'CPU us', 'p50 ms', 'p99 ms', 'rounds'];
  const lines = rows.map((row) => [
    row.name,
    row.perSecond,
    row.unit,
    row.cpuUs,
    row.p50Ms,
    row.p99Ms,
    row.rounds.join(' '),
  ]);
  stdout.write(`${formatTable(header, lines)}\n`);
  const compared = ratios.map(({ of, to, ratio, cpuRatio }) => [`${of} / ${to}`, ratio, cpuRatio]);
  stdout.write(formatTable(['ratio', 'of rates', 'of CPU time'], compared));
}
