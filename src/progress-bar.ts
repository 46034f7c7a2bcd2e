// The bar of a loading model, on a terminal of known width.

import cliProgress from 'cli-progress';
import type { ProgressBar } from './progress.ts';

/** Columns of a bar line without the bar: the longest words, `100 %`, `12.3 GiB of 45.6 GiB`, and the gaps. */
const barFrame = 2 + 17 + 2 + 5 + 1 + 2 + 20;

export interface BarOptions {
  readonly stream: NodeJS.WritableStream;
  readonly columns: number;
}

export function createBar({ stream, columns }: BarOptions): ProgressBar {
  return new cliProgress.SingleBar({
    stream,
    format: '  {words}  {percentage} % {bar}  {size}',
    barCompleteChar: '━',
    barIncompleteChar: '─',
    barsize: Math.max(8, Math.min(30, columns - barFrame)),
    hideCursor: true,
    clearOnComplete: true,
    noTTYOutput: false,
  });
}
