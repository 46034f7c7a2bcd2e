// Which stored types have WASM kernels, and how their matrices lie in memory: as panels of 8 interleaved rows (assembly/pack.ts), or as
// the file stores them, which the kernels unpack panel by panel (assembly/unpack/).

import { ApiError } from '../../core/errors.ts';
import { iq3sPoints, iq3xxsPoints } from '../../tensor/blocks/lattice.ts';
import { fp4Values, nonLinearLevels } from '../../tensor/blocks/table.ts';
import { rowBytes, type DType } from '../../tensor/dtype.ts';
import type { KernelBuild } from './builds.ts';
import type { Kernels } from './kernels.ts';

export interface MatrixFormat {
  /** Opcode of its matrix product (assembly/record.ts). */
  readonly opcode: number;
  /** What it multiplies with: f32 activations, or int8 ones, where the range of its own values decides their form. */
  readonly range: 'float' | 'bytes' | 'small';
  /** Bytes of 32 columns of one row in a panel, if they are not those of the file. */
  readonly packedBytes?: number;
  /** Bytes of 32 columns of an unpacked panel in a thread's scratch. */
  readonly unpackedBytes?: number;
  /** What its kernel looks bytes up in: 16 levels with the bias of the type added, or a code book. */
  readonly table?: Uint8Array;
  /** Packs `panels` panels of 8 file rows from `source` to `target`; none: the rows stay as the file stores them. */
  readonly pack?: Pack;
}

type Pack = (kernels: Kernels, source: number, target: number, panels: number, cols: number) => void;

const packQ45K =
  (fifth: number): Pack =>
  (kernels, source, target, panels, cols) =>
    kernels.packQ45K(source, target, panels, cols, fifth);

/** `halves`: f16 values per block; `high`: bytes of fifth bits. */
const packNibbles =
  (halves: number, high: number): Pack =>
  (kernels, source, target, panels, cols) =>
    kernels.packNibbles(source, target, panels, cols, halves, high);

const pack2: Pack = (kernels, ...panel) => kernels.pack2(...panel);

const nonLinear = Uint8Array.from(nonLinearLevels, (level) => level + 128);
/** Doubled, to be integers. */
const fp4 = Uint8Array.from(fp4Values, (value) => 2 * value + 12);

const formats: Partial<Record<DType, MatrixFormat>> = {
  F32: { opcode: 32, range: 'float', pack: (kernels, ...panel) => kernels.pack4(...panel) },
  F16: { opcode: 33, range: 'float', pack: pack2 },
  BF16: { opcode: 34, range: 'float', pack: pack2 },
  Q8_0: { opcode: 35, range: 'bytes', unpackedBytes: 320, pack: (kernels, ...panel) => kernels.packBytes(...panel) },
  Q4_0: { opcode: 36, range: 'small', unpackedBytes: 320, pack: packNibbles(1, 0) },
  Q4_1: { opcode: 37, range: 'small', unpackedBytes: 320, pack: packNibbles(2, 0) },
  Q5_0: { opcode: 38, range: 'small', unpackedBytes: 320, pack: packNibbles(1, 4) },
  Q5_1: { opcode: 39, range: 'small', unpackedBytes: 320, pack: packNibbles(2, 4) },
  Q4_K: { opcode: 40, range: 'small', packedBytes: 148 / 8, unpackedBytes: 320, pack: packQ45K(0) },
  Q5_K: { opcode: 41, range: 'small', packedBytes: 180 / 8, unpackedBytes: 320, pack: packQ45K(1) },
  Q6_K: { opcode: 42, range: 'small', unpackedBytes: 384, pack: (kernels, ...panel) => kernels.packQ6K(...panel) },
  Q2_K: { opcode: 48, range: 'small', unpackedBytes: 384 },
  Q3_K: { opcode: 49, range: 'small', unpackedBytes: 384 },
  IQ4_NL: { opcode: 50, range: 'bytes', unpackedBytes: 320, table: nonLinear },
  IQ4_XS: { opcode: 51, range: 'bytes', unpackedBytes: 320, table: nonLinear },
  IQ3_XXS: { opcode: 52, range: 'small', unpackedBytes: 320, table: iq3xxsPoints },
  IQ3_S: { opcode: 53, range: 'small', unpackedBytes: 320, table: iq3sPoints },
  MXFP4: { opcode: 54, range: 'small', unpackedBytes: 320, table: fp4 },
  NVFP4: { opcode: 55, range: 'small', unpackedBytes: 384, table: fp4 },
  TQ1_0: { opcode: 56, range: 'small', unpackedBytes: 320 },
  TQ2_0: { opcode: 57, range: 'small', unpackedBytes: 320 },
};

/** Types of matrices that the kernels compute. */
export const kernelTypes = Object.keys(formats) as readonly DType[];

export function matrixFormat(dtype: DType, name: string): MatrixFormat {
  const format = formats[dtype];
  if (format === undefined) {
    throw new ApiError(
      'not_implemented',
      `tensor ${name} is stored as ${dtype}, which the WASM kernels do not compute; ` +
        `they compute ${kernelTypes.join(', ')}. Use such a file, or --device reference (slow).`,
      { code: 'unsupported_dtype' },
    );
  }
  return format;
}

/** How a build keeps the quants of activations: i16 in the order k0 k2 k1 k3, or int8. */
export type QuantForm = 'i16' | 'i8';

/** `undefined`: the product takes f32. Bytes up to 255 have an exact int8 product in the vnni build only. */
export function quantForm({ range }: MatrixFormat, build: KernelBuild): QuantForm | undefined {
  if (range === 'float') return undefined;
  if (build === 'strict') return 'i16';
  return build === 'rel16' && range === 'bytes' ? 'i16' : 'i8';
}

/** Most rows of a pack of quantized activations (packOf of assembly/activation.ts). */
export function packRows(build: KernelBuild): number {
  return build === 'vnni' ? 6 : 4;
}

export const panelRows = 8;

export function panelCount(rows: number): number {
  return Math.ceil(rows / panelRows);
}

/** Bytes of one packed panel. */
export function panelBytes(dtype: DType, cols: number): number {
  const packed = formats[dtype]?.packedBytes;
  return packed === undefined ? filePanelBytes(dtype, cols) : (panelRows * packed * cols) / 32;
}

/** Bytes of 8 rows in the file. */
export function filePanelBytes(dtype: DType, cols: number): number {
  return panelRows * rowBytes(dtype, cols);
}
