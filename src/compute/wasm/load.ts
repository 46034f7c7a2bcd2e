// Weights from files into arenas. A job is one piece of a matrix, about a MiB: read into a thread's staging bytes and packed to its place,
// or read to its place when it stays as the file stores it.

import type { BackendPlan } from '../backend.ts';
import type { DType } from '../../tensor/dtype.ts';
import { rowBytes } from '../../tensor/dtype.ts';
import { filePanelBytes, panelBytes, panelCount, panelRows } from './formats.ts';
import type { Layout } from './layout.ts';

export interface LoadJob {
  readonly name: string;
  readonly dtype: DType;
  readonly cols: number;
  /** A file with the byte offset of the first row, or the rows themselves (F32). */
  readonly source: { readonly file: string; readonly offset: number } | { readonly values: Float32Array };
  /** Rows that the file has; the last panel may have fewer than 8. */
  readonly rows: number;
  readonly arena: number;
  readonly target: number;
}

export function planJobs(plan: BackendPlan, layout: Layout): LoadJob[] {
  const jobs: LoadJob[] = [];
  for (const [id, weight] of plan.weights.entries()) {
    const { source } = weight;
    if (weight.kind !== 'matrix') continue;
    const arena = layout.home.get(id) ?? 0;
    const target = layout.pointers.get(`${arena}:${id}`) ?? 0;
    const panel = panelBytes(weight.dtype, weight.cols);
    const step = Math.max(1, Math.floor(layout.stagingBytes / filePanelBytes(weight.dtype, weight.cols)));
    for (let first = 0; first < panelCount(weight.rows); first += step) {
      const row = first * panelRows;
      const rows = Math.min(step * panelRows, weight.rows - row);
      jobs.push({
        name: weight.name,
        dtype: weight.dtype,
        cols: weight.cols,
        source:
          source.type === 'file'
            ? { file: source.file, offset: source.offset + row * rowBytes(weight.dtype, weight.cols) }
            : { values: source.values.slice(row * weight.cols, (row + rows) * weight.cols) },
        rows,
        arena,
        target: target + first * panel,
      });
    }
  }
  return jobs;
}
