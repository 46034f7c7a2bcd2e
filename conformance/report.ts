// What people and programs read of a run: lines for a terminal (colour only there), JSON lines for programs.

import type { Case } from './cases.ts';
import type { Client } from './client.ts';
import type { Request } from './request.ts';
import type { Result } from './suite.ts';

export interface Report {
  begin(cases: readonly Case[]): void;
  result(result: Result): void;
  end(summary: Summary): void;
}

export interface Summary {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export type Write = (text: string) => void;

/** The line that every run ends with. */
export function summaryLine({ passed, failed, skipped }: Summary): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

export interface TerminalOptions {
  readonly write: Write;
  readonly colour: boolean;
  readonly client: Client;
  readonly model: string;
}

/** One line per case under its group; failures with what was expected, what came, where it is written, and how to run it alone. */
export function terminalReport({ write, colour, client, model }: TerminalOptions): Report {
  const paint = painter(colour);
  const failures: Result[] = [];
  let group = '';
  let adviceCount = 0;
  const details = (result: Result): void => {
    const { case: entry, reasons, received } = result;
    write(`      ${entry.requirement}\n`);
    for (const reason of reasons) write(`      ${paint.red('·')} ${reason}\n`);
    if (received !== undefined) write(paint.dim(`      received ${printable(received)}\n`));
    write(paint.dim(`      source   ${entry.source}\n`));
  };
  return {
    begin(cases) {
      write(`${cases.length} ${cases.length === 1 ? 'case' : 'cases'} against ${client.baseUrl}, model ${model}\n`);
    },
    result(result) {
      const { case: entry, verdict, reasons, advice } = result;
      const [name, here] = split(entry.path);
      if (here !== group) write(`\n${paint.bold(here)}\n`);
      group = here;
      const time = result.milliseconds >= 1000 ? paint.dim(`  ${(result.milliseconds / 1000).toFixed(1)} s`) : '';
      if (verdict === 'passed') write(`  ${paint.green('✓')} ${name}${time}\n`);
      else if (verdict === 'failed') {
        failures.push(result);
        write(`  ${paint.red('✗')} ${paint.bold(name)}  ${paint.red(`${entry.level} not met`)}${time}\n`);
        details(result);
      } else if (advice) {
        adviceCount += 1;
        write(
          `  ${paint.yellow('~')} ${name}  ${paint.yellow('SHOULD not followed')}${paint.dim(': a failure under --strict')}\n`,
        );
        details(result);
      } else write(`  ${paint.dim(`- ${name}  skipped: ${reasons.join('; ')}`)}\n`);
    },
    end(summary) {
      write('\n');
      if (adviceCount > 0) write(`${adviceCount} SHOULD not followed (counted as skipped)\n`);
      if (failures.length > 0) {
        write('To run the failures alone:\n');
        for (const { case: entry } of failures) {
          write(`  npm run conformance -- --base-url ${client.baseUrl} --model ${model} --only ${entry.path}\n`);
        }
      }
      write(`${summaryLine(summary)}\n`);
    },
  };
}

/** One JSON object per line on `write`: every result, then the summary. The line for people goes to `note`. */
export function jsonReport(write: Write, note: Write): Report {
  return {
    begin: () => undefined,
    result({ case: entry, verdict, reasons, advice, received, milliseconds }) {
      const { path, level, extension, requirement, source } = entry;
      const line = {
        type: 'case',
        path,
        verdict,
        level,
        extension,
        advice,
        reasons,
        received,
        milliseconds,
        requirement,
        source,
      };
      write(`${JSON.stringify(line)}\n`);
    },
    end(summary) {
      write(`${JSON.stringify({ type: 'summary', ...summary })}\n`);
      note(`${summaryLine(summary)}\n`);
    },
  };
}

/** `--list`: paths, levels and requirements. */
export function listCases(cases: readonly Case[], write: Write, colour: boolean): void {
  const paint = painter(colour);
  let group = '';
  for (const { path, level, extension, requirement, source } of cases) {
    const [, here] = split(path);
    if (here !== group) write(`${group === '' ? '' : '\n'}${paint.bold(here)}\n`);
    group = here;
    write(`  ${path}  ${level === 'MUST' ? level : paint.yellow(level)}${extension ? ' (extension)' : ''}\n`);
    write(`    ${requirement}\n${paint.dim(`    ${source}\n`)}`);
  }
}

/** `--dry-run`: the requests as they would go over the wire. */
export function printRequests(cases: readonly Case[], client: Client, write: Write, colour: boolean): void {
  const paint = painter(colour);
  for (const entry of cases) {
    write(`${paint.bold(entry.path)}  ${entry.level}\n  ${entry.requirement}\n`);
    const requests = entry.kind === 'steps' ? entry.steps.map((step) => step.request) : [];
    if (entry.kind === 'scenario') {
      const { base, ...parameters } = entry.parameters;
      write(paint.dim(`  scenario ${entry.scenario} ${JSON.stringify(parameters)}, departing from\n`));
      requests.push(base as Request);
    }
    for (const request of requests) printRequest(request, client, write, paint);
    write('\n');
  }
}

function printRequest(request: Request, client: Client, write: Write, paint: Painter): void {
  const { head, pieces } = client.encode(request);
  const [line = '', ...fields] = head.trimEnd().split('\r\n').map(shorten);
  write(`  ${line}\n`);
  for (const field of fields)
    write(paint.dim(`  ${field.replace(/^(authorization: bearer |x-api-key: ).*/i, '$1...')}\n`));
  const body = Buffer.concat(pieces).toString('utf8');
  if (body !== '') write(`  ${printable(shorten(body))}\n`);
}

function shorten(text: string): string {
  return text.length > 600 ? `${text.slice(0, 600)}... (${text.length} characters)` : text;
}

/** `chat/stream/done-last` -> [`done-last`, `chat/stream`] */
function split(path: string): [string, string] {
  const slash = path.lastIndexOf('/');
  return [path.slice(slash + 1), path.slice(0, slash)];
}

/** Control characters of a server's answer never reach the terminal. */
function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- that is the point
  return text.replaceAll(/[\u0000-\u001f\u007f-\u009f]/g, (c) =>
    c === '\n' ? '⏎' : c === '\r' ? '' : `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

interface Painter {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
}

function painter(colour: boolean): Painter {
  const code = (start: number, end: number) => (text: string) =>
    colour ? `\u001b[${start}m${text}\u001b[${end}m` : text;
  return { bold: code(1, 22), dim: code(2, 22), red: code(31, 39), green: code(32, 39), yellow: code(33, 39) };
}
