// A checkpoint in a few words, from what its tensors are rather than from what its metadata claims.

import { basename, dirname } from 'node:path';
import type { DType } from '../tensor/dtype.ts';
import type { Checkpoint } from './checkpoint.ts';
import { partOfName } from './gguf-parts.ts';
import { printable } from './quote.ts';

export interface ModelDescription {
  /** `general.name`, else the file's name without its ending. */
  readonly name: string;
  /** `general.architecture`; `unknown` when the file does not say. */
  readonly architecture: string;
  /** Elements of all tensors. */
  readonly parameters: number;
  /** As `Q8_0`, `Q4_K_M`, or `mixed (Q4_K 45 %, Q6_K 40 %)` when no type has half of the elements. */
  readonly quantization: string;
  readonly bitsPerWeight: number;
  /** Largest share of the bytes first. */
  readonly mix: readonly TypeShare[];
}

export interface TypeShare {
  readonly dtype: DType;
  readonly tensors: number;
  readonly elements: number;
  readonly bytes: number;
}

export function describeCheckpoint(checkpoint: Checkpoint): ModelDescription {
  const { metadata, tensors, unsupported, tensorBytes } = checkpoint;
  const mix = mixOf([...tensors.values()]);
  const measured = mix.reduce((sum, { elements }) => sum + elements, 0);
  const unmeasured = [...(unsupported?.values() ?? [])].reduce((sum, { shape }) => sum + elementsOf(shape), 0);
  const architecture = metadata['general.architecture'];
  return {
    name: nameOf(checkpoint),
    architecture: typeof architecture === 'string' ? printable(architecture) : 'unknown',
    parameters: measured + unmeasured,
    quantization: quantizationOf(checkpoint),
    bitsPerWeight: measured === 0 ? 0 : (8 * tensorBytes) / measured,
    mix,
  };
}

function nameOf({ metadata, files }: Checkpoint): string {
  const name = metadata['general.name'];
  if (typeof name === 'string' && name.trim() !== '') return printable(name.trim());
  const file = basename(files[0]);
  const stem = partOfName(file)?.stem ?? file.replace(/\.gguf$/i, '');
  return printable(stem === '' ? basename(dirname(files[0])) : stem);
}

/** Only matrices count: norms and biases are F32 everywhere. */
function quantizationOf({ tensors }: Checkpoint): string {
  const matrices = [...tensors.values()].filter(({ shape }) => shape.length > 1);
  const mix = mixOf(matrices).sort((a, b) => b.elements - a.elements);
  if (mix.length === 0) return 'none';
  const total = mix.reduce((sum, { elements }) => sum + elements, 0);
  if (mix[0].elements * 2 < total) {
    const shares = mix.slice(0, 3).map(({ dtype, elements }) => `${dtype} ${Math.round((100 * elements) / total)} %`);
    return `mixed (${shares.join(', ')})`;
  }
  const { dtype } = mix[0];
  // The K recipes differ in what they give to the two projections that suffer most from rounding.
  const sensitive = matrices.filter(({ name }) => /\.(attn_v|attn_qkv|ffn_down|ffn_down_exps)\.weight$/.test(name));
  const uses = (other: DType): boolean => sensitive.some((tensor) => tensor.dtype === other);
  const isRecipe = mix.filter((share) => !['F32', 'F16', 'BF16'].includes(share.dtype)).length > 1;
  if (!isRecipe) return dtype;
  if (dtype === 'Q3_K') return mostOf(sensitive) === 'Q5_K' ? 'Q3_K_L' : uses('Q4_K') ? 'Q3_K_M' : 'Q3_K_S';
  if (dtype === 'Q4_K' || dtype === 'Q5_K') return uses('Q6_K') ? `${dtype}_M` : `${dtype}_S`;
  return dtype;
}

function mostOf(tensors: readonly { readonly dtype: DType; readonly shape: readonly number[] }[]): DType | undefined {
  return mixOf(tensors.map((tensor) => ({ ...tensor, bytes: 0 }))).sort((a, b) => b.elements - a.elements)[0]?.dtype;
}

function mixOf(
  tensors: readonly { readonly dtype: DType; readonly shape: readonly number[]; readonly bytes: number }[],
): TypeShare[] {
  const shares = new Map<DType, TypeShare>();
  for (const { dtype, shape, bytes } of tensors) {
    const share = shares.get(dtype) ?? { dtype, tensors: 0, elements: 0, bytes: 0 };
    shares.set(dtype, {
      dtype,
      tensors: share.tensors + 1,
      elements: share.elements + elementsOf(shape),
      bytes: share.bytes + bytes,
    });
  }
  return [...shares.values()].sort((a, b) => b.bytes - a.bytes);
}

function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}
