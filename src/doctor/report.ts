// A diagnosis as people read it: one line for each check, with what to do beside it or, where that is too long, below.

import { flow } from '../terminal.ts';
import type { Check } from './check.ts';
import type { Diagnosis } from './doctor.ts';

export interface ReportOptions {
  readonly columns: number;
  readonly color: boolean;
}

const colors: Readonly<Record<Check['status'], number>> = { ok: 32, warn: 33, fail: 31 };

const indent = 8;

export function reportText({ checks, warnings, failures }: Diagnosis, { columns, color }: ReportOptions): string {
  const wrapped = (text: string, from: number): string[] => flow(text.split(' '), ' ', from, columns);
  const lines = checks.flatMap(({ status, text, remedy }) => {
    const label = color ? `\u001b[${colors[status]}m${status.padEnd(4)}\u001b[0m` : status.padEnd(4);
    const beside = remedy === undefined ? text : `${text}      -> ${remedy}`;
    const isShort = indent + beside.length <= columns;
    const below = isShort || remedy === undefined ? [] : wrapped(`-> ${remedy}`, indent);
    const [first, ...more] = isShort ? [beside] : wrapped(text, indent);
    return [`  ${label}  ${first.trimStart()}`, ...more, ...below];
  });
  return [...lines, ...wrapped(verdict(warnings, failures), 2), ''].join('\n');
}

function verdict(warnings: number, failures: number): string {
  const counts = [count(failures, 'problem'), count(warnings, 'warning')].filter((each) => each !== undefined);
  if (counts.length === 0) return 'All is well: tramontane serve';
  return `${counts.join(', ')}. Full report for an issue: tramontane doctor --json`;
}

function count(number: number, word: string): string | undefined {
  if (number === 0) return undefined;
  return `${number} ${word}${number === 1 ? '' : 's'}`;
}
