// The picture of an operation record and of a batch header, as src/compute/wasm/program.ts writes them. All words are 32 bits.
//
//   record (32 words)                              batch header (16 words)
//   0 opcode                                       0 tokens          4 positions*  [tokens] i32
//   1 what its work items are (Items)              1 outputs         5 rows*       [tokens] i32, row of the block tables
//   2 factor of the item count                     2 block tables*   6 outputs*    [outputs] i32, token of each output
//   3 items per chunk                              3 blocks per row  8 splits of attention (1: none)
//   4.. operands, see each kernel                  7 ids*            [tokens] i32          (* = pointer)
//   31 what follows it (Link)
//
// Activations are [rows, cols] f32 with `stride` bytes from row to row: cols rounded up to 8 values.

export const RECORD_BYTES: usize = 128;

/**
 * Work items: tokens * factor, outputs * factor, just the factor; packs of 4 rows of attention (factor: query heads per kv head) with
 * each kv head (word 9) and split; tokens * factor if attention is split, else none.
 */
export namespace Items {
  export const TOKENS: u32 = 0;
  export const OUTPUTS: u32 = 1;
  export const FIXED: u32 = 2;
  export const PACKS: u32 = 3;
  export const SPLITS: u32 = 4;
}

/** A barrier; the next record, for the same chunk; the next record, without waiting. */
export namespace Link {
  export const BARRIER: u32 = 0;
  export const JOINED: u32 = 1;
  export const BESIDE: u32 = 2;
}

/** Types of the KV cache. */
export namespace Cache {
  export const F32: u32 = 0;
  export const F16: u32 = 1;
  export const Q8_0: u32 = 2;
  export const I16: u32 = 3;
}

export namespace Opcode {
  export const EMBED: u32 = 1;
  export const RMS_NORM: u32 = 2;
  export const QUANTIZE: u32 = 3;
  export const BIAS: u32 = 4;
  export const ADD: u32 = 5;
  export const GATE: u32 = 6;
  export const ROPE: u32 = 7;
  export const STORE: u32 = 8;
  export const ATTENTION: u32 = 9;
  export const SELECT: u32 = 10;
  export const MERGE: u32 = 11;
  export const LINEAR_F32: u32 = 32;
  export const LINEAR_F16: u32 = 33;
  export const LINEAR_BF16: u32 = 34;
  export const LINEAR_Q8_0: u32 = 35;
  export const LINEAR_Q4_0: u32 = 36;
  export const LINEAR_Q4_1: u32 = 37;
  export const LINEAR_Q5_0: u32 = 38;
  export const LINEAR_Q5_1: u32 = 39;
  export const LINEAR_Q4_K: u32 = 40;
  export const LINEAR_Q5_K: u32 = 41;
  export const LINEAR_Q6_K: u32 = 42;
  export const LINEAR_Q2_K: u32 = 48;
  export const LINEAR_Q3_K: u32 = 49;
  export const LINEAR_IQ4_NL: u32 = 50;
  export const LINEAR_IQ4_XS: u32 = 51;
  export const LINEAR_IQ3_XXS: u32 = 52;
  export const LINEAR_IQ3_S: u32 = 53;
  export const LINEAR_MXFP4: u32 = 54;
  export const LINEAR_NVFP4: u32 = 55;
  export const LINEAR_TQ1_0: u32 = 56;
  export const LINEAR_TQ2_0: u32 = 57;
}

// @ts-ignore: decorator
@inline export function word(record: usize, index: usize): u32 { return load<u32>(record + (index << 2)); }
// @ts-ignore: decorator
@inline export function linkOf(record: usize): u32 { return load<u32>(record, 124); }
// @ts-ignore: decorator
@inline export function real(record: usize, index: usize): f32 { return load<f32>(record + (index << 2)); }

// @ts-ignore: decorator
@inline export function tokenCount(batch: usize): u32 { return load<u32>(batch, 0); }
// @ts-ignore: decorator
@inline export function outputCount(batch: usize): u32 { return load<u32>(batch, 4); }
// @ts-ignore: decorator
@inline export function blockTable(batch: usize, token: usize): usize {
  const row = <usize>load<u32>(<usize>load<u32>(batch, 20) + (token << 2));
  return <usize>load<u32>(batch, 8) + ((row * <usize>load<u32>(batch, 12)) << 2);
}
// @ts-ignore: decorator
@inline export function position(batch: usize, token: usize): u32 { return load<u32>(<usize>load<u32>(batch, 16) + (token << 2)); }
// @ts-ignore: decorator
@inline export function outputToken(batch: usize, output: usize): u32 { return load<u32>(<usize>load<u32>(batch, 24) + (output << 2)); }
// @ts-ignore: decorator
@inline export function tokenId(batch: usize, token: usize): u32 { return load<u32>(<usize>load<u32>(batch, 28) + (token << 2)); }

// @ts-ignore: decorator
@inline export function splitCount(batch: usize): u32 { return load<u32>(batch, 32); }

/** How many work items a record has in this batch. */
export function itemCount(record: usize, batch: usize): u32 {
  const kind = word(record, 1);
  const factor = word(record, 2);
  if (kind == Items.TOKENS) return tokenCount(batch) * factor;
  if (kind == Items.OUTPUTS) return outputCount(batch) * factor;
  if (kind == Items.PACKS) return ((tokenCount(batch) * factor + 3) >> 2) * word(record, 9) * splitCount(batch);
  if (kind == Items.SPLITS) return splitCount(batch) > 1 ? tokenCount(batch) * factor : 0;
  return factor;
}
