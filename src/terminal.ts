// What people see on the error output: one screen when the model is ready, one line when something is wrong. Standard output stays free for
// what was asked for (--help, --version).

import { grouped, mebibytes } from './core/units.ts';
import type { LoadedModel } from './engine/messages.ts';
import type { EngineRuntime } from './engine/runtime.ts';

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
    const [first, ...more] = flow(left.split(' '), ' ', 11, columns);
    const start = `  ${paint(2, label.padEnd(9))}${first.trimStart()}`;
    const column = Math.max(46, 11 + left.length + 3);
    if (right === '' || column + right.length > columns) {
      return [start, ...more, ...(right === '' ? [] : flow(right.split(' '), ' ', 11, columns))];
    }
    return [start + ' '.repeat(column - 11 - left.length) + right];
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
    ...(model.diskCache === undefined ? [] : row('disk', diskLine(model.diskCache), model.diskCache.path)),
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
    ...row('docs', `${url}/docs`),
    ...(facts.metricsUrl === undefined ? [] : row('metrics', `${facts.metricsUrl}/metrics`)),
    `  ${paint(2, 'try'.padEnd(9))}curl ${url}/v1/chat/completions -H 'content-type: application/json'${key} -d '${body}'`,
    `  ready in ${(facts.readyMs / 1000).toFixed(1)} s · Ctrl-C stops`,
    '',
  ].join('\n');
}

function diskLine({ bytes, maxBytes }: NonNullable<LoadedModel['diskCache']>): string {
  return `${mebibytes(bytes)} of ${mebibytes(maxBytes)} prefix cache`;
}

/** Items side by side, broken between them at the width. */
export function flow(items: readonly string[], gap: string, indent: number, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const item of items) {
    if (line !== '' && indent + line.length + gap.length + item.length > width) {
      lines.push(line);
      line = '';
    }
    line = line === '' ? item : line + gap + item;
  }
  return [...lines, line].map((each) => ' '.repeat(indent) + each);
}

function pair(left: string, leftLength: number, right: string, columns: number): string[] {
  const column = Math.max(46, leftLength + 3);
  if (column + right.length <= columns) return [left + ' '.repeat(column - leftLength) + right];
  return [left, `  ${right}`];
}

/** `error: what happened`, then what to do about it on lines of their own. Lines are not broken: terminals do, and scripts match them. */
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
