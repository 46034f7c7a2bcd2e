// Fewer barriers: which neighbouring records need none between them. With a token a barrier costs as much as many an operation.
//
// joined  operations on rows: row r of the one needs row r of the others and no more. A thread takes some rows through all of them.
// beside  products of the same input: whoever has finished with one goes on with the next.
//
// Buffers share memory by the order of operations (scratch.ts), and here that order is loosened: `stepsOf` says within which steps a
// buffer must keep its place.

import type { Op } from '../backend.ts';
import { items, links, opcodes, type ProgramRecord } from './records.ts';

const ofRows = new Set<number>([
  opcodes.embed,
  opcodes.rmsNorm,
  opcodes.quantize,
  opcodes.bias,
  opcodes.add,
  opcodes.gate,
  opcodes.rope,
  opcodes.store,
]);

/** Stages of a phase: each has counters of its own (assembly/barrier.ts). */
export const mostStages = 8;

/** Records of one segment with their links. */
export function linkRecords(records: readonly ProgramRecord[]): ProgramRecord[] {
  let stages = 1;
  const linked = records.map((record, index): ProgramRecord => {
    const next = records.at(index + 1);
    if (next !== undefined && joins(record, next)) return { ...record, link: links.joined };
    const goesOn = next !== undefined && isBeside(record, next) && stages < mostStages;
    stages = goesOn ? stages + 1 : 1;
    return goesOn ? { ...record, link: links.beside } : record;
  });
  // A chunk goes through a whole stage: it is as large as the smallest of its records wants, but holds whole packs of quants. Rows of a
  // pack share cache lines, so two threads that wrote into one pack would take them from each other all the time.
  let first = 0;
  for (const [index, { link }] of linked.entries()) {
    if (link === links.joined) continue;
    const stage = linked.slice(first, index + 1);
    const packs = stage.filter(({ opcode }) => opcode === opcodes.quantize);
    const chunk = Math.min(...(packs.length > 0 ? packs : stage).map((record) => record.chunk));
    stage.forEach((record, i) => (linked[first + i] = { ...record, chunk }));
    first = index + 1;
  }
  return linked;
}

function joins(a: ProgramRecord, b: ProgramRecord): boolean {
  return isOfRows(a) && isOfRows(b) && a.items === b.items;
}

function isOfRows({ opcode, items: kind, factor }: ProgramRecord): boolean {
  return ofRows.has(opcode) && factor === 1 && (kind === items.tokens || kind === items.outputs);
}

/** Products; operands 0 to 2 are their input. */
function isBeside(a: ProgramRecord, b: ProgramRecord): boolean {
  const isProduct = (record: ProgramRecord): boolean => record.items === items.fixed && record.multiplications > 0;
  return isProduct(a) && isProduct(b) && [0, 1, 2].every((index) => a.operands[index] === b.operands[index]);
}

/** When an operation reads and writes, in steps that never change places; what happens within one step may. */
export interface Steps {
  readonly first: number;
  readonly last: number;
}

/**
 * Runs of operations on rows are the even steps; products and attention have the odd ones. The input of a product may be quantised in the
 * step before it, and a bias be added in the one behind.
 */
export function stepsOf(ops: readonly Op[]): Steps[] {
  let step = 0;
  return ops.map(({ op }, index): Steps => {
    const isOdd = op === 'linear' || op === 'attention' || op === 'select';
    if (!isOdd) {
      if (step % 2 === 1) step++;
      return { first: step, last: step };
    }
    const goesOn = op === 'linear' && index > 0 && ops[index - 1].op === 'linear';
    if (step % 2 === 0) step++;
    else if (!goesOn) step += 2;
    return { first: step - 1, last: step + 1 };
  });
}
