// Which stored types have WASM kernels, and how their matrices lie in memory: panels of 8 interleaved rows (assembly/pack.ts).

import { ApiError } from '../../core/errors.ts';
import { rowBytes, type DType } from '../../tensor/dtype.ts';
import type { Kernels } from './kernels.ts';

export interface MatrixFormat {
  /** Opcode of its matrix product. */
  readonly opcode: number;
  /** Whether activations are quantized to int8 blocks of 32 first. */
  readonly quantizes: boolean;
  /** Packs `panels` panels of 8 file rows from `source` to `target`. */
  pack(kernels: Kernels, source: number, target: number, panels: number, cols: number): void;
}

const formats: Partial<Record<DType, MatrixFormat>> = {
  F32: { opcode: 4, quantizes: false, pack: (k, s, t, panels, cols) => k.packF32(s, t, panels, cols) },
  F16: { opcode: 5, quantizes: false, pack: (k, s, t, panels, cols) => k.packF16(s, t, panels, cols) },
  Q8_0: { opcode: 6, quantizes: true, pack: (k, s, t, panels, cols) => k.packQ8(s, t, panels, cols / 32) },
  Q4_0: { opcode: 7, quantizes: true, pack: (k, s, t, panels, cols) => k.packQ4(s, t, panels, cols / 32) },
};

export function matrixFormat(dtype: DType, name: string): MatrixFormat {
  const format = formats[dtype];
  if (format === undefined) {
    throw new ApiError(
      'not_implemented',
      `tensor ${name} is stored as ${dtype}, which the WASM kernels do not compute; ` +
        `they compute ${Object.keys(formats).join(', ')}. Use such a file, or --device reference (slow).`,
      { code: 'unsupported_dtype' },
    );
  }
  return format;
}

export const panelRows = 8;

export function panelCount(rows: number): number {
  return Math.ceil(rows / panelRows);
}

/** Bytes of one packed panel: as many as its 8 rows have in the file. */
export function panelBytes(dtype: DType, cols: number): number {
  return panelRows * rowBytes(dtype, cols);
}
