// Activations of a quantized product, per block of 32 columns: int8 quants (in one of two forms) and a record of 32 bytes:
//   0 scale f32   4 sum of q i32   8, 12 sums of the first and second 16 i32   16 scale * sum f32   20, 24 the same of each 16   28 unused

export const SCALES_SHIFT: usize = 5;

/** Sizes of one block of quants: i16 (strict form) or int8. */
// @ts-ignore: decorator
@inline export function quantShift(step: usize): usize { return step == 8 ? 6 : 5; }
