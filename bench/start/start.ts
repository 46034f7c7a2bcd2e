// From the start of `node src/serve.js` to a model that answers, on each Node that is here: medians of several starts, taking turns. CPU time is told
// beside the wall clock, since starting is work for all cores of a machine that others may use, too.

import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { bundledNode } from '../../src/engine/bundled-runtime.ts';
import { readArguments } from '../arguments.ts';
import { enginePidOf } from '../soak/observe.ts';
import { cpuMsOf } from '../cpu-time.ts';
import { median } from '../statistics.ts';
import { formatFacts, formatTable, rounded } from '../table.ts';

const launcher = fileURLToPath(new URL('../../../src/serve.js', import.meta.url));

export async function benchStart(args: readonly string[]): Promise<void> {
  const options = readArguments(args, ['rounds', 'node'], ['json']);
  const rounds = options.amount('rounds', 7);
  const nodes = options.list('node') ?? [process.execPath, bundledNode()].filter((path) => existsSync(path));
  const versions = new Map(nodes.map((node) => [node, versionOf(node)]));
  const starts = new Map<string, Start[]>();
  for (let round = 0; round <= rounds; round++) {
    for (const node of nodes) {
      const start = await startOnce(node, options.positionals);
      // The first ones read files that the others find in memory.
      if (round > 0) starts.set(node, [...(starts.get(node) ?? []), start]);
    }
  }
  const rows = nodes.map((node) => ({ node: versions.get(node), ...rowOf(starts.get(node) ?? []) }));
  if (options.flag('json')) {
    process.stdout.write(`${JSON.stringify({ rounds, rows })}\n`);
    return;
  }
  const header = [
    'node',
    'ready ms',
    'fastest',
    'listening ms',
    'own clock ms',
    'server CPU ms',
    'engine CPU ms',
    'engine on',
  ];
  const lines = rows.map((row) => [
    row.node,
    row.readyMs,
    row.fastestMs,
    row.listeningMs,
    row.ownMs,
    row.serverCpuMs,
    row.engineCpuMs,
    row.engineNode,
  ]);
  process.stdout.write(`${formatFacts({ rounds })}\n${formatTable(header, lines)}`);
}

interface Start {
  readonly engineNode: string;
  /** From spawning the process. */
  readonly listeningMs: number;
  readonly readyMs: number;
  /** As the server says it: since its process began. */
  readonly ownMs: number;
  /** Until it was ready. */
  readonly serverCpuMs: number;
  readonly engineCpuMs: number;
}

interface Row extends Start {
  readonly fastestMs: number;
}

function rowOf(starts: readonly Start[]): Row {
  const of = (pick: (start: Start) => number): number => rounded(median(starts.map(pick)) ?? Number.NaN);
  const [{ engineNode }] = starts;
  return {
    engineNode,
    readyMs: of(({ readyMs }) => readyMs),
    fastestMs: rounded(Math.min(...starts.map(({ readyMs }) => readyMs))),
    listeningMs: of(({ listeningMs }) => listeningMs),
    ownMs: of(({ ownMs }) => ownMs),
    serverCpuMs: of(({ serverCpuMs }) => serverCpuMs),
    engineCpuMs: of(({ engineCpuMs }) => engineCpuMs),
  };
}

function versionOf(node: string): string {
  const { stdout, error } = spawnSync(node, ['--version'], { encoding: 'utf8' });
  if (error !== undefined) throw error;
  return stdout.trim();
}

type Line = Readonly<Record<string, unknown>> & { readonly msg: string };

async function startOnce(node: string, args: readonly string[]): Promise<Start> {
  const from = performance.now();
  const fixed = ['--port', '0', '--log-format', 'json', '--log-level', 'debug'];
  const child = spawn(node, [launcher, ...fixed, ...args], {
    env: { ...process.env, NODE_OPTIONS: '', NO_COLOR: undefined, PORT: undefined },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
  let listeningMs = Number.NaN;
  let words = '';
  const started = new Promise<Start>((resolve, reject) => {
    child.once('error', reject);
    void gone.then(() => reject(new Error(`the server did not start on ${node}: ${words}`)));
    createInterface({ input: child.stderr }).on('line', (text) => {
      const line = text.startsWith('{') ? (JSON.parse(text) as Line) : { msg: text };
      if (words === '' && !('level' in line)) words = text.trim();
      if (line.msg === 'listening') listeningMs = performance.now() - from;
      if (line.msg !== 'ready' || child.pid === undefined) return;
      const readyMs = performance.now() - from;
      const engine = enginePidOf(child.pid);
      resolve({
        engineNode: String(line['node']),
        listeningMs,
        readyMs,
        ownMs: Number(line['ready_ms']),
        serverCpuMs: cpuMsOf(child.pid),
        engineCpuMs: engine === undefined ? Number.NaN : cpuMsOf(engine),
      });
    });
  });
  try {
    return await started;
  } finally {
    child.kill('SIGKILL');
    await gone;
  }
}
