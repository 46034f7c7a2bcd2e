// How far the loading of a model is: a bar that moves where a person looks at it, elsewhere a step now and then.

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
  /** Where there is a terminal (`progress-bar.ts`). Without one `step` is called. */
  readonly bar?: ProgressBar | undefined;
  readonly step: (step: ProgressStep) => void;
  readonly now?: () => number;
}

export interface ProgressBar {
  start(total: number, done: number, words: BarWords): void;
  setTotal(total: number): void;
  update(done: number, words: BarWords): void;
  stop(): void;
}

interface BarWords {
  readonly words: string;
  readonly size: string;
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

/** Steps come at most every 5 s or 10 %. */
export function createProgress({ bar, step, now = () => performance.now() }: ProgressOptions): Progress {
  const started = now();
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
