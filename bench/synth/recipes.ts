// Which type a matrix has in a file of a recipe, as llama-quantize decides it for these architectures (llama.cpp, src/llama-quant.cpp):
// more bits where errors cost most, and blocks of 32 where a row is no whole number of super-blocks.

import { dtypes, type DType } from '../../src/tensor/dtype.ts';

/** The types that recipes yield. */
export type RecipeDType = Extract<DType, 'F16' | 'Q8_0' | 'Q4_0' | 'Q5_0' | 'Q4_K' | 'Q6_K'>;

export interface MatrixPlace {
  /** `embedding` is also the output matrix: all our shapes tie them. */
  readonly role: 'embedding' | 'query' | 'key' | 'value' | 'attention output' | 'gate' | 'up' | 'down';
  /** Elements of a row. */
  readonly cols: number;
  readonly layer: number;
  readonly layers: number;
}

export type Recipe = (place: MatrixPlace) => RecipeDType;

export const recipes: Readonly<Record<string, Recipe>> = {
  f16: () => 'F16',
  q8_0: () => 'Q8_0',
  q4_0: ({ role, cols }) => (role === 'embedding' ? fitting('Q6_K', cols) : 'Q4_0'),
  q4_k_m: (place) => fitting(wantsMoreBits(place) ? 'Q6_K' : 'Q4_K', place.cols),
};

function wantsMoreBits({ role, layer, layers }: MatrixPlace): boolean {
  if (role === 'embedding') return true;
  return (role === 'value' || role === 'down') && isSensitive(layer, layers);
}

/** The first and the last eighth of the layers, and every third one between. */
function isSensitive(layer: number, layers: number): boolean {
  const eighth = Math.floor(layers / 8);
  return layer < eighth || layer >= Math.floor((7 * layers) / 8) || (layer - eighth) % 3 === 2;
}

/** Rows that are no whole number of super-blocks take the next larger type in blocks of 32. */
function fitting(dtype: 'Q4_K' | 'Q6_K', cols: number): RecipeDType {
  if (cols % dtypes[dtype].elements === 0) return dtype;
  return dtype === 'Q4_K' ? 'Q5_0' : 'Q8_0';
}
