// How far the loading of a model is: a bar that moves where a person looks at it, elsewhere a step now and then.

import cliProgress from 'cli-progress';
import { mebibytes } from './core/units.ts';
import type { EngineProgress } from './engine/client.ts';

export type ProgressPhase = EngineProgress['phase'];

export interface ProgressStep {
  readonly phase: ProgressPhase;
  /** The phase in words. */
  readonly words: string;
  readonly percent: number;
}

export interface ProgressOptions {
  /** A terminal with its width. Without one `step` is called. */
  readonly terminal?: { readonly stream: NodeJS.WritableStream; readonly columns: number } | undefined;
  readonly step: (step: ProgressStep) => void;
  readonly now?: () => number;
}

export interface Progress {
  update(phase: ProgressPhase, done: number, total: number): void;
  /** Takes the bar away, for a line or for good; the next update draws it anew. */
  hide(): void;
}

const phaseWords: Readonly<Record<ProgressPhase, string>> = {
  reading: 'reading weights',
  preparing: 'preparing kernels',
};

/** Of a load that is quicker nothing is shown. */
const quietMs = 500;

/** Columns of a bar line without the bar: the longest words, `100 %`, `12.3 GiB of 45.6 GiB`, and the gaps. */
const barFrame = 2 + 17 + 2 + 5 + 1 + 2 + 20;

/** Steps come at most every 5 s or 10 %. */
export function createProgress({ terminal, step, now = () => performance.now() }: ProgressOptions): Progress {
  const started = now();
  const bar = terminal && createBar(terminal);
  let isShown = false;
  let last = { at: started, percent: 0 };
  return {
    update(phase, done, total) {
      if (now() - started < quietMs || total <= 0) return;
      const words = phaseWords[phase];
      if (bar !== undefined) {
        const size = phase === 'reading' ? `${mebibytes(done)} of ${mebibytes(total)}` : '';
        if (isShown) bar.setTotal(total);
        else bar.start(total, done, { words, size });
        isShown = true;
        bar.update(done, { words, size });
        return;
      }
      const percent = Math.floor((100 * done) / total);
      if (now() - last.at < 5000 && Math.abs(percent - last.percent) < 10) return;
      last = { at: now(), percent };
      step({ phase, words, percent });
    },
    hide() {
      if (isShown) bar?.stop();
      isShown = false;
    },
  };
}

function createBar({ stream, columns }: NonNullable<ProgressOptions['terminal']>): cliProgress.SingleBar {
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
