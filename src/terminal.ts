// What people see on the error output: progress while the model loads, one screen when it is ready, one line when something is wrong.
// Standard output stays free for what was asked for (--help, --version).

import cliProgress from 'cli-progress';
import { grouped, mebibytes } from './core/units.ts';
import type { LoadedModel } from './engine/messages.ts';
import type { EngineRuntime } from './engine/runtime.ts';

export interface TerminalOptions {
  readonly write: (text: string) => void;
  /** A person looks at it: bars may move. Otherwise plain lines. */
  readonly stream?: NodeJS.WritableStream | undefined;
  readonly now?: () => number;
}

export interface Progress {
  update(phase: 'reading' | 'preparing', done: number, total: number): void;
  /** Takes the bar away. */
  stop(): void;
}

const phaseWords = { reading: 'reading weights', preparing: 'preparing kernels' } as const;

/** A moving bar on a terminal; elsewhere one line at most every 5 s or 10 %. Loads under half a second show neither. */
export function createProgress({ write, stream, now = () => performance.now() }: TerminalOptions): Progress {
  const started = now();
  const bar =
    stream &&
    new cliProgress.SingleBar({
      stream,
      format: '  {words}  {percentage} % {bar}  {size}',
      barCompleteChar: '━',
      barIncompleteChar: '─',
      barsize: 30,
      hideCursor: true,
      clearOnComplete: true,
      noTTYOutput: false,
    });
  let isShown = false;
  let last = { at: started, percent: 0 };
  return {
    update(phase, done, total) {
      if (now() - started < 500 || total <= 0) return;
      const words = phaseWords[phase];
      if (bar !== undefined) {
        if (isShown) bar.setTotal(total);
        else bar.start(total, done, { words, size: '' });
        isShown = true;
        bar.update(done, { words, size: phase === 'reading' ? `${mebibytes(done)} of ${mebibytes(total)}` : '' });
        return;
      }
      const percent = Math.floor((100 * done) / total);
      if (now() - last.at < 5000 && Math.abs(percent - last.percent) < 10) return;
      last = { at: now(), percent };
      write(`  ${words}  ${percent} %\n`);
    },
    stop() {
      if (isShown) bar?.stop();
      isShown = false;
    },
  };
}

export interface ScreenFacts {
  readonly version: string;
  readonly transport: string;
  readonly transportReason: string;
  readonly name: string;
  readonly aliases: readonly string[];
  readonly model: LoadedModel;
  /** The Node that runs the engine; none: of no interest. */
  readonly runtime?: Pick<EngineRuntime, 'node' | 'why'>;
  readonly enginePid: number | undefined;
  /** What the machine had free before the model was loaded. */
  readonly freeBytes: number;
  readonly cores: number;
  readonly host: string;
  /** How many there are; 0: everybody may use the server. */
  readonly keys: number;
  readonly url: string;
  readonly metricsUrl: string | undefined;
  readonly readyMs: number;
}

/** The screen of a server that is ready. Readable from 60 columns on; the line to copy is never broken. */
export function startScreen(facts: ScreenFacts, { columns, color }: { columns: number; color: boolean }): string {
  const { model, url } = facts;
  const paint = (code: number, text: string): string => (color ? `\u001b[${code}m${text}\u001b[0m` : text);
  const row = (label: string, left: string, right = ''): string[] => {
    const start = `  ${paint(2, label.padEnd(9))}${left}`;
    const used = 11 + left.length;
    if (right === '') return [start];
    const column = Math.max(46, used + 3);
    if (column + right.length <= columns) return [start + ' '.repeat(column - used) + right];
    return [start, `${' '.repeat(11)}${right}`];
  };
  const title = `tramontane ${facts.version}`;
  const runtime = `Node ${process.versions.node} · ${facts.transport} · ${model.device}`;
  const trained = `context ${grouped(model.contextLength)} (model ${grouped(model.trainedContextLength)})`;
  const memory = [
    `${mebibytes(model.weightBytes)} weights + ${mebibytes(model.kvCacheBytes)} cache + ${mebibytes(model.scratchBytes)} scratch`,
    `of ${mebibytes(facts.freeBytes)} free`,
  ];
  const names = facts.aliases.length > 0 ? `also ${facts.aliases.join(', ')}` : '';
  const key = facts.keys === 0 ? '' : ` -H 'authorization: Bearer YOUR_KEY'`;
  const body = '{"messages":[{"role":"user","content":"Hello"}]}';
  return [
    ...pair(`  ${paint(1, title)}`, title.length + 2, runtime, columns),
    ...row('model', `${facts.name} · ${model.quantization} · ${parameters(model.parameters)}`, trained),
    ...(names === '' ? [] : row('', names)),
    ...row('memory', memory[0], memory[1]),
    ...row('kernels', model.kernels),
    ...(facts.runtime === undefined ? [] : row('engine', `Node ${facts.runtime.node}`, facts.runtime.why)),
    ...row(
      'threads',
      `${model.threads} of ${facts.cores} cores`,
      facts.keys > 0 ? `keys: ${facts.keys}` : `keys: none${isLoopback(facts.host) ? ' (loopback only)' : ''}`,
    ),
    ...row('http', facts.transport, facts.transportReason),
    '',
    ...row('api', paint(4, `${url}/v1`)),
    ...row('spec', `${url}/openapi.json`),
    ...(facts.metricsUrl === undefined ? [] : row('metrics', `${facts.metricsUrl}/metrics`)),
    ...row('try', `curl ${url}/v1/chat/completions -H 'content-type: application/json'${key} -d '${body}'`),
    `  ready in ${(facts.readyMs / 1000).toFixed(1)} s · Ctrl-C stops`,
    '',
  ].join('\n');
}

function pair(left: string, leftLength: number, right: string, columns: number): string[] {
  const column = Math.max(46, leftLength + 3);
  if (column + right.length <= columns) return [left + ' '.repeat(column - leftLength) + right];
  return [left, `  ${right}`];
}

/** `error: what happened`, then what to do about it on lines of their own. */
export function errorText(message: string, color: boolean): string {
  const [first, ...more] = message.split('\n');
  const label = color ? '\u001b[31merror:\u001b[0m' : 'error:';
  return [`${label} ${first}`, ...more.map((line) => `       ${line}`), ''].join('\n');
}

export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
}

function parameters(count: number): string {
  return count >= 5e8 ? `${(count / 1e9).toFixed(1)} B` : `${(count / 1e6).toFixed(1)} M`;
}
