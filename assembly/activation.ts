// Activations of a quantized product, per block of 32 columns: int8 quants (in one of two forms) and four numbers. Rows lie in packs of
// four, or of six where they are many, the last pack with what is left, so that a tile reads one stream. A pack of n rows:
//   quants    [blocks][8 groups of 4 columns][n rows] 4 int8, or 4 i16 in the order k0 k2 k1 k3
//   numbers   [blocks][4][n rows] 32 bits: scale f32, -sum of quants i32, scale * sum f32, -sum of the first 16 i32
// A pack starts where its first row would start if each row lay alone.

/** Bytes of the numbers of one block of one row are 1 << 4. */
export const NUMBERS_SHIFT: usize = 4;

/** Bytes of a block of quants: i16 (strict form) or int8. */
// @ts-ignore: decorator
@inline export function quantShift(step: usize): usize { return step == 8 ? 6 : 5; }

/**
 * Most rows that are multiplied by weights as they are stored. With more of them each panel is unpacked first (matmul/linear.ts), and what
 * that leaves free of registers holds the sums of two more rows.
 */
export const FEW_ROWS: usize = 47;

/** Rows of a full pack, of so many in all. Six in the vnni build only: there a sum takes one instruction and one register. */
// @ts-ignore: decorator
@inline export function packOf(rows: usize): usize { return BUILD == 2 && rows > FEW_ROWS ? 6 : 4; }

/** Rows of a pack. */
@unmanaged
export class One {
  // @ts-ignore: decorator
  @inline rows(): usize { return 1; }
}
@unmanaged
export class Two {
  // @ts-ignore: decorator
  @inline rows(): usize { return 2; }
}
@unmanaged
export class Three {
  // @ts-ignore: decorator
  @inline rows(): usize { return 3; }
}
@unmanaged
export class Four {
  // @ts-ignore: decorator
  @inline rows(): usize { return 4; }
}
@unmanaged
export class Five {
  // @ts-ignore: decorator
  @inline rows(): usize { return 5; }
}
@unmanaged
export class Six {
  // @ts-ignore: decorator
  @inline rows(): usize { return 6; }
}
