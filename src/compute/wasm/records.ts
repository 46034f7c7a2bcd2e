// The words of operation records, as assembly/record.ts pictures them.

export const recordBytes = 128;

/** Each thread's own bytes: 64 attention scores. */
export const scratchBytesPerThread = 4096;

export const opcodes = {
  embed: 1,
  rmsNorm: 2,
  quantize: 3,
  bias: 8,
  add: 9,
  gate: 10,
  rope: 11,
  store: 12,
  attention: 13,
  select: 14,
} as const;

/** What the work items of a record are: tokens * factor, outputs * factor, or the factor itself. */
export const items = { tokens: 0, outputs: 1, fixed: 2 } as const;

export interface RecordWords {
  readonly opcode: number;
  readonly items: number;
  readonly factor: number;
  readonly chunk: number;
  /** Words 4.., u32; `real` puts a float's bits there. */
  readonly operands: readonly number[];
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
}
