// The words of operation records, as assembly/record.ts pictures them.

export const recordBytes = 128;

export const opcodes = {
  embed: 1,
  rmsNorm: 2,
  quantize: 3,
  bias: 4,
  add: 5,
  gate: 6,
  rope: 7,
  store: 8,
  attention: 9,
  select: 10,
  merge: 11,
} as const;

/** What follows a record (assembly/record.ts): a barrier, the next record for the same chunk, or the next record without waiting. */
export const links = { barrier: 0, joined: 1, beside: 2 } as const;
export type Link = (typeof links)[keyof typeof links];

/** What the work items of a record are (assembly/record.ts). */
export const items = { tokens: 0, outputs: 1, fixed: 2, packs: 3, splits: 4 } as const;

export interface RecordWords {
  readonly opcode: number;
  readonly items: number;
  readonly factor: number;
  readonly chunk: number;
  /** Words 4.., u32; `real` puts a float's bits there. */
  readonly operands: readonly number[];
  /** A barrier unless told otherwise. */
  readonly link?: Link;
}

/** A record of a model's program. */
export interface ProgramRecord extends RecordWords {
  /** What it does, for a profile: the operation, with the type and size of a matrix. */
  readonly label: string;
  /** Of a matrix product: bytes of the matrix, and multiplications per row of its input. */
  readonly weightBytes: number;
  readonly multiplications: number;
}

const bits = new DataView(new ArrayBuffer(4));

export function real(value: number): number {
  bits.setFloat32(0, value, true);
  return bits.getUint32(0, true);
}

export function writeRecord(words: Uint32Array, index: number, record: RecordWords): void {
  const at = (index * recordBytes) / 4;
  words.fill(0, at, at + recordBytes / 4);
  words.set([record.opcode, record.items, record.factor, record.chunk, ...record.operands], at);
  words[at + 31] = record.link ?? links.barrier;
}
